//! Why a client has no connection, who has to mend it, and how.

use super::Hop;
use crate::dial::DialError;
use std::{fmt, io, time::Duration};
use tidewire_proto::handshake::{HandshakeError, HeaderView, ResponseHead, SetupError, UrlError, WsUrl};

/// Why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL can't be used. Nothing was sent.
    Url(UrlError),
    /// A header or subprotocol of the client can't be sent. Nothing was sent.
    Setup(SetupError),
    /// The server was not reached: name, TCP, proxy or TLS.
    Dial(DialError),
    /// The server answered, and it is no WebSocket.
    Handshake(Box<Rejected>),
    /// The server was reached, and ended the connection before it had answered.
    Ended {
        /// What came before.
        received: Vec<u8>,
    },
    /// The connection broke during the opening handshake.
    Broken(io::Error),
    /// The server was reached, and the opening handshake took too long.
    Timeout {
        /// In which step.
        during: Step,
        /// The time that was given.
        limit: Duration,
    },
    /// More redirects than are followed, or a loop.
    Redirects {
        /// Those that were followed.
        hops: Vec<Hop>,
        /// Where the last leads.
        to: Box<WsUrl>,
        /// How many are followed.
        limit: usize,
    },
}

/// The steps of the opening handshake, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The request is sent.
    Request,
    /// Nothing of the response has come.
    Response,
    /// A part of the response's head has come.
    Head,
}

/// An answer of the server that makes no WebSocket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// What is wrong with it.
    pub error: HandshakeError,
    /// The URL that was asked.
    pub url: WsUrl,
    /// The head; `None` where it can't be read.
    pub head: Option<ResponseHead>,
    /// The bytes as they came: interim responses, head, the first 4 KiB of the body.
    pub received: Vec<u8>,
    body: usize,
}

impl Rejected {
    pub(super) fn new(
        url: &WsUrl,
        error: HandshakeError,
        head: Option<ResponseHead>,
        received: Vec<u8>,
        body: usize,
    ) -> Self {
        Self { error, url: url.clone(), head, received, body }
    }

    /// The beginning of the body.
    pub fn body(&self) -> &[u8] {
        &self.received[self.body..]
    }
}

impl ConnectError {
    /// The status that the server answered with, where it was another than 101.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Handshake(rejected) => {
                rejected.head.as_ref().map(ResponseHead::status).filter(|status| *status != 101)
            }
            Self::Redirects { hops, .. } => hops.last().map(|hop| hop.status),
            _ => None,
        }
    }

    /// The answer of the server, where there is one.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            Self::Handshake(rejected) => Some(rejected),
            _ => None,
        }
    }

    /// Whether it was the time that ran out.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Dial(error) => error.is_timeout(),
            _ => false,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match self.head.as_ref().map(ResponseHead::status) {
            Some(200..=299) => f.write_str(": this URL serves pages, not WebSockets. Is the path right?"),
            Some(401) => f.write_str(": log in with a user and a password, or a token"),
            Some(403) => f.write_str(": it refuses this client, its login or its Origin"),
            Some(404) => f.write_str(": is the path of the URL right?"),
            Some(426) => {
                let head = self.head.as_ref();
                match head.and_then(|head| head.headers().all("Sec-WebSocket-Version").next()) {
                    Some(version) => write!(
                        f,
                        ": it speaks version {} of the protocol, and this client 13",
                        version.escape_ascii()
                    ),
                    None => f.write_str(": it wants another protocol, or did not see the upgrade"),
                }
            }
            Some(429 | 503) => f.write_str(": try again later"),
            Some(502 | 504) => f.write_str(": a proxy before the server did not reach it"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
            Self::Dial(error) => error.fmt(f),
            Self::Handshake(rejected) => rejected.fmt(f),
            Self::Ended { received } if received.is_empty() => f.write_str(
                "the server closed the connection instead of answering: does it want wss:// here, or is it no WebSocket server?",
            ),
            Self::Ended { received } => write!(
                f,
                "the server closed the connection in the middle of its answer, after {} bytes",
                received.len()
            ),
            Self::Broken(error) => write!(f, "the connection broke during the opening handshake: {error}"),
            Self::Timeout { during, limit } => match during {
                Step::Request => write!(f, "the server did not read the request within {limit:?}"),
                Step::Response => write!(
                    f,
                    "the server was reached, but did not answer within {limit:?}: is it a WebSocket server, and does it want wss:// here?"
                ),
                Step::Head => write!(f, "the server did not end its answer within {limit:?}"),
            },
            Self::Redirects { hops, to, .. } if hops.iter().any(|hop| hop.url == **to) => {
                write!(f, "the server redirects in a circle, back to {to}")
            }
            Self::Redirects { limit, to, .. } => {
                write!(f, "the server redirects more than {limit} times, the last time to {to}")
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Dial(error) => std::error::Error::source(error),
            Self::Broken(error) => Some(error),
            _ => None,
        }
    }
}

impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<SetupError> for ConnectError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<DialError> for ConnectError {
    fn from(error: DialError) -> Self {
        Self::Dial(error)
    }
}

impl From<Rejected> for ConnectError {
    fn from(rejected: Rejected) -> Self {
        Self::Handshake(Box::new(rejected))
    }
}

impl From<ConnectError> for crate::Error {
    fn from(error: ConnectError) -> Self {
        Self::application(error)
    }
}
