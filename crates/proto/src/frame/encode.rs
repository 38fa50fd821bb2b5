//! A frame's header, written.

use super::{Header, MAX_HEADER};
use alloc::vec::Vec;
use core::ops::Deref;

/// A header as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// The header, then zeros.
    bytes: [u8; Self::ROOM],
    length: u8,
}

impl Encoded {
    /// The room that [`append_to`](Self::append_to) takes for a while, in bytes.
    pub(crate) const ROOM: usize = MAX_HEADER.next_power_of_two();

    /// Appends the header. The zeros are copied too and cut again: a copy of a known length is two moves, no call.
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
    let first = u8::from(header.fin) << 7 | u8::from(header.rsv1) << 6 | header.opcode as u8;
    let masked = u8::from(header.mask.is_some()) << 7;
    // One number whose lowest byte is the first; what the wire has highest byte first is swapped.
    #[expect(clippy::cast_possible_truncation, reason = "each arm knows the range")]
    let (short, extended, mut length) = match header.length {
        length @ 0..=125 => (length as u8, 0, 2),
        length @ 126..=0xFFFF => (126, u64::from((length as u16).swap_bytes()), 4),
        length => (127, length.swap_bytes(), 10),
    };
    let mut bits = u128::from(extended) << 16 | u128::from(u16::from_le_bytes([first, masked | short]));
    if let Some(key) = header.mask {
        bits |= u128::from(u32::from_le_bytes(key)) << (8 * length);
        length += 4;
    }
    Encoded { bytes: bits.to_le_bytes(), length }
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
