//! The choice of instruction set: the crate's `unsafe` for speed.
#![expect(unsafe_code, reason = "calls of functions that need processor features, behind their detection")]

use super::portable::{self, Seen};
use alloc::vec::Vec;

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

/// A masked copy.
pub(super) fn copy(payload: &[u8], key: u32) -> Vec<u8> {
    match widest() {
        // SAFETY: the processor has AVX-512F.
        Vectors::Avx512 => unsafe { copy_avx512(payload, key) },
        // SAFETY: the processor has AVX2.
        Vectors::Avx2 => unsafe { copy_avx2(payload, key) },
        Vectors::None => portable::copy(payload, key),
    }
}

#[target_feature(enable = "avx2")]
fn copy_avx2(payload: &[u8], key: u32) -> Vec<u8> {
    portable::copy(payload, key)
}

#[target_feature(enable = "avx512f")]
fn copy_avx512(payload: &[u8], key: u32) -> Vec<u8> {
    portable::copy(payload, key)
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
