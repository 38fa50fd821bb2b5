//! One message to many connections.

use crate::{connection::Connection, text::owned};
use pyo3::{exceptions::PyRuntimeError, prelude::*};
use std::sync::Mutex;
use tidewire_proto::{Kind, Message, Prepared, Workspace};

/// Compresses what is sent to many.
static WORKSPACE: Mutex<Option<Workspace>> = Mutex::new(None);

/// Encodes and compresses `message` once and sends it on all that are open.
#[pyfunction]
#[pyo3(signature = (connections, message, text = None))]
pub(crate) fn broadcast<'py>(
    connections: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    text: Option<bool>,
) -> PyResult<Vec<Bound<'py, Connection>>> {
    let (kind, bytes) = owned(message, text)?;
    let message = match kind {
        Kind::Text => Message::from(String::from_utf8(bytes)?),
        Kind::Binary => Message::from(bytes),
    };
    let mut prepared: [Option<Prepared>; 2] = [None, None];
    let mut busy = Vec::new();
    for connection in connections.try_iter()? {
        let connection = connection?.cast_into::<Connection>()?;
        let compressed = connection.get().is_compressed();
        let slot = &mut prepared[usize::from(compressed)];
        let prepared = match slot {
            Some(prepared) => prepared,
            None => {
                slot.insert(if compressed { compress(&message)? } else { Prepared::new(message.clone()) })
            }
        };
        if !Connection::send_prepared(&connection, prepared)? {
            busy.push(connection);
        }
    }
    Ok(busy)
}

fn compress(message: &Message) -> PyResult<Prepared> {
    /// Below this many bytes compressing costs more than it saves.
    const THRESHOLD: usize = 128;
    let mut workspace =
        WORKSPACE.lock().map_err(|_| PyRuntimeError::new_err("compressing failed before in this process"))?;
    let workspace = workspace.get_or_insert_with(|| Workspace::new(Box::new(entropy)));
    Ok(Prepared::compressed(message.clone(), THRESHOLD, workspace))
}

/// Unpredictable bytes of the operating system.
///
/// # Panics
/// Where the system has none.
fn entropy(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
