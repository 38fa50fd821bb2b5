//! What people type for an address, made into one.

use crate::args::values::Credentials;
use std::path::PathBuf;

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `ws://…` or `wss://…`, without credentials.
    pub(crate) url: String,
    /// `user:password@` of the URL.
    pub(crate) credentials: Option<Credentials>,
    /// The Unix socket to connect to.
    pub(crate) socket: Option<PathBuf>,
}

/// `9876`, `:9876`, `localhost:9876/path`, `http://…`, `ws://…`, `unix:/socket`, `unix:/socket:/path`.
///
/// Only the scheme, a missing host and credentials are dealt with; host, port and path are judged where the connection is opened.
pub(crate) fn target(text: &str) -> Result<Target, String> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("unix:").or_else(|| text.strip_prefix("ws+unix:")) {
        return unix(rest);
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => ("ws", rest),
            "wss" | "https" => ("wss", rest),
            _ => return Err(format!("{scheme}:// can't be connected to: use ws:// or wss://")),
        },
        None => ("ws", text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let host = match host {
        "" => return Err("the URL has no host: write ws://HOST:PORT/ or :PORT".into()),
        port if port.bytes().all(|byte| byte.is_ascii_digit()) && scheme == "ws" && !text.contains("://") => {
            format!("localhost:{port}")
        }
        port if port.starts_with(':') => format!("localhost{port}"),
        host => host.into(),
    };
    let path = if path.is_empty() { "/" } else { path };
    let credentials = user.map(credentials).transpose()?;
    Ok(Target { url: format!("{scheme}://{host}{path}"), credentials, socket: None })
}

/// A socket, and behind `:/` the path to ask for.
fn unix(text: &str) -> Result<Target, String> {
    let text = text.strip_prefix("//").unwrap_or(text);
    let (socket, path) = text.split_once(":/").unwrap_or((text, ""));
    if socket.is_empty() {
        return Err("the path of the socket is missing: write unix:/run/app.sock".into());
    }
    let url = format!("ws://localhost/{path}");
    Ok(Target { url, credentials: None, socket: Some(socket.into()) })
}

fn credentials(user: &str) -> Result<Credentials, String> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    Ok(Credentials::Basic { user: percent_decode(user)?, password: percent_decode(password)? })
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        out.push(match byte {
            b'%' => {
                let byte = rest
                    .get(..2)
                    .and_then(|digits| super::codec::hex(digits).ok())
                    .filter(|bytes| bytes.len() == 1);
                rest = rest.get(2..).unwrap_or_default();
                byte.ok_or("the credentials in the URL are not percent-encoded well")?[0]
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| "the credentials in the URL are not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_urls() {
        for (text, url) in [
            ("9876", "ws://localhost:9876/"),
            (":9876", "ws://localhost:9876/"),
            ("9876/chat", "ws://localhost:9876/chat"),
            ("localhost:9876", "ws://localhost:9876/"),
            ("[::1]:9876/x", "ws://[::1]:9876/x"),
            ("example.org?x=1", "ws://example.org?x=1"),
            ("http://example.org/a", "ws://example.org/a"),
            ("HTTPS://example.org", "wss://example.org/"),
            ("ws://127.0.0.1:9876/?a=http://b@c", "ws://127.0.0.1:9876/?a=http://b@c"),
            ("wss://example.org/ü", "wss://example.org/ü"),
        ] {
            assert_eq!(target(text).map(|target| target.url), Ok(url.into()), "{text}");
        }
    }

    #[test]
    fn a_socket_may_have_a_path_to_ask_for() {
        for (text, socket, url) in [
            ("unix:/run/a.sock", "/run/a.sock", "ws://localhost/"),
            ("unix:///run/a.sock", "/run/a.sock", "ws://localhost/"),
            ("ws+unix:///run/a.sock:/chat?x=1", "/run/a.sock", "ws://localhost/chat?x=1"),
            ("unix:a.sock", "a.sock", "ws://localhost/"),
        ] {
            let target = target(text).unwrap();
            assert_eq!((target.socket, target.url), (Some(socket.into()), url.into()), "{text}");
        }
        assert!(target("unix:").is_err());
    }

    #[test]
    fn credentials_leave_the_url() {
        let target = target("wss://me:p%40ss%3a@example.org/x").unwrap();
        assert_eq!(target.url, "wss://example.org/x");
        assert_eq!(
            target.credentials,
            Some(Credentials::Basic { user: "me".into(), password: "p@ss:".into() })
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "ftp://x", "ws://", "ws:///x", "ws://a%zz@h/", "ws://a%4@h/", "ws://%ff@h/"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
