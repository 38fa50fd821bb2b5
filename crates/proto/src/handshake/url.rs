//! ws and wss URLs (RFC 6455 §3).

use super::authority::{Authority, AuthorityError, Host};
use super::key::basic;
use super::target::{TargetError, check_characters};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A WebSocket URL. Shown without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsUrl {
    secure: bool,
    host: String,
    ipv6: bool,
    port: u16,
    target: String,
    credentials: Option<Credentials>,
}

/// User and password of a URL, percent-decoded.
#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl WsUrl {
    /// Reads a URL with the scheme ws or wss; http and https count as these.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(UrlError::NoScheme(text.to_owned()));
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(UrlError::Scheme(scheme.to_owned())),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, authority) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((userinfo, authority)) => (Some(Credentials::parse(userinfo)?), authority),
        };
        let authority = Authority::parse(authority.as_bytes())?;
        check_characters(rest)?;
        let (host, ipv6) = match authority.host {
            Host::Name(name) => (name.to_ascii_lowercase(), false),
            Host::Ipv6(address) => (format!("{address}"), true),
        };
        let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        let port = authority.port.unwrap_or(default_port(secure));
        Ok(Self { secure, host, ipv6, port, target, credentials })
    }

    /// Whether the connection runs in TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to and to name to TLS: in small letters, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 or 443 where the URL has none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The value of the Host header: IPv6 in brackets, the default port left out (RFC 6455 §4.1).
    pub fn host_header(&self) -> String {
        let (open, close) = if self.ipv6 { ("[", "]") } else { ("", "") };
        let host = &self.host;
        if self.port == default_port(self.secure) {
            format!("{open}{host}{close}")
        } else {
            format!("{open}{host}{close}:{}", self.port)
        }
    }

    /// Path and query, as the request line has them; begins with `/`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// User and password, percent-decoded.
    pub fn credentials(&self) -> Option<(&[u8], &[u8])> {
        self.credentials.as_ref().map(|found| (found.user.as_slice(), found.password.as_slice()))
    }

    /// The value of an Authorization header with the URL's user and password (RFC 7617).
    pub fn basic_authorization(&self) -> Option<String> {
        self.credentials().map(|(user, password)| basic(user, password))
    }

    /// Whether scheme, host and port are the same (RFC 6454 §5).
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.secure, self.port, &self.host) == (other.secure, other.port, &other.host)
    }

    pub(super) const fn scheme(&self) -> &'static str {
        if self.secure { "wss" } else { "ws" }
    }

    /// With the user and password of a URL of the same origin, where it has none of its own.
    pub(super) fn with_login_of(mut self, other: &Self) -> Self {
        if self.same_origin(other) && self.credentials.is_none() {
            self.credentials.clone_from(&other.credentials);
        }
        self
    }

    pub(super) fn with_target(&self, target: String) -> Self {
        Self { target, ..self.clone() }
    }
}

impl FromStr for WsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.host_header(), self.target)
    }
}

impl Credentials {
    fn parse(userinfo: &str) -> Result<Self, UrlError> {
        if userinfo.contains('@') || check_characters(userinfo).is_err() {
            return Err(UrlError::Credentials);
        }
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let found = Self { user: percent_decode(user), password: percent_decode(password) };
        // A colon in the user's name would be read as the password's beginning (RFC 7617 §2).
        if found.user.contains(&b':') { Err(UrlError::Credentials) } else { Ok(found) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Decodes a text whose percent-encoding has been checked.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// What is wrong with a URL, or with a redirect to one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// No `://`.
    NoScheme(String),
    /// Another scheme than ws, wss, http or https.
    Scheme(String),
    /// The host or port.
    Authority(AuthorityError),
    /// User or password.
    Credentials,
    /// The path, query or fragment.
    Target(TargetError),
    /// A redirect that leads nowhere.
    EmptyLocation,
    /// A redirect from wss to ws.
    Downgrade,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme(text) => write!(f, "the URL has no scheme: write ws://{text} or wss://{text}"),
            Self::Scheme(scheme) => write!(f, "the URL's scheme is {scheme:?}: use ws:// or wss://"),
            Self::Authority(error) => write!(f, "in the URL, {error}"),
            Self::Credentials => {
                f.write_str("user or password of the URL can't be read: percent-encode them")
            }
            Self::Target(error) => write!(f, "{error}"),
            Self::EmptyLocation => f.write_str("the redirect does not say where to"),
            Self::Downgrade => {
                f.write_str("the redirect leads from wss to ws, out of TLS: it is not followed")
            }
        }
    }
}

impl From<AuthorityError> for UrlError {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error)
    }
}

impl From<TargetError> for UrlError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl core::error::Error for UrlError {}
