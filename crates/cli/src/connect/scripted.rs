//! A peer that a test plays, behind the traits of [`session`](super::session).

use super::command::Action;
use super::input::Input;
use super::session::{
    CloseCode, CloseReason, Dial, DialError, Event, Failure, FailureKind, Handshake, Message, Receiver,
    Sender, Session,
};
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// What the client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Message),
    Ping(Bytes),
    Close(CloseReason),
}

/// The test's end. Dropping it is a lost connection.
pub(super) struct Peer {
    events: mpsc::UnboundedSender<Option<Event>>,
    frames: mpsc::Receiver<Frame>,
}

/// The client's end.
pub(super) struct Scripted {
    handshake: Handshake,
    events: mpsc::UnboundedReceiver<Option<Event>>,
    frames: mpsc::Sender<Frame>,
}

/// Two ends of a connection that takes `capacity` frames before the peer reads them.
pub(super) fn pair(capacity: usize) -> (Scripted, Peer) {
    let (to_client, events) = mpsc::unbounded_channel();
    let (frames, from_client) = mpsc::channel(capacity);
    let handshake = Handshake { url: "ws://test/".into(), ..Handshake::default() };
    (Scripted { handshake, events, frames }, Peer { events: to_client, frames: from_client })
}

impl Peer {
    /// The client's next frame.
    pub(super) async fn recv(&mut self) -> Frame {
        self.frames.recv().await.expect("the client went away")
    }

    /// The client's next frame, which is a text message.
    pub(super) async fn text(&mut self) -> String {
        match self.recv().await {
            Frame::Message(Message::Text(text)) => text,
            other => panic!("expected a text message, got {other:?}"),
        }
    }

    pub(super) fn event(&self, event: Event) {
        // A client that has gone does not mind.
        let _ = self.events.send(Some(event));
    }

    pub(super) fn say(&self, text: &str) {
        self.event(Event::Message(Message::Text(text.into())));
    }

    /// A close frame of the server's, and the end.
    pub(super) fn close(&self, code: u16) {
        self.event(Event::Close(CloseReason::new(CloseCode(code), "")));
        let _ = self.events.send(None);
    }

    /// Reads the client's close and answers it; gives back what came before.
    pub(super) async fn answer_close(&mut self) -> (Vec<Frame>, CloseReason) {
        let mut before = Vec::new();
        loop {
            match self.recv().await {
                Frame::Close(reason) => {
                    self.close(reason.code.0);
                    return (before, reason);
                }
                frame => before.push(frame),
            }
        }
    }
}

impl Session for Scripted {
    type Sender = mpsc::Sender<Frame>;
    type Receiver = mpsc::UnboundedReceiver<Option<Event>>;

    fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    fn split(self) -> (Self::Sender, Self::Receiver) {
        (self.frames, self.events)
    }
}

fn lost() -> Failure {
    Failure { kind: FailureKind::Lost, text: "the connection was lost".into() }
}

async fn hand_over(frames: &mpsc::Sender<Frame>, frame: Frame) -> Result<(), Failure> {
    frames.send(frame).await.map_err(|_| lost())
}

impl Sender for mpsc::Sender<Frame> {
    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        hand_over(self, Frame::Message(message)).await
    }

    async fn ping(&mut self, payload: Bytes) -> Result<(), Failure> {
        hand_over(self, Frame::Ping(payload)).await
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Failure> {
        hand_over(self, Frame::Close(CloseReason::new(code, reason))).await
    }
}

impl Receiver for mpsc::UnboundedReceiver<Option<Event>> {
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        self.recv().await.ok_or_else(lost)
    }
}

/// Gives these connections, or refusals, one after the other.
pub(super) struct Scripts(pub(super) VecDeque<Result<Scripted, DialError>>);

impl Dial for Scripts {
    type Session = Scripted;

    async fn dial(&mut self) -> Result<Scripted, DialError> {
        self.0.pop_front().expect("no further connection was expected")
    }
}

/// A person at the keyboard.
pub(super) struct Typed(pub(super) mpsc::UnboundedReceiver<Action>);

impl Input for Typed {
    fn has_rest(&self) -> bool {
        false
    }

    async fn next(&mut self) -> Result<Option<Action>, String> {
        Ok(self.0.recv().await)
    }

    fn is_interactive(&self) -> bool {
        true
    }
}
