//! One end of a WebSocket connection, as Python holds it.

mod control;
mod driving;
mod errors;
mod facts;
mod handshaking;
mod sending;
mod taking;
mod telling;
mod waiting;

use crate::{
    face::Face,
    opening::{Answering, ClientOpening, ServerOpening},
    reactor::Reactor,
    settings::Settings,
    state::Shared,
    wire::Wire,
};
use pyo3::{
    exceptions::PyRuntimeError,
    gc::{PyTraverseError, PyVisit},
    prelude::*,
};
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU8, AtomicUsize},
};
use tidewire::driver::Driver;
use tidewire_proto::handshake::ClientHandshake;

/// How far a connection has come, and what carries it there.
pub(crate) enum Stage {
    /// No transport yet. A client's request waits for one.
    New(Option<Box<(Vec<u8>, ClientHandshake)>>),
    Server(Box<ServerOpening>),
    Client(Box<ClientOpening>),
    Answering(Box<Answering>),
    Running(Box<Driver<Wire, Face>>),
    Gone,
}

/// One end of a WebSocket connection.
#[pyclass(subclass, frozen, module = "tidewire._core")]
pub(crate) struct Connection {
    base: OnceLock<Base>,
    pub(crate) shared: Arc<Shared>,
    /// Held while the connection is driven. Python may be called meanwhile, and finds it taken.
    stage: Mutex<Stage>,
    /// What the operating system said since the connection was driven last.
    ready: AtomicU8,
    key: AtomicUsize,
    transport: OnceLock<Py<PyAny>>,
    agreed: OnceLock<Box<Settled>>,
    addresses: OnceLock<Box<(Py<PyAny>, Py<PyAny>)>>,
}

struct Base {
    reactor: Py<Reactor>,
    settings: Py<Settings>,
    server: bool,
}

/// What the opening handshake settled.
#[derive(Debug, Default)]
struct Settled {
    subprotocol: Option<String>,
    extensions: String,
    compressed: bool,
}

/// No key.
const NONE: usize = usize::MAX;

impl Connection {
    fn blank() -> Self {
        Self {
            base: OnceLock::new(),
            shared: Arc::default(),
            stage: Mutex::new(Stage::New(None)),
            ready: AtomicU8::new(0),
            key: AtomicUsize::new(NONE),
            transport: OnceLock::new(),
            agreed: OnceLock::new(),
            addresses: OnceLock::new(),
        }
    }

    fn base(&self) -> PyResult<&Base> {
        self.base.get().ok_or_else(|| {
            PyRuntimeError::new_err("Connection.__init__(reactor, settings, server) was not called")
        })
    }

    pub(crate) fn reactor<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Reactor>> {
        Ok(self.base()?.reactor.bind(py))
    }

    pub(crate) fn settings<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Settings>> {
        Ok(self.base()?.settings.bind(py))
    }

    /// The transport of asyncio's, where there is one.
    pub(crate) fn asyncio_transport(&self) -> Option<&Py<PyAny>> {
        self.transport.get()
    }

    /// What the collector of cycles finds here: a connection that nobody carries any more holds itself.
    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(base) = self.base.get() {
            visit.call(&base.reactor)?;
            visit.call(&base.settings)?;
        }
        if let Some(transport) = self.transport.get() {
            visit.call(transport)?;
        }
        if let Ok(stage) = self.stage.try_lock() {
            if let Stage::Running(driver) = &*stage {
                driver.application().visit(visit)?;
            }
            if let Some(carrier) = stage.carrier() {
                visit.call(carrier.transport())?;
            }
        }
        self.shared.visit(visit)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.agreed.get().is_some_and(|agreed| agreed.compressed)
    }
}
