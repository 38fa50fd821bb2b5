//! The choice of instruction set: the crate's `unsafe` for speed.
#![expect(unsafe_code, reason = "calls of functions that need processor features, behind their detection")]

use super::portable::{self, Seen};
use alloc::vec::Vec;
use core::arch::x86_64::{
    __m128i, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_or_si128, _mm_set1_epi32, _mm_storeu_si128,
    _mm_unpackhi_epi64, _mm_xor_si128,
};

enum Vectors {
    Avx512,
    Avx2,
    None,
}

/// The widest vectors that this processor is quick with.
#[inline]
fn widest() -> Vectors {
    // Processors that have AVX-512 without VBMI2 slow down for a while where 512 bits are used.
    if std::arch::is_x86_feature_detected!("avx512vbmi2") && std::arch::is_x86_feature_detected!("avx512f") {
        Vectors::Avx512
    } else if std::arch::is_x86_feature_detected!("avx2") {
        Vectors::Avx2
    } else {
        Vectors::None
    }
}

/// The XOR in place.
#[inline]
pub(super) fn xor(payload: &mut [u8], key: u32) -> Seen {
    match widest() {
        // SAFETY: the processor has AVX-512F.
        Vectors::Avx512 => unsafe { xor_avx512(payload, key) },
        // SAFETY: the processor has AVX2.
        Vectors::Avx2 => unsafe { xor_avx2(payload, key) },
        Vectors::None => portable::xor_long(payload, key),
    }
}

/// The XOR in place for payloads of 64 to 128 bytes.
#[inline]
pub(super) fn xor_medium(payload: &mut [u8], key: u32) -> Seen {
    // SAFETY: every x86-64 has SSE2.
    unsafe { xor_sse2(payload, key) }
}

/// Two blocks that may lie over each other, loaded before either is stored. The compiler makes no vectors of the words of
/// the portable way.
#[inline]
#[target_feature(enable = "sse2")]
fn xor_sse2(payload: &mut [u8], key: u32) -> Seen {
    let last_at = payload.len() - 64;
    let mut first = masked_block(&payload[..64], key);
    let last = masked_block(&payload[last_at..], portable::turned(key, last_at));
    store_block(&mut payload[..64], first);
    store_block(&mut payload[last_at..], last);
    for (seen, last) in first.iter_mut().zip(last) {
        *seen = _mm_or_si128(*seen, last);
    }
    let seen = _mm_or_si128(_mm_or_si128(first[0], first[1]), _mm_or_si128(first[2], first[3]));
    let seen = _mm_or_si128(seen, _mm_unpackhi_epi64(seen, seen));
    Seen::of(_mm_cvtsi128_si64(seen).cast_unsigned())
}

#[inline]
#[target_feature(enable = "sse2")]
fn masked_block(block: &[u8], key: u32) -> [__m128i; 4] {
    let key = _mm_set1_epi32(key.cast_signed());
    let (parts, _) = block.as_chunks::<16>();
    let parts: &[_; 4] = parts.first_chunk().expect("a whole block");
    parts.each_ref().map(|part| {
        // SAFETY: a part has the 16 bytes that are read; they need no alignment.
        let part = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
        _mm_xor_si128(part, key)
    })
}

#[inline]
#[target_feature(enable = "sse2")]
fn store_block(block: &mut [u8], vectors: [__m128i; 4]) {
    let (parts, _) = block.as_chunks_mut::<16>();
    for (part, vector) in parts.iter_mut().zip(vectors) {
        // SAFETY: a part has the 16 bytes that are written; they need no alignment.
        unsafe { _mm_storeu_si128(part.as_mut_ptr().cast(), vector) };
    }
}

/// Appends a masked copy.
pub(super) fn append(target: &mut Vec<u8>, payload: &[u8], key: u32) {
    match widest() {
        // SAFETY: the processor has AVX-512F.
        Vectors::Avx512 => unsafe { append_avx512(target, payload, key) },
        // SAFETY: the processor has AVX2.
        Vectors::Avx2 => unsafe { append_avx2(target, payload, key) },
        Vectors::None => portable::append(target, payload, key),
    }
}

#[target_feature(enable = "avx2")]
fn append_avx2(target: &mut Vec<u8>, payload: &[u8], key: u32) {
    portable::append(target, payload, key);
}

#[target_feature(enable = "avx512f")]
fn append_avx512(target: &mut Vec<u8>, payload: &[u8], key: u32) {
    portable::append(target, payload, key);
}

#[target_feature(enable = "avx2")]
fn xor_avx2(payload: &mut [u8], key: u32) -> Seen {
    portable::xor_long(payload, key)
}

#[target_feature(enable = "avx512f")]
fn xor_avx512(payload: &mut [u8], key: u32) -> Seen {
    portable::xor_long(payload, key)
}

/// Every way that this processor has.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = fn(&mut [u8], u32) -> Seen> {
    type Xor = fn(&mut [u8], u32) -> Seen;
    let avx2: Xor = |payload, key| {
        // SAFETY: given out only where the processor has AVX2.
        unsafe { xor_avx2(payload, key) }
    };
    let avx512: Xor = |payload, key| {
        // SAFETY: given out only where the processor has AVX-512F.
        unsafe { xor_avx512(payload, key) }
    };
    let avx2 = std::arch::is_x86_feature_detected!("avx2").then_some(avx2);
    let avx512 = std::arch::is_x86_feature_detected!("avx512f").then_some(avx512);
    avx2.into_iter().chain(avx512)
}
