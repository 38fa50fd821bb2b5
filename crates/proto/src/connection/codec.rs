//! Where a connection meets permessage-deflate (RFC 7692).

use super::Connection;
use crate::{
    Role,
    assembler::Assembly,
    config::Config,
    deflate::{Codecs, Compressor, DeflateParams, InflateError, Lease, PieceInflater, Window},
    error::{Error, Limit, Violation},
    message::{Kind, Payload},
    utf8,
};
use alloc::boxed::Box;
use bytes::BytesMut;

/// What a connection with context takeover keeps between messages.
#[derive(Debug)]
pub(super) struct Dedicated {
    /// What the peer's messages inflated to last.
    window: Option<Window>,
    /// Ours; absent where the budget has no room for it, since taking the context over is a right, not a duty.
    compressor: Option<Compressor>,
    _leases: [Option<Lease>; 2],
}

/// The parameters of one direction: whether the context is taken over, and log2 of the window.
fn direction(params: DeflateParams, sender: Role) -> (bool, u8) {
    match sender {
        Role::Server => (!params.server_no_context_takeover, params.server_max_window_bits),
        Role::Client => (!params.client_no_context_takeover, params.client_max_window_bits),
    }
}

const fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

impl Dedicated {
    pub(super) fn new(role: Role, config: &Config, params: Option<&DeflateParams>) -> Option<Box<Self>> {
        let params = *params?;
        let lease = |bytes| match &config.budget {
            Some(budget) => budget.try_take(bytes).map(Some).ok_or(()),
            None => Ok(None),
        };
        let (sending, send_bits) = direction(params, role);
        let (receiving, receive_bits) = direction(params, other(role));
        // The peer may use its window whether or not the budget has room: the handshake is where that is declined.
        let window = receiving.then(|| Window::new(receive_bits));
        let window_lease =
            if receiving { lease(Window::footprint(receive_bits)).ok().flatten() } else { None };
        let (level, mem_level) = config.deflate.levels();
        let (compressor, compressor_lease) =
            match sending.then(|| lease(Compressor::footprint(send_bits, mem_level))) {
                Some(Ok(lease)) => (Some(Compressor::new(send_bits, level, mem_level)), lease),
                _ => (None, None),
            };
        (window.is_some() || compressor.is_some())
            .then(|| Box::new(Self { window, compressor, _leases: [window_lease, compressor_lease] }))
    }
}

/// Whether a message of `length` bytes should be compressed.
#[inline]
pub(super) fn wants(connection: &Connection, length: usize) -> bool {
    connection.deflate.is_some() && length >= connection.config.deflate.threshold
}

/// Whether a message that was compressed with a fresh window of `bits` may go to the peer as it is. With a compressor
/// of the connection's own it may not: the peer's window would hold what that compressor never saw.
pub(super) fn takes_shared(connection: &Connection, bits: u8) -> bool {
    let own = connection.dedicated.as_ref().is_some_and(|dedicated| dedicated.compressor.is_some());
    !own && connection.deflate.is_some_and(|params| direction(params, connection.role).1 >= bits)
}

/// Compresses a message into `out`; `false` where it is better sent plain.
pub(super) fn compress(
    connection: &mut Connection,
    payload: &[u8],
    out: &mut BytesMut,
    codecs: &mut Codecs,
) -> bool {
    let Some(params) = connection.deflate else { return false };
    if let Some(compressor) =
        connection.dedicated.as_mut().and_then(|dedicated| dedicated.compressor.as_mut())
    {
        compressor.compress_message(payload, out, true);
        return true;
    }
    let bits = direction(params, connection.role).1;
    let (level, mem_level) = connection.config.deflate.levels();
    let codecs = codecs.with_levels(level, mem_level);
    codecs.compressor(bits).compress_message(payload, out, false);
    out.len() < payload.len()
}

/// Inflates a whole message and judges its text.
pub(super) fn inflate(
    connection: &mut Connection,
    kind: Kind,
    payload: &[u8],
    codecs: &mut Codecs,
) -> Result<Payload<'static>, Error> {
    let window = connection.dedicated.as_mut().and_then(|dedicated| dedicated.window.as_mut());
    let mut out = BytesMut::new();
    codecs.inflater().inflate_message(payload, &mut out, connection.config.limits.message, window)?;
    if kind == Kind::Text && !utf8::is_valid(&out) {
        return Err(Violation::InvalidUtf8.into());
    }
    Ok(Payload::Owned(out))
}

/// Inflates the next piece of a message and judges its text.
pub(super) fn inflate_piece(
    connection: &mut Connection,
    message: &mut Assembly,
    piece: &[u8],
    last: bool,
    codecs: &mut Codecs,
) -> Result<BytesMut, Error> {
    let codec = message.inflater.get_or_insert_with(|| {
        Box::new(PieceInflater { inflater: codecs.take_inflater(), window: Window::for_one_message() })
    });
    let window = connection.dedicated.as_mut().and_then(|dedicated| dedicated.window.as_mut());
    let window = window.unwrap_or(&mut codec.window);
    let mut out = BytesMut::new();
    codec.inflater.feed(piece, last, &mut out, connection.config.limits.message, window)?;
    if let Some(codec) = message.inflater.take_if(|_| last) {
        codecs.give_inflater(codec.inflater);
    }
    message.judge_inflated(&out)?;
    Ok(out)
}

impl From<InflateError> for Error {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::Invalid => Violation::Deflate.into(),
            InflateError::TooBig => Limit::Message.into(),
        }
    }
}
