//! Payloads as applications send them, the same in every run.

use std::fmt::Write as _;

/// A text of exactly `length` bytes in one-byte characters.
pub fn ascii(length: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(length).collect()
}

/// A text of exactly `length` bytes in characters of one to four bytes.
pub fn multi_byte(length: usize) -> String {
    let mut text = String::new();
    for character in "Grüße aus Köln, κόσμε, 世界, 😀! ".chars().cycle() {
        if text.len() + character.len_utf8() > length {
            break;
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('.', length - text.len()));
    text
}

/// A JSON array of exactly `length` bytes: objects with changing numbers and names, as APIs send them.
///
/// # Panics
/// Where `length` is below 2.
pub fn json(length: usize) -> String {
    let mut text = String::from("[");
    let mut seed = 1u32;
    for id in 0.. {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let row = format!(
            r#"{{"id":{id},"user":"user{}","price":{}.{:02},"active":{},"tags":["{:x}","stock"]}},"#,
            seed >> 20,
            seed >> 24,
            seed % 100,
            seed & 4096 == 0,
            seed >> 12,
        );
        if text.len() + row.len() > length - 1 {
            break;
        }
        text.push_str(&row);
    }
    let pad = length - 1 - text.len();
    write!(text, "{:pad$}]", "").expect("a string takes all");
    text
}
