//! Sending from anywhere: other tasks, other threads.

use crate::{
    channel::{Channel, Command, Refused},
    outcome::{Error, Result},
    tools::Tools,
};
use bytes::Bytes;
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};
use tidewire_proto::{CloseCode, Message, Prepared, deflate::DeflateConfig, message::Kind};

/// Sends on a connection from anywhere; clones send on the same one.
///
/// A message is taken in whole or not at all: a future that is dropped before it is done has sent nothing.
#[derive(Clone)]
pub struct Sender {
    channel: Arc<Channel>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Why a message was not taken in at once.
#[derive(Debug)]
pub enum TrySendError {
    /// The outbox is full: the peer reads too slowly. The message comes back.
    Full(Message),
    /// The connection is over.
    Closed(Error),
}

impl Sender {
    pub(crate) const fn new(channel: Arc<Channel>) -> Self {
        Self { channel }
    }

    /// Sends a message, once the outbox has room for it. Cancel-safe: nothing is sent unless this returns.
    ///
    /// # Errors
    /// [`Error::Closed`] or what ended the connection.
    pub async fn send(&self, message: impl Into<Message>) -> Result<()> {
        self.when_room(Command::Message(message.into())).await
    }

    /// Sends a message that was encoded for many. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&self, prepared: &Prepared) -> Result<()> {
        self.when_room(Command::Prepared(prepared.clone())).await
    }

    /// Sends a message if the outbox has room now.
    ///
    /// # Errors
    /// [`TrySendError::Full`] with the message, or [`TrySendError::Closed`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        match self.channel.try_push(Command::Message(message.into())) {
            Ok(()) => Ok(()),
            Err(Refused::Full(Command::Message(message))) => Err(TrySendError::Full(message)),
            Err(Refused::Full(_)) => unreachable!("a message was offered"),
            Err(Refused::Error(error)) => Err(TrySendError::Closed(error)),
        }
    }

    /// Sends a prepared message if the outbox has room now; `Ok(false)` where it has none.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send_prepared(&self, prepared: &Prepared) -> Result<bool> {
        match self.channel.try_push(Command::Prepared(prepared.clone())) {
            Ok(()) => Ok(true),
            Err(Refused::Full(_)) => Ok(false),
            Err(Refused::Error(error)) => Err(error),
        }
    }

    /// Sends a piece of a message (RFC 6455 §5.4); `last` ends it. Pieces of two messages must not mix. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](Self::send). A piece that can't follow the last is dropped.
    pub async fn send_piece(&self, kind: Kind, piece: impl Into<Bytes>, last: bool) -> Result<()> {
        self.when_room(Command::Piece(kind, piece.into(), last)).await
    }

    /// Sends a ping with up to 125 bytes. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Usage`] above 125 bytes, else as [`send`](Self::send).
    pub async fn ping(&self, payload: impl Into<Bytes>) -> Result<()> {
        self.when_room(Command::Ping(control(payload)?)).await
    }

    /// Sends an unasked pong with up to 125 bytes. Cancel-safe.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&self, payload: impl Into<Bytes>) -> Result<()> {
        self.when_room(Command::Pong(control(payload)?)).await
    }

    /// Waits until all that was sent before is handed to the operating system. Cancel-safe.
    ///
    /// # Errors
    /// What ended the connection before that.
    pub async fn flush(&self) -> Result<()> {
        let upto = self.channel.issued();
        poll_fn(|task| self.channel.poll_flushed(upto, task)).await
    }

    /// Begins the closing handshake and returns at once; what was sent before still goes out.
    /// On a connection that is closing already it changes nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] for a code that must not be sent (RFC 6455 §7.4).
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<()> {
        if code != CloseCode::NO_STATUS && !code.is_sendable() {
            return Err(tidewire_proto::error::Misuse::CloseCode(code).into());
        }
        match self.channel.push(Command::Close(code, reason.into())) {
            Err(Error::Usage(misuse)) => Err(Error::Usage(misuse)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Closes, and waits for the peer to answer, at most for the close timeout. A normal end is no error. Cancel-safe.
    ///
    /// # Errors
    /// As [`start_close`](Self::start_close).
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<()> {
        self.start_close(code, reason)?;
        poll_fn(|task| self.channel.poll_closed(task)).await;
        Ok(())
    }

    pub(crate) fn poll_room(&self, task: &mut Context<'_>) -> Poll<Result<()>> {
        self.channel.poll_room(task)
    }

    pub(crate) fn push(&self, message: Message) -> Result<()> {
        self.channel.push(Command::Message(message))
    }

    pub(crate) fn poll_flush(&self, task: &mut Context<'_>) -> Poll<Result<()>> {
        self.channel.poll_flushed(self.channel.issued(), task)
    }

    pub(crate) fn poll_close(&self, task: &mut Context<'_>) -> Poll<Result<()>> {
        self.start_close(CloseCode::NORMAL, "")?;
        self.channel.poll_closed(task).map(Ok)
    }

    async fn when_room(&self, command: Command) -> Result<()> {
        let mut command = Some(command);
        poll_fn(|task| self.channel.poll_push(&mut command, task)).await
    }
}

/// Encodes a message, and compresses it for the connections that agreed on that, once, to be sent to many.
///
/// ```
/// let news = tidewire::prepare("to all who listen");
/// # assert_eq!(news.message().as_text(), Some("to all who listen"));
/// // For each of them: sender.try_send_prepared(&news)
/// ```
pub fn prepare(message: impl Into<Message>) -> Prepared {
    let threshold = DeflateConfig::default().threshold;
    Tools::with(|tools| Prepared::compressed(message, threshold, &mut tools.workspace))
}

fn control(payload: impl Into<Bytes>) -> Result<Bytes> {
    let payload = payload.into();
    if payload.len() > tidewire_proto::frame::MAX_CONTROL {
        return Err(tidewire_proto::error::Misuse::ControlTooLong.into());
    }
    Ok(payload)
}
