//! A proxy, from its URL.

use super::target::{Target, authority};
use std::fmt;
use std::str::FromStr;

/// A proxy, read from `scheme://user:password@host:port`.
///
/// | scheme | the proxy | port |
/// |---|---|---|
/// | `http`, or none | HTTP CONNECT (RFC 9110 §9.3.6) | 80 |
/// | `https` | the same, with TLS to the proxy | 443 |
/// | `socks5` | SOCKS version 5 (RFC 1928); names are resolved here | 1080 |
/// | `socks5h` | SOCKS version 5; the proxy resolves names | 1080 |
///
/// User and password may be percent-encoded. Neither `Display` nor `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

/// What a [`Proxy`] speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP CONNECT.
    Http,
    /// HTTP CONNECT inside TLS.
    Https,
    /// SOCKS5 with addresses.
    Socks5,
    /// SOCKS5 with names.
    Socks5h,
}

/// User and password for a proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// A proxy URL that can't be used, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadProxy {
    pub(super) variable: Option<&'static str>,
    pub(super) problem: String,
}

impl ProxyKind {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Socks5, Self::Socks5h];

    /// The scheme of its URLs.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }
}

impl Proxy {
    /// A proxy without credentials.
    pub fn new(kind: ProxyKind, host: &str, port: u16) -> Result<Self, BadProxy> {
        match Target::tcp(host, port) {
            Ok(Target::Tcp { host, port }) => Ok(Self { kind, host, port, credentials: None }),
            Ok(Target::Unix(_)) => Err(bad("a proxy is a host and a port")),
            Err(error) => Err(bad(error.to_string())),
        }
    }

    /// With a user and a password, as they are, not percent-encoded.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials { user: user.into(), password: password.into() });
        self
    }

    /// What it speaks.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Its name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn login(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

fn bad(problem: impl Into<String>) -> BadProxy {
    BadProxy { variable: None, problem: problem.into() }
}

impl FromStr for Proxy {
    type Err = BadProxy;

    fn from_str(url: &str) -> Result<Self, BadProxy> {
        let (kind, rest) = match url.split_once("://") {
            None => (ProxyKind::Http, url),
            Some((scheme, rest)) => {
                let kind = ProxyKind::ALL.into_iter().find(|kind| kind.scheme().eq_ignore_ascii_case(scheme));
                let unknown =
                    || bad(format!("{scheme:?} proxies are not known: use http, https, socks5 or socks5h"));
                (kind.ok_or_else(unknown)?, rest)
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The last one: a password may hold an unencoded @.
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, rest),
        };
        let has_port =
            place.rsplit_once(':').filter(|(host, _)| !host.starts_with('[') || host.ends_with(']'));
        let (host, port) = match has_port {
            Some((host, port)) => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                _ => return Err(bad("the port must be a number from 1 to 65535")),
            },
            None => (place, kind.default_port()),
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(bad("an IPv6 address needs brackets: http://[::1]:port"));
        }
        let mut proxy = Self::new(kind, host, port)?;
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            proxy = proxy.credentials(percent_decode(user)?, percent_decode(password)?);
        }
        proxy.check_credentials()?;
        Ok(proxy)
    }
}

impl Proxy {
    /// Whether its protocol can carry the credentials.
    pub(crate) fn check_credentials(&self) -> Result<(), BadProxy> {
        let Some(Credentials { user, password }) = &self.credentials else { return Ok(()) };
        match self.kind {
            // RFC 7617 §2.
            ProxyKind::Http | ProxyKind::Https if user.contains(':') => {
                Err(bad("the user of an HTTP proxy can't have a colon"))
            }
            // RFC 1929 §2.
            ProxyKind::Socks5 | ProxyKind::Socks5h
                if user.is_empty() || user.len() > 255 || password.len() > 255 =>
            {
                Err(bad("user and password of a SOCKS5 proxy have 255 bytes at most, the user at least one"))
            }
            _ => Ok(()),
        }
    }
}

fn percent_decode(text: &str) -> Result<String, BadProxy> {
    let wrong = || bad("user or password are not percent-encoded UTF-8: write % as %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.kind.scheme(), authority(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.credentials.is_some() { " with credentials" } else { "" };
        write!(f, "Proxy({self}{secret})")
    }
}

impl fmt::Display for BadProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "the proxy in the environment variable {variable}: {}", self.problem),
            None => write!(f, "the proxy URL: {}", self.problem),
        }
    }
}

impl std::error::Error for BadProxy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Proxy {
        url.parse().unwrap()
    }

    #[test]
    fn urls_are_read() {
        for (url, shown) in [
            ("proxy", "http://proxy:80"),
            ("proxy:3128", "http://proxy:3128"),
            ("HTTP://proxy:3128/", "http://proxy:3128"),
            ("https://p.example", "https://p.example:443"),
            ("socks5://[::1]", "socks5://[::1]:1080"),
            ("socks5h://[::1]:99", "socks5h://[::1]:99"),
            ("http://u:p@1.2.3.4:5", "http://1.2.3.4:5"),
        ] {
            assert_eq!(parse(url).to_string(), shown, "{url}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let proxy = parse("http://us%65r:s%3Ae%40c@r%25et@host:1");
        let login = proxy.login().unwrap();
        assert_eq!((&login.user[..], &login.password[..]), ("user", "s:e@c@r%et"));
        assert_eq!(format!("{proxy} {proxy:?}"), "http://host:1 Proxy(http://host:1 with credentials)");
        let alone = parse("socks5://just%20me@host");
        assert_eq!(alone.login().map(|login| (&login.user[..], &login.password[..])), Some(("just me", "")));
    }

    #[test]
    fn bad_urls_are_told_without_their_secrets() {
        for url in [
            "",
            "ftp://h",
            "socks4://h",
            "http://h:0",
            "http://h:99999",
            "http://::1:80",
            "http://h/path",
            "http://u:secret@h:x",
            "http://u:secret%zz@h",
            "http://u%3Ax:secret@h",
            "socks5://:secret@h",
            "http://u:secret@",
        ] {
            let error = url.parse::<Proxy>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
