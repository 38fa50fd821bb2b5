//! Where in the peer's stream of frames a connection is.

use crate::{Opcode, frame::MAX_HEADER, message::Kind, payload::Masking};

/// How far the frame at hand was read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Position {
    /// The beginning of its header, or nothing.
    Header(Spill),
    Payload(Frame),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spill {
    bytes: [u8; MAX_HEADER],
    pub(super) length: u8,
}

impl Spill {
    /// With as much of `more` as can belong to a header.
    pub(super) fn joined(mut self, more: &[u8]) -> Self {
        let length = usize::from(self.length);
        let count = more.len().min(MAX_HEADER - length);
        self.bytes[length..length + count].copy_from_slice(&more[..count]);
        self.length += u8::try_from(count).unwrap_or(0);
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length.into()]
    }
}

impl Position {
    /// Behind what was taken of a frame.
    #[inline]
    pub(super) fn behind(frame: Frame) -> Self {
        if frame.left > 0 { Self::Payload(frame) } else { Self::default() }
    }
}

impl Default for Position {
    fn default() -> Self {
        Self::Header(Spill::default())
    }
}

/// A frame whose header was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    pub(super) rsv1: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Payload bytes taken, modulo four.
    pub(super) phase: u8,
    pub(super) left: usize,
}

impl Frame {
    pub(super) fn masking(&self) -> Option<Masking> {
        self.mask.map(|key| Masking { key, phase: self.phase.into() })
    }

    pub(super) fn took(&mut self, count: usize) {
        self.left -= count;
        self.phase = (self.phase + u8::try_from(count & 3).unwrap_or(0)) & 3;
    }

    pub(super) fn kind(&self) -> Kind {
        if self.opcode == Opcode::Text { Kind::Text } else { Kind::Binary }
    }
}
