//! What goes, and how it gets onto the connection.

use super::{
    Connection, Stage,
    errors::{closed, concurrency, not_open, value_error},
};
use crate::{
    awaitable::{Awaitable, Done, For},
    reactor::Reactor,
    state::{Command, Stand},
    text::{lend, owned},
    waiter::{Stepping, Wake},
};
use pyo3::{exceptions::PyTypeError, intern, prelude::*};
use tidewire_proto::{Kind, MessageRef, error::Misuse};

/// What is gathered leaves from this many bytes on.
const GATHERED: usize = 64 * 1024;

impl Connection {
    /// Does something on the connection at once, or as soon as it can be reached.
    pub(super) fn give(this: &Bound<'_, Self>, command: Command) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let size = match &command {
            Command::Message(_, bytes) | Command::Piece(_, bytes, _) => bytes.len(),
            Command::Prepared(prepared) => prepared.message().as_bytes().len(),
            _ => 0,
        };
        {
            let mut state = own.shared.lock(py);
            state.commands.push_back(command);
            state.pending += size;
        }
        Self::carry_on(this)
    }

    /// Drives the connection now, where that can be; else as soon as it can.
    pub(super) fn carry_on(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let reactor = own.reactor(py)?;
        if !reactor.get().is_own_thread() {
            return Reactor::again(reactor, own.key());
        }
        if reactor.get().is_polling() {
            // Who is driven sees to its own commands; others have their turn.
            return if own.try_stage().is_none() { Ok(()) } else { Reactor::again(reactor, own.key()) };
        }
        Self::drive(this, Stepping::Soon)
    }

    /// Sends a message; whether senders need not wait.
    pub(super) fn hand(this: &Bound<'_, Self>, message: MessageRef<'_>) -> PyResult<bool> {
        let py = this.py();
        let own = this.get();
        let reactor = own.reactor(py)?;
        let high = own.settings(py)?.get().write.high;
        let (first, batch) = {
            let state = own.shared.lock(py);
            match state.stand {
                Stand::Open => {}
                Stand::Connecting => return Err(not_open()),
                Stand::Closing | Stand::Closed => {
                    drop(state);
                    return Err(closed(this));
                }
            }
            if state.sending_pieces {
                drop(state);
                return Err(concurrency(py, "a message is being sent in fragments: finish it first"));
            }
            (state.commands.is_empty(), state.has_arrived())
        };
        let stage = if first && reactor.get().is_own_thread() { own.try_stage() } else { None };
        if let Some(mut stage) = stage
            && let Stage::Running(driver) = &mut *stage
        {
            let (sent, pending) = driver.apply(|_, context| (context.try_send(message), context.pending()));
            drop(stage);
            own.shared.lock(py).pending = pending;
            match sent {
                Ok(()) => {}
                Err(Misuse::Closed) => return Err(closed(this)),
                Err(misuse) => return Err(value_error(&misuse)),
            }
            if pending < GATHERED && (reactor.get().is_polling() || (batch && reactor.get().is_turning())) {
                Reactor::again(reactor, own.key())?;
                return Ok(pending <= high);
            }
            Self::carry_on(this)?;
        } else {
            Self::give(this, Command::Message(message.kind(), message.as_bytes().to_vec()))?;
        }
        Ok(own.shared.lock(py).pending <= high)
    }

    /// What is not open takes nothing more.
    pub(super) fn check_open(this: &Bound<'_, Self>) -> PyResult<()> {
        let stand = this.get().shared.lock(this.py()).stand;
        match stand {
            Stand::Open => Ok(()),
            Stand::Connecting => Err(not_open()),
            Stand::Closing | Stand::Closed => Err(closed(this)),
        }
    }

    /// Sends a message that was encoded for many; `false` in the midst of a fragmented one.
    pub(crate) fn send_prepared(
        this: &Bound<'_, Self>,
        prepared: &tidewire_proto::Prepared,
    ) -> PyResult<bool> {
        {
            let state = this.get().shared.lock(this.py());
            if state.stand != Stand::Open {
                return Ok(true);
            }
            if state.sending_pieces {
                return Ok(false);
            }
        }
        Self::give(this, Command::Prepared(prepared.clone()))?;
        Ok(true)
    }

    /// Whether senders need not wait.
    pub(crate) fn has_room(this: &Bound<'_, Self>) -> PyResult<bool> {
        let py = this.py();
        let own = this.get();
        let state = own.shared.lock(py);
        if state.ended {
            drop(state);
            return Err(closed(this));
        }
        Ok(state.pending <= own.settings(py)?.get().write.high || state.stand == Stand::Connecting)
    }
}

#[pymethods]
impl Connection {
    #[pyo3(signature = (message, text = None))]
    fn send(this: &Bound<'_, Self>, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<Py<PyAny>> {
        let py = this.py();
        let sending_pieces = this.get().shared.lock(py).sending_pieces;
        let sent = if sending_pieces {
            None
        } else {
            lend(message, text, |message| Self::hand(this, message))?.transpose()?
        };
        match sent {
            Some(true) => Done::get(py),
            Some(false) => Self::drained(this),
            None => this.call_method1(intern!(py, "_send_fragments"), (message, text)).map(Bound::unbind),
        }
    }

    #[pyo3(signature = (message, text = None))]
    fn send_nowait(this: &Bound<'_, Self>, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<bool> {
        match lend(message, text, |message| Self::hand(this, message))? {
            Some(sent) => sent,
            None => Err(PyTypeError::new_err("a message is str or bytes-like")),
        }
    }

    fn send_piece(
        this: &Bound<'_, Self>,
        piece: &Bound<'_, PyAny>,
        text: bool,
        last: bool,
    ) -> PyResult<Py<PyAny>> {
        Self::check_open(this)?;
        let (_, bytes) = owned(piece, None)?;
        this.get().shared.lock(this.py()).sending_pieces = !last;
        let kind = if text { Kind::Text } else { Kind::Binary };
        Self::give(this, Command::Piece(kind, bytes, last))?;
        Self::drained(this)
    }

    #[getter]
    fn sending_pieces(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).sending_pieces
    }

    pub(super) fn drained(this: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = this.py();
        let state = this.get().shared.lock(py);
        if state.pending <= this.get().settings(py)?.get().write.high {
            drop(state);
            return Done::get(py);
        }
        drop(state);
        Ok(Py::new(py, Awaitable::new(this.clone().unbind(), For::Room))?.into_any())
    }

    fn on_writable(this: &Bound<'_, Self>, call: Option<Py<PyAny>>) -> PyResult<()> {
        let py = this.py();
        let high = this.get().settings(py)?.get().write.high;
        {
            let mut state = this.get().shared.lock(py);
            state.writers.extend(call.map(Wake::Call));
            if state.pending <= high || state.ended {
                state.wake_writers();
            }
        }
        this.get().wake(py, Stepping::Foreign)
    }

    fn flush(this: &Bound<'_, Self>) -> PyResult<()> {
        let reactor = this.get().reactor(this.py())?;
        if reactor.get().is_own_thread() {
            Self::drive(this, Stepping::Soon)
        } else {
            Reactor::again(reactor, this.get().key())
        }
    }
}
