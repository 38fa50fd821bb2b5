//! Host and port, as in `Host`, `Origin` and URLs (RFC 3986 §3.2.2, §3.2.3).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A host and perhaps a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authority<'a> {
    pub(crate) host: Host<'a>,
    pub(crate) port: Option<u16>,
}

/// A host: a name or IPv4 address as written, or an IPv6 address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host<'a> {
    Name(&'a str),
    Ipv6(Ipv6Addr),
}

/// Why a text is no host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorityError {
    /// No host.
    Empty,
    /// A host outside ASCII: its punycode form is wanted.
    NonAscii,
    /// A character that no host has.
    Host,
    /// Brackets that hold no IPv6 address, or are not closed.
    Ipv6,
    /// A port that is no number from 1 to 65535.
    Port,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. An empty port counts as none.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, AuthorityError> {
        if !text.is_ascii() {
            return Err(AuthorityError::NonAscii);
        }
        let text = core::str::from_utf8(text).map_err(|_| AuthorityError::NonAscii)?;
        let (host, port) = if let Some(inner) = text.strip_prefix('[') {
            let (address, rest) = inner.split_once(']').ok_or(AuthorityError::Ipv6)?;
            let address = address.parse().map_err(|_| AuthorityError::Ipv6)?;
            let port = match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err(AuthorityError::Ipv6),
                port => port,
            };
            (Host::Ipv6(address), port)
        } else {
            let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
            if name.is_empty() {
                return Err(AuthorityError::Empty);
            }
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            if name.len() > 255 || !name.bytes().all(known) {
                return Err(AuthorityError::Host);
            }
            (Host::Name(name), port)
        };
        let port = port.filter(|port| !port.is_empty()).map(parse_port).transpose()?;
        Ok(Self { host, port })
    }
}

fn parse_port(text: &str) -> Result<u16, AuthorityError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0).ok_or(AuthorityError::Port)
}

impl Host<'_> {
    /// Whether both name the same host: letters in any case, IPv6 in any spelling.
    pub(crate) fn is(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Ipv6(a), Host::Ipv6(b)) => a == b,
            _ => false,
        }
    }

    /// Whether this host can only be the machine itself: `localhost` and names below it, 127.0.0.0/8, `::1`.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let (parent, last) =
                    name.rsplit_once('.').map_or((None, name), |(parent, last)| (Some(parent), last));
                let is_localhost = last.eq_ignore_ascii_case("localhost") && parent != Some("");
                is_localhost || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            }
            Self::Ipv6(address) => address.to_canonical().is_loopback(),
        }
    }
}

/// Whether a `Host` header names the machine itself. A page that reaches a loopback listener under another name came
/// there by DNS rebinding.
pub fn host_is_loopback(host_header: &[u8]) -> bool {
    Authority::parse(host_header).is_ok_and(|authority| authority.host.is_loopback())
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the host is missing",
            Self::NonAscii => "the host is not ASCII: write it in its punycode form (xn--…)",
            Self::Host => "the host holds a character that no host has",
            Self::Ipv6 => "an IPv6 address stands in brackets, without a zone: [::1]",
            Self::Port => "the port is no number from 1 to 65535",
        })
    }
}

impl core::error::Error for AuthorityError {}
