//! Drives the owned tier: a [`Channel`], and with it the user's future where both live on one task.

use crate::{
    channel::{Channel, Command, Incoming},
    context::Context,
    driver::Application,
    outcome::{Error, Outcome, Result},
    server::Report,
};
use bytes::Bytes;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task,
};
use tidewire_proto::{CloseCode, Connection, Event};

/// A channel whose other side is on another task.
pub(crate) struct Channeled {
    pub(crate) channel: Arc<Channel>,
}

impl Application for Channeled {
    fn event(&mut self, _: &mut Context<'_>, event: Event<'_>) {
        deliver(&self.channel, event);
    }

    fn accepts(&self, _: &Connection) -> bool {
        self.channel.has_room()
    }

    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        self.channel.wake_receiver(task);
        self.channel.carry_out(context, task);
    }

    fn written(&mut self, connection: &Connection) {
        self.channel.written(connection);
    }

    fn ended(&mut self, outcome: &Outcome) {
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
        Self { channeled: Channeled { channel }, user: Some(Box::pin(user)), result: None, report }
    }

    fn poll_user(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        let Some(user) = &mut self.user else { return };
        let result = match catch_unwind(AssertUnwindSafe(|| user.as_mut().poll(task))) {
            Ok(task::Poll::Pending) => return,
            Ok(task::Poll::Ready(result)) => result,
            Err(panic) => Err(Error::application(panic_message(panic.as_ref()))),
        };
        self.user = None;
        // What the future sent goes out before its close.
        self.channeled.channel.carry_out(context, task);
        let (code, reason) = match &result {
            Ok(()) => (CloseCode::NORMAL, ""),
            Err(_) => (CloseCode::INTERNAL_ERROR, "the server met an error"),
        };
        let _closing = self.channeled.channel.push(Command::Close(code, reason.into()), Some(task));
        self.result = result.err();
    }
}

impl<F: Future<Output = Result<()>>> Application for Joined<F> {
    fn event(&mut self, context: &mut Context<'_>, event: Event<'_>) {
        self.channeled.event(context, event);
    }

    fn accepts(&self, connection: &Connection) -> bool {
        self.user.is_none() || self.channeled.accepts(connection)
    }

    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        self.poll_user(context, task);
        self.channeled.poll(context, task);
    }

    fn written(&mut self, connection: &Connection) {
        self.channeled.written(connection);
    }

    fn ended(&mut self, outcome: &Outcome) {
        self.channeled.ended(outcome);
        if let Some(report) = self.report.take() {
            report(outcome, self.result.as_ref());
        }
    }
}

fn deliver(channel: &Channel, event: Event<'_>) {
    match event {
        Event::Message(message) => channel.deliver(Incoming::Message(message.into_owned())),
        Event::Ping(payload) => channel.deliver(Incoming::Ping(Bytes::copy_from_slice(&payload))),
        Event::Pong { payload, latency } => {
            channel.deliver(Incoming::Pong(Bytes::copy_from_slice(&payload), latency));
        }
        Event::Close(reason) => channel.peer_closed(&reason),
        // Delivery in pieces is set for handlers only.
        Event::Piece(_) => {}
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("without a message"))
}
