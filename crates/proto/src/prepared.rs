//! A message that is encoded, and compressed, once and sent to many.

use crate::{
    Opcode,
    frame::{self, Header},
    message::Message,
    workspace::Workspace,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::{Bytes, BytesMut};

/// A message ready to leave on any server connection; cloning shares it.
///
/// A client masks each frame with a key of its own, so there a prepared message is sent like any other.
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: Message,
    plain: Bytes,
    deflated: Option<Bytes>,
}

/// The window that prepared messages are compressed with; connections with a smaller one get them plain.
pub(crate) const WINDOW_BITS: u8 = 15;

impl Prepared {
    /// Encodes `message`, uncompressed.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let plain = encode(message.kind().into(), false, message.as_bytes());
        Self(Arc::new(Inner { message, plain, deflated: None }))
    }

    /// Encodes `message`, and compresses it for connections that agreed on permessage-deflate, unless it has fewer
    /// than `threshold` bytes.
    pub fn compressed(message: impl Into<Message>, threshold: usize, workspace: &mut Workspace) -> Self {
        let prepared = Self::new(message);
        let message = &prepared.0.message;
        if message.as_bytes().len() < threshold {
            return prepared;
        }
        let mut deflated = BytesMut::new();
        workspace.codecs.compressor(WINDOW_BITS).compress_message(message.as_bytes(), &mut deflated, false);
        let smaller = deflated.len() < message.as_bytes().len();
        let deflated = smaller.then(|| encode(message.kind().into(), true, &deflated));
        Self(Arc::new(Inner { message: message.clone(), plain: prepared.0.plain.clone(), deflated }))
    }

    /// The message itself.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    pub(crate) fn plain(&self) -> &Bytes {
        &self.0.plain
    }

    pub(crate) fn deflated(&self) -> Option<&Bytes> {
        self.0.deflated.as_ref()
    }
}

fn encode(opcode: Opcode, rsv1: bool, payload: &[u8]) -> Bytes {
    let header = Header { fin: true, rsv1, opcode, mask: None, length: payload.len() as u64 };
    let header = frame::encode(&header);
    let mut frame = Vec::with_capacity(header.len() + payload.len());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(payload);
    frame.into()
}
