//! The files of `--static`: those of one folder, and nothing beside or hidden in it.

use http::{HeaderValue, Request, Response, header};
use std::{
    io,
    path::{Path, PathBuf},
};
use tidewire::http::Body;
use tower_http::services::ServeDir;

#[derive(Clone)]
pub(super) struct Files {
    /// Without symbolic links.
    root: PathBuf,
    service: ServeDir,
}

impl Files {
    /// # Errors
    ///
    /// One sentence: the folder can't be read.
    pub(super) fn new(folder: &Path) -> Result<Self, String> {
        let refused = |_| format!("--static: {} is no folder that can be read", folder.display());
        let root = folder.canonicalize().map_err(refused)?;
        std::fs::read_dir(&root).map_err(refused)?;
        Ok(Self { service: ServeDir::new(&root), root })
    }

    /// `None` where there is nothing that may be read.
    pub(super) async fn answer(&mut self, request: Request<Body>) -> io::Result<Option<Response<Body>>> {
        let Some(relative) = relative(request.uri().path()) else { return Ok(None) };
        let (root, path) = (self.root.clone(), self.root.join(relative));
        // The disk may be slow.
        let allowed = tokio::task::spawn_blocking(move || is_served(&root, &path));
        if !allowed.await.map_err(io::Error::other)? {
            return Ok(None);
        }
        match self.service.try_call(request).await {
            Ok(response) => {
                let mut response = response.map(Body::new);
                let nosniff = HeaderValue::from_static("nosniff");
                response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
                Ok(Some(response))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The file that a request's path names; `None` where it is hidden, or could lead to another place.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    // A redirect to `//host` would lead to another site.
    if path.starts_with(['/', '\\']) {
        return None;
    }
    let decoded = decode(path)?;
    let is_hidden = |segment: &str| segment.starts_with('.') && segment != ".well-known";
    (!decoded.contains(['\\', '\0']) && !decoded.starts_with('/') && !decoded.split('/').any(is_hidden))
        .then(|| PathBuf::from(decoded))
}

/// Percent-decoded (RFC 3986 §2.1); `None` where that is no UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

/// Whether it is a regular file within the folder, links followed; of a folder, whether its index is, if there is one.
///
/// A FIFO or a device could keep its reader for ever.
fn is_served(root: &Path, path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let within = |path: &Path| path.starts_with(root);
    if path.is_dir() {
        return within(&path)
            && path.join("index.html").canonicalize().is_ok_and(|index| within(&index) && index.is_file());
    }
    within(&path) && path.is_file()
}

/// Whether there is no such file, or none that may be read.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_files_and_hidden_ones_do_not_exist() {
        for (path, file) in [
            ("/", ""),
            ("/a/b.txt", "a/b.txt"),
            ("/a%20b", "a b"),
            ("/100%", "100%"),
            ("/.well-known/x", ".well-known/x"),
        ] {
            assert_eq!(relative(path), Some(PathBuf::from(file)), "{path}");
        }
        for path in [
            "",
            "a",
            "//a",
            "/\\a",
            "/%2fa",
            "/.git/config",
            "/a/.env",
            "/%2eenv",
            "/a/../b",
            "/.",
            "/%ff",
            "/a%00",
            "/a%5c..%5cb",
            "/a/.well-known.bak",
        ] {
            assert_eq!(relative(path), None, "{path}");
        }
    }
}
