//! UTF-8, judged as it arrives (RFC 6455 §8.1): the first bad byte fails, in the middle of a frame too.

/// Below this many bytes that are not ASCII std's loop is the faster one.
const SHORT: usize = 24;

/// What simdutf8 looks at in one step; below that it would leave the bytes to std.
const BLOCK: usize = 64;

/// Whether `bytes` are UTF-8 from end to end.
#[inline]
pub fn is_valid(bytes: &[u8]) -> bool {
    if bytes.len() < BLOCK { is_valid_short(bytes) } else { simdutf8::basic::from_utf8(bytes).is_ok() }
}

/// Judges less than a block. Zeros behind it are ASCII, and so complete no character that is cut.
#[inline(never)]
fn is_valid_short(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    if bytes.len() < SHORT {
        return core::str::from_utf8(bytes).is_ok();
    }
    let mut block = [0; BLOCK];
    block[..bytes.len()].copy_from_slice(bytes);
    simdutf8::basic::from_utf8(&block).is_ok()
}

/// How many bytes at the end begin a character whose other bytes are not there. They need not be right.
fn cut_length(bytes: &[u8]) -> usize {
    for (before, &byte) in bytes.iter().rev().take(3).enumerate() {
        let width = match byte {
            0x80..0xC0 => continue,
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            0xF0.. => 4,
            _ => 1,
        };
        return if before + 1 < width { before + 1 } else { 0 };
    }
    0
}

/// The judge of a text that comes in pieces. It remembers at most the three bytes of a character not yet whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    tail: [u8; 3],
    length: u8,
}

impl Utf8 {
    /// Takes the next piece; `false` as soon as it holds a byte that no UTF-8 text can have there.
    #[must_use]
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let Some(rest) = self.finish_character(piece) else { return false };
        let (whole, cut) = rest.split_at(rest.len() - cut_length(rest));
        if !is_valid(whole) || core::str::from_utf8(cut).is_err_and(|error| error.error_len().is_some()) {
            return false;
        }
        self.tail[..cut.len()].copy_from_slice(cut);
        // Nothing is cut from an empty rest, and then what is held stays.
        if !rest.is_empty() {
            self.length = u8::try_from(cut.len()).unwrap_or_default();
        }
        true
    }

    /// The same for a piece known to be ASCII, without looking at it again.
    pub(crate) fn push_ascii(&mut self, piece: &[u8]) -> bool {
        piece.is_empty() || self.is_whole()
    }

    /// Whether the text may end here: no character is cut.
    pub const fn is_whole(self) -> bool {
        self.length == 0
    }

    /// Completes a character that an earlier piece began; what is left of `piece`, or `None` where it can't be one.
    fn finish_character<'a>(&mut self, piece: &'a [u8]) -> Option<&'a [u8]> {
        let mut rest = piece;
        while self.length > 0 {
            let Some((&byte, after)) = rest.split_first() else { break };
            rest = after;
            let held = usize::from(self.length);
            let mut character = [0; 4];
            character[..held].copy_from_slice(&self.tail[..held]);
            character[held] = byte;
            match core::str::from_utf8(&character[..=held]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_none() => {
                    self.tail[held] = byte;
                    self.length += 1;
                }
                Err(_) => return None,
            }
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The index of the piece byte at which a byte-by-byte judge fails.
    fn fails_at(bytes: &[u8]) -> Option<usize> {
        let mut judge = Utf8::default();
        (0..bytes.len()).find(|&i| !judge.push(&bytes[i..=i]))
    }

    /// edge 34: overlong forms, surrogates, above U+10FFFF; noncharacters are allowed.
    #[test]
    fn each_bad_byte_fails_at_once() {
        for (bytes, at) in [
            (&b"\xC0\xAF"[..], 0),
            (b"a\xE0\x80\x80", 2),
            (b"\xED\xA0\x80", 1),
            (b"\xF0\x80\x80\x80", 1),
            (b"\xF4\x90\x80\x80", 1),
            (b"\xF5", 0),
            (b"\xFF", 0),
            (b"\x80", 0),
            (b"\xC3a", 1),
            (b"\xE2\x82a", 2),
        ] {
            assert_eq!(fails_at(bytes), Some(at), "{bytes:x?}");
            assert!(!is_valid(bytes));
        }
        for text in ["", "\u{FFFE}\u{FFFF}\u{1FFFF}", "\u{10FFFF}", "κόσμε", "\0"] {
            assert_eq!(fails_at(text.as_bytes()), None);
        }
    }

    /// edge 32: a character split over pieces and over vector blocks.
    #[test]
    fn every_cut_of_a_long_text_is_the_same_text() {
        let text: Vec<u8> = "aé€😀".bytes().cycle().take(10 * 40).collect();
        for cut in 0..=text.len() {
            let mut judge = Utf8::default();
            assert!(judge.push(&text[..cut]) && judge.push(&text[cut..]), "{cut}");
            assert!(judge.is_whole());
        }
    }

    /// edge 34: a text that ends inside a character is not whole.
    #[test]
    fn a_cut_end_is_seen() {
        for end in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
            let mut judge = Utf8::default();
            let long: Vec<u8> = [&[b'x'; 100], end].concat();
            assert!(judge.push(&long));
            assert!(!judge.is_whole());
        }
    }

    /// edge 34: every sequence of up to four of the bytes at which the table of UTF-8 (RFC 3629 §4) changes, in every cut.
    #[test]
    fn every_cut_of_every_short_sequence_is_judged_as_std_judges() {
        const BYTES: [u8; 22] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5,
        ];
        let may_go_on =
            |bytes: &[u8]| core::str::from_utf8(bytes).map_or_else(|e| e.error_len().is_none(), |_| true);
        let count = BYTES.len();
        for number in 0..count.pow(4) {
            let digits = [number, number / count, number / count.pow(2), number / count.pow(3)];
            let sequence = digits.map(|digit| BYTES[digit % count]);
            for cut in 0..=3 {
                let mut judge = Utf8::default();
                let first = judge.push(&sequence[..cut]);
                assert_eq!(first, may_go_on(&sequence[..cut]), "{sequence:x?} {cut}");
                if first {
                    assert_eq!(judge.push(&sequence[cut..]), may_go_on(&sequence), "{sequence:x?} {cut}");
                    assert!(
                        !may_go_on(&sequence) || judge.is_whole() == core::str::from_utf8(&sequence).is_ok()
                    );
                }
            }
        }
    }
}
