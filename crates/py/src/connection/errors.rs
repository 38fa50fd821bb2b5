//! The errors that Python sees.

use super::Connection;
use pyo3::{
    exceptions::{PyRuntimeError, PyValueError},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::PyType,
};

/// What the face says of a connection that is closed.
pub(super) fn closed(connection: &Bound<'_, Connection>) -> PyErr {
    match connection.call_method0(intern!(connection.py(), "_closed_error")) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// Two calls at once where there may be one.
pub(super) fn concurrency(py: Python<'_>, why: &'static str) -> PyErr {
    static ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match ERROR.import(py, "tidewire.exceptions", "ConcurrencyError") {
        Ok(error) => PyErr::from_type(error.clone(), why),
        Err(missing) => missing,
    }
}

/// Something is sent before the connection is open.
pub(super) fn not_open() -> PyErr {
    PyRuntimeError::new_err("the opening handshake is not done: nothing can be sent yet")
}

/// An argument that can't be.
pub(super) fn value_error(error: &impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}
