//! Masking (RFC 6455 §5.3): the payload XOR a key of four bytes.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod dispatch;
mod keys;
mod portable;

pub use keys::{Entropy, MaskingKeys};

/// Below this many bytes the choice of a vector unit costs more than it gains.
const SHORT: usize = 64;

/// Masks or unmasks `payload` in place. `phase` is the number of payload bytes of the frame that came before.
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4], phase: usize) {
    let key = u32::from_ne_bytes([
        key[phase & 3],
        key[(phase + 1) & 3],
        key[(phase + 2) & 3],
        key[(phase + 3) & 3],
    ]);
    if payload.len() < SHORT {
        portable::xor_short(payload, key);
    } else {
        xor_long(payload, key);
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
fn xor_long(payload: &mut [u8], key: u32) {
    dispatch::xor(payload, key);
}

#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
fn xor_long(payload: &mut [u8], key: u32) {
    portable::xor(payload, key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// edge 25: zero mask, every alignment, every phase, every length around the vector sizes.
    #[test]
    fn the_fast_way_and_the_definition_agree() {
        let source: Vec<u8> = (0..400u32).map(|i| (i * 7 % 251) as u8).collect();
        for key in [[0; 4], [1, 2, 3, 4], [0xFF, 0, 0x80, 0x7F]] {
            for start in 0..33 {
                for length in (0..140).chain([255, 256, 300]) {
                    for phase in 0..4 {
                        let mut fast = source.clone();
                        apply(&mut fast[start..start + length], key, phase);
                        let slow = source.iter().enumerate().map(|(i, byte)| {
                            let inside = (start..start + length).contains(&i);
                            if inside { byte ^ key[(i - start + phase) % 4] } else { *byte }
                        });
                        assert!(slow.eq(fast.iter().copied()), "{key:?} {start} {length} {phase}");
                    }
                }
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
