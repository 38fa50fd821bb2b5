//! The opening handshake of both ends, and the answer to a request that does not become a WebSocket.

mod answering;
mod client;
mod server;

pub(crate) use answering::Answering;
pub(crate) use client::{ClientOpening, Response, response_fields};
pub(crate) use server::{Asked, Reading, ServerOpening, choice};

use crate::{text::latin1, wire::Wire};
use std::io;
use tidewire_proto::handshake::Headers;

/// What is read at a time of a head; most fit.
const READ: usize = 1024;

/// Reads as long as there is room for `limit` bytes. `false` at the transport's end.
fn read_more(wire: &mut Wire, buffer: &mut Vec<u8>, limit: usize) -> io::Result<Option<bool>> {
    let length = buffer.len();
    buffer.resize((length + READ).min(limit.max(length)), 0);
    let read = wire.read(&mut buffer[length..]);
    buffer.truncate(length + read.as_ref().ok().copied().flatten().unwrap_or(0));
    Ok(read?.map(|count| count > 0))
}

fn field_pairs(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), latin1(value))).collect()
}
