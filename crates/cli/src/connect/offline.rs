//! A dialler for a build without a network: it opens nothing, and says so.

use super::session::{
    CloseCode, Dial, DialError, DialErrorKind, Event, Failure, Handshake, Message, Receiver, Sender, Session,
};
use bytes::Bytes;

pub(crate) struct Dialer;

/// A connection that can't be.
pub(crate) enum Never {}

impl Dial for Dialer {
    type Session = Never;

    async fn dial(&mut self) -> Result<Never, DialError> {
        Err(DialError { kind: DialErrorKind::Unreachable, text: "this build can't open connections".into() })
    }
}

impl Session for Never {
    type Sender = Self;
    type Receiver = Self;

    fn handshake(&self) -> &Handshake {
        match *self {}
    }

    fn split(self) -> (Self, Self) {
        match self {}
    }
}

impl Sender for Never {
    async fn send(&mut self, _: Message) -> Result<(), Failure> {
        match *self {}
    }

    async fn ping(&mut self, _: Bytes) -> Result<(), Failure> {
        match *self {}
    }

    async fn close(&mut self, _: CloseCode, _: &str) -> Result<(), Failure> {
        match *self {}
    }
}

impl Receiver for Never {
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        match *self {}
    }
}
