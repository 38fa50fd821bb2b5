//! Who waits for what.

use super::{Connection, errors::concurrency};
use crate::waiter::{Waiter, Wake};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

impl Connection {
    /// Joins those that wait, in place of `before`.
    pub(crate) fn wait(
        this: &Bound<'_, Self>,
        wake: Wake,
        for_room: bool,
        before: Option<&Py<Waiter>>,
    ) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        if matches!(wake, Wake::Task(_)) && !own.reactor(py)?.get().is_running_here(py)? {
            return Err(PyRuntimeError::new_err(
                "this connection belongs to the event loop of another thread: await it there, or use tidewire.sync",
            ));
        }
        let mut state = own.shared.lock(py);
        if for_room {
            state.writers.push(wake);
            return Ok(());
        }
        let own_before = match (&state.reader, before) {
            (Some(Wake::Task(waits)), Some(before)) => waits.is(before),
            (None, _) => true,
            _ => false,
        };
        if !own_before {
            drop(state);
            return Err(concurrency(
                py,
                "recv is called while another recv waits for a message: one at a time",
            ));
        }
        let replaced = state.reader.replace(wake);
        drop(state);
        drop(replaced);
        Ok(())
    }

    /// Takes a waiter that gave up out of the queues.
    pub(crate) fn forget(&self, py: Python<'_>, waiter: &Py<Waiter>) -> Vec<Wake> {
        let is_it = |wake: &Wake| matches!(wake, Wake::Task(other) if other.is(waiter));
        let mut left = Vec::new();
        let mut state = self.shared.lock(py);
        left.extend(state.reader.take_if(|wake| is_it(wake)));
        let (gone, kept) = std::mem::take(&mut state.writers).into_iter().partition(is_it);
        state.writers = kept;
        drop(state);
        left.extend::<Vec<_>>(gone);
        left
    }
}
