//! Which pages may connect: the Origin header (RFC 6454, RFC 6455 §10.2), and the Host header on loopback listeners.

use super::authority::{Authority, Host};
use super::error::SetupError;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

/// Which origins a server lets in. By default: pages of the host that the request itself names, on any port, and
/// requests without an Origin header, which no browser sends.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    same_host: bool,
    absent: bool,
    any: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Null,
    Host { scheme: Option<String>, host: Pattern, port: Option<u16> },
}

#[derive(Clone, Debug)]
enum Pattern {
    Name(String),
    Below(String),
    Ipv6(Ipv6Addr),
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self { same_host: true, absent: true, any: false, entries: Vec::new() }
    }
}

impl OriginPolicy {
    /// Lets in nothing but what [`allow`](Self::allow) adds and, with `absent`, requests without an Origin header.
    pub fn only_listed(absent: bool) -> Self {
        Self { same_host: false, absent, ..Self::default() }
    }

    /// Lets in an origin as well: `https://app.example`, with `:port` where it is not the scheme's own; `app.example`
    /// or `app.example:8080`, with any scheme; `*.example.com`, every host below it; `null`; `*`, any origin.
    ///
    /// # Errors
    /// The entry is none of these.
    pub fn allow(mut self, entry: &str) -> Result<Self, SetupError> {
        let bad = || SetupError::OriginEntry(entry.to_owned());
        match entry {
            "*" => self.any = true,
            "null" => self.entries.push(Entry::Null),
            _ => {
                let (scheme, rest) =
                    entry.split_once("://").map_or((None, entry), |(s, rest)| (Some(s), rest));
                if scheme.is_some_and(|scheme| !is_scheme(scheme)) {
                    return Err(bad());
                }
                let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
                let authority = Authority::parse(rest.as_bytes()).map_err(|_| bad())?;
                let host = match authority.host {
                    Host::Name(name) if below => Pattern::Below(name.to_owned()),
                    Host::Name(name) => Pattern::Name(name.to_owned()),
                    Host::Ipv6(_) if below => return Err(bad()),
                    Host::Ipv6(address) => Pattern::Ipv6(address),
                };
                let port = authority.port.or_else(|| scheme.and_then(default_port));
                self.entries.push(Entry::Host { scheme: scheme.map(ToOwned::to_owned), host, port });
            }
        }
        Ok(self)
    }

    /// Whether a request to `host` (its Host header or `:authority`) with this Origin header may connect.
    pub fn admits(&self, origin: Option<&[u8]>, host: &[u8]) -> bool {
        let Some(origin) = origin else { return self.absent };
        if self.any {
            return true;
        }
        if origin == b"null" {
            return self.entries.iter().any(|entry| matches!(entry, Entry::Null));
        }
        let Some((scheme, authority)) = parse(origin) else { return false };
        let same_host = || {
            let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
            is_web && Authority::parse(host).is_ok_and(|own| own.host.is(&authority.host))
        };
        (self.same_host && same_host()) || self.entries.iter().any(|entry| entry.admits(scheme, &authority))
    }

    /// Whether a listener on a loopback address may answer to this Host header: a name of the machine itself, or the
    /// host of an entry (a proxy on this machine passes it on).
    pub fn admits_host_on_loopback(&self, host: &[u8]) -> bool {
        Authority::parse(host).is_ok_and(|authority| {
            let listed =
                |entry: &Entry| matches!(entry, Entry::Host { host, .. } if host.admits(&authority.host));
            authority.host.is_loopback() || self.entries.iter().any(listed)
        })
    }
}

impl Entry {
    fn admits(&self, its_scheme: &str, authority: &Authority<'_>) -> bool {
        let Self::Host { scheme, host, port } = self else { return false };
        let its_port = authority.port.or_else(|| default_port(its_scheme));
        let fits = match scheme {
            Some(scheme) => scheme.eq_ignore_ascii_case(its_scheme) && *port == its_port,
            None => port.is_none() || *port == its_port,
        };
        fits && host.admits(&authority.host)
    }
}

impl Pattern {
    fn admits(&self, host: &Host<'_>) -> bool {
        match (self, host) {
            (Self::Name(own), host) => Host::Name(own).is(host),
            (Self::Ipv6(own), host) => Host::Ipv6(*own).is(host),
            (Self::Below(parent), Host::Name(name)) => {
                // The name is ASCII, so that any cut is between characters.
                let cut = name.len().saturating_sub(parent.len());
                cut >= 2 && name[cut..].eq_ignore_ascii_case(parent) && name[..cut].ends_with('.')
            }
            (Self::Below(_), Host::Ipv6(_)) => false,
        }
    }
}

/// Scheme and authority of an origin (RFC 6454 §6.2); nothing may follow them.
fn parse(origin: &[u8]) -> Option<(&str, Authority<'_>)> {
    let (scheme, authority) = core::str::from_utf8(origin).ok()?.split_once("://")?;
    let authority = Authority::parse(authority.as_bytes()).ok()?;
    is_scheme(scheme).then_some((scheme, authority))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}
