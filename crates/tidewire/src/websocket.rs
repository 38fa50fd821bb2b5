//! The owned tier: `recv().await` and `send().await`.

use crate::{
    channel::{Channel, Incoming, Taken},
    client::Handshake,
    outcome::{Outcome, Result},
    sender::Sender,
    server::Opened,
};
use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tidewire_proto::{CloseCode, CloseReason, Message, Prepared, deflate::DeflateParams};

/// A connection with owned messages. Pings are answered and the close handshake is carried on whether or not it is used.
///
/// Every future of it is cancel-safe: one that is dropped before it is done has received and sent nothing.
/// When it is dropped (with both halves, after [`split`](Self::split)), the connection closes with 1000.
pub struct WebSocket {
    sender: Sender,
    receiver: Receiver,
    end: End,
}

/// Which end of the connection we are, and how it came about.
enum End {
    Server(Box<Opened>),
    Client(Box<Handshake>),
}

/// The receiving half of a [`WebSocket`].
pub struct Receiver {
    owner: Arc<Owner>,
    taken: Taken,
    /// As a stream it gave its error, and is over.
    failed: bool,
}

/// Closes the connection when nobody holds it any more.
struct Owner {
    channel: Arc<Channel>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.channel.leave();
    }
}

/// The sending half of a [`WebSocket`]; derefs to [`Sender`], which may be cloned.
pub struct Writer {
    sender: Sender,
    _owner: Arc<Owner>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.owner.channel.go_deaf();
    }
}

impl std::ops::Deref for Writer {
    type Target = Sender;

    fn deref(&self) -> &Sender {
        &self.sender
    }
}

impl WebSocket {
    fn new(channel: Arc<Channel>, end: End) -> Self {
        let owner = Arc::new(Owner { channel: Arc::clone(&channel) });
        Self {
            sender: Sender::new(channel),
            receiver: Receiver { owner, taken: Taken::default(), failed: false },
            end,
        }
    }

    pub(crate) fn of_server(channel: Arc<Channel>, opened: Opened) -> Self {
        Self::new(channel, End::Server(Box::new(opened)))
    }

    pub(crate) fn of_client(channel: Arc<Channel>, handshake: Box<Handshake>) -> Self {
        Self::new(channel, End::Client(handshake))
    }

    /// The request and what the handshake agreed on, on a server's connection.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.end {
            End::Server(opened) => Some(opened),
            End::Client(_) => None,
        }
    }

    /// How the connection came about, on a client's.
    pub fn handshake(&self) -> Option<&Handshake> {
        match &self.end {
            End::Server(_) => None,
            End::Client(handshake) => Some(handshake),
        }
    }

    /// The subprotocol agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        match &self.end {
            End::Server(opened) => opened.subprotocol.as_deref(),
            End::Client(handshake) => handshake.subprotocol(),
        }
    }

    /// permessage-deflate, where it was agreed on.
    pub fn deflate(&self) -> Option<&DeflateParams> {
        match &self.end {
            End::Server(opened) => opened.deflate.as_ref(),
            End::Client(handshake) => handshake.deflate(),
        }
    }

    /// The next message; `Ok(None)` once the connection is closed. Cancel-safe.
    ///
    /// # Errors
    /// What ended the connection, where it was not a close handshake. Messages that came before are given first.
    pub async fn recv(&mut self) -> Result<Option<Message>> {
        self.receiver.recv().await
    }

    /// The next message, ping or pong; `Ok(None)` once the connection is closed. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub async fn recv_any(&mut self) -> Result<Option<Incoming>> {
        self.receiver.recv_any().await
    }

    /// Sends a message, once the outbox has room for it. Cancel-safe: nothing is sent unless this returns.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed) or what ended the connection.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<()> {
        self.sender.send(message).await
    }

    /// Sends a message that was encoded for many. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<()> {
        self.sender.send_prepared(prepared).await
    }

    /// Sends a ping with up to 125 bytes. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) above 125 bytes, else as [`send`](Self::send).
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        self.sender.ping(payload).await
    }

    /// Waits until all that was sent before is handed to the operating system. Cancel-safe.
    ///
    /// # Errors
    /// What ended the connection before that.
    pub async fn flush(&mut self) -> Result<()> {
        self.sender.flush().await
    }

    /// Closes, and waits for the peer to answer, at most for the close timeout. Messages that come meanwhile can still
    /// be received. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) for a code that must not be sent (RFC 6455 §7.4).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<()> {
        self.sender.close(code, reason).await
    }

    /// A sender for other tasks; it does not keep the connection open.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Two halves that can live on different tasks. They share no lock over I/O.
    pub fn split(self) -> (Writer, Receiver) {
        let writer = Writer { sender: self.sender, _owner: Arc::clone(&self.receiver.owner) };
        (writer, self.receiver)
    }

    /// The close code and reason, once there is one: the peer's, or what an abnormal end stands for (1006).
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.receiver.close_reason()
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.receiver.owner.channel.outcome()
    }

    /// The last round trip that was measured by the connection's own pings.
    pub fn latency(&self) -> Option<Duration> {
        self.receiver.owner.channel.latency()
    }
}

impl Receiver {
    /// The next message; see [`WebSocket::recv`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Result<Option<Message>> {
        poll_fn(|task| self.poll_recv(task)).await
    }

    /// The next message, ping or pong; see [`WebSocket::recv_any`]. Cancel-safe.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub async fn recv_any(&mut self) -> Result<Option<Incoming>> {
        poll_fn(|task| self.owner.channel.poll_incoming(true, &mut self.taken, task)).await
    }

    /// The close code and reason, once there is one.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.owner.channel.close_reason()
    }

    fn poll_recv(&mut self, task: &mut Context<'_>) -> Poll<Result<Option<Message>>> {
        self.owner.channel.poll_incoming(false, &mut self.taken, task).map_ok(|incoming| match incoming {
            Some(Incoming::Message(message)) => Some(message),
            _ => None,
        })
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("close_reason", &self.close_reason()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("close_reason", &self.close_reason()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Stream for Receiver {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.failed {
            return Poll::Ready(None);
        }
        let next = ready!(this.poll_recv(task)).transpose();
        this.failed = matches!(next, Some(Err(_)));
        Poll::Ready(next)
    }
}

impl Stream for WebSocket {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.get_mut().receiver).poll_next(task)
    }
}

macro_rules! sink {
    ($($half:ty),*) => {$(
        impl Sink<Message> for $half {
            type Error = crate::Error;

            fn poll_ready(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
                self.sender.poll_room(task)
            }

            fn start_send(self: Pin<&mut Self>, message: Message) -> Result<()> {
                self.sender.push(message)
            }

            fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
                self.sender.poll_flush(task)
            }

            fn poll_close(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<()>> {
                self.sender.poll_close(task)
            }
        }
    )*};
}

sink!(WebSocket, Writer);
