//! A transport of asyncio's under a connection.

use pyo3::{
    prelude::*,
    types::{PyBytes, PyTuple},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Closed while the transport's own buffer is full. The transport says so in the midst of a write.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicBool);

impl Gate {
    pub(crate) fn shut(&self, shut: bool) {
        self.0.store(shut, Ordering::Relaxed);
    }
}

/// What goes between a connection and a transport of asyncio's.
pub(crate) struct Carrier {
    transport: Py<PyAny>,
    input: Vec<u8>,
    taken: usize,
    /// The peer's end came; the error says if something broke.
    ended: Option<Result<(), String>>,
    gate: Arc<Gate>,
    reading_paused: bool,
    closed: bool,
}

impl Carrier {
    pub(crate) fn new(transport: Py<PyAny>, gate: Arc<Gate>) -> Self {
        Self {
            transport,
            input: Vec::new(),
            taken: 0,
            ended: None,
            gate,
            reading_paused: false,
            closed: false,
        }
    }

    pub(crate) fn transport(&self) -> &Py<PyAny> {
        &self.transport
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    pub(crate) fn end(&mut self, error: Option<String>) {
        self.ended.get_or_insert(error.map_or(Ok(()), Err));
    }

    pub(crate) fn lost(&mut self, error: Option<String>) {
        self.closed = true;
        self.end(error);
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let rest = &self.input[self.taken..];
        if rest.is_empty() {
            return match &self.ended {
                None => Ok(None),
                Some(Ok(())) => Ok(Some(0)),
                Some(Err(error)) => Err(io::Error::other(error.clone())),
            };
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.input.len() {
            self.input = Vec::new();
            self.taken = 0;
        }
        Ok(Some(count))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.gate.0.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // In pieces, so that a transport which has enough can say so.
        let bytes = &bytes[..bytes.len().min(256 * 1024)];
        Python::attach(|py| self.transport.call_method1(py, "write", (PyBytes::new(py, bytes),)))
            .map_err(io::Error::other)?;
        Ok(Some(bytes.len()))
    }

    /// Stops and takes up reading as the connection takes what comes. After each time it was driven.
    pub(crate) fn balance(&mut self, py: Python<'_>) -> PyResult<()> {
        let full = self.taken < self.input.len();
        if full != self.reading_paused && !self.closed {
            self.reading_paused = full;
            let call = if full { "pause_reading" } else { "resume_reading" };
            self.transport.call_method0(py, call)?;
        }
        Ok(())
    }

    /// Half-closes where the transport can; where not (TLS), closes it, and its end is ours.
    pub(crate) fn shutdown(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.closed {
            return Ok(());
        }
        if self.transport.call_method0(py, "can_write_eof")?.is_truthy(py)? {
            self.transport.call_method0(py, "write_eof")?;
            Ok(())
        } else {
            self.close(py, false)
        }
    }

    pub(crate) fn close(&mut self, py: Python<'_>, cut: bool) -> PyResult<()> {
        if self.closed && !cut {
            return Ok(());
        }
        self.closed = true;
        self.transport.call_method1(py, if cut { "abort" } else { "close" }, PyTuple::empty(py))?;
        Ok(())
    }
}
