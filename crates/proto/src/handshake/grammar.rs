//! Tokens, white space and lists of header values (RFC 9110 §5.5–5.6).

use alloc::format;
use alloc::string::String;

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub(crate) const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// The bytes as a token, where they are one.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    let whole = !bytes.is_empty() && bytes.iter().all(|&byte| is_tchar(byte));
    core::str::from_utf8(bytes).ok().filter(|_| whole)
}

/// Whether `byte` may stand in a field value: visible, obs-text, space or tab (RFC 9110 §5.5).
pub(crate) const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// The value without the optional white space around it, which is no part of it (RFC 9110 §5.5).
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a comma-separated list without quoted strings; empty ones are passed over (RFC 9110 §5.6.1.2).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|element| !element.is_empty())
}

/// Bytes of the peer as text for people: printable ASCII, the rest escaped, cut at 100 bytes.
pub(crate) fn show(bytes: &[u8]) -> String {
    const LONGEST: usize = 100;
    match bytes.get(..LONGEST) {
        Some(start) if bytes.len() > LONGEST => format!("{}…", start.escape_ascii()),
        _ => format!("{}", bytes.escape_ascii()),
    }
}

/// Whether each `%` is followed by two hexadecimal digits (RFC 3986 §2.1).
pub(crate) fn percent_encoding_is_whole(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}
