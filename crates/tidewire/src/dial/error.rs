//! Why no connection came about, who has to mend it, and how.

use super::happy::Attempt;
use super::proxy::BadProxy;
use super::socks5::SocksReply;
use super::target::BadTarget;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

#[cfg(feature = "tls")]
use crate::tls::TlsError;

/// The steps of dialling, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The settings are read.
    Setup,
    /// The name is resolved.
    Dns,
    /// The connection is made.
    Connect,
    /// The proxy makes the tunnel.
    Proxy,
    /// The TLS handshake.
    Tls,
}

/// Why no connection came about.
#[derive(Debug)]
#[non_exhaustive]
pub enum DialError {
    /// The target can't be dialled.
    Target(BadTarget),
    /// The proxy's URL can't be used.
    ProxyUrl(BadProxy),
    /// The name can't be resolved.
    Dns {
        /// The name.
        host: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// The name has no addresses, or none of the family of the local address.
    NoAddress {
        /// The name.
        host: String,
        /// The local address that was asked for.
        local: Option<IpAddr>,
    },
    /// Every address failed.
    Connect {
        /// Host and port.
        target: String,
        /// Each address and its failure.
        attempts: Vec<Attempt>,
    },
    /// The Unix domain socket can't be connected to.
    Unix {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The time was up.
    Timeout {
        /// In which step.
        phase: Phase,
        /// Who did not answer.
        target: String,
        /// The time that was given for all steps.
        limit: Duration,
        /// The addresses that were tried.
        attempts: Vec<Attempt>,
    },
    /// The proxy can't be reached.
    ProxyUnreachable {
        /// The proxy, without credentials.
        proxy: String,
        /// Why.
        error: Box<DialError>,
    },
    /// The proxy did not make the tunnel.
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// Where the tunnel should have led.
        target: String,
        /// Why not.
        error: ProxyError,
    },
    /// TLS failed.
    #[cfg(feature = "tls")]
    Tls(TlsError),
    /// TLS is needed, and the feature `tls` was left out of this build.
    TlsMissing,
}

/// Why a proxy did not make a tunnel.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// It wants credentials (`sent` is false), or others (407; RFC 1928 §3).
    Authentication {
        /// Whether credentials were sent.
        sent: bool,
        /// What an HTTP proxy takes; only `Basic` can be given.
        schemes: Vec<String>,
    },
    /// An HTTP proxy answered with another status than 200.
    Status {
        /// The status.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// A SOCKS5 proxy refused.
    Socks(SocksReply),
    /// The answer is not HTTP.
    NotHttp,
    /// The answer is TLS.
    SpeaksTls,
    /// The answer is not SOCKS5.
    NotSocks,
    /// The head of the answer is longer than 16 KiB, or has more than 100 lines.
    HeadTooLong,
    /// Name, user or password are too long for SOCKS5.
    TooLong,
    /// It closed the connection instead of answering.
    Closed,
    /// The connection broke.
    Io(io::Error),
}

impl DialError {
    /// The step that failed.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Target(_) | Self::ProxyUrl(_) | Self::TlsMissing => Phase::Setup,
            Self::Dns { .. } | Self::NoAddress { .. } => Phase::Dns,
            Self::Connect { .. } | Self::Unix { .. } => Phase::Connect,
            Self::Timeout { phase, .. } => *phase,
            Self::ProxyUnreachable { .. } | Self::Proxy { .. } => Phase::Proxy,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Phase::Tls,
        }
    }

    /// Whether it was the time that ran out.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::ProxyUnreachable { error, .. } => error.is_timeout(),
            _ => false,
        }
    }

    /// The addresses that were tried in vain.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Connect { attempts, .. } | Self::Timeout { attempts, .. } => attempts,
            Self::ProxyUnreachable { error, .. } => error.attempts(),
            _ => &[],
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::ProxyUrl(error) => error.fmt(f),
            Self::Dns { host, error } => {
                write!(f, "the name {host} can't be resolved ({error}): check its spelling and the network")
            }
            Self::NoAddress { host, local: None } => write!(f, "the name {host} has no addresses"),
            Self::NoAddress { host, local: Some(local) } => {
                let family = if local.is_ipv4() { "IPv4" } else { "IPv6" };
                write!(f, "{host} has no {family} address, and the local address {local} needs one")
            }
            Self::Connect { target, attempts } => {
                // An address is not named twice.
                if attempts.len() != 1 || attempts[0].address.to_string() != *target {
                    write!(f, "can't connect to {target}: ")?;
                }
                Attempts(attempts).fmt(f)?;
                if attempts.iter().all(|attempt| attempt.error.kind() == io::ErrorKind::ConnectionRefused) {
                    f.write_str(". Is the server running, and on this port?")?;
                }
                Ok(())
            }
            Self::Unix { path, error } => {
                let path = path.display();
                match error.kind() {
                    io::ErrorKind::NotFound => write!(f, "there is no socket {path}: is the server running?"),
                    io::ErrorKind::ConnectionRefused => {
                        write!(f, "nobody listens on {path}: is the server running?")
                    }
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "no permission for {path}: check the rights of the socket and its folders")
                    }
                    _ => write!(f, "can't connect to {path}: {error}"),
                }
            }
            Self::Timeout { phase, target, limit, attempts } => {
                let what = match phase {
                    Phase::Setup => "the certificates could not be read",
                    Phase::Dns => "the name was not resolved",
                    Phase::Connect => "no connection came about",
                    Phase::Proxy => "the proxy did not answer",
                    Phase::Tls => "the TLS handshake did not end",
                };
                write!(f, "{target}: {what} within {limit:?}")?;
                if !attempts.is_empty() {
                    write!(f, ": {}", Attempts(attempts))?;
                }
                Ok(())
            }
            Self::ProxyUnreachable { proxy, error } => write!(f, "can't reach the proxy {proxy}: {error}"),
            Self::Proxy { proxy, target, error } => {
                write!(f, "the proxy {proxy} did not connect to {target}: {error}")
            }
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
            Self::TlsMissing => f.write_str("this build has no TLS: enable the feature tls of tidewire"),
        }
    }
}

impl std::error::Error for DialError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Dns { error, .. } | Self::Unix { error, .. } => Some(error),
            Self::ProxyUnreachable { error, .. } => Some(error),
            Self::Proxy { error, .. } => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

/// Attempts in words, one after the other.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            attempt.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => write!(f, "{address} refused the connection"),
            io::ErrorKind::TimedOut => write!(f, "{address} did not answer"),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                write!(f, "there is no route to {address}")
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "{address} can't be reached from this local address")
            }
            _ => write!(f, "{address}: {error}"),
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authentication { sent, schemes } => {
                f.write_str(if *sent {
                    "it refused the user and password"
                } else {
                    "it wants a user and a password: put them in the proxy's URL (http://user:password@host)"
                })?;
                if !schemes.is_empty() && !schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic")) {
                    write!(f, "; it takes {} only, and this client knows Basic", schemes.join(", "))?;
                }
                Ok(())
            }
            Self::Status { status, reason } => {
                write!(f, "it answered {status}")?;
                if !reason.is_empty() {
                    write!(f, " {}", reason.escape_debug())?;
                }
                match status {
                    403 | 405 => f.write_str(" (it does not allow this host or port)"),
                    400 => f.write_str(" (it may be a web server, or want another kind of request)"),
                    502..=504 => f.write_str(" (it could not reach the server)"),
                    _ => Ok(()),
                }
            }
            Self::Socks(reply) => reply.fmt(f),
            Self::NotHttp => f.write_str("its answer is not HTTP: is it a SOCKS proxy (socks5://)?"),
            Self::SpeaksTls => f.write_str("it speaks TLS: use https:// in the proxy's URL"),
            Self::NotSocks => f.write_str("its answer is not SOCKS5: is it an HTTP proxy (http://)?"),
            Self::HeadTooLong => f.write_str("the head of its answer is above 16 KiB or 100 lines"),
            Self::TooLong => f.write_str("name, user or password are longer than the 255 bytes of SOCKS5"),
            Self::Closed => f.write_str("it closed the connection instead of answering"),
            Self::Io(error) => write!(f, "the connection to it broke: {error}"),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl From<BadTarget> for DialError {
    fn from(error: BadTarget) -> Self {
        Self::Target(error)
    }
}

impl From<BadProxy> for DialError {
    fn from(error: BadProxy) -> Self {
        Self::ProxyUrl(error)
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for DialError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}
