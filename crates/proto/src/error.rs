//! What can go wrong on a connection, and whose fault it is. A normal close is not here: it is an event.

use crate::close::CloseCode;
use core::fmt;

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other end of the connection.
    Peer,
    /// The program that called us.
    Caller,
}

/// Why a connection was failed, or a call refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke a rule of the protocol.
    Protocol(Violation),
    /// The peer went past a limit of ours.
    Limit(Limit),
    /// The peer was silent for too long.
    Timeout(Timeout),
    /// The caller asked for what can't be done; the connection goes on.
    Usage(Misuse),
}

/// A rule of RFC 6455 or RFC 7692 that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit is set without an extension that gives it a meaning (§5.2).
    ReservedBits,
    /// Opcode 3–7 or 11–15 (§5.2).
    ReservedOpcode(u8),
    /// A length in more bytes than it needs (§5.2).
    NonMinimalLength,
    /// A 64-bit length with its top bit set (§5.2).
    LengthTopBit,
    /// A client's frame without a mask (§5.1).
    Unmasked,
    /// A server's frame with a mask (§5.1).
    Masked,
    /// A control frame above 125 bytes (§5.5).
    ControlTooLong,
    /// A control frame with FIN = 0 (§5.5).
    ControlFragmented,
    /// A continuation frame outside a message (§5.4).
    UnexpectedContinuation,
    /// A new message inside an unfinished one (§5.4).
    ExpectedContinuation,
    /// Text that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A close frame with a payload of one byte (§5.5.1).
    ClosePayload,
    /// A close code that must not be sent (§7.4).
    CloseCode(CloseCode),
    /// A close reason that is not UTF-8 (§5.5.1).
    CloseReason,
    /// A compressed message that does not inflate (RFC 7692 §7.2.2).
    Deflate,
}

/// A limit of ours that the peer went past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// A frame with more payload than [`Limits::frame`](crate::config::Limits::frame) bytes.
    Frame,
    /// A message with more than [`Limits::message`](crate::config::Limits::message) bytes, inflated or as it comes.
    Message,
    /// A message in more than [`Limits::fragments`](crate::config::Limits::fragments) frames.
    Fragments,
    /// The memory budget that the connection shares with others is used up.
    Memory,
}

/// What the peer did not do in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// Nothing came after a ping.
    Pong,
    /// No message came for the idle time.
    Idle,
    /// The closing handshake was not answered.
    Close,
}

/// What a caller asked for and can't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// A message after the closing handshake began.
    Closed,
    /// A close code that must not be sent.
    CloseCode(CloseCode),
    /// A ping or pong above 125 bytes.
    ControlTooLong,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A whole message while one is being sent in fragments, or a first fragment without finishing the last message.
    MessageUnfinished,
}

impl Error {
    /// Who has to mend it.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Usage(_) => Fault::Caller,
            _ => Fault::Peer,
        }
    }

    /// The code of the close frame that tells the peer; `None` where none is sent.
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Protocol(violation) => Some(violation.close_code()),
            Self::Limit(Limit::Memory) => Some(CloseCode::TRY_AGAIN_LATER),
            Self::Limit(_) => Some(CloseCode::TOO_BIG),
            Self::Timeout(Timeout::Pong | Timeout::Idle) => Some(CloseCode::GOING_AWAY),
            Self::Timeout(Timeout::Close) | Self::Usage(_) => None,
        }
    }
}

impl Violation {
    /// The close code that tells the peer (RFC 6455 §7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::CloseReason | Self::Deflate => CloseCode::INVALID_PAYLOAD,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::Limit(limit) => write!(f, "the peer went past a limit: {limit}"),
            Self::Timeout(timeout) => write!(f, "the peer was silent: {timeout}"),
            Self::Usage(misuse) => write!(f, "{misuse}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits => f.write_str("a reserved bit is set (RFC 6455 §5.2)"),
            Self::ReservedOpcode(bits) => write!(f, "opcode {bits} is reserved (RFC 6455 §5.2)"),
            Self::NonMinimalLength => f.write_str("a length in more bytes than it needs (RFC 6455 §5.2)"),
            Self::LengthTopBit => f.write_str("a 64-bit length with its top bit set (RFC 6455 §5.2)"),
            Self::Unmasked => f.write_str("a client's frame without a mask (RFC 6455 §5.1)"),
            Self::Masked => f.write_str("a server's frame with a mask (RFC 6455 §5.1)"),
            Self::ControlTooLong => f.write_str("a control frame above 125 bytes (RFC 6455 §5.5)"),
            Self::ControlFragmented => f.write_str("a fragmented control frame (RFC 6455 §5.5)"),
            Self::UnexpectedContinuation => f.write_str("a continuation outside a message (RFC 6455 §5.4)"),
            Self::ExpectedContinuation => {
                f.write_str("a new message inside an unfinished one (RFC 6455 §5.4)")
            }
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8 (RFC 6455 §8.1)"),
            Self::ClosePayload => f.write_str("a close frame with a payload of one byte (RFC 6455 §5.5.1)"),
            Self::CloseCode(code) => write!(f, "close code {} must not be sent (RFC 6455 §7.4)", code.0),
            Self::CloseReason => f.write_str("a close reason that is not UTF-8 (RFC 6455 §5.5.1)"),
            Self::Deflate => f.write_str("a compressed message that does not inflate (RFC 7692 §7.2.2)"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "a frame larger than is taken here",
            Self::Message => "a message larger than is taken here",
            Self::Fragments => "a message in more fragments than are taken here",
            Self::Memory => "the memory set aside for unfinished messages is used up",
        })
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pong => "a ping was not answered in time",
            Self::Idle => "no message came within the idle time",
            Self::Close => "the closing handshake was not answered in time",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is closing: nothing more can be sent on it"),
            Self::CloseCode(code) => {
                write!(f, "close code {} can't be sent: use 1000–1003, 1007–1014 or 3000–4999", code.0)
            }
            Self::ControlTooLong => f.write_str("a ping or pong carries at most 125 bytes"),
            Self::InvalidUtf8 => f.write_str("a text message must be UTF-8: send these bytes as binary"),
            Self::MessageUnfinished => f.write_str("a message is being sent in fragments: finish it first"),
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation)
    }
}

impl From<Limit> for Error {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Usage(misuse)
    }
}

impl core::error::Error for Error {}

impl core::error::Error for Misuse {}
