//! The choice of instruction set: the crate's `unsafe` for speed.
#![expect(unsafe_code, reason = "calls of functions that need processor features, behind their detection")]

use super::portable;

/// XOR with the widest vectors this processor has.
#[inline]
pub(super) fn xor(payload: &mut [u8], key: u32) {
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just checked.
        unsafe { xor_avx2(payload, key) }
    } else {
        portable::xor(payload, key);
    }
}

#[target_feature(enable = "avx2")]
fn xor_avx2(payload: &mut [u8], key: u32) {
    portable::xor(payload, key);
}
