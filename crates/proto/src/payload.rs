//! Payload bytes on their way in: unmasked and judged in one pass over the cache.

use crate::{mask, utf8, utf8::Utf8};

/// A piece that stays in the first-level cache between unmasking and judging.
const PIECE: usize = 16 * 1024;

/// A masking key and the payload bytes of the frame that came before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masking {
    pub(crate) key: [u8; 4],
    pub(crate) phase: usize,
}

/// Unmasks `bytes` in place and lets `judge` see them; `false` where they can't be UTF-8.
pub(crate) fn take(bytes: &mut [u8], masking: Option<Masking>, judge: Option<&mut Utf8>) -> bool {
    let (masking, judge) = match (masking, judge) {
        (None, None) => return true,
        (None, Some(judge)) => return judge.push(bytes),
        (Some(Masking { key, phase }), None) => {
            mask::apply(bytes, key, phase);
            return true;
        }
        (Some(masking), Some(judge)) => (masking, judge),
    };
    let mut phase = masking.phase;
    for piece in bytes.chunks_mut(PIECE) {
        let ascii = mask::apply_to_text(piece, masking.key, phase);
        let valid = if ascii { judge.push_ascii(piece) } else { judge.push(piece) };
        if !valid {
            return false;
        }
        phase = phase.wrapping_add(piece.len());
    }
    true
}

/// Unmasks a whole payload in place; `false` where it should be `text` and is not UTF-8.
#[inline]
pub(crate) fn take_whole(bytes: &mut [u8], key: Option<[u8; 4]>, text: bool) -> bool {
    match key {
        None => !text || utf8::is_valid(bytes),
        Some(key) if bytes.len() <= PIECE => {
            mask::apply_to_text(bytes, key, 0) || !text || utf8::is_valid(bytes)
        }
        Some(key) => take_long(bytes, key, text),
    }
}

/// The same for a masked payload that does not stay in the first-level cache.
#[inline(never)]
fn take_long(bytes: &mut [u8], key: [u8; 4], text: bool) -> bool {
    let mut judge = Utf8::default();
    take(bytes, Some(Masking { key, phase: 0 }), text.then_some(&mut judge)) && judge.is_whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    /// Whole, and in two pieces of the frame, masked or not: each gives the payload and std's verdict.
    fn check(plain: &[u8], cut: usize) {
        let valid = core::str::from_utf8(plain).is_ok();
        for key in [None, Some(KEY)] {
            let mut masked = plain.to_vec();
            if let Some(key) = key {
                masked.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            }
            let mut whole = masked.clone();
            assert_eq!(take_whole(&mut whole, key, true), valid);
            let mut judge = Utf8::default();
            let (first, second) = masked.split_at_mut(cut);
            let masking = |phase| key.map(|key| Masking { key, phase });
            let judged =
                take(first, masking(0), Some(&mut judge)) && take(second, masking(cut), Some(&mut judge));
            assert_eq!(judged && judge.is_whole(), valid, "cut at {cut}");
            if valid {
                assert!(whole == plain && masked == plain);
            }
            let mut binary = plain.to_vec();
            assert!(take_whole(&mut binary, key, false));
            take(&mut binary, masking(0), None);
            assert!(binary == plain, "masked twice");
        }
    }

    /// edges 32 and 34: texts of every length, with each byte once made a wrong one, and all that in any phase.
    #[test]
    fn short_payloads_are_judged_as_std_judges() {
        for sample in ["a", "aé€😀", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa€"] {
            let text: Vec<u8> = sample.bytes().cycle().take(200).collect();
            for length in 0..=text.len() {
                check(&text[..length], length / 3);
                let mut wrong = text[..length].to_vec();
                if let Some(byte) = wrong.get_mut(length * 7 / 11) {
                    *byte = 0xFF;
                    check(&wrong, length / 2);
                }
            }
        }
    }

    /// edge 32: characters cut by the pieces that stay in the cache, between stretches of ASCII; edge 34 there.
    #[test]
    fn characters_lie_across_pieces() {
        for character in ["é", "€", "😀"] {
            for before in PIECE - 5..=PIECE + 1 {
                let mut text = [b'a'].repeat(before);
                text.extend_from_slice(character.as_bytes());
                check(&text, 1);
                text.extend([b'b'].repeat(2 * PIECE));
                check(&text, PIECE);
                check(&text[..=before], 7);
                text[before + 1] = b'c';
                check(&text, 3);
            }
        }
    }
}
