//! How a connection ended, and what went wrong.

use std::{any::Any, fmt, io, sync::Arc, time::Duration};
use tidewire_proto::{CloseCode, CloseReason, Connection, Stats, error::Misuse};

/// What can go wrong with a connection. A normal close is not here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol, went past a limit, or was silent for too long.
    Protocol(tidewire_proto::Error),
    /// The transport ended without a close frame: the peer, or something on the way, is gone (1006).
    Vanished,
    /// The transport failed.
    Io(Arc<io::Error>),
    /// The connection is closed, or closing: nothing more can be sent on it.
    Closed,
    /// This end cut the connection, without a close frame: its task or its server was stopped.
    Cut,
    /// The call asked for what can't be done; the connection goes on.
    Usage(Misuse),
    /// An error of the application's own, out of a handler.
    Application(Arc<dyn std::error::Error + Send + Sync>),
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the application's own, to be returned from a handler; the peer is told 1011.
    pub fn application(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Application(error.into().into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Vanished => f.write_str("the peer is gone: the connection ended without a close frame"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::Closed => f.write_str("the connection is closed: nothing more can be sent on it"),
            Self::Cut => f.write_str("this end cut the connection"),
            Self::Usage(misuse) => misuse.fmt(f),
            Self::Application(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error.as_ref()),
            Self::Application(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

impl From<tidewire_proto::Error> for Error {
    fn from(error: tidewire_proto::Error) -> Self {
        Self::Protocol(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        match misuse {
            Misuse::Closed => Self::Closed,
            misuse => Self::Usage(misuse),
        }
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Application(error.into())
    }
}

/// What a peer is told with 1011.
pub(crate) const INTERNAL_ERROR: &str = "the server met an error";

/// A panic of the application's, as its error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::application(format!("a handler panicked: {}", text.unwrap_or("without a message")))
}

/// Which end did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This one.
    Here,
    /// The other one.
    Peer,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The code and reason: the peer's where it sent a close frame, else ours where the connection was failed,
    /// else [`CloseCode::ABNORMAL`].
    pub close: CloseReason,
    /// Who ended it.
    pub by: Side,
    /// What went wrong; `None` where both ends closed.
    pub error: Option<Error>,
    /// What went over the connection.
    pub stats: Stats,
    /// The last round trip that was measured.
    pub latency: Option<Duration>,
}

impl Outcome {
    pub(crate) fn new(connection: &Connection, error: Option<Error>) -> Self {
        let closing = connection.closing();
        let (close, by) = match (closing.received, closing.sent) {
            (Some(received), _) => (received, if closing.by_peer { Side::Peer } else { Side::Here }),
            (None, Some(sent)) if error.is_some() => (sent, Side::Here),
            (None, _) => {
                let cut = matches!(error, Some(Error::Cut));
                let by = if cut { Side::Here } else { Side::Peer };
                (CloseReason::new(CloseCode::ABNORMAL, ""), by)
            }
        };
        let error = if connection.closing().received.is_some() { None } else { error };
        Self { close, by, error, stats: *connection.stats(), latency: connection.latency() }
    }
}

/// Called with how a connection ended.
pub(crate) type Report = Box<dyn FnOnce(&Outcome, Option<&Error>) + Send>;
