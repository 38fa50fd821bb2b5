//! The sending half while it is at work: one frame at a time, without keeping anyone else waiting.

use super::session::{CloseReason, Failure, Message, Sender};
use bytes::Bytes;
use std::collections::VecDeque;
use std::pin::Pin;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// A message of `--execute`: sent anew on the next connection in any case.
    Preamble(Message),
    Message(Message),
    Ping(Bytes),
    /// What went before is to leave for the operating system.
    Flush,
    Close(CloseReason),
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Message,
    Ping,
    Flush,
    Close,
}

type Sending<'s, S> = Pin<Box<dyn Future<Output = (S, Result<(), Failure>)> + 's>>;

/// A queue before a [`Sender`].
pub(crate) struct Writer<'s, S> {
    idle: Option<S>,
    sending: Option<(Sent, Sending<'s, S>)>,
    waiting: VecDeque<Outgoing>,
}

impl<'s, S: Sender + 's> Writer<'s, S> {
    pub(crate) fn new(sender: S) -> Self {
        Self { idle: Some(sender), sending: None, waiting: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        self.waiting.push_back(outgoing);
        self.start();
    }

    /// Nothing under way, nothing waiting.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_none() && self.waiting.is_empty()
    }

    /// Whether something waits behind what is under way.
    pub(crate) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a message is under way: begun, and not known to be handed over.
    pub(crate) fn is_sending_message(&self) -> bool {
        matches!(self.sending, Some((Sent::Message | Sent::Flush, _)))
    }

    /// Whether the close frame is under way.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.sending, Some((Sent::Close, _)))
    }

    /// Takes back what has not been begun.
    pub(crate) fn take_waiting(&mut self) -> VecDeque<Outgoing> {
        std::mem::take(&mut self.waiting)
    }

    /// The next frame that is handed over, or the failure; waits for ever when idle. Cancel-safe.
    pub(crate) async fn done(&mut self) -> (Sent, Result<(), Failure>) {
        let Some((_, sending)) = &mut self.sending else { return std::future::pending().await };
        let (sender, result) = sending.as_mut().await;
        let (sent, _) = self.sending.take().expect("it was there before the await, and nobody else takes it");
        self.idle = Some(sender);
        // After a failure what waits is the caller's to judge.
        if result.is_ok() {
            self.start();
        }
        (sent, result)
    }

    fn start(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(mut sender) = self.idle.take() else { return };
        if let Some(outgoing) = self.waiting.pop_front() {
            let sent = match outgoing {
                Outgoing::Preamble(_) | Outgoing::Message(_) => Sent::Message,
                Outgoing::Ping(_) => Sent::Ping,
                Outgoing::Flush => Sent::Flush,
                Outgoing::Close(_) => Sent::Close,
            };
            let sending = async move {
                let result = match outgoing {
                    Outgoing::Preamble(message) | Outgoing::Message(message) => sender.send(message).await,
                    Outgoing::Ping(payload) => sender.ping(payload).await,
                    Outgoing::Flush => sender.flush().await,
                    Outgoing::Close(reason) => sender.close(reason.code, &reason.reason).await,
                };
                (sender, result)
            };
            self.sending = Some((sent, Box::pin(sending)));
        }
    }
}
