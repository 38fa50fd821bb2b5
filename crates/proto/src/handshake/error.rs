//! What can go wrong in an opening handshake: by the peer, and by the caller.

use super::extensions::ExtensionsError;
use super::key::AcceptError;
use super::scan::HeadError;
use super::url::UrlError;
use crate::deflate::parameters::ParameterError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why a client got no WebSocket. It is the server's doing; texts that hold its bytes are escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The response's head can't be read.
    Head(HeadError),
    /// The server answers with another status than 101.
    Status {
        /// The status code.
        status: u16,
        /// The reason phrase, often empty.
        reason: String,
    },
    /// The server redirects: [`redirect`](super::redirect::redirect) says where to.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The value of Location.
        location: Vec<u8>,
    },
    /// A redirect that can't be followed.
    Location(UrlError),
    /// A 101 of HTTP/1.0.
    Http10,
    /// No Upgrade header.
    UpgradeMissing,
    /// An Upgrade header that names several protocols.
    UpgradeTwice,
    /// An Upgrade header that names another protocol.
    UpgradeOther(String),
    /// No Connection header that names Upgrade.
    ConnectionMissing,
    /// No Sec-WebSocket-Accept.
    AcceptMissing,
    /// Several Sec-WebSocket-Accept headers.
    AcceptTwice,
    /// A Sec-WebSocket-Accept that does not answer our key, and its value.
    Accept(AcceptError, String),
    /// Several Sec-WebSocket-Protocol headers.
    SubprotocolTwice,
    /// A subprotocol that is no token.
    SubprotocolNoToken(String),
    /// A subprotocol that was not offered.
    SubprotocolNotOffered(String),
    /// A Sec-WebSocket-Extensions that can't be read.
    Extensions(ExtensionsError),
    /// An extension that was not offered.
    ExtensionNotOffered(String),
    /// An extension agreed to twice.
    ExtensionTwice(String),
    /// Parameters of permessage-deflate that the offer does not allow.
    Deflate(ParameterError),
}

/// A handshake that the caller set up wrongly. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupError {
    /// A header name that is no token.
    HeaderName(String),
    /// The name of a header, and the control character in its value.
    HeaderValue(String, u8),
    /// A header that the handshake writes itself.
    Reserved(String),
    /// The user of Basic authentication, with a colon in it (RFC 7617 §2).
    User(String),
    /// A subprotocol that is no token.
    Subprotocol(String),
    /// A subprotocol named twice.
    SubprotocolTwice(String),
    /// A subprotocol chosen that the client did not offer.
    SubprotocolNotOffered(String),
    /// An entry of a list of origins that is none.
    OriginEntry(String),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "the server's response can't be read: {error}"),
            Self::Status { status, reason } if reason.is_empty() => {
                write!(f, "the server answered {status}, not 101")
            }
            Self::Status { status, reason } => write!(f, "the server answered {status} ({reason}), not 101"),
            Self::Redirect { status, location } => {
                write!(f, "the server redirects ({status}) to {}", super::grammar::show(location))
            }
            Self::Location(error) => write!(f, "the server's redirect can't be followed: {error}"),
            Self::Http10 => {
                f.write_str("the server's 101 is of HTTP/1.0, which has no upgrade (RFC 6455 §4.1)")
            }
            Self::UpgradeMissing => {
                f.write_str("the server's 101 lacks the header Upgrade: websocket (RFC 6455 §4.1)")
            }
            Self::UpgradeTwice => f.write_str("the server's Upgrade names several protocols (RFC 6455 §4.1)"),
            Self::UpgradeOther(value) => {
                write!(f, "the server's Upgrade says \"{value}\", not websocket (RFC 6455 §4.1)")
            }
            Self::ConnectionMissing => {
                f.write_str("the server's 101 lacks the header Connection: Upgrade (RFC 6455 §4.1)")
            }
            Self::AcceptMissing => f.write_str("the server's 101 lacks Sec-WebSocket-Accept (RFC 6455 §4.1)"),
            Self::AcceptTwice => {
                f.write_str("Sec-WebSocket-Accept stands twice in the server's 101 (RFC 6455 §4.1)")
            }
            Self::Accept(error, value) => {
                write!(f, "the server's Sec-WebSocket-Accept \"{value}\" is wrong: {error} (RFC 6455 §4.2.2)")
            }
            Self::SubprotocolTwice => f.write_str("Sec-WebSocket-Protocol stands twice in the server's 101"),
            Self::SubprotocolNoToken(value) => {
                write!(f, "the server chose the subprotocol \"{value}\", which is no token (RFC 6455 §4.2.2)")
            }
            Self::SubprotocolNotOffered(name) => {
                write!(
                    f,
                    "the server chose the subprotocol \"{name}\", which was not offered (RFC 6455 §4.1)"
                )
            }
            Self::Extensions(error) => {
                write!(f, "the server's Sec-WebSocket-Extensions can't be read: {error} (RFC 6455 §9.1)")
            }
            Self::ExtensionNotOffered(name) => {
                write!(f, "the server chose the extension \"{name}\", which was not offered (RFC 6455 §4.1)")
            }
            Self::ExtensionTwice(name) => write!(f, "the server chose the extension \"{name}\" twice"),
            Self::Deflate(error) => write!(f, "the server's permessage-deflate: {error}"),
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderName(name) => write!(f, "{name:?} is no name of a header"),
            Self::HeaderValue(name, byte) => {
                write!(
                    f,
                    "the value of {name} holds byte 0x{byte:02x}: no header holds line breaks or control characters"
                )
            }
            Self::Reserved(name) => write!(f, "{name} is written by the handshake itself: leave it out"),
            Self::User(user) => {
                write!(f, "the user {user:?} holds a colon, which ends the name (RFC 7617 §2)")
            }
            Self::Subprotocol(name) => {
                write!(f, "the subprotocol {name:?} is no token: use letters, digits, - . _")
            }
            Self::SubprotocolTwice(name) => write!(f, "the subprotocol {name:?} is named twice"),
            Self::SubprotocolNotOffered(name) => {
                write!(
                    f,
                    "the subprotocol {name:?} was not offered by the client: choose one of its offer, or none"
                )
            }
            Self::OriginEntry(entry) => write!(
                f,
                "{entry:?} is no origin: write https://app.example, app.example:8080, *.example.com, null or *"
            ),
        }
    }
}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<UrlError> for HandshakeError {
    fn from(error: UrlError) -> Self {
        Self::Location(error)
    }
}

impl From<ExtensionsError> for HandshakeError {
    fn from(error: ExtensionsError) -> Self {
        Self::Extensions(error)
    }
}

impl From<ParameterError> for HandshakeError {
    fn from(error: ParameterError) -> Self {
        Self::Deflate(error)
    }
}

impl core::error::Error for HandshakeError {}
impl core::error::Error for SetupError {}
