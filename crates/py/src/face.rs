//! What a connection is driven for: a queue that Python takes messages from, or a handler that is called.

use crate::{
    connection::Connection as Object,
    handler::{Fatal, Handler},
    settings::Marks,
    state::{Arrived, Command, Shared, Stand},
    text::{Form, object},
};
use pyo3::{
    gc::{PyTraverseError, PyVisit},
    intern,
    prelude::*,
    types::{PyBytes, PyString},
};
use std::{sync::Arc, task};
use tidewire::{Context, Outcome, driver::Application};
use tidewire_proto::{
    CloseCode, Connection, Event,
    close::Phase,
    config::Delivery,
    error::Misuse,
    message::{Kind, MessageRef},
};

/// What a peer is told with 1011.
const INTERNAL_ERROR: &str = "the server met an error";

pub(crate) struct Face {
    shared: Arc<Shared>,
    handler: Option<Box<Handler>>,
    queue: Marks,
    write: Marks,
    /// A read is being handed over.
    in_read: bool,
    streaming: bool,
    fatal: Option<Box<Fatal>>,
    /// Told of pings and pongs, while somebody watches them. Gone with the end: a connection holds itself through this.
    connection: Option<Py<Object>>,
}

impl Face {
    pub(crate) fn new(shared: Arc<Shared>, queue: Marks, write: Marks, connection: Py<Object>) -> Self {
        Self {
            shared,
            handler: None,
            queue,
            write,
            in_read: false,
            streaming: false,
            fatal: None,
            connection: Some(connection),
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(connection) = &self.connection {
            visit.call(connection)?;
        }
        self.handler.as_ref().map_or(Ok(()), |handler| handler.visit(visit))
    }

    /// What the loop has to be told of.
    pub(crate) fn take_fatal(&mut self) -> Option<Fatal> {
        self.fatal.take().map(|fatal| *fatal)
    }

    fn queue(&self, py: Python<'_>, event: Event<'_>) -> PyResult<()> {
        let arrived = match event {
            Event::Message(message) => {
                let size = message.as_bytes().len();
                Arrived::Message { object: object(py, &message, Form::Native)?, size }
            }
            Event::Piece(piece) => {
                Arrived::Piece { kind: piece.kind, bytes: piece.payload.to_vec(), last: piece.last }
            }
            Event::Ping(payload) => {
                let watched = self.shared.lock(py).watch_pings;
                return self.tell(py, watched, intern!(py, "_on_ping"), &payload);
            }
            Event::Pong { payload, .. } => {
                let watched = self.shared.lock(py).watch_pongs;
                return self.tell(py, watched, intern!(py, "_on_pong"), &payload);
            }
            Event::Close(_) => return Ok(()),
        };
        let mut state = self.shared.lock(py);
        if state.discarding {
            drop(state);
            drop(arrived);
        } else {
            state.push(arrived);
        }
        Ok(())
    }

    fn tell(
        &self,
        py: Python<'_>,
        watched: bool,
        name: &Bound<'_, PyString>,
        payload: &[u8],
    ) -> PyResult<()> {
        match &self.connection {
            Some(connection) if watched => {
                connection.call_method1(py, name, (PyBytes::new(py, payload),)).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// A call into Python failed.
    #[cold]
    fn failed(&mut self, py: Python<'_>, error: PyErr, context: &mut Context<'_>) {
        let fatal = match &self.handler {
            Some(handler) => handler.failed(py, error),
            None => Some(error),
        };
        if let Some(fatal) = fatal {
            self.fatal.get_or_insert_with(|| Box::new(fatal));
        }
        self.handler = None;
        // Closing already is as good, and the code can be sent.
        let _closing = context.close(CloseCode::INTERNAL_ERROR, INTERNAL_ERROR);
    }

    /// Does what was asked for meanwhile.
    fn carry_out(&self, py: Python<'_>, context: &mut Context<'_>) {
        loop {
            let commands = {
                let mut state = self.shared.lock(py);
                if state.commands.is_empty() {
                    return;
                }
                std::mem::take(&mut state.commands)
            };
            for command in commands {
                // What the connection can't take any more, nobody would have received.
                let _closing = perform(&command, context);
            }
        }
    }

    /// Notes for all others how the connection stands.
    pub(crate) fn mirror(&self, py: Python<'_>, connection: &Connection) {
        let mut state = self.shared.lock(py);
        state.pending = connection.outbox().pending();
        state.stats = *connection.stats();
        state.latency = connection.latency();
        if state.pending <= self.write.low && !state.writers.is_empty() {
            state.wake_writers();
        }
        state.note(connection.phase(), || connection.closing());
    }

    /// Has messages handed over whole, or in pieces as they come, as the user takes them. In the midst of a message
    /// that is put off.
    pub(crate) fn stream(&mut self, context: &mut Context<'_>, streaming: bool) {
        let delivery = if streaming { Delivery::Streaming } else { Delivery::Whole };
        if context.connection().0.set_delivery(delivery) {
            self.streaming = streaming;
        }
    }

    /// Takes over a handler that was set meanwhile, with what came before it.
    fn take_handler(&mut self, py: Python<'_>, context: &mut Context<'_>) {
        let Some(handler) = self.shared.lock(py).handler.take() else { return };
        loop {
            let Some(arrived) = self.shared.lock(py).pop() else { break };
            if let Arrived::Message { object, .. } = arrived
                && let Err(error) = handler.arrived(py, &object)
            {
                self.handler = Some(handler);
                return self.failed(py, error, context);
            }
        }
        self.handler = Some(handler);
    }
}

/// Does one thing on the connection.
pub(crate) fn perform(command: &Command, context: &mut Context<'_>) -> Result<(), Misuse> {
    let (connection, workspace, now) = context.connection();
    match command {
        Command::Message(Kind::Text, bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => connection.send(MessageRef::text(text), workspace),
            Err(_) => Err(Misuse::InvalidUtf8),
        },
        Command::Message(Kind::Binary, bytes) => connection.send(MessageRef::binary(bytes), workspace),
        Command::Prepared(prepared) => connection.send_prepared(prepared, workspace),
        Command::Piece(kind, bytes, last) => connection.send_piece(*kind, bytes, *last, workspace),
        Command::Ping(payload) => connection.ping(payload, workspace),
        Command::Pong(payload) => connection.pong(payload, workspace),
        Command::Close(code, reason) => connection.close(*code, reason, workspace, now),
    }
}

impl Application for Face {
    #[inline]
    fn event(&mut self, context: &mut Context<'_>, event: Event<'_>) {
        Python::attach(|py| {
            self.in_read = true;
            let result = match (&self.handler, event) {
                (Some(handler), Event::Message(message)) => handler.message(py, &message),
                (Some(handler), Event::Ping(payload)) => handler.ping(py, &payload),
                (Some(handler), Event::Pong { payload, .. }) => handler.pong(py, &payload),
                (_, event) => self.queue(py, event),
            };
            if self.handler.is_some() {
                self.carry_out(py, context);
            }
            if let Err(error) = result {
                self.failed(py, error, context);
            }
        });
    }

    #[inline]
    fn accepts(&self, connection: &Connection) -> bool {
        if self.handler.is_some() {
            return !connection.is_congested();
        }
        Python::attach(|py| {
            let mut state = self.shared.lock(py);
            let room = state.has_room(self.queue.high, self.in_read);
            if !room && connection.phase() == Phase::Sent {
                state.discarding = true;
            }
            state.paused = !room && !state.discarding;
            room || state.discarding
        })
    }

    const HOLDS: bool = true;

    fn holds(&self, connection: &Connection) -> bool {
        self.handler.is_none()
            && connection.phase() == Phase::Open
            && Python::attach(|py| self.shared.lock(py).holds())
    }

    #[inline]
    fn poll(&mut self, context: &mut Context<'_>, _: &mut task::Context<'_>) {
        self.in_read = false;
        Python::attach(|py| {
            let streaming = self.shared.lock(py).streaming;
            if streaming != self.streaming {
                self.stream(context, streaming);
            }
            self.take_handler(py, context);
            self.carry_out(py, context);
        });
    }

    #[inline]
    fn written(&mut self, connection: &Connection) -> bool {
        Python::attach(|py| self.mirror(py, connection));
        false
    }

    fn ended(&mut self, outcome: &Outcome) {
        Python::attach(|py| {
            {
                let mut state = self.shared.lock(py);
                state.stats = outcome.stats;
                state.latency = outcome.latency;
                state.error = outcome.error.as_ref().map(ToString::to_string);
                state.stand = Stand::Closed;
                state.pending = 0;
                state.end();
            }
            self.connection = None;
            if let Some(handler) = self.handler.take()
                && let Err(error) = handler.close(py, outcome.close.code.0, &outcome.close.reason)
                && let Some(fatal) = handler.failed(py, error)
            {
                self.fatal.get_or_insert_with(|| Box::new(fatal));
            }
        });
    }
}
