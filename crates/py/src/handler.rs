//! The callback face.

use crate::{
    connection::Connection,
    text::{Form, object},
};
use pyo3::{
    exceptions::{PyKeyboardInterrupt, PySystemExit},
    gc::{PyTraverseError, PyVisit},
    prelude::*,
    types::PyBytes,
};
use tidewire_proto::MessageRef;

/// A handler of Python's: its methods, looked up once.
pub(crate) struct Handler {
    connection: Py<Connection>,
    on_message: Py<PyAny>,
    on_ping: Option<Py<PyAny>>,
    on_pong: Option<Py<PyAny>>,
    on_close: Option<Py<PyAny>>,
    form: Form,
}

/// Something that no handler may swallow: it goes on through the loop.
pub(crate) type Fatal = PyErr;

/// Whether an error goes through whatever stands in its way, as through asyncio's own loops.
pub(crate) fn is_fatal(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

impl Handler {
    pub(crate) fn new(connection: Py<Connection>, handler: &Bound<'_, PyAny>, form: Form) -> PyResult<Self> {
        let optional =
            |name: &str| -> PyResult<Option<Py<PyAny>>> { Ok(handler.getattr_opt(name)?.map(Bound::unbind)) };
        Ok(Self {
            connection,
            on_message: handler.getattr("on_message")?.unbind(),
            on_ping: optional("on_ping")?,
            on_pong: optional("on_pong")?,
            on_close: optional("on_close")?,
            form,
        })
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)?;
        visit.call(&self.on_message)?;
        [&self.on_ping, &self.on_pong, &self.on_close]
            .into_iter()
            .flatten()
            .try_for_each(|call| visit.call(call))
    }

    /// Calls `on_message`.
    #[inline]
    pub(crate) fn message(&self, py: Python<'_>, message: &MessageRef<'_>) -> PyResult<()> {
        let object = object(py, message, self.form)?;
        self.on_message.call1(py, (&self.connection, object)).map(drop)
    }

    /// Calls `on_message` with a message that came before there was a handler.
    pub(crate) fn arrived(&self, py: Python<'_>, object: &Py<PyAny>) -> PyResult<()> {
        self.on_message.call1(py, (&self.connection, object)).map(drop)
    }

    pub(crate) fn ping(&self, py: Python<'_>, payload: &[u8]) -> PyResult<()> {
        self.control(py, self.on_ping.as_ref(), payload)
    }

    pub(crate) fn pong(&self, py: Python<'_>, payload: &[u8]) -> PyResult<()> {
        self.control(py, self.on_pong.as_ref(), payload)
    }

    fn control(&self, py: Python<'_>, call: Option<&Py<PyAny>>, payload: &[u8]) -> PyResult<()> {
        let Some(call) = call else { return Ok(()) };
        call.call1(py, (&self.connection, PyBytes::new(py, payload))).map(drop)
    }

    /// Calls `on_close`: the connection is over.
    pub(crate) fn close(&self, py: Python<'_>, code: u16, reason: &str) -> PyResult<()> {
        let Some(call) = &self.on_close else { return Ok(()) };
        call.call1(py, (&self.connection, code, reason)).map(drop)
    }

    /// Tells the face of an error of the handler's; gives back what must not be swallowed.
    pub(crate) fn failed(&self, py: Python<'_>, error: PyErr) -> Option<Fatal> {
        if is_fatal(py, &error) {
            return Some(error);
        }
        let value = error.into_value(py);
        self.connection.call_method1(py, "_on_handler_error", (value,)).err()
    }
}
