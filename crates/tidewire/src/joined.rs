//! Drives the owned tier: a [`Channel`], and with it the user's future where both live on one task.

use crate::{
    channel::{Arrived, Channel, Incoming},
    context::Context,
    driver::Application,
    outcome::{Error, INTERNAL_ERROR, Outcome, Report, Result, panicked},
};
use bytes::Bytes;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};
use tidewire_proto::{CloseCode, Connection, Event, close::Phase};

/// A channel whose other side is on another task.
pub(crate) struct Channeled {
    channel: Arc<Channel>,
    arrived: Arrived,
}

impl Channeled {
    pub(crate) fn new(channel: Arc<Channel>) -> Self {
        Self { channel, arrived: Arrived::default() }
    }

    fn deliver(&mut self) {
        self.channel.deliver(&mut self.arrived);
    }
}

impl Application for Channeled {
    fn event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Message(message) => self.arrived.push(Incoming::Message(message.into_owned())),
            Event::Ping(payload) => self.arrived.push(Incoming::Ping(Bytes::copy_from_slice(&payload))),
            Event::Pong { payload, latency } => {
                self.arrived.push(Incoming::Pong(Bytes::copy_from_slice(&payload), latency));
            }
            Event::Close(reason) => {
                self.deliver();
                self.channel.peer_closed(&reason);
            }
            // `Server::serve` and `Client::connect` set the delivery of whole messages.
            Event::Piece(_) => {}
        }
    }

    fn accepts(&self, connection: &Connection) -> bool {
        // Behind our close frame reading goes on, or the answer to it would never be seen.
        self.channel.has_room(&self.arrived) || connection.phase() != Phase::Open
    }

    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        self.deliver();
        self.channel.wake_receiver(task);
        self.channel.carry_out(context, task);
    }

    fn written(&mut self, connection: &Connection) -> bool {
        self.channel.written(connection)
    }

    fn ended(&mut self, outcome: &Outcome) {
        self.deliver();
        self.channel.end(outcome);
    }
}

/// The user's future on the connection's own task: no hop between what came and who takes it, and what the future sent
/// leaves in one write as soon as it waits for anything.
pub(crate) struct Joined<F> {
    channeled: Channeled,
    user: Option<Pin<Box<F>>>,
    result: Option<Error>,
    report: Option<Report>,
}

impl<F: Future<Output = Result<()>>> Joined<F> {
    pub(crate) fn new(channel: Arc<Channel>, user: F, report: Option<Report>) -> Self {
        Self { channeled: Channeled::new(channel), user: Some(Box::pin(user)), result: None, report }
    }

    fn poll_user(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        let Some(user) = &mut self.user else { return Poll::Ready(()) };
        let result = match catch_unwind(AssertUnwindSafe(|| user.as_mut().poll(task))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(panic) => Err(panicked(panic.as_ref())),
        };
        self.user = None;
        match &result {
            Ok(()) => self.channeled.channel.finish(CloseCode::NORMAL, ""),
            Err(_) => self.channeled.channel.finish(CloseCode::INTERNAL_ERROR, INTERNAL_ERROR),
        }
        self.result = result.err();
        Poll::Ready(())
    }
}

impl<F: Future<Output = Result<()>>> Application for Joined<F> {
    fn event(&mut self, context: &mut Context<'_>, event: Event<'_>) {
        self.channeled.event(context, event);
    }

    fn accepts(&self, connection: &Connection) -> bool {
        self.channeled.accepts(connection)
    }

    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        self.channeled.deliver();
        let _done = self.poll_user(task);
        self.channeled.poll(context, task);
    }

    fn written(&mut self, connection: &Connection) -> bool {
        self.channeled.written(connection)
    }

    fn ended(&mut self, outcome: &Outcome) {
        self.channeled.ended(outcome);
    }

    /// The user's future learns how the connection ended, takes what still lies in the inbox, and clears up.
    fn poll_rest(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        self.poll_user(task)
    }
}

impl<F> Drop for Joined<F> {
    fn drop(&mut self) {
        self.user = None;
        if let (Some(report), Some(outcome)) = (self.report.take(), self.channeled.channel.outcome()) {
            report(&outcome, self.result.as_ref());
        }
    }
}
