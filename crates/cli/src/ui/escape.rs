//! Text of a stranger, made safe to show: no byte of it commands the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character that a terminal could obey, or that hides or reorders others, made visible.
///
/// C0 controls become their pictures (`␛`), all others `\u{…}`. Line feed and tab stay when `layout` is set.
pub(crate) fn visible(text: &str, layout: bool) -> Cow<'_, str> {
    let Some(first) = text.find(|c| is_unsafe(c, layout)) else { return Cow::Borrowed(text) };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            c if !is_unsafe(c, layout) => safe.push(c),
            '\0'..='\x1f' => safe.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => safe.push('\u{2421}'),
            c => write!(safe, "\\u{{{:x}}}", u32::from(c)).expect("a String takes every write"),
        }
    }
    Cow::Owned(safe)
}

/// One line of a stranger's text.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    visible(text, false)
}

/// Whether a terminal could obey this character, or readers could miss it. Line feed and tab are safe with `layout`.
pub(crate) fn is_unsafe(c: char, layout: bool) -> bool {
    match c {
        '\n' | '\t' => !layout,
        c if c.is_control() => true,
        // Marks, embeddings, overrides and isolates that turn the direction of what stands beside them; line and
        // paragraph separator; invisible operators; the byte order mark; tags.
        _ => matches!(
            c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_become_visible() {
        assert_eq!(line("\x1b[2J\x07 a\rb\n\tc\x7f"), "␛[2J␇ a␍b␊␉c␡");
        assert_eq!(visible("a\n\tb\r", true), "a\n\tb␍");
        assert_eq!(line("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(line("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
    }

    #[test]
    fn plain_text_and_emoji_stay() {
        let family = "héllo 👩\u{200d}👩\u{200d}👧 日本";
        assert!(matches!(line(family), Cow::Borrowed(text) if text == family));
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(|c| is_unsafe(c, false)));
            prop_assert!(!visible(&text, true).chars().any(|c| is_unsafe(c, true)));
        }
    }
}
