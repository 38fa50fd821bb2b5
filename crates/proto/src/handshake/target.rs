//! The request target (RFC 9112 §3.2) and the characters of paths and queries (RFC 3986 §3.3, §3.4).

use super::authority::Authority;
use super::grammar::percent_encoding_is_whole;
use core::fmt;

/// The target of a WebSocket request, in origin form or absolute form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Host and port of the absolute form; they outrank the Host header (RFC 9112 §3.2.2).
    pub authority: Option<&'a str>,
    /// The path, with its percent-encoding; `/` where it is empty.
    pub path: &'a str,
    /// What stands behind the first `?`.
    pub query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Takes a target apart.
    ///
    /// # Errors
    /// It is in another form, or holds what no target has.
    pub fn parse(text: &'a str) -> Result<Self, TargetError> {
        let (authority, rest) = if text.starts_with('/') {
            (None, text)
        } else {
            let (scheme, rest) = text.split_once("://").ok_or(TargetError::Form)?;
            if !["http", "https", "ws", "wss"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
                return Err(TargetError::Form);
            }
            let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            Authority::parse(authority.as_bytes()).map_err(|_| TargetError::Authority)?;
            (Some(authority), rest)
        };
        check_characters(rest)?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        Ok(Self { authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

/// Judges a path with its query.
pub(crate) fn check_characters(text: &str) -> Result<(), TargetError> {
    for byte in text.bytes() {
        match byte {
            b'#' => return Err(TargetError::Fragment),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                return Err(TargetError::Character(byte));
            }
            b'!'..=b'~' => {}
            _ => return Err(TargetError::Character(byte)),
        }
    }
    if percent_encoding_is_whole(text) { Ok(()) } else { Err(TargetError::Percent) }
}

/// What is wrong with a request target, or with the path or query of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// Neither `/path` nor `http://host/path`.
    Form,
    /// An absolute form whose host or port is none.
    Authority,
    /// A fragment (RFC 6455 §3).
    Fragment,
    /// A `%` that two hexadecimal digits do not follow.
    Percent,
    /// A byte that stands in no path or query.
    Character(u8),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("the request target is neither a path nor an http URL"),
            Self::Authority => f.write_str("the request target's host or port is none"),
            Self::Fragment => {
                f.write_str("a WebSocket URL has no fragment: leave out # and what follows (RFC 6455 §3)")
            }
            Self::Percent => {
                f.write_str("a % is not followed by two hexadecimal digits: write %25 for a percent sign")
            }
            Self::Character(byte) => {
                write!(f, "byte 0x{byte:02x} can't stand in a path or query: write it as %{byte:02X}")
            }
        }
    }
}

impl core::error::Error for TargetError {}
