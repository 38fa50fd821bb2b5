//! What `recv()`, `send()` and their like give to be awaited.

use crate::{
    connection::Connection,
    lock::lock,
    steps::Steps,
    waiter::{Waiter, Wake},
};
use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyStopAsyncIteration, PyStopIteration},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::PyType,
};
use std::sync::Mutex;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Message(Option<bool>),
    /// The next of an iteration: a normal close ends it.
    Next,
    Piece,
    /// Senders need not wait any longer.
    Room,
}

/// Something that is there, or will be. A coroutine, as far as asyncio looks at one.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Awaitable {
    connection: Py<Connection>,
    what: For,
    waiter: Mutex<Option<Py<Waiter>>>,
}

impl Awaitable {
    pub(crate) fn new(connection: Py<Connection>, what: For) -> Self {
        Self { connection, what, waiter: Mutex::new(None) }
    }

    /// What is there already, or the error that ends the waiting.
    fn take<'py>(&self, connection: &Bound<'py, Connection>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.what {
            For::Message(decode) => Connection::take(connection, decode),
            For::Next => {
                Connection::take(connection, None).map_err(|error| end_of_iteration(connection.py(), error))
            }
            For::Piece => Connection::take_piece(connection)?
                .map(|piece| Ok(piece.into_pyobject(connection.py())?.into_any()))
                .transpose(),
            For::Room => {
                let py = connection.py();
                Ok(Connection::has_room(connection)?.then(|| py.None().into_bound(py)))
            }
        }
    }

    /// Leaves the queue of those that wait.
    fn give_up(&self, py: Python<'_>) {
        let waiter = lock(py, &self.waiter).take();
        if let Some(waiter) = waiter {
            let left = self.connection.get().forget(py, &waiter);
            drop(left);
        }
    }
}

/// The error that a coroutine's `throw` is given, as an exception or as its type.
fn thrown(kind: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyErr {
    match value {
        Some(value) if !value.is_none() => PyErr::from_value(value.clone()),
        _ if kind.is_instance_of::<PyType>() => kind.call0().map_or_else(|error| error, PyErr::from_value),
        _ => PyErr::from_value(kind.clone()),
    }
}

/// A normal close ends an iteration; anything else is raised out of it.
fn end_of_iteration(py: Python<'_>, error: PyErr) -> PyErr {
    static NORMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match NORMAL.import(py, "tidewire.exceptions", "ConnectionClosedOK") {
        Ok(normal) if error.is_instance(py, normal) => PyStopAsyncIteration::new_err(()),
        Ok(_) => error,
        Err(missing) => missing,
    }
}

#[pymethods]
impl Awaitable {
    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(this: &Bound<'_, Self>) -> PyResult<Py<Waiter>> {
        let py = this.py();
        let own = this.get();
        let connection = own.connection.bind(py);
        if let Some(value) = own.take(connection)? {
            // As it is: an exception's arguments would be a tuple, and the exception had to be made to carry it. Only a
            // value that is a tuple itself needs that.
            return Err(match own.what {
                For::Piece => PyStopIteration::new_err((value.unbind(),)),
                _ => PyStopIteration::new_err(value.unbind()),
            });
        }
        let waiter = if let Some(waiter) = Steps::current(py) {
            waiter
        } else {
            let event_loop = connection.get().reactor(py)?.get().event_loop().clone_ref(py);
            Py::new(py, Waiter::new(event_loop))?
        };
        let wake = Wake::Task(waiter.clone_ref(py));
        let before = lock(py, &own.waiter).take();
        Connection::wait(connection, wake, own.what == For::Room, before.as_ref())?;
        *lock(py, &own.waiter) = Some(waiter.clone_ref(py));
        Ok(waiter)
    }

    fn send(this: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<Waiter>> {
        let _ = value;
        Self::__next__(this)
    }

    #[pyo3(signature = (kind, value = None, traceback = None))]
    fn throw(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = traceback;
        self.give_up(py);
        Err(thrown(kind, value))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)?;
        // What is in use is no garbage.
        let Ok(waiter) = self.waiter.try_lock() else { return Ok(()) };
        visit.call(&*waiter)
    }

    fn __clear__(&self) {
        let left = self.waiter.try_lock().map(|mut waiter| waiter.take());
        drop(left);
    }

    fn close(&self, py: Python<'_>) {
        self.give_up(py);
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let name = self.connection.bind(py).get_type().name()?;
        let _ = intern!(py, "");
        Ok(format!("<awaitable of a {name}: {:?}>", self.what))
    }
}

/// Something that is done already.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Done;

impl Done {
    /// The one there is.
    pub(crate) fn get(py: Python<'_>) -> PyResult<Py<PyAny>> {
        static DONE: PyOnceLock<Py<Done>> = PyOnceLock::new();
        Ok(DONE.get_or_try_init(py, || Py::new(py, Done))?.clone_ref(py).into_any())
    }
}

#[pymethods]
impl Done {
    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[expect(clippy::unused_self, reason = "a method of Python's")]
    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    #[expect(clippy::unused_self, reason = "a method of Python's")]
    fn send(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let _ = value;
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value = None, traceback = None))]
    #[expect(clippy::unused_self, reason = "a method of Python's")]
    fn throw(
        &self,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = traceback;
        Err(thrown(kind, value))
    }

    #[expect(clippy::unused_self, reason = "a method of Python's")]
    fn close(&self) {}
}
