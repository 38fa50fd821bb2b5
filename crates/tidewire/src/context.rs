//! The connection as a handler sees it during a call.

use crate::outcome::Result;
use std::time::Duration;
use tidewire_proto::{
    CloseCode, Connection, MessageRef, Prepared, Stats, Time, Workspace, close::Phase, error::Misuse,
    message::Kind,
};

/// The connection during one call of its [`Handler`](crate::Handler).
///
/// What is sent here is gathered, and leaves in one write when all that was read is used up.
#[derive(Debug)]
pub struct Context<'a> {
    connection: &'a mut Connection,
    workspace: &'a mut Workspace,
    now: Time,
}

impl<'a> Context<'a> {
    #[inline]
    pub(crate) fn new(connection: &'a mut Connection, workspace: &'a mut Workspace, now: Time) -> Self {
        Self { connection, workspace, now }
    }

    /// Sends a message. Once the connection is closing it is dropped: nobody would receive it.
    ///
    /// # Panics
    /// In the middle of a message that is being sent [in pieces](Self::send_piece).
    #[inline]
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) {
        let sent = self.connection.send(message, self.workspace);
        told(sent);
    }

    /// Sends a message that was encoded for many.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, prepared: &Prepared) {
        let sent = self.connection.send_prepared(prepared, self.workspace);
        told(sent);
    }

    /// Sends a piece of a message; `last` ends it.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) where the piece can't follow, [`Error::Closed`](crate::Error::Closed) once
    /// the connection is closing.
    pub fn send_piece(&mut self, kind: Kind, piece: &[u8], last: bool) -> Result<()> {
        Ok(self.connection.send_piece(kind, piece, last, self.workspace)?)
    }

    /// Sends a ping with up to 125 bytes.
    ///
    /// # Errors
    /// As [`send_piece`](Self::send_piece).
    pub fn ping(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self.connection.ping(payload, self.workspace)?)
    }

    /// Sends an unasked pong with up to 125 bytes.
    ///
    /// # Errors
    /// As [`send_piece`](Self::send_piece).
    pub fn pong(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self.connection.pong(payload, self.workspace)?)
    }

    /// Begins the closing handshake; a second call changes nothing.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) for a code that must not be sent (RFC 6455 §7.4).
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<()> {
        Ok(self.connection.close(code, reason, self.workspace, self.now)?)
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> usize {
        self.connection.outbox().pending()
    }

    /// Whether more waits than the high-water mark allows. Reading pauses meanwhile.
    pub fn is_congested(&self) -> bool {
        self.connection.is_congested()
    }

    /// Sends a ping of the connection's own now, ahead of its interval; its pong sets [`latency`](Self::latency).
    pub fn measure_latency(&mut self) {
        self.connection.measure_latency(self.workspace, self.now);
    }

    /// The last round trip that was measured by the connection's own pings.
    pub fn latency(&self) -> Option<Duration> {
        self.connection.latency()
    }

    /// What went over the connection so far.
    pub fn stats(&self) -> &Stats {
        self.connection.stats()
    }

    /// Whether the closing handshake began, or the connection failed.
    pub(crate) fn is_closing(&self) -> bool {
        self.connection.phase() != Phase::Open
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`Misuse::Closed`] once the connection is closing; [`Misuse::MessageUnfinished`] in the middle of a message that is being
    /// sent in pieces.
    pub fn try_send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), Misuse> {
        self.connection.send(message, self.workspace)
    }

    /// The connection itself, and what its calls want.
    pub fn connection(&mut self) -> (&mut Connection, &mut Workspace, Time) {
        (self.connection, self.workspace, self.now)
    }
}

/// That a connection closes is no fault of a handler's: the peer's close frame may lie in the same read as its question.
#[inline]
fn told(sent: Result<(), Misuse>) {
    match sent {
        Ok(()) | Err(Misuse::Closed) => {}
        Err(misuse) => panic!("{misuse}"),
    }
}
