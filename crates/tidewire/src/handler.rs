//! The fast tier: borrowed messages, gathered replies, no await.

use crate::{
    channel::Channel,
    context::Context,
    driver::Application,
    outcome::{INTERNAL_ERROR, Outcome, Report, panicked},
    sender::Sender,
};
use std::{
    any::Any,
    cell::OnceCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    task,
    time::Duration,
};
use tidewire_proto::{CloseCode, CloseReason, Connection, Event, MessageRef, event::Piece};

/// What an application does on a connection. One value per connection; every call comes on the connection's task.
///
/// A handler that panics is called no more; its peer is told 1011, and a server goes on.
///
/// ```
/// use tidewire::{Context, Handler, MessageRef};
///
/// struct Echo;
/// impl Handler for Echo {
///     fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
///         ws.send(message);
///     }
/// }
/// ```
pub trait Handler: Send + Unpin + 'static {
    /// The handshake is done. `sender` may be kept, cloned and used from anywhere.
    fn on_open(&mut self, ws: &mut Context<'_>, opening: &Opening) {
        let _ = (ws, opening);
    }

    /// A whole message came, borrowed from the buffer it was read into.
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>);

    /// A part of a message came, with [`Delivery::Streaming`](tidewire_proto::config::Delivery::Streaming).
    fn on_piece(&mut self, ws: &mut Context<'_>, piece: Piece<'_>) {
        let _ = (ws, piece);
    }

    /// A ping came; it is answered already.
    fn on_ping(&mut self, ws: &mut Context<'_>, payload: &[u8]) {
        let _ = (ws, payload);
    }

    /// A pong came, with the round trip where it answers a ping of the connection's own.
    fn on_pong(&mut self, ws: &mut Context<'_>, payload: &[u8], latency: Option<Duration>) {
        let _ = (ws, payload, latency);
    }

    /// What was read is used up, and what was gathered is about to leave. Called in each turn of the connection's task;
    /// `waker`, kept, asks for another turn from anywhere.
    #[inline]
    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &task::Waker) {
        let _ = (ws, waker);
    }

    /// The peer's close frame came; it is answered already. Nothing more can be sent.
    fn on_close(&mut self, reason: &CloseReason) {
        let _ = reason;
    }

    /// The connection is over. Called once, last, however it ended.
    fn on_end(&mut self, outcome: &Outcome) {
        let _ = outcome;
    }
}

/// Hands out [`Sender`]s when a connection opens; a connection whose handler takes none keeps none.
#[derive(Debug)]
pub struct Opening {
    limit: usize,
    channel: OnceCell<Arc<Channel>>,
}

impl Opening {
    /// A sender for this connection, to be used from anywhere.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(self.channel.get_or_init(|| Arc::new(Channel::new(self.limit)))))
    }
}

/// Drives a [`Handler`].
pub(crate) struct Handled<H> {
    /// Absent once it has panicked.
    handler: Option<H>,
    channel: Option<Arc<Channel>>,
    report: Option<Report>,
    opened: bool,
    panic: Option<Box<dyn Any + Send>>,
    rethrow: bool,
}

impl<H: Handler> Handled<H> {
    pub(crate) fn new(handler: H, report: Option<Report>) -> Self {
        Self { handler: Some(handler), channel: None, report, opened: false, panic: None, rethrow: false }
    }

    /// With a channel that others have already. A panic of the handler goes on behind the end of the connection.
    pub(crate) fn on(channel: Arc<Channel>, handler: H) -> Self {
        Self { channel: Some(channel), rethrow: true, ..Self::new(handler, None) }
    }

    /// Calls the handler, unless it has panicked; `false` where it does now.
    #[inline]
    fn call(&mut self, call: impl FnOnce(&mut H)) -> bool {
        let Some(handler) = &mut self.handler else { return true };
        // What a panic leaves half done in the handler is never looked at again.
        match catch_unwind(AssertUnwindSafe(|| call(handler))) {
            Ok(()) => true,
            Err(panic) => {
                self.handler = None;
                self.panic = Some(panic);
                false
            }
        }
    }
}

impl<H: Handler> Application for Handled<H> {
    #[inline]
    fn event(&mut self, context: &mut Context<'_>, event: Event<'_>) {
        self.open(context);
        let stands = self.call(|handler| match event {
            Event::Message(message) => handler.on_message(context, message),
            Event::Piece(piece) => handler.on_piece(context, piece),
            Event::Ping(payload) => handler.on_ping(context, &payload),
            Event::Pong { payload, latency } => handler.on_pong(context, &payload, latency),
            Event::Close(reason) => handler.on_close(&reason),
        });
        if !stands {
            give_up(context);
        }
    }

    #[inline]
    fn accepts(&self, connection: &Connection) -> bool {
        !connection.is_congested()
    }

    #[inline]
    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>) {
        self.open(context);
        if let Some(channel) = &self.channel {
            channel.carry_out(context, task);
        }
        if !self.call(|handler| handler.on_turn(context, task.waker())) {
            give_up(context);
        }
    }

    #[inline]
    fn written(&mut self, connection: &Connection) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.written(connection))
    }

    fn ended(&mut self, outcome: &Outcome) {
        if let Some(channel) = &self.channel {
            channel.end(outcome);
        }
        self.call(|handler| handler.on_end(outcome));
        if let Some(report) = self.report.take() {
            report(outcome, self.panic.as_deref().map(panicked).as_ref());
        }
        if let Some(panic) = self.panic.take_if(|_| self.rethrow) {
            resume_unwind(panic);
        }
    }
}

impl<H: Handler> Handled<H> {
    #[inline]
    fn open(&mut self, context: &mut Context<'_>) {
        if !self.opened {
            self.opened = true;
            let limit = context.connection().0.config().limits.outbox;
            let channel = self.channel.take().map_or_else(OnceCell::new, OnceCell::from);
            let opening = Opening { limit, channel };
            if !self.call(|handler| handler.on_open(context, &opening)) {
                give_up(context);
            }
            self.channel = opening.channel.into_inner();
        }
    }
}

/// Closes for a handler that has panicked.
#[cold]
fn give_up(context: &mut Context<'_>) {
    // Closing already is as good, and the code can be sent.
    let _closing = context.close(CloseCode::INTERNAL_ERROR, INTERNAL_ERROR);
}
