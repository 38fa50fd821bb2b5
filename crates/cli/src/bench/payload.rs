//! What is sent, and what therefore has to come back.

use super::content;
use crate::args::Characters;
use std::path::Path;
use tidewire::{Kind, MessageRef};

/// Bytes of a number in a text message: six digits for the connection, ten for the message.
pub(super) const DIGITS: usize = 16;
/// Bytes of a number in a binary message: 24 bits for the connection, 40 for the message.
const WORD: usize = 8;
/// Messages shorter than this carry no number.
pub(crate) const NUMBERED: usize = 16;
/// Text up to this size is put together anew for each message.
const COPIED: usize = 2048;
/// JSON messages that take turns.
const VARIANTS: usize = 16;

/// The messages of a run, shared by all threads.
#[derive(Debug)]
pub(crate) struct Payloads {
    kind: Kind,
    templates: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    /// Where the number stands.
    number: Option<usize>,
    /// What stands behind the number, where that is text and the number comes first.
    tail: Option<String>,
}

/// A thread's copy, into which numbers are written.
#[derive(Clone, Debug)]
pub(crate) enum Scratch {
    Text(Vec<String>),
    Binary(Vec<Vec<u8>>),
}

/// The number of a message on its connection, counted from 0, in the form in which messages carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    connection: u32,
    value: u64,
    digits: [u8; DIGITS],
}

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The one that was due.
    Expected,
    /// Another of this connection.
    Other(u64),
    /// It bears a number of this connection, and another content.
    Corrupted,
    /// It bears no number of this connection.
    Foreign,
}

impl Payloads {
    /// Generated messages of `size` bytes.
    pub(crate) fn generated(kind: Kind, characters: Characters, size: usize) -> Self {
        let templates = match (kind, characters) {
            (Kind::Binary, _) => vec![Template::plain(content::binary(size))],
            (Kind::Text, Characters::Ascii) => vec![Template::plain(content::ascii(size))],
            (Kind::Text, Characters::Utf8) => vec![Template::plain(content::mixed(size))],
            (Kind::Text, Characters::Json) => {
                (0..VARIANTS).map(|variant| Template::json(size, variant)).collect()
            }
        };
        Self { kind, templates }
    }

    /// The content of a file, or its lines; sent as they are, without a number.
    ///
    /// # Errors
    /// One sentence: why the file can't be sent.
    pub(crate) fn of_file(path: &Path, kind: Kind, lines: bool) -> Result<Self, String> {
        let refuse = |why: &dyn std::fmt::Display| format!("{} can't be sent: {why}", path.display());
        let bytes = std::fs::read(path).map_err(|error| refuse(&error))?;
        if kind == Kind::Text && std::str::from_utf8(&bytes).is_err() {
            return Err(refuse(&"it is not UTF-8: send it with --binary"));
        }
        let parts: Vec<Vec<u8>> = if lines {
            let ends = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            ends.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        } else {
            vec![bytes]
        };
        let templates = parts.into_iter().map(|bytes| Template { bytes, number: None, tail: None }).collect();
        Ok(Self { kind, templates })
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of a message, in the mean.
    #[expect(clippy::cast_precision_loss, reason = "sizes of messages are far below 2^52")]
    pub(crate) fn mean(&self) -> f64 {
        let sum: usize = self.templates.iter().map(|template| template.bytes.len()).sum();
        sum as f64 / self.templates.len() as f64
    }

    pub(crate) fn largest(&self) -> usize {
        self.templates.iter().map(|template| template.bytes.len()).max().unwrap_or(0)
    }

    /// Whether every message carries a number.
    pub(crate) fn is_numbered(&self) -> bool {
        self.templates.iter().all(|template| template.number.is_some())
    }

    /// A message as it stands, such as the first of a bare TCP echo.
    pub(crate) fn first(&self) -> &[u8] {
        &self.templates[0].bytes
    }

    pub(crate) fn scratch(&self) -> Scratch {
        let copies = self.templates.iter().map(|template| template.bytes.clone());
        match self.kind {
            Kind::Binary => Scratch::Binary(copies.collect()),
            Kind::Text => {
                let text = |bytes| String::from_utf8(bytes).expect("templates of text are UTF-8");
                Scratch::Text(copies.map(text).collect())
            }
        }
    }

    #[inline]
    fn index(&self, value: u64) -> usize {
        match self.templates.len() {
            1 => 0,
            // A remainder of a length is an index.
            #[expect(clippy::cast_possible_truncation, reason = "less than the length")]
            count => (value % count as u64) as usize,
        }
    }

    /// The message with this number, made in `scratch`.
    #[inline]
    pub(crate) fn message<'a>(&self, number: &Number, scratch: &'a mut Scratch) -> MessageRef<'a> {
        let index = self.index(number.value);
        let template = &self.templates[index];
        match scratch {
            Scratch::Binary(copies) => {
                let copy = &mut copies[index];
                if let Some(at) = template.number {
                    copy[at..at + WORD].copy_from_slice(&number.word());
                }
                MessageRef::binary(copy)
            }
            Scratch::Text(copies) => {
                let copy = &mut copies[index];
                match template.number {
                    // Copying few bytes is cheaper than replacing a range.
                    Some(0) if template.bytes.len() <= COPIED => {
                        copy.clear();
                        copy.push_str(number.digits());
                        copy.push_str(template.tail.as_deref().unwrap_or_default());
                    }
                    Some(at) => copy.replace_range(at..at + DIGITS, number.digits()),
                    None => {}
                }
                MessageRef::text(copy)
            }
        }
    }

    /// What `message` is, where the one with `due` has to come.
    #[inline]
    pub(crate) fn judge(&self, due: &Number, message: &MessageRef<'_>) -> Seen {
        let template = &self.templates[self.index(due.value)];
        let bytes = message.as_bytes();
        if message.kind() == self.kind && template.is(bytes, due) {
            return Seen::Expected;
        }
        self.judge_other(due, message)
    }

    #[cold]
    fn judge_other(&self, due: &Number, message: &MessageRef<'_>) -> Seen {
        let Some(number) = self.number_of(message).filter(|number| number.connection == due.connection)
        else {
            return Seen::Foreign;
        };
        if self.templates[self.index(number.value)].is(message.as_bytes(), &number) {
            Seen::Other(number.value)
        } else {
            Seen::Corrupted
        }
    }

    /// Messages after which the first comes again, but for their numbers.
    pub(crate) const fn cycle(&self) -> usize {
        self.templates.len()
    }

    /// Whether a message without a number is that of `value`.
    pub(crate) fn stands_at(&self, value: u64, message: &MessageRef<'_>) -> bool {
        message.kind() == self.kind && self.templates[self.index(value)].bytes == message.as_bytes()
    }

    /// The number that a message carries, whatever else is in it.
    #[inline]
    pub(crate) fn number_of(&self, message: &MessageRef<'_>) -> Option<Number> {
        let at = self.templates[0].number.filter(|_| message.kind() == self.kind)?;
        let bytes = message.as_bytes().get(at..)?;
        match self.kind {
            Kind::Binary => {
                let word = u64::from_be_bytes(bytes.get(..WORD)?.try_into().ok()?);
                let connection = u32::try_from(word >> 40).ok()?;
                Some(Number::binary(connection, word & ((1 << 40) - 1)))
            }
            Kind::Text => {
                let digits = std::str::from_utf8(bytes.get(..DIGITS)?).ok()?;
                let (connection, value) = (digits.get(..6)?.parse().ok()?, digits.get(6..)?.parse().ok()?);
                Some(Number::text(connection, value))
            }
        }
    }
}

impl Template {
    fn plain(bytes: Vec<u8>) -> Self {
        let tail = bytes.get(DIGITS..).and_then(|tail| std::str::from_utf8(tail).ok()).map(str::to_owned);
        Self { number: (bytes.len() >= NUMBERED).then_some(0), bytes, tail }
    }

    /// JSON where the size leaves room for it, else plain text.
    fn json(size: usize, variant: usize) -> Self {
        match content::json(size, variant) {
            Some((text, at)) => Self { bytes: text.into_bytes(), number: Some(at), tail: None },
            None => Self::plain(content::ascii(size)),
        }
    }

    #[inline]
    fn is(&self, bytes: &[u8], number: &Number) -> bool {
        let Some(at) = self.number else { return self.bytes == bytes };
        if bytes.len() != self.bytes.len() {
            return false;
        }
        let word = number.word();
        let number: &[u8] = if number.is_text() { &number.digits } else { &word };
        let end = at + number.len();
        bytes[at..end] == *number && bytes[end..] == self.bytes[end..] && bytes[..at] == self.bytes[..at]
    }
}

impl Number {
    /// Digits are kept up to date where they are used; a byte that is no digit marks the others.
    const fn binary(connection: u32, value: u64) -> Self {
        Self { connection, value, digits: [0; DIGITS] }
    }

    fn text(connection: u32, value: u64) -> Self {
        let mut digits = [0; DIGITS];
        let mut rest = u64::from(connection % 1_000_000) * 10_000_000_000 + value % 10_000_000_000;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
        }
        Self { connection, value, digits }
    }

    /// The first number of a connection whose messages are of `kind`.
    pub(crate) fn first(connection: u32, kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::text(connection, 0),
            Kind::Binary => Self::binary(connection, 0),
        }
    }

    pub(crate) const fn value(&self) -> u64 {
        self.value
    }

    pub(crate) const fn connection(&self) -> u32 {
        self.connection
    }

    /// The next message's.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.value += 1;
        if self.is_text() {
            for digit in self.digits[6..].iter_mut().rev() {
                if *digit < b'9' {
                    *digit += 1;
                    return;
                }
                *digit = b'0';
            }
        }
    }

    /// Goes to a later one.
    pub(crate) fn go_to(&mut self, value: u64) {
        *self = if self.is_text() { Self::text(self.connection, value) } else { Self { value, ..*self } };
    }

    #[inline]
    const fn is_text(&self) -> bool {
        self.digits[0] != 0
    }

    #[inline]
    fn digits(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("digits are UTF-8")
    }

    #[inline]
    const fn word(&self) -> [u8; WORD] {
        ((self.connection as u64) << 40 | self.value & ((1 << 40) - 1)).to_be_bytes()
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
