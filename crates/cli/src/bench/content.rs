//! The bytes of generated messages.

use super::payload::{DIGITS, NUMBERED};

/// Bytes without a period that a fast copy could hide.
pub(super) fn binary(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(size)
    .collect()
}

pub(super) fn ascii(size: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .";
    binary(size).into_iter().map(|byte| LETTERS[usize::from(byte % 64)]).collect()
}

/// Characters of one to four bytes, behind room for the number; ASCII where a whole one does not fit at the end.
pub(super) fn mixed(size: usize) -> Vec<u8> {
    const CHARACTERS: [&str; 8] = ["é", "世", "界", "я", "a", "😀", "ß", "한"];
    let mut bytes = ascii(size.min(NUMBERED));
    for byte in binary(size) {
        let character = CHARACTERS[usize::from(byte % 8)].as_bytes();
        if bytes.len() + character.len() > size {
            break;
        }
        bytes.extend_from_slice(character);
    }
    bytes.resize(size, b'.');
    bytes
}

/// An object as services send it, with zeros for the number, which is its `id`, and where that stands; `None` where the
/// size is too small.
pub(super) fn json(size: usize, variant: usize) -> Option<(String, usize)> {
    const NAMES: [&str; 8] = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath"];
    let head = r#"{"id":""#;
    let mut text = format!(r#"{head}{:0DIGITS$}","kind":"update","items":["#, 0);
    let end = r#"],"more":false,"pad":""#;
    let mut count = 0;
    loop {
        let place = variant * 7 + count * 3;
        let item = format!(
            r#"{{"name":"{}","price":{}.{:02},"open":{},"volume":{}}}"#,
            NAMES[place % 8],
            100 + place * 13 % 900,
            place * 37 % 100,
            place.is_multiple_of(3),
            place * 7919 % 100_000,
        );
        if text.len() + item.len() + end.len() + 3 > size {
            break;
        }
        if count > 0 {
            text.push(',');
        }
        text.push_str(&item);
        count += 1;
    }
    text.push_str(end);
    let rest = size.saturating_sub(text.len() + 2);
    text.extend(std::iter::repeat_n('-', rest));
    text.push_str(r#""}"#);
    (text.len() == size).then_some((text, head.len()))
}
