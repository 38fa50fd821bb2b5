//! Masking (RFC 6455 §5.3): the payload XOR a key of four bytes.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod dispatch;
mod keys;
mod portable;

pub use keys::{Entropy, MaskingKeys};

use alloc::vec::Vec;
use portable::Seen;

/// Up to this many bytes the choice of a vector unit costs more than it gains.
const SHORT: usize = 128;

/// Masks or unmasks `payload` in place. `phase` is the number of payload bytes of the frame that came before.
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4], phase: usize) {
    xor(payload, key, phase);
}

/// The same; says whether all that it wrote is ASCII.
#[inline]
pub(crate) fn apply_to_text(payload: &mut [u8], key: [u8; 4], phase: usize) -> bool {
    xor(payload, key, phase).is_ascii()
}

/// A copy of `payload`, masked from its first byte on.
pub fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(payload.len());
    append_masked(&mut copy, payload, key);
    copy
}

/// The same behind what `target` holds.
#[inline]
pub(crate) fn append_masked(target: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    /// Below this many bytes two passes over the first-level cache are as quick as one.
    const SHORT: usize = 1024;
    if payload.len() < SHORT {
        let before = target.len();
        target.extend_from_slice(payload);
        apply(&mut target[before..], key, 0);
    } else {
        append(target, payload, u32::from_le_bytes(key));
    }
}

#[inline]
fn xor(payload: &mut [u8], key: [u8; 4], phase: usize) -> Seen {
    let key = portable::turned(u32::from_le_bytes(key), phase);
    match payload.len() {
        0..64 => portable::xor_short(payload, key),
        64..=SHORT => xor_medium(payload, key),
        _ => xor_long(payload, key),
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use dispatch::{append, xor_medium};

#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
use portable::{append, xor_short as xor_medium};

#[cfg(all(feature = "std", target_arch = "x86_64"))]
fn xor_long(payload: &mut [u8], key: u32) -> Seen {
    dispatch::xor(payload, key)
}

#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
fn xor_long(payload: &mut [u8], key: u32) -> Seen {
    portable::xor_long(payload, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Xor = fn(&mut [u8], u32) -> Seen;

    /// Every way this processor has, with the lengths it is for.
    fn ways() -> Vec<(Xor, core::ops::RangeInclusive<usize>)> {
        const LONGEST: usize = 300;
        let mut ways = Vec::from([
            (portable::xor_short as Xor, 0..=SHORT),
            (xor_medium, 64..=SHORT),
            (portable::xor_long, SHORT..=LONGEST),
            (xor_long, SHORT..=LONGEST),
        ]);
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        ways.extend(dispatch::all().map(|way| (way, SHORT..=LONGEST)));
        ways
    }

    /// edge 25: zero mask, every alignment, every phase, every length around the vector sizes.
    #[test]
    fn the_fast_ways_and_the_definition_agree() {
        let source: Vec<u8> = (0..400u32).map(|i| (i * 7 % 251) as u8).collect();
        for (way, lengths) in ways() {
            for start in 0..=64 {
                let key = [[0; 4], [1, 2, 3, 4], [0xFF, 0, 0x80, 0x7F]][start % 3];
                for length in lengths.clone() {
                    let mut fast = source.clone();
                    way(&mut fast[start..start + length], u32::from_le_bytes(key));
                    let slow = source.iter().enumerate().map(|(i, byte)| {
                        let inside = (start..start + length).contains(&i);
                        if inside { byte ^ key[(i - start) % 4] } else { *byte }
                    });
                    assert!(slow.eq(fast.iter().copied()), "{key:?} {start} {length}");
                }
            }
        }
    }

    /// edge 25: the phase of a frame that comes in pieces, and lengths that one way hands to another.
    #[test]
    fn every_phase_and_every_length() {
        let source: Vec<u8> = (0..300u32).map(|i| (i * 7 % 251) as u8).collect();
        let key = [0x37, 0xFA, 0x21, 0x3D];
        for length in 0..=source.len() {
            for phase in (0..4).chain([usize::MAX]) {
                let mut fast = source[..length].to_vec();
                apply(&mut fast, key, phase);
                let slow =
                    source.iter().zip(key.iter().cycle().skip(phase % 4)).map(|(byte, key)| byte ^ key);
                assert!(slow.take(length).eq(fast), "{phase} {length}");
            }
        }
    }

    /// One byte above ASCII is seen wherever it stands, at the end of a vector too.
    #[test]
    fn what_is_not_ascii_is_seen() {
        for (way, lengths) in ways() {
            for length in lengths {
                let mut text = [b'a'].repeat(length);
                assert!(way(&mut text, 0x0101_0101).is_ascii());
                for at in 0..length {
                    let mut text = text.clone();
                    text[at] = 0x80;
                    assert!(!way(&mut text, 0x0101_0101).is_ascii(), "{at} of {length}");
                }
            }
        }
    }

    #[test]
    fn a_masked_copy_is_the_payload_masked() {
        let source: Vec<u8> = (0..3000u32).map(|i| (i * 7 % 251) as u8).collect();
        let key = [0x37, 0xFA, 0x21, 0x3D];
        for length in (0..=300).chain([2999, 3000]) {
            let mut own = source[..length].to_vec();
            apply(&mut own, key, 0);
            assert!(masked(&source[..length], key) == own, "{length}");
            for append in [append, portable::append] {
                let mut target = Vec::from(*b"before");
                append(&mut target, &source[..length], u32::from_le_bytes(key));
                assert!(target == [b"before", &own[..]].concat(), "{length}");
            }
        }
    }

    /// RFC 6455 §5.7: the masked `Hello`.
    #[test]
    fn the_example_of_the_rfc() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&payload, b"Hello");
    }
}
