//! What a connection's driver and everybody else share.

use crate::{handler::Handler, lock::lock, waiter::Wake};
use pyo3::{
    gc::{PyTraverseError, PyVisit},
    prelude::*,
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tidewire::driver::now;
use tidewire_proto::{CloseCode, Kind, Prepared, Stats, Time, close::Phase, connection::Closing};

/// Bytes of messages nobody took yet, above which reading pauses, however few they are.
const INBOX_BYTES: usize = 256 * 1024;
/// What a message in the inbox costs beside its bytes.
const ENTRY: usize = 64;

/// Something to take.
pub(crate) enum Arrived {
    Message {
        object: Py<PyAny>,
        size: usize,
    },
    /// Raw: text may end inside a character.
    Piece {
        kind: Kind,
        bytes: Vec<u8>,
        last: bool,
    },
}

impl Arrived {
    fn cost(&self) -> usize {
        ENTRY
            + match self {
                Self::Message { size, .. } => *size,
                Self::Piece { bytes, .. } => bytes.len(),
            }
    }
}

/// Something to do on the connection.
pub(crate) enum Command {
    Message(Kind, Vec<u8>),
    Prepared(Prepared),
    Piece(Kind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseCode, String),
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stand {
    #[default]
    Connecting,
    Open,
    /// A close frame went or came, or the connection failed: nothing more can be sent.
    Closing,
    /// The transport is gone.
    Closed,
}

/// What a violation waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    #[default]
    No,
    /// The messages before it were not taken yet.
    ForTaking,
    /// They were taken: until whoever took them asks for the next, or until then.
    ForAnswer(Time),
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct State {
    inbox: VecDeque<Arrived>,
    inbox_bytes: usize,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) stand: Stand,
    /// Nothing more comes: what is in the inbox is the rest.
    pub(crate) ended: bool,
    pub(crate) closing: Option<Box<Closing>>,
    pub(crate) error: Option<String>,
    pub(crate) reader: Option<Wake>,
    pub(crate) writers: Vec<Wake>,
    /// To be called once no lock is held.
    pub(crate) due: Vec<Wake>,
    /// We have closed, and nobody takes what still comes: it is read for the peer's close frame behind it.
    pub(crate) discarding: bool,
    /// Reading stopped for want of room, and has to be taken up again.
    pub(crate) paused: bool,
    /// A violation came behind messages, and waits until they are answered.
    pub(crate) held: Held,
    /// Bytes that wait to be written.
    pub(crate) pending: usize,
    pub(crate) latency: Option<Duration>,
    pub(crate) stats: Stats,
    pub(crate) sending_pieces: bool,
    /// Fragments are handed over as they come.
    pub(crate) streaming: bool,
    /// A piece of a message was taken, and its last one was not.
    pub(crate) in_message: bool,
    /// Characters whose rest is in the next piece.
    pub(crate) cut: Vec<u8>,
    pub(crate) watch_pings: bool,
    pub(crate) watch_pongs: bool,
    /// A handler that the driver has not taken over yet.
    pub(crate) handler: Option<Box<Handler>>,
    pub(crate) abort: bool,
}

#[derive(Default)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    /// Never held over a call into Python.
    #[inline]
    pub(crate) fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        lock(py, &self.0)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(state) = self.0.try_lock() else { return Ok(()) };
        for wake in state.reader.iter().chain(&state.writers).chain(&state.due) {
            match wake {
                Wake::Task(waiter) => visit.call(waiter)?,
                Wake::Call(call) => visit.call(call)?,
            }
        }
        state.handler.as_ref().map_or(Ok(()), |handler| handler.visit(visit))
    }

    /// Lets go of whoever waits.
    pub(crate) fn clear(&self) {
        let let_go = self.0.try_lock().ok().map(|mut state| {
            let waiting =
                (state.reader.take(), std::mem::take(&mut state.writers), std::mem::take(&mut state.due));
            (waiting, state.handler.take())
        });
        drop(let_go);
    }
}

impl State {
    /// Whoever could be called with something that is not to come any more.
    pub(crate) fn leave(&mut self) -> Option<Box<Handler>> {
        self.handler.take()
    }

    #[inline]
    pub(crate) fn push(&mut self, arrived: Arrived) {
        self.inbox_bytes += arrived.cost();
        self.inbox.push_back(arrived);
        self.wake_reader();
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Arrived> {
        let arrived = self.inbox.pop_front()?;
        self.inbox_bytes -= arrived.cost();
        Some(arrived)
    }

    pub(crate) fn unpop(&mut self, arrived: Arrived) {
        self.inbox_bytes += arrived.cost();
        self.inbox.push_front(arrived);
    }

    #[inline]
    pub(crate) fn has_arrived(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Whether the next thing to take is a piece of a message.
    pub(crate) fn next_is_piece(&self) -> bool {
        matches!(self.inbox.front(), Some(Arrived::Piece { .. }))
    }

    /// Whether a message that came in pieces is whole.
    pub(crate) fn has_last_piece(&self) -> bool {
        self.inbox.iter().any(|arrived| matches!(arrived, Arrived::Piece { last: true, .. }))
    }

    /// Whether a violation has to wait.
    pub(crate) fn holds(&mut self) -> bool {
        match self.held {
            _ if self.has_arrived() => {
                self.held = Held::ForTaking;
                true
            }
            Held::ForAnswer(until) if now() < until => true,
            // The answer is on its way.
            _ if !self.commands.is_empty() => true,
            _ => {
                self.held = Held::No;
                false
            }
        }
    }

    /// Whether one more read may be handed over. A read is handed over whole, unless it holds very much.
    #[inline]
    pub(crate) fn has_room(&self, high: usize, in_read: bool) -> bool {
        self.inbox_bytes < INBOX_BYTES && (in_read || self.inbox.len() < high)
    }

    /// Whether reading should go on after it paused.
    #[inline]
    pub(crate) fn may_resume(&self, low: usize) -> bool {
        self.paused && self.inbox.len() <= low && self.inbox_bytes < INBOX_BYTES / 2
    }

    #[inline]
    pub(crate) fn wake_reader(&mut self) {
        if let Some(wake) = self.reader.take() {
            self.due.push(wake);
        }
    }

    pub(crate) fn wake_writers(&mut self) {
        self.due.append(&mut self.writers);
    }

    /// Notes how the closing handshake stands.
    pub(crate) fn note(&mut self, phase: Phase, closing: impl FnOnce() -> Closing) {
        if phase == Phase::Open {
            return;
        }
        self.closing = Some(Box::new(closing()));
        if self.stand < Stand::Closing {
            self.stand = Stand::Closing;
            self.wake_writers();
        }
        if !phase.is_reading() {
            self.end();
        }
    }

    pub(crate) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.wake_reader();
            self.wake_writers();
        }
    }
}

impl PartialOrd for Stand {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((*self as u8).cmp(&(*other as u8)))
    }
}
