//! Where a Location header leads (RFC 3986 §5, RFC 9110 §10.2.2).

use super::target::{TargetError, check_characters};
use super::url::{UrlError, WsUrl};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The URL that a redirect from `from` leads to, with the user and password of `from` where it has none of its own and
/// the origin is the same. Bounding how many are followed is the caller's part.
///
/// # Errors
/// The location can't be read, or leads from wss to ws.
pub fn redirect(from: &WsUrl, location: &[u8]) -> Result<WsUrl, UrlError> {
    let location =
        core::str::from_utf8(location).map_err(|_| TargetError::Character(first_non_ascii(location)))?;
    let to = resolve(from, location)?.with_login_of(from);
    if from.is_secure() && !to.is_secure() { Err(UrlError::Downgrade) } else { Ok(to) }
}

/// Resolves a URL or relative reference against `base` (RFC 3986 §5.2).
///
/// # Errors
/// What is wrong with the reference.
pub fn resolve(base: &WsUrl, reference: &str) -> Result<WsUrl, UrlError> {
    if reference.is_empty() {
        return Err(UrlError::EmptyLocation);
    }
    let first_part = reference.split(['/', '?', '#']).next().unwrap_or_default();
    if first_part.contains(':') {
        return WsUrl::parse(reference);
    }
    if reference.starts_with("//") {
        return WsUrl::parse(&format!("{}:{reference}", base.scheme()));
    }
    check_characters(reference)?;
    let (path, query) = split_query(reference);
    let (base_path, _) = split_query(base.target());
    let path = match path {
        "" => String::from(base_path),
        absolute if absolute.starts_with('/') => remove_dots(absolute),
        relative => {
            let directory = base_path.rfind('/').map_or("/", |slash| &base_path[..=slash]);
            remove_dots(&format!("{directory}{relative}"))
        }
    };
    Ok(base.with_target(match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }))
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

/// Takes `.` and `..` out of a path that begins with `/` (RFC 3986 §5.2.4).
fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

fn first_non_ascii(bytes: &[u8]) -> u8 {
    bytes.iter().copied().find(|byte| !byte.is_ascii()).unwrap_or_default()
}
