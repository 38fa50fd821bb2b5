//! The payload of a control frame that has to be kept.

use crate::frame::MAX_CONTROL;

/// Up to 125 bytes (RFC 6455 §5.5).
#[derive(Clone, Debug)]
pub(crate) struct Control {
    length: u8,
    bytes: [u8; MAX_CONTROL],
}

impl Default for Control {
    fn default() -> Self {
        Self { length: 0, bytes: [0; MAX_CONTROL] }
    }
}

impl Control {
    /// Appends a piece; the frame's header was held against the limit.
    pub(crate) fn extend(&mut self, piece: &[u8]) {
        let length = usize::from(self.length);
        self.bytes[length..length + piece.len()].copy_from_slice(piece);
        self.length = u8::try_from(length + piece.len()).unwrap_or(self.length);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }
}
