//! What a task of asyncio waits on, and how it goes on.

use crate::{lock::lock, steps::Steps};
use pyo3::{PyTraverseError, PyVisit, exceptions::asyncio::CancelledError, prelude::*, types::PyDict};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// What is called when something that was waited for is there.
pub(crate) enum Wake {
    /// A task of the loop.
    Task(Py<Waiter>),
    /// Whatever a face gave: it neither raises nor blocks.
    Call(Py<PyAny>),
}

/// Whether a task may be stepped right here: only where the loop called us, and no task is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepping {
    Direct,
    Soon,
    /// From another thread than the loop's.
    Foreign,
}

/// A future, as far as a task looks at one. It has no result: whoever waited looks again.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Waiter {
    event_loop: Py<PyAny>,
    blocking: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// The coroutine of the task that waits, where it may be resumed past the task.
    steps: Option<Py<Steps>>,
    callbacks: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
    message: Option<Py<PyAny>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Woken,
    Cancelled,
}

impl Waiter {
    pub(crate) fn new(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, blocking: AtomicBool::new(true), state: Mutex::default() }
    }

    fn lock(&self, py: Python<'_>) -> std::sync::MutexGuard<'_, State> {
        lock(py, &self.state)
    }

    /// Lets the task go on.
    pub(crate) fn wake(this: &Bound<'_, Self>, stepping: Stepping) -> PyResult<()> {
        let py = this.py();
        if stepping == Stepping::Direct
            && let Some((steps, context)) = this.get().shortcut(py)
            && Steps::resume(steps.bind(py), this, context.bind(py))?
        {
            return Ok(());
        }
        let (callbacks, steps) = {
            let mut state = this.get().lock(py);
            if state.phase != Phase::Waiting {
                return Ok(());
            }
            state.phase = Phase::Woken;
            (std::mem::take(&mut state.callbacks), state.steps.take())
        };
        drop(steps);
        for (callback, context) in callbacks {
            match (stepping, context) {
                (Stepping::Direct, Some(context)) => {
                    context.call_method1(py, "run", (callback, this))?;
                }
                (_, context) => this.get().schedule(py, stepping, callback, this, context)?,
            }
        }
        Ok(())
    }

    pub(crate) fn is_waiting(&self, py: Python<'_>) -> bool {
        self.lock(py).phase == Phase::Waiting
    }

    /// The coroutine of the task that is about to wait on this may be resumed past it.
    pub(crate) fn pass(&self, steps: &Bound<'_, Steps>) {
        let mut state = self.lock(steps.py());
        if state.phase == Phase::Waiting && state.callbacks.is_empty() {
            state.steps = Some(steps.clone().unbind());
        }
    }

    /// The coroutine that may be resumed past its task, which alone waits, and the task's context.
    fn shortcut(&self, py: Python<'_>) -> Option<(Py<Steps>, Py<PyAny>)> {
        let state = self.lock(py);
        match (&state.steps, &state.callbacks[..]) {
            (Some(steps), [(_, Some(context))]) if state.phase == Phase::Waiting => {
                Some((steps.clone_ref(py), context.clone_ref(py)))
            }
            _ => None,
        }
    }

    fn schedule(
        &self,
        py: Python<'_>,
        stepping: Stepping,
        callback: Py<PyAny>,
        this: &Bound<'_, Self>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let name = if stepping == Stepping::Foreign { "call_soon_threadsafe" } else { "call_soon" };
        let keywords = PyDict::new(py);
        if let Some(context) = context {
            keywords.set_item("context", context)?;
        }
        self.event_loop.call_method(py, name, (callback, this), Some(&keywords))?;
        Ok(())
    }
}

#[pymethods]
impl Waiter {
    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[setter]
    #[expect(non_snake_case, reason = "a name of asyncio's")]
    fn set__asyncio_future_blocking(&self, value: bool) {
        self.blocking.store(value, Ordering::Relaxed);
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(
        this: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = this.py();
        {
            let mut state = this.get().lock(py);
            if state.phase == Phase::Waiting {
                state.callbacks.push((callback, context));
                return Ok(());
            }
        }
        this.get().schedule(py, Stepping::Soon, callback, this, context)
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> usize {
        let mut state = self.lock(py);
        let (kept, removed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.callbacks).into_iter().partition(|(own, _)| !own.bind(py).is(callback));
        state.callbacks = kept;
        drop(state);
        removed.len()
    }

    #[pyo3(signature = (msg = None))]
    fn cancel(this: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let py = this.py();
        let callbacks = {
            let mut state = this.get().lock(py);
            if state.phase != Phase::Waiting {
                return Ok(false);
            }
            state.phase = Phase::Cancelled;
            state.message = msg;
            std::mem::take(&mut state.callbacks)
        };
        for (callback, context) in callbacks {
            this.get().schedule(py, Stepping::Soon, callback, this, context)?;
        }
        Ok(true)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        for (callback, context) in &state.callbacks {
            visit.call(callback)?;
            visit.call(context)?;
        }
        visit.call(&state.steps)?;
        visit.call(&state.message)
    }

    fn __clear__(&self) {
        let left = self.state.try_lock().map(|mut state| std::mem::take(&mut *state));
        drop(left);
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.lock(py).phase == Phase::Cancelled
    }

    fn done(&self, py: Python<'_>) -> bool {
        self.lock(py).phase != Phase::Waiting
    }

    #[expect(clippy::unused_self, reason = "a method of Python's")]
    fn exception(&self) -> Option<Py<PyAny>> {
        None
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        let state = self.lock(py);
        if state.phase == Phase::Cancelled {
            let message = state.message.as_ref().map(|message| message.clone_ref(py));
            drop(state);
            return Err(match message {
                Some(message) => CancelledError::new_err((message,)),
                None => CancelledError::new_err(()),
            });
        }
        Ok(())
    }
}
