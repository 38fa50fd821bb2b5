//! What `connect` asks of a connection: the only words it knows about the network.
//!
//! The rest of `connect` is written against these traits and is tested with a scripted peer.

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use tidewire_proto::{CloseCode, CloseReason};

/// Opens connections to one URL, again and again where `--reconnect` asks for it.
pub(crate) trait Dial {
    type Session: Session;

    /// Opens one connection. Dropping the future gives the attempt up.
    async fn dial(&mut self) -> Result<Self::Session, DialError>;
}

/// An open connection, not yet split.
pub(crate) trait Session {
    type Sender: Sender;
    type Receiver: Receiver;

    fn handshake(&self) -> &Handshake;
    fn split(self) -> (Self::Sender, Self::Receiver);
}

/// The sending half. A message counts as sent when the connection has taken it in.
pub(crate) trait Sender {
    async fn send(&mut self, message: Message) -> Result<(), Failure>;
    async fn ping(&mut self, payload: Bytes) -> Result<(), Failure>;
    /// Returns when all that was sent before is handed to the operating system.
    async fn flush(&mut self) -> Result<(), Failure>;
    /// Returns when the close frame is handed to the operating system.
    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Failure>;
}

/// The receiving half.
pub(crate) trait Receiver {
    /// The next event; `None` once the closing handshake is done. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Event>, Failure>;
}

/// A whole message (RFC 6455 §5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Bytes),
}

impl Message {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// `text` or `binary`.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
        }
    }
}

/// What the peer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Message(Message),
    Ping(Bytes),
    /// An answer to a ping, with the round trip where it answers one of ours.
    Pong(Bytes, Option<Duration>),
    /// The peer's close frame, be it the first or the answer to ours.
    Close(CloseReason),
}

/// How the connection was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handshake {
    /// The address that answered, after redirects and without credentials.
    pub(crate) url: String,
    /// The address that was connected to: the proxy's, where there is one.
    pub(crate) peer: Option<SocketAddr>,
    /// The proxy, without credentials.
    pub(crate) proxy: Option<String>,
    /// Request line and header fields as sent.
    pub(crate) request: Head,
    /// Status line and header fields as received.
    pub(crate) response: Head,
    pub(crate) subprotocol: Option<String>,
    pub(crate) extensions: Option<String>,
    pub(crate) redirects: Vec<String>,
    pub(crate) timings: Timings,
}

/// A request or response head; where an adapter does not know it, `start` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// How long each step of opening took; `None` for a step that was not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    pub(crate) dns: Option<Duration>,
    pub(crate) tcp: Option<Duration>,
    /// The proxy's tunnel.
    pub(crate) proxy: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) upgrade: Option<Duration>,
}

/// Why no connection was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DialError {
    pub(crate) kind: DialErrorKind,
    /// Whether another attempt may succeed.
    pub(crate) passing: bool,
    /// One sentence without a full stop: who is at fault and what to do.
    pub(crate) text: String,
    /// What the server answered instead, where `--verbose` asks for it.
    pub(crate) answer: Option<Box<Handshake>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialErrorKind {
    /// The URL, a header or a certificate of the user's can't be used: trying again is no use.
    Usage,
    /// No transport: name, TCP, proxy or TLS.
    Unreachable,
    /// The server answered and did not upgrade.
    Refused,
    /// Not opened within `--connect-timeout`.
    Timeout,
}

/// Why an open connection ended without a closing handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// One sentence without a full stop.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The transport ended or broke (1006).
    Lost,
    /// The server broke the protocol, or sent more than `--max-message`.
    Protocol,
    /// The server did not answer a ping or a close in time.
    Timeout,
}
