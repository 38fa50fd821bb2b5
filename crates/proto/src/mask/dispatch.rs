//! The choice of instruction set: the crate's `unsafe` for speed.
#![expect(unsafe_code, reason = "calls of functions that need processor features, behind their detection")]

use super::portable::{self, Seen};

/// XOR with the widest vectors that this processor is quick with.
#[inline]
pub(super) fn xor(payload: &mut [u8], key: u32) -> Seen {
    // Processors that have AVX-512 without VBMI2 slow down for a while where 512 bits are used.
    if std::arch::is_x86_feature_detected!("avx512vbmi2") && std::arch::is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512F, as was just checked.
        unsafe { xor_avx512(payload, key) }
    } else if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just checked.
        unsafe { xor_avx2(payload, key) }
    } else {
        portable::xor_long(payload, key)
    }
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
    // SAFETY, of both: the processor has what the function needs, or it is not given out.
    let avx2: fn(&mut [u8], u32) -> Seen = |payload, key| unsafe { xor_avx2(payload, key) };
    let avx512: fn(&mut [u8], u32) -> Seen = |payload, key| unsafe { xor_avx512(payload, key) };
    let avx2 = std::arch::is_x86_feature_detected!("avx2").then_some(avx2);
    let avx512 = std::arch::is_x86_feature_detected!("avx512f").then_some(avx512);
    avx2.into_iter().chain(avx512)
}
