//! A coroutine that goes on right from the reactor's turn, past its task, while it waits for nothing but this core.
//!
//! Before a task goes on waiting, it asks what it waits on a dozen questions by name. So the task of a handler waits on
//! one [`Waiter`] all the while; the coroutine, which waits on that one again and again, is resumed in the task's
//! context and as the current task, and the task is not woken. Once the coroutine waits for something else, or ends,
//! the task takes over what it came to, as if it had resumed it itself.

use crate::{lock::lock, waiter::Waiter};
use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::PyStopIteration,
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyTuple},
};
use std::{
    cell::RefCell,
    sync::{Mutex, MutexGuard},
};

/// The coroutine of a handler, as its task gets to see it.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Steps {
    event_loop: Py<PyAny>,
    coroutine: Py<PyAny>,
    /// The coroutine's method.
    send: Py<PyAny>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<Py<PyAny>>,
    /// What the coroutine came to while its task was waiting: the task's next step gets it.
    outcome: Option<PyResult<Py<PyAny>>>,
}

thread_local! {
    /// The task whose coroutine is being resumed past it, and what it waits on.
    static CURRENT: RefCell<Option<(Py<PyAny>, Py<Waiter>)>> = const { RefCell::new(None) };
}

/// What asyncio offers to those who make tasks of their own.
struct Tasks {
    enter: Py<PyAny>,
    leave: Py<PyAny>,
    current: Py<PyAny>,
}

impl Tasks {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        static TASKS: PyOnceLock<Tasks> = PyOnceLock::new();
        TASKS.get_or_try_init(py, || {
            let module = py.import("asyncio.tasks")?;
            let function = |name| Ok::<_, PyErr>(module.getattr(name)?.unbind());
            Ok(Self {
                enter: function("_enter_task")?,
                leave: function("_leave_task")?,
                current: function("current_task")?,
            })
        })
    }
}

impl Steps {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        lock(py, &self.state)
    }

    /// What the coroutine that is being resumed may wait on again.
    pub(crate) fn current(py: Python<'_>) -> Option<Py<Waiter>> {
        let (task, waiter) = CURRENT.with_borrow(|current| {
            let (task, waiter) = current.as_ref()?;
            waiter.get().is_waiting(py).then(|| (task.clone_ref(py), waiter.clone_ref(py)))
        })?;
        // A task that begins eagerly inside of the coroutine waits on something of its own.
        let current = Tasks::get(py).ok()?.current.call0(py).ok()?;
        current.is(&task).then_some(waiter)
    }

    /// Resumes the coroutine past its task, which waits on `waiter`, in the task's `context`. False: the task has to go on.
    pub(crate) fn resume(
        this: &Bound<'_, Self>,
        waiter: &Bound<'_, Waiter>,
        context: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = this.py();
        let own = this.get();
        let Some(task) = own.lock(py).task.as_ref().map(|task| task.clone_ref(py)) else { return Ok(false) };
        let tasks = Tasks::get(py)?;
        if tasks.enter.call1(py, (&own.event_loop, &task)).is_err() {
            return Ok(false);
        }
        let outer = CURRENT.replace(Some((task.clone_ref(py), waiter.clone().unbind())));
        let came = context.call_method1(intern!(py, "run"), (&own.send, py.None()));
        CURRENT.set(outer);
        let left = tasks.leave.call1(py, (&own.event_loop, &task));
        let waits_again = came.as_ref().is_ok_and(|came| came.is(waiter));
        if !waits_again {
            own.lock(py).outcome = Some(came.map(Bound::unbind));
        }
        left.map(|_| waits_again)
    }

    /// What the coroutine came to when the task itself resumed it.
    fn came<'py>(this: &Bound<'py, Self>, came: Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        if let Ok(waiter) = came.cast::<Waiter>()
            && this.get().lock(this.py()).task.is_some()
        {
            waiter.get().pass(this);
        }
        came
    }
}

#[pymethods]
impl Steps {
    #[new]
    fn new(event_loop: Py<PyAny>, coroutine: &Bound<'_, PyAny>) -> PyResult<Self> {
        let send = coroutine.getattr("send")?.unbind();
        Ok(Self { event_loop, coroutine: coroutine.clone().unbind(), send, state: Mutex::default() })
    }

    fn send<'py>(this: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = this.py();
        let own = this.get();
        let (outcome, is_known) = {
            let mut state = own.lock(py);
            (state.outcome.take(), state.task.is_some())
        };
        if !is_known {
            let task = Tasks::get(py)?.current.bind(py).call0()?;
            own.lock(py).task = (!task.is_none()).then(|| task.unbind());
        }
        let came = match outcome {
            Some(outcome) => outcome?.into_bound(py),
            None => own.send.bind(py).call1((value,))?,
        };
        Ok(Self::came(this, came))
    }

    fn __next__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::send(this, this.py().None().bind(this.py()))
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(this: &Bound<'py, Self>, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = this.py();
        let own = this.get();
        let outcome = own.lock(py).outcome.take();
        match outcome {
            None => {}
            // It was cancelled while it was resumed past its task, and then waited for this, or for its next turn.
            Some(Ok(waited)) if waited.is_none(py) => {}
            Some(Ok(waited)) => drop(waited.call_method0(py, intern!(py, "cancel"))?),
            Some(Err(ended)) if ended.is_instance_of::<PyStopIteration>(py) => {
                return Err(PyErr::from_value(error.get_item(0)?));
            }
            Some(Err(ended)) => return Err(ended),
        }
        let came = own.coroutine.bind(py).call_method1(intern!(py, "throw"), error.clone())?;
        Ok(Self::came(this, came))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.coroutine.call_method0(py, "close").map(drop)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.coroutine)?;
        visit.call(&self.send)?;
        // What is in use is no garbage.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        if let Some(Ok(came)) = &state.outcome {
            visit.call(came)?;
        }
        visit.call(&state.task)
    }

    fn __clear__(&self) {
        let left = self.state.try_lock().map(|mut state| std::mem::take(&mut *state));
        drop(left);
    }

    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// What tracebacks and logs ask a coroutine for.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine.bind(py).getattr(name.cast::<PyString>()?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.coroutine.bind(py).repr()?.to_string())
    }
}
