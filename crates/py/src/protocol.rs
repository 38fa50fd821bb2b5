//! A connection as a protocol of asyncio's, for transports that are asyncio's own.

use crate::{
    carrier::{Carrier, Gate},
    connection::Connection,
};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    sync::PyOnceLock,
    types::{PyByteArray, PyDict, PyMemoryView, PyTuple},
};
use std::sync::{Arc, Mutex};

/// What a transport reads into at a time.
const READ: usize = 64 * 1024;

/// Carries a connection over a transport of asyncio's: TLS, or what another server accepted.
#[pyclass(subclass, frozen, module = "tidewire._core")]
pub(crate) struct Protocol {
    connection: Py<Connection>,
    gate: Arc<Gate>,
    buffer: Mutex<Option<Py<PyByteArray>>>,
}

impl Protocol {
    /// The buffer all connections of a loop read into: a transport fills it, and says so, in one go. Loops in several
    /// threads may do that at once where there is no GIL, so there each protocol has its own.
    fn buffer(&self, py: Python<'_>) -> Py<PyByteArray> {
        static SHARED: PyOnceLock<Py<PyByteArray>> = PyOnceLock::new();
        let fresh = || PyByteArray::new(py, &vec![0; READ]).unbind();
        if cfg!(Py_GIL_DISABLED) {
            let mut own = self.buffer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            return own.get_or_insert_with(fresh).clone_ref(py);
        }
        SHARED.get_or_init(py, fresh).clone_ref(py)
    }

    fn feed(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<()> {
        Connection::with_carrier(self.connection.bind(py), |carrier| carrier.feed(bytes))
    }
}

#[pymethods]
impl Protocol {
    #[new]
    #[pyo3(signature = (connection, *args, **kwargs))]
    fn new(
        connection: Py<Connection>,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        let _ = (args, kwargs);
        Self { connection, gate: Arc::default(), buffer: Mutex::new(None) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }

    fn connection_made(&self, py: Python<'_>, transport: Py<PyAny>) -> PyResult<()> {
        let carrier = Carrier::new(transport.clone_ref(py), Arc::clone(&self.gate));
        Connection::carry_transport(self.connection.bind(py), carrier, transport)
    }

    fn get_buffer<'py>(&self, py: Python<'py>, sizehint: isize) -> PyResult<Bound<'py, PyMemoryView>> {
        let _ = sizehint;
        PyMemoryView::from(self.buffer(py).bind(py).as_any())
    }

    #[expect(
        unsafe_code,
        reason = "bytes that a transport wrote are read without a copy of the whole buffer"
    )]
    fn buffer_updated(&self, py: Python<'_>, nbytes: usize) -> PyResult<()> {
        let buffer = self.buffer(py);
        // SAFETY: nobody writes into or resizes the array while this slice lives: it is copied from at once, on the thread
        // that the transport writes on, before Python runs again.
        let bytes = unsafe { buffer.bind(py).as_bytes() };
        let bytes = bytes[..nbytes.min(bytes.len())].to_vec();
        self.feed(py, &bytes)
    }

    fn data_received(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.feed(py, data)
    }

    fn eof_received(&self, py: Python<'_>) -> PyResult<bool> {
        let connection = self.connection.bind(py);
        Connection::with_carrier(connection, |carrier| carrier.end(None))?;
        // A transport of TLS closes in any case, and warns of anything else.
        match connection.get().asyncio_transport() {
            Some(transport) => Ok(transport.call_method1(py, "get_extra_info", ("sslcontext",))?.is_none(py)),
            None => Ok(false),
        }
    }

    #[pyo3(signature = (error))]
    fn connection_lost(&self, py: Python<'_>, error: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let error = error.map(ToString::to_string);
        self.gate.shut(false);
        Connection::with_carrier(self.connection.bind(py), |carrier| carrier.lost(error))
    }

    fn pause_writing(&self) {
        self.gate.shut(true);
    }

    fn resume_writing(&self, py: Python<'_>) -> PyResult<()> {
        self.gate.shut(false);
        Connection::with_carrier(self.connection.bind(py), |_| ())
    }
}
