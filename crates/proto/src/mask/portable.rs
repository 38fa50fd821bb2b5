//! The safe loops; compiled once more per instruction set by `dispatch`.
//!
//! All of them say which bits are set in any byte they wrote, so that who unmasks a text learns in the same pass whether it is
//! ASCII. Blocks at the two ends may lie over each other and over what is between them: they are loaded before it changes
//! and stored after it, so that no length needs a loop over single bytes.

#![allow(
    clippy::inline_always,
    reason = "the loops must be compiled inside the functions that enable instruction sets"
)]

use alloc::vec::Vec;

type Word = [u8; 8];

/// The bits that no byte of ASCII has.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// The bits set in any of the bytes written.
#[derive(Clone, Copy)]
pub(super) struct Seen(u64);

impl Seen {
    /// The bits of eight bytes, each of which may stand for many.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[inline]
    pub(super) const fn of(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(super) const fn is_ascii(self) -> bool {
        self.0 & NOT_ASCII == 0
    }
}

/// The key, its first byte lowest, for the bytes from `at` on.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 3")]
pub(super) const fn turned(key: u32, at: usize) -> u32 {
    key.rotate_right(8 * (at % 4) as u32)
}

/// The same twice.
#[inline]
const fn key_at(key: u32, at: usize) -> u64 {
    let turned = turned(key, at) as u64;
    turned << 32 | turned
}

/// XOR for payloads of at most 128 bytes: two blocks and no loop.
#[inline]
pub(super) fn xor_short(payload: &mut [u8], key: u32) -> Seen {
    match payload.len() {
        0..8 => xor_bytes(payload, key),
        8..=16 => Ends::<1>::load(payload, key).store(payload),
        17..=32 => Ends::<2>::load(payload, key).store(payload),
        33..=64 => Ends::<4>::load(payload, key).store(payload),
        _ => Ends::<8>::load(payload, key).store(payload),
    }
}

#[inline]
fn xor_bytes(payload: &mut [u8], key: u32) -> Seen {
    let mut seen = 0;
    for (byte, key) in payload.iter_mut().zip(key_at(key, 0).to_le_bytes()) {
        *byte ^= key;
        seen |= *byte;
    }
    Seen(seen.into())
}

/// XOR for payloads of at least 128 bytes, in a loop that the compiler turns into vector instructions.
#[inline(always)]
pub(super) fn xor_long(payload: &mut [u8], key: u32) -> Seen {
    let ends = Ends::<8>::load(payload, key);
    let aligned_at = payload.as_ptr().align_offset(64).min(64);
    let between = key_at(key, aligned_at);
    let mut seen = 0;
    let (words, _) = payload[aligned_at..].as_chunks_mut();
    for word in words {
        let plain = u64::from_le_bytes(*word) ^ between;
        *word = plain.to_le_bytes();
        seen |= plain;
    }
    Seen(seen | ends.store(payload).0)
}

/// Appends a copy with the XOR done on the way.
#[inline(always)]
pub(super) fn append(target: &mut Vec<u8>, payload: &[u8], key: u32) {
    let wide = key_at(key, 0);
    target.reserve(payload.len());
    let (blocks, rest) = payload.as_chunks::<256>();
    // A block is what vector registers hold at once.
    for block in blocks {
        let mut block = *block;
        for word in block.as_chunks_mut().0 {
            *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
        }
        target.extend_from_slice(&block);
    }
    let rest_at = target.len();
    target.extend_from_slice(rest);
    let (words, bytes) = target[rest_at..].as_chunks_mut();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ wide).to_le_bytes();
    }
    xor_bytes(bytes, key);
}

/// The first and the last words of a payload, after the XOR.
struct Ends<const WORDS: usize> {
    first: [Word; WORDS],
    last: [Word; WORDS],
}

impl<const WORDS: usize> Ends<WORDS> {
    #[inline(always)]
    fn load(payload: &mut [u8], key: u32) -> Self {
        let last_at = payload.len() - 8 * WORDS;
        let mut ends = Self { first: *block_at(payload, 0), last: *block_at(payload, last_at) };
        let (first_key, last_key) = (key_at(key, 0), key_at(key, last_at));
        for word in &mut ends.first {
            *word = (u64::from_le_bytes(*word) ^ first_key).to_le_bytes();
        }
        for word in &mut ends.last {
            *word = (u64::from_le_bytes(*word) ^ last_key).to_le_bytes();
        }
        ends
    }

    #[inline(always)]
    fn store(self, payload: &mut [u8]) -> Seen {
        *block_at(payload, 0) = self.first;
        *block_at(payload, payload.len() - 8 * WORDS) = self.last;
        let words = self.first.iter().zip(&self.last);
        Seen(
            words
                .fold(0, |seen, (first, last)| seen | u64::from_le_bytes(*first) | u64::from_le_bytes(*last)),
        )
    }
}

/// The block that begins at `at`.
#[inline(always)]
fn block_at<const WORDS: usize>(payload: &mut [u8], at: usize) -> &mut [Word; WORDS] {
    let (words, _) = payload[at..].as_chunks_mut();
    words.first_chunk_mut().expect("a whole block")
}
