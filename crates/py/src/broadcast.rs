//! One message to many connections.

use crate::{connection::Connection, text::owned};
use pyo3::prelude::*;
use tidewire_proto::{Kind, Message, Prepared};

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
            None => slot.insert(if compressed {
                tidewire::prepare(message.clone())
            } else {
                Prepared::new(message.clone())
            }),
        };
        if !Connection::send_prepared(&connection, prepared)? {
            busy.push(connection);
        }
    }
    Ok(busy)
}
