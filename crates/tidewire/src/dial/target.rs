//! Where to connect to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The other end of a connection, before any name is resolved.
///
/// Written `host:port`, `[::1]:port` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A host and a port.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Text that names no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTarget {
    text: String,
    problem: &'static str,
}

impl Target {
    /// A host, with or without brackets, and a port.
    pub fn tcp(host: &str, port: u16) -> Result<Self, BadTarget> {
        let bad = |problem| BadTarget { text: host.to_owned(), problem };
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(bad("the bracket is not closed"))?,
            None => host,
        };
        // What could end a line or a field in a proxy's protocol, or belongs to another part of a URL.
        let foreign = |c: char| !c.is_ascii_graphic() || "/?#@[]\\\"<>,".contains(c);
        if bare.is_empty() {
            Err(bad("the host is missing"))
        } else if bare.len() > 255 {
            Err(bad("no host is longer than 255 bytes"))
        } else if bare.contains(foreign) {
            Err(bad("a host is ASCII without spaces and /?#@; names in other letters are written xn--…"))
        } else if bare.contains(':') && !is_ipv6(bare) {
            Err(bad("this is no IPv6 address, and a name has no colons"))
        } else {
            Ok(Self::Tcp { host: bare.to_owned(), port })
        }
    }
}

/// `host:port`, with brackets around an IPv6 address (RFC 3986 §3.2.2).
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether this is an IPv6 address, with or without a zone.
fn is_ipv6(host: &str) -> bool {
    let address = host.split_once('%').map_or(host, |(address, _zone)| address);
    address.parse::<std::net::Ipv6Addr>().is_ok()
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let bad = |problem| BadTarget { text: text.to_owned(), problem };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(bad("the path of the socket is missing")),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(bad("the port is missing: host:port"))?;
        let port = port.parse().map_err(|_| bad("the port must be a number up to 65535"))?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(bad("an IPv6 address needs brackets: [::1]:port"));
        }
        Self::tcp(host, port)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => f.write_str(&authority(host, *port)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't connect to {:?}: {}", self.text, self.problem)
    }
}

impl std::error::Error for BadTarget {}

#[cfg(test)]
mod tests {
    use super::*;

    /// edge 10: brackets are written, and never kept.
    #[test]
    fn targets_are_read_and_written() {
        for text in ["localhost:80", "[::1]:9876", "[fe80::1%eth0]:1", "1.2.3.4:5", "unix:/run/x y"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!(Target::tcp("[::1]", 1), Ok(Target::Tcp { host: "::1".to_owned(), port: 1 }));
        assert_eq!(Target::tcp("::1", 1), Target::tcp("[::1]", 1));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let texts =
            ["", "host", ":1", "::1:80", "[::1:80", "[]:1", "a:65536", "a b:1", "a/b:1", "unix:", "[a:b]:1"];
        for text in texts {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        for host in ["a\r\nX: y", "a\0", "bücher.example", "user@host", &"a".repeat(256)] {
            assert!(Target::tcp(host, 1).is_err(), "{host:?}");
        }
    }
}
