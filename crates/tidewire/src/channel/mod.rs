//! Between a connection's task and the rest of the program: what came, what is to be sent, who waits.
//!
//! The lock is held for a push or a pop, never over I/O and never over an await.

mod connection;
mod inbox;
mod program;
mod state;

use crate::outcome::Error;
use bytes::Bytes;
pub(crate) use inbox::{Arrived, Taken};
use state::State;
use std::{
    sync::{Mutex, MutexGuard, atomic::AtomicUsize},
    time::Duration,
};
use tidewire_proto::{CloseCode, Message, Prepared, message::Kind};

/// What the inbox holds before reading pauses, in bytes.
const INBOX: usize = 256 * 1024;
/// What a message in the inbox counts besides its payload.
const ENTRY: usize = 64;

/// Something that the program wants done on a connection.
#[derive(Debug)]
pub(crate) enum Command {
    Message(Message),
    Prepared(Prepared),
    Piece(Kind, Bytes, bool),
    Ping(Bytes),
    Pong(Bytes),
    Close(CloseCode, String),
}

impl Command {
    fn size(&self) -> usize {
        ENTRY
            + match self {
                Self::Message(message) => message.as_bytes().len(),
                Self::Prepared(prepared) => prepared.message().as_bytes().len(),
                Self::Piece(_, bytes, _) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
                Self::Close(..) => 0,
            }
    }
}

/// Something that came from the peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A whole message.
    Message(Message),
    /// A ping; it is answered already.
    Ping(Bytes),
    /// A pong, with the round trip where it answers a ping of the connection's own.
    Pong(Bytes, Option<Duration>),
}

#[derive(Debug)]
pub(crate) struct Channel {
    state: Mutex<State>,
    /// Weight of the inbox; read without the lock.
    inbox: AtomicUsize,
}

/// Why a command was not taken in.
pub(crate) enum Refused {
    Full(Command),
    Error(Error),
}

impl Channel {
    /// A channel whose senders wait above `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::new(State { limit, ..State::default() }), inbox: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
