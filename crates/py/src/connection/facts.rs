//! What is known of a connection.

use super::{Base, Connection, Stage};
use crate::{reactor::Reactor, settings::Settings};
use pyo3::{
    exceptions::PyRuntimeError,
    gc::{PyTraverseError, PyVisit},
    prelude::*,
    types::{PyDict, PyTuple},
};
use tidewire_proto::CloseCode;

/// Received, sent, whether it was received first, what went wrong.
type CloseFrames = (Option<(u16, String)>, Option<(u16, String)>, Option<bool>, Option<String>);

impl Connection {
    fn address(&self, py: Python<'_>, local: bool) -> PyResult<Py<PyAny>> {
        if let Some(addresses) = self.addresses.get() {
            return Ok(if local { &addresses.0 } else { &addresses.1 }.clone_ref(py));
        }
        let Some(transport) = self.transport.get() else { return Ok(py.None()) };
        let name = if local { "sockname" } else { "peername" };
        transport.call_method1(py, "get_extra_info", (name,))
    }
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        let _ = (args, kwargs);
        Self::blank()
    }

    fn __init__(&self, reactor: Py<Reactor>, settings: Py<Settings>, server: bool) -> PyResult<()> {
        self.base
            .set(Base { reactor, settings, server })
            .map_err(|_| PyRuntimeError::new_err("Connection.__init__ was called before"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.visit(&visit)
    }

    fn __clear__(&self) {
        let stage = self.try_stage().map(|mut stage| std::mem::replace(&mut *stage, Stage::Gone));
        drop(stage);
        self.shared.clear();
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> u8 {
        self.shared.lock(py).stand as u8
    }

    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.agreed.get()?.subprotocol.as_deref()
    }

    #[getter]
    fn compressed(&self) -> bool {
        self.agreed.get().is_some_and(|agreed| agreed.compressed)
    }

    #[getter]
    fn extensions(&self) -> &str {
        self.agreed.get().map_or("", |agreed| &agreed.extensions)
    }

    #[getter]
    fn latency(&self, py: Python<'_>) -> f64 {
        self.shared.lock(py).latency.map_or(0.0, |latency| latency.as_secs_f64())
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> usize {
        self.shared.lock(py).pending
    }

    #[getter]
    fn remote_address(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.address(py, false)
    }

    #[getter]
    fn local_address(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.address(py, true)
    }

    #[getter]
    fn transport(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.transport.get().map(|transport| transport.clone_ref(py))
    }

    fn fileno(&self) -> i32 {
        self.try_stage().and_then(|mut stage| stage.wire()?.descriptor()).unwrap_or(-1)
    }

    #[getter]
    fn close_frames(&self, py: Python<'_>) -> CloseFrames {
        let state = self.shared.lock(py);
        let frame = |reason: &tidewire_proto::CloseReason| (reason.code.0, reason.reason.clone());
        let closing = state.closing.as_deref();
        let received = closing.and_then(|closing| closing.received.as_ref().map(frame));
        let sent = closing.and_then(|closing| closing.sent.as_ref().map(frame));
        let first = closing.filter(|closing| closing.received.is_some()).map(|closing| closing.by_peer);
        (received, sent, first, state.error.clone())
    }

    #[getter]
    pub(super) fn close_code(&self, py: Python<'_>) -> Option<u16> {
        let state = self.shared.lock(py);
        match state.closing.as_deref().and_then(|closing| closing.received.as_ref()) {
            Some(received) => Some(received.code.0),
            None if state.ended => Some(CloseCode::ABNORMAL.0),
            None => None,
        }
    }

    #[getter]
    pub(super) fn close_reason(&self, py: Python<'_>) -> Option<String> {
        let state = self.shared.lock(py);
        match state.closing.as_deref().and_then(|closing| closing.received.as_ref()) {
            Some(received) => Some(received.reason.clone()),
            None => state.ended.then(String::new),
        }
    }

    #[getter]
    fn stats(&self, py: Python<'_>) -> (u64, u64, u64, u64) {
        let stats = self.shared.lock(py).stats;
        (stats.messages_in, stats.messages_out, stats.wire_in, stats.wire_out)
    }
}
