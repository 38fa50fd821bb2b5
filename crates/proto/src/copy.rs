//! Copies of payloads.

use alloc::vec::Vec;
use bytes::{BufMut, Bytes};

/// The system's memcpy turns to `rep movsb` from 4 or 8 KiB on, and some processors carry that out ten times slower where
/// source and target lie nearly alike within their pages. Below, it keeps to vector registers.
const PIECE: usize = 2048;

/// Appends `bytes` to `target`.
#[inline]
pub(crate) fn append(target: &mut impl BufMut, bytes: &[u8]) {
    if bytes.len() <= PIECE {
        target.put_slice(bytes);
    } else {
        bytes.chunks(PIECE).for_each(|piece| target.put_slice(piece));
    }
}

/// A copy of `bytes`, exactly as large.
#[inline]
pub(crate) fn owned(bytes: &[u8]) -> Bytes {
    if bytes.len() <= PIECE {
        return Bytes::copy_from_slice(bytes);
    }
    let mut copy = Vec::with_capacity(bytes.len());
    append(&mut copy, bytes);
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5] {
            let source: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            assert_eq!(owned(&source), source);
            let mut target = alloc::vec![9];
            append(&mut target, &source);
            assert_eq!((target[0], &target[1..]), (9, &source[..]));
        }
    }
}
