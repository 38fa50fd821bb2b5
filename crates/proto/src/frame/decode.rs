//! A frame's header, judged byte by byte.

use super::Header;
use crate::{Opcode, Role, error::Violation};

/// What decides whether a header is allowed here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Our end: a server takes masked frames only, a client unmasked ones only.
    pub role: Role,
    /// A fragmented message is under way.
    pub message: bool,
    /// permessage-deflate was agreed, so RSV1 has a meaning.
    pub deflate: bool,
}

/// Reads the header at the beginning of `bytes`; `None` where it is not whole yet.
///
/// Each byte is judged as soon as it is there, so that any cut of the input gives the same verdict.
///
/// # Errors
/// The rule of RFC 6455 §5 that the header breaks.
#[inline]
pub fn decode(bytes: &[u8], rules: Rules) -> Result<Option<(Header, usize)>, Violation> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let opcode = rules.check_first(first)?;
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    let masked = second & 0x80 != 0;
    match (rules.role, masked) {
        (Role::Server, false) => return Err(Violation::Unmasked),
        (Role::Client, true) => return Err(Violation::Masked),
        _ => {}
    }
    let short = second & 0x7F;
    if opcode.is_control() && short > 125 {
        return Err(Violation::ControlTooLong);
    }
    let (length, key_at) = match short {
        126 => {
            let Some(&[a, b]) = bytes.get(2..4).and_then(|s| s.first_chunk()) else { return Ok(None) };
            (u64::from(u16::from_be_bytes([a, b])), 4)
        }
        127 => match long_length(bytes)? {
            Some(length) => (length, 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    if short == 126 && length < 126 {
        return Err(Violation::NonMinimalLength);
    }
    let (mask, end) = if masked {
        let Some(key) = bytes.get(key_at..).and_then(|s| s.first_chunk::<4>()) else { return Ok(None) };
        (Some(*key), key_at + 4)
    } else {
        (None, key_at)
    };
    Ok(Some((Header { fin: first & 0x80 != 0, rsv1: first & 0x40 != 0, opcode, mask, length }, end)))
}

/// The 64-bit length; its top bit is judged with its first byte, its minimality when it is whole.
fn long_length(bytes: &[u8]) -> Result<Option<u64>, Violation> {
    if bytes.get(2).is_some_and(|top| top & 0x80 != 0) {
        return Err(Violation::LengthTopBit);
    }
    let Some(long) = bytes.get(2..).and_then(|s| s.first_chunk::<8>()) else { return Ok(None) };
    let length = u64::from_be_bytes(*long);
    if length > 0xFFFF { Ok(Some(length)) } else { Err(Violation::NonMinimalLength) }
}

impl Rules {
    #[inline]
    fn check_first(self, first: u8) -> Result<Opcode, Violation> {
        let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
        let Some(opcode) = Opcode::from_bits(first & 0x0F) else {
            return Err(Violation::ReservedOpcode(first & 0x0F));
        };
        // RFC 7692 §6: RSV1 stands on the first frame of a message only.
        let may_compress = self.deflate && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & 0x30 != 0 || (rsv1 && !may_compress) {
            return Err(Violation::ReservedBits);
        }
        match opcode {
            Opcode::Continuation if !self.message => Err(Violation::UnexpectedContinuation),
            Opcode::Text | Opcode::Binary if self.message => Err(Violation::ExpectedContinuation),
            Opcode::Close | Opcode::Ping | Opcode::Pong if !fin => Err(Violation::ControlFragmented),
            _ => Ok(opcode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Rules = Rules { role: Role::Server, message: false, deflate: false };
    const CLIENT: Rules = Rules { role: Role::Client, ..SERVER };

    /// RFC 6455 §5.7: a single-frame unmasked text message, and its masked twin.
    #[test]
    fn the_examples_of_the_rfc() {
        let (header, length) = decode(&[0x81, 0x05, 0x48], CLIENT).unwrap().unwrap();
        assert_eq!((header.opcode, header.length, header.mask, length), (Opcode::Text, 5, None, 2));
        let (header, length) = decode(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f], SERVER).unwrap().unwrap();
        assert_eq!((header.mask, length), (Some([0x37, 0xfa, 0x21, 0x3d]), 6));
    }

    /// edge 21: a length in more bytes than it needs.
    #[test]
    fn lengths_are_minimal() {
        for (bytes, minimal) in [
            (&[0x82, 126, 0, 125][..], false),
            (&[0x82, 126, 0, 126][..], true),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF][..], false),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], true),
        ] {
            let expected = if minimal { None } else { Some(Violation::NonMinimalLength) };
            assert_eq!(decode(bytes, CLIENT).err(), expected, "{bytes:?}");
        }
    }

    /// edge 22: the top bit of a 64-bit length, judged as soon as its byte is there.
    #[test]
    fn the_top_bit_of_a_length_is_refused_at_once() {
        assert_eq!(decode(&[0x82, 127, 0x80], CLIENT), Err(Violation::LengthTopBit));
        assert_eq!(decode(&[0x82, 127, 0x7F], CLIENT), Ok(None));
    }

    /// edge 25: a server takes masked frames only, a client unmasked ones only.
    #[test]
    fn masks_stand_where_the_role_says() {
        assert_eq!(decode(&[0x81, 0x01], SERVER), Err(Violation::Unmasked));
        assert_eq!(decode(&[0x81, 0x81], CLIENT), Err(Violation::Masked));
    }

    /// edge 26: every first byte, in every state, with and without deflate.
    #[test]
    fn first_bytes() {
        for first in 0..=255u8 {
            for (message, deflate) in [(false, false), (false, true), (true, false), (true, true)] {
                let rules = Rules { message, deflate, ..CLIENT };
                let (fin, rsv, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
                let opcode_ok = matches!(opcode, 0..=2 | 8..=10);
                let rsv_ok = rsv == 0 || (rsv == 0x40 && deflate && matches!(opcode, 1 | 2));
                let order_ok = match opcode {
                    0 => message,
                    1 | 2 => !message,
                    _ => fin,
                };
                let verdict = decode(&[first, 0], rules);
                assert_eq!(verdict.is_ok(), opcode_ok && rsv_ok && order_ok, "{first:#x} {rules:?}");
            }
        }
    }

    /// edge 27: control frames of 125 and 126 bytes.
    #[test]
    fn control_frames_are_short() {
        assert!(decode(&[0x89, 125], CLIENT).is_ok());
        assert_eq!(decode(&[0x89, 126], CLIENT), Err(Violation::ControlTooLong));
        assert_eq!(decode(&[0x89, 127], CLIENT), Err(Violation::ControlTooLong));
    }

    /// edge 31: every cut of a header asks for more, and no more than the header.
    #[test]
    fn every_cut_of_a_header_waits() {
        let long = [0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4];
        for cut in 0..long.len() {
            assert_eq!(decode(&long[..cut], SERVER), Ok(None), "{cut}");
        }
        assert_eq!(decode(&long, SERVER).unwrap().unwrap().1, 14);
    }
}
