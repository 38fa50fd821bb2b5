//! What a connection tells its owner.

use crate::{
    close::CloseReason,
    message::{Kind, MessageRef, Payload},
};
use core::time::Duration;

/// Something that came from the peer.
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole message.
    Message(MessageRef<'a>),
    /// A part of a message, with [`Delivery::Streaming`](crate::config::Delivery::Streaming).
    Piece(Piece<'a>),
    /// A ping; its pong is already in the outbox.
    Ping(Payload<'a>),
    /// A pong.
    Pong {
        /// What the peer sent back.
        payload: Payload<'a>,
        /// The round trip, where it answers the last ping of the connection's own.
        latency: Option<Duration>,
    },
    /// The peer's close frame; ours is in the outbox or was sent before.
    Close(CloseReason),
}

/// A part of a message.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The message's kind.
    pub kind: Kind,
    /// The bytes. Text is judged up to here, and may end inside a character unless the piece is the last.
    pub payload: Payload<'a>,
    /// The message begins here.
    pub first: bool,
    /// The message ends here.
    pub last: bool,
}
