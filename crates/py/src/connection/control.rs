//! Pings, the closing handshake, the callback face.

use super::{Connection, Stage, errors::value_error};
use crate::{
    handler::Handler,
    state::{Arrived, Command, Stand},
    text::Form,
};
use pyo3::{exceptions::PyValueError, prelude::*};
use tidewire_proto::{CloseCode, close::MAX_REASON, error::Misuse};

impl Connection {
    pub(super) fn control(
        this: &Bound<'_, Self>,
        payload: &[u8],
        command: impl FnOnce(Vec<u8>) -> Command,
    ) -> PyResult<()> {
        if payload.len() > 125 {
            return Err(value_error(&Misuse::ControlTooLong));
        }
        Self::check_open(this)?;
        Self::give(this, command(payload.to_vec()))
    }

    /// Cuts the transport, unless the connection is being driven. What has a transport is cut on the loop's thread.
    pub(super) fn cut(&self, py: Python<'_>) -> PyResult<bool> {
        let is_own_thread = self.reactor(py)?.get().is_own_thread();
        let Some(mut stage) = self.try_stage() else { return Ok(false) };
        match &mut *stage {
            Stage::Gone | Stage::Running(_) => Ok(false),
            Stage::Server(_) | Stage::Client(_) | Stage::Answering(_) if !is_own_thread => Ok(false),
            stage => {
                let closed = stage.wire().map_or(Ok(()), |wire| wire.close(py, true));
                *stage = Stage::Gone;
                closed.map(|()| true)
            }
        }
    }
}

#[pymethods]
impl Connection {
    #[getter]
    fn watch_pings(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).watch_pings
    }

    #[setter]
    fn set_watch_pings(&self, py: Python<'_>, watch: bool) {
        self.shared.lock(py).watch_pings = watch;
    }

    #[getter]
    fn watch_pongs(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).watch_pongs
    }

    #[setter]
    fn set_watch_pongs(&self, py: Python<'_>, watch: bool) {
        self.shared.lock(py).watch_pongs = watch;
    }

    fn write_ping(this: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        Self::control(this, data, Command::Ping)
    }

    fn write_pong(this: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        Self::control(this, data, Command::Pong)
    }

    #[pyo3(signature = (code = 1000, reason = ""))]
    fn begin_close(this: &Bound<'_, Self>, code: u16, reason: &str) -> PyResult<()> {
        let code = CloseCode(code);
        if code != CloseCode::NO_STATUS && !code.is_sendable() {
            return Err(value_error(&Misuse::CloseCode(code)));
        }
        if reason.len() > MAX_REASON {
            return Err(PyValueError::new_err(format!(
                "a reason for closing has up to {MAX_REASON} bytes of UTF-8"
            )));
        }
        let stand = this.get().shared.lock(this.py()).stand;
        match stand {
            Stand::Connecting => Self::abort(this),
            Stand::Open => {
                Self::give(this, Command::Close(code, reason.to_owned()))?;
                let mut state = this.get().shared.lock(this.py());
                if state.stand == Stand::Open {
                    state.stand = Stand::Closing;
                }
                Ok(())
            }
            Stand::Closing | Stand::Closed => Ok(()),
        }
    }

    fn abort(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        this.get().shared.lock(py).abort = true;
        let cut = this.get().cut(py)?;
        if cut { Self::over(this) } else { Self::carry_on(this) }
    }

    #[pyo3(signature = (handler, payload = "native"))]
    fn set_handler(this: &Bound<'_, Self>, handler: &Bound<'_, PyAny>, payload: &str) -> PyResult<()> {
        let form = match payload {
            "native" => Form::Native,
            "bytes" => Form::Bytes,
            "memoryview" => Form::View,
            other => {
                return Err(PyValueError::new_err(format!(
                    "payload is \"{other}\": give \"native\", \"bytes\" or \"memoryview\""
                )));
            }
        };
        let handler = Box::new(Handler::new(this.clone().unbind(), handler, form)?);
        let py = this.py();
        let mut state = this.get().shared.lock(py);
        let stand = state.stand;
        if stand == Stand::Closed {
            drop(state);
            return Self::hand_the_rest(this, &handler);
        }
        let before = state.handler.replace(handler);
        drop(state);
        drop(before);
        if stand == Stand::Connecting { Ok(()) } else { Self::carry_on(this) }
    }
}

impl Connection {
    /// Tells a handler that comes after the end of what nobody took.
    fn hand_the_rest(this: &Bound<'_, Self>, handler: &Handler) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let told = loop {
            let Some(arrived) = own.shared.lock(py).pop() else {
                let code = own.close_code(py).unwrap_or(CloseCode::ABNORMAL.0);
                break handler.close(py, code, &own.close_reason(py).unwrap_or_default());
            };
            if let Arrived::Message { object, .. } = arrived
                && let Err(error) = handler.arrived(py, &object)
            {
                break Err(error);
            }
        };
        told.or_else(|error| handler.failed(py, error).map_or(Ok(()), Err))
    }
}
