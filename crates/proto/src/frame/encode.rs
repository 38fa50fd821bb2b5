//! A frame's header, written.

use super::{Header, MAX_HEADER};
use alloc::vec::Vec;
use core::ops::Deref;

/// A header as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    bytes: [u8; MAX_HEADER],
    length: u8,
}

impl Encoded {
    /// Appends the header. All of the array is copied and cut: a copy of a known length is two moves, no call.
    #[inline]
    pub(crate) fn append_to(&self, target: &mut Vec<u8>) {
        let end = target.len() + usize::from(self.length);
        target.extend_from_slice(&self.bytes);
        target.truncate(end);
    }
}

impl Deref for Encoded {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Writes `header` with the shortest form of its length (RFC 6455 §5.2).
#[inline]
pub fn encode(header: &Header) -> Encoded {
    let mut bytes = [0; MAX_HEADER];
    bytes[0] = u8::from(header.fin) << 7 | u8::from(header.rsv1) << 6 | header.opcode as u8;
    let masked = u8::from(header.mask.is_some()) << 7;
    let mut end = 2;
    #[expect(clippy::cast_possible_truncation, reason = "each arm knows the range")]
    match header.length {
        length @ 0..=125 => bytes[1] = masked | length as u8,
        length @ 126..=0xFFFF => {
            bytes[1] = masked | 0x7E;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            end = 4;
        }
        length => {
            bytes[1] = masked | 0x7F;
            bytes[2..10].copy_from_slice(&length.to_be_bytes());
            end = 10;
        }
    }
    if let Some(key) = header.mask {
        bytes[end..end + 4].copy_from_slice(&key);
        end += 4;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 14")]
    Encoded { bytes, length: end as u8 }
}

#[cfg(test)]
mod tests {
    use super::super::{Rules, decode};
    use super::*;
    use crate::{Opcode, Role};

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, u64::MAX >> 1] {
            for (mask, role) in [(None, Role::Client), (Some([1, 2, 3, 4]), Role::Server)] {
                let header =
                    Header { fin: length % 2 == 0, rsv1: true, opcode: Opcode::Binary, mask, length };
                let bytes = encode(&header);
                let rules = Rules { role, message: false, deflate: true };
                assert_eq!(decode(&bytes, rules), Ok(Some((header, bytes.len()))));
            }
        }
    }

    /// RFC 6455 §5.7: `Hello` in one unmasked frame begins with 81 05.
    #[test]
    fn the_example_of_the_rfc() {
        let header = Header { fin: true, rsv1: false, opcode: Opcode::Text, mask: None, length: 5 };
        assert_eq!(&*encode(&header), &[0x81, 0x05]);
    }
}
