//! JSON laid out over lines. Only white space changes: numbers, strings and the order of members stay as they came.

use super::escape;
use super::style::{Palette, Style};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` indented by two and coloured; `None` where it is no JSON object or array.
///
/// What it returns is safe for a terminal: outside of strings JSON is ASCII, and strings keep no [unsafe](super::escape) character.
pub(crate) fn pretty(text: &str, palette: &Palette) -> Option<String> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let _: &RawValue = serde_json::from_str(text).ok()?;
    Some(Layout { palette, out: String::with_capacity(text.len() * 2), depth: 0 }.run(text))
}

struct Layout<'a> {
    palette: &'a Palette,
    out: String,
    depth: usize,
}

impl Layout<'_> {
    fn run(mut self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            at += 1;
            match bytes[start] {
                b' ' | b'\t' | b'\n' | b'\r' => {}
                open @ (b'{' | b'[') => {
                    self.out.push(char::from(open));
                    let next = start + 1 + spaces(&bytes[start + 1..]);
                    if matches!(bytes.get(next), Some(b'}' | b']')) {
                        self.out.push(char::from(bytes[next]));
                        at = next + 1;
                    } else {
                        self.depth += 1;
                        self.new_line();
                    }
                }
                close @ (b'}' | b']') => {
                    self.depth -= 1;
                    self.new_line();
                    self.out.push(char::from(close));
                }
                b',' => {
                    self.out.push(',');
                    self.new_line();
                }
                b':' => self.out.push_str(": "),
                b'"' => {
                    at = start + string(&bytes[start..]);
                    let is_key = bytes.get(at + spaces(&bytes[at..])) == Some(&b':');
                    let style = if is_key { self.palette.key } else { self.palette.string };
                    self.token(style, &text[start..at]);
                }
                _ => {
                    at = start
                        + bytes[start..].iter().take_while(|byte| !b" \t\n\r,]}:".contains(byte)).count();
                    self.token(self.palette.number, &text[start..at]);
                }
            }
        }
        self.out
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn token(&mut self, style: Style, token: &str) {
        style.paint_into(&mut self.out, &safe(token));
    }
}

/// A token, or JSON as a whole whose only unsafe characters stand in strings, with these as JSON writes them: it
/// still has the same value.
pub(crate) fn safe(token: &str) -> Cow<'_, str> {
    if !token.contains(|c| escape::is_unsafe(c, false)) {
        return Cow::Borrowed(token);
    }
    let mut out = String::with_capacity(token.len() + 16);
    for c in token.chars() {
        if escape::is_unsafe(c, false) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a String takes every write");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| b" \t\n\r".contains(byte)).count()
}

/// The length of the string that `bytes` begins with, quotes included.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(text: &str) -> Option<String> {
        pretty(text, &Palette::plain())
    }

    #[test]
    fn members_get_lines_and_values_stay_verbatim() {
        assert_eq!(
            plain(r#" {"b":1.0e2,"a":[1,{}, [ ] ],"s":"x\"},{y","n":null,"b":12345678901234567890} "#)
                .unwrap(),
            "{\n  \"b\": 1.0e2,\n  \"a\": [\n    1,\n    {},\n    []\n  ],\n  \"s\": \"x\\\"},{y\",\n  \"n\": null,\n  \"b\": 12345678901234567890\n}"
        );
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        for text in ["", "hello", "{", "[1,]", "{\"a\":\"\x1b\"}", "42", "[1] x"] {
            assert_eq!(plain(text), None, "{text:?}");
        }
    }

    #[test]
    fn strings_are_made_visible_and_keep_their_value() {
        assert_eq!(
            plain("[\"\u{9b}2J\u{202e}\u{e0001}\"]").unwrap(),
            "[\n  \"\\u009b2J\\u202e\\udb40\\udc01\"\n]"
        );
    }

    #[test]
    fn deep_nesting_is_left_alone() {
        assert_eq!(plain(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn the_value_is_the_same(value in proptest::collection::vec(any::<(String, i64, Option<bool>)>(), 0..5)) {
            let value: Vec<_> = value.into_iter().map(|(a, b, c)| serde_json::json!({ "a": a, "b": [b], "c": c })).collect();
            let value = serde_json::Value::from(value);
            let laid_out = plain(&value.to_string()).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&laid_out).unwrap(), value);
        }
    }
}
