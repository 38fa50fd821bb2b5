//! Payload bytes on their way in: unmasked and judged in one pass over the cache.

use crate::{mask, utf8, utf8::Utf8};

/// A piece that stays in the first-level cache between unmasking and judging.
const PIECE: usize = 16 * 1024;

/// A masking key and the payload bytes of the frame that came before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masking {
    pub(crate) key: [u8; 4],
    pub(crate) phase: usize,
}

/// Unmasks `bytes` in place and lets `judge` see them; `false` where they can't be UTF-8.
pub(crate) fn take(bytes: &mut [u8], masking: Option<Masking>, mut judge: Option<&mut Utf8>) -> bool {
    let mut phase = masking.map_or(0, |masking| masking.phase);
    for piece in bytes.chunks_mut(PIECE) {
        if let Some(masking) = masking {
            mask::apply(piece, masking.key, phase);
            phase = phase.wrapping_add(piece.len());
        }
        if judge.as_mut().is_some_and(|judge| !judge.push(piece)) {
            return false;
        }
    }
    true
}

/// Unmasks a whole payload in place; `false` where it should be `text` and is not UTF-8.
#[inline]
pub(crate) fn take_whole(bytes: &mut [u8], key: Option<[u8; 4]>, text: bool) -> bool {
    if bytes.len() <= PIECE {
        if let Some(key) = key {
            mask::apply(bytes, key, 0);
        }
        return !text || utf8::is_valid(bytes);
    }
    let mut judge = Utf8::default();
    take(bytes, key.map(|key| Masking { key, phase: 0 }), text.then_some(&mut judge)) && judge.is_whole()
}
