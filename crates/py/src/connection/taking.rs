//! What came, and who takes it.

use super::{
    Connection, Stage,
    errors::{closed, concurrency},
};
use crate::{
    awaitable::{Awaitable, For},
    reactor::Reactor,
    state::{Arrived, Held, State},
    text::decoded,
    waiter::{Stepping, Wake},
};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyString},
};
use std::time::Duration;
use tidewire::driver::now;
use tidewire_proto::Kind;

/// How long the answer to a message may take with a violation behind it.
const ANSWER: Duration = Duration::from_millis(100);

impl Connection {
    /// A message that is there already.
    pub(crate) fn take<'py>(
        this: &Bound<'py, Self>,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = this.py();
        let own = this.get();
        let (arrived, resume) = {
            let mut state = own.shared.lock(py);
            if state.in_message && !state.ended {
                drop(state);
                return Err(concurrency(
                    py,
                    "a message is being received in pieces: take it to its end first",
                ));
            }
            if state.streaming {
                state.streaming = false;
                drop(state);
                own.stream(false);
                state = own.shared.lock(py);
            }
            if state.next_is_piece() && !(state.has_last_piece() || state.ended) {
                return Ok(None);
            }
            match state.pop() {
                Some(arrived) => {
                    let resume = own.resumes(py, &mut state)?;
                    if state.held == Held::ForTaking && !state.has_arrived() {
                        state.held = Held::ForAnswer(now().after(ANSWER));
                        drop(state);
                        Self::await_answer(this)?;
                    }
                    (arrived, resume)
                }
                None if state.ended => {
                    drop(state);
                    return Err(closed(this));
                }
                None => {
                    let held = std::mem::take(&mut state.held);
                    drop(state);
                    if held != Held::No {
                        Reactor::again(own.reactor(py)?, own.key())?;
                    }
                    return Ok(None);
                }
            }
        };
        if resume {
            Reactor::again(own.reactor(py)?, own.key())?;
        }
        match arrived {
            Arrived::Message { object, .. } => decoded(object.into_bound(py), decode).map(Some),
            Arrived::Piece { kind, bytes, last } => Self::join(this, kind, bytes, last, decode),
        }
    }

    /// The last message before a violation is taken: whoever took it has a moment to answer.
    #[cold]
    fn await_answer(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let event_loop = this.get().reactor(py)?.get().event_loop();
        let call_later = event_loop.getattr(py, "call_later")?;
        let later = (call_later, ANSWER.as_secs_f64() * 1.1, this.getattr("flush")?);
        event_loop.call_method1(py, "call_soon_threadsafe", later).map(drop)
    }

    fn resumes(&self, py: Python<'_>, state: &mut State) -> PyResult<bool> {
        let resumes = state.paused && state.may_resume(self.settings(py)?.get().queue.low);
        state.paused &= !resumes;
        Ok(resumes)
    }

    /// A message that came in pieces, made whole.
    fn join<'py>(
        this: &Bound<'py, Self>,
        kind: Kind,
        mut bytes: Vec<u8>,
        mut last: bool,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = this.py();
        let mut state = this.get().shared.lock(py);
        while !last {
            match state.pop() {
                Some(Arrived::Piece { bytes: more, last: end, .. }) => {
                    bytes.extend_from_slice(&more);
                    last = end;
                }
                other => {
                    if let Some(other) = other {
                        state.unpop(other);
                    }
                    // The connection ended in the midst of the message.
                    drop(state);
                    return Err(closed(this));
                }
            }
        }
        state.cut.clear();
        drop(state);
        let object = match kind {
            Kind::Text => PyString::new(py, &String::from_utf8_lossy(&bytes)).into_any(),
            Kind::Binary => PyBytes::new(py, &bytes).into_any(),
        };
        decoded(object, decode).map(Some)
    }

    /// A piece of a message that is there already.
    pub(crate) fn take_piece(this: &Bound<'_, Self>) -> PyResult<Option<(Py<PyAny>, bool)>> {
        let py = this.py();
        let own = this.get();
        let (arrived, mut cut, resume) = {
            let mut state = own.shared.lock(py);
            if !state.streaming {
                state.streaming = true;
                drop(state);
                own.stream(true);
                state = own.shared.lock(py);
            }
            match state.pop() {
                Some(arrived) => {
                    let resume = own.resumes(py, &mut state)?;
                    state.in_message = matches!(arrived, Arrived::Piece { last: false, .. });
                    (arrived, std::mem::take(&mut state.cut), resume)
                }
                None if state.ended => {
                    drop(state);
                    return Err(closed(this));
                }
                None => return Ok(None),
            }
        };
        if resume {
            Reactor::again(own.reactor(py)?, own.key())?;
        }
        Ok(Some(match arrived {
            Arrived::Message { object, .. } => (object, true),
            Arrived::Piece { kind: Kind::Binary, bytes, last } => {
                (PyBytes::new(py, &bytes).into_any().unbind(), last)
            }
            Arrived::Piece { kind: Kind::Text, bytes, last } => {
                cut.extend_from_slice(&bytes);
                // The core has judged the text; it may end inside a character.
                let whole = match std::str::from_utf8(&cut) {
                    Ok(_) => cut.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text = PyString::new(py, &String::from_utf8_lossy(&cut[..whole])).into_any().unbind();
                cut.drain(..whole);
                own.shared.lock(py).cut = cut;
                (text, last)
            }
        }))
    }

    /// Changes how messages are handed over now; where the connection is being driven, whoever drives it does.
    fn stream(&self, streaming: bool) {
        if let Some(Stage::Running(driver)) = self.try_stage().as_deref_mut() {
            driver.apply(|face, context| face.stream(context, streaming));
        }
    }
}

#[pymethods]
impl Connection {
    #[pyo3(signature = (decode = None))]
    fn recv(this: Py<Self>, decode: Option<bool>) -> Awaitable {
        Awaitable::new(this, For::Message(decode))
    }

    #[pyo3(signature = (decode = None))]
    fn recv_nowait<'py>(
        this: &Bound<'py, Self>,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::take(this, decode)
    }

    fn recv_piece(this: &Bound<'_, Self>) -> Awaitable {
        Awaitable::new(this.clone().unbind(), For::Piece)
    }

    fn recv_piece_nowait(this: &Bound<'_, Self>) -> PyResult<Option<(Py<PyAny>, bool)>> {
        Self::take_piece(this)
    }

    fn on_readable(this: &Bound<'_, Self>, call: Option<Py<PyAny>>) -> PyResult<()> {
        let py = this.py();
        let replaced = {
            let mut state = this.get().shared.lock(py);
            let replaced = std::mem::replace(&mut state.reader, call.map(Wake::Call));
            if state.has_arrived() || state.ended {
                state.wake_reader();
            }
            replaced
        };
        drop(replaced);
        this.get().wake(py, Stepping::Foreign)
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __anext__(this: Py<Self>) -> Awaitable {
        Awaitable::new(this, For::Next)
    }
}
