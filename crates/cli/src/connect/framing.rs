//! Where a message ends in a stream of bytes: stdin into messages, messages onto stdout.

use super::session::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf as _, Bytes, BytesMut};
use clap::ValueEnum;
use std::borrow::Cow;

/// The longest message taken from stdin: it has to be held whole.
const LONGEST: usize = 1 << 30;

/// How messages are told apart on stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Each ends with this byte; the last may end with the input.
    Separated(u8),
    /// Each follows its length in four bytes, big endian.
    LengthPrefixed,
    /// All of stdin is one.
    Whole,
}

/// What stdin says that can't be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FramingError {
    Truncated { announced: usize, came: usize },
    TooLong(usize),
}

impl std::fmt::Display for FramingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { announced, came } if *announced < 4 => {
                write!(f, "stdin ended inside a length: {came} of 4 bytes came")
            }
            Self::Truncated { announced, came } => {
                write!(f, "stdin ended inside a message: {announced} bytes announced, {came} came")
            }
            Self::TooLong(bytes) => {
                write!(
                    f,
                    "a message on stdin has {bytes} bytes or more, above 1 GiB: cut it into smaller ones"
                )
            }
        }
    }
}

/// Cuts a stream into frames, however the stream itself is cut.
#[derive(Debug)]
pub(crate) struct Framer {
    framing: Framing,
    buffer: BytesMut,
    /// Bytes of `buffer` known to hold no separator.
    searched: usize,
}

impl Framer {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, buffer: BytesMut::new(), searched: 0 }
    }

    /// Whether no byte waits to become a frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Where the next bytes of the stream go.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame; `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FramingError> {
        let frame = match self.framing {
            Framing::Separated(separator) => {
                let found = memchr::memchr(separator, &self.buffer[self.searched..]);
                found.map(|at| {
                    let frame = self.buffer.split_to(self.searched + at).freeze();
                    self.buffer.advance(1);
                    frame
                })
            }
            Framing::LengthPrefixed => match self.buffer.first_chunk::<4>() {
                Some(length) => {
                    let length = u32::from_be_bytes(*length) as usize;
                    check(length)?;
                    (self.buffer.len() - 4 >= length).then(|| {
                        self.buffer.advance(4);
                        self.buffer.split_to(length).freeze()
                    })
                }
                None => None,
            },
            Framing::Whole => None,
        };
        self.searched = if frame.is_some() { 0 } else { self.buffer.len() };
        if frame.is_none() {
            check(self.buffer.len())?;
        }
        Ok(frame)
    }

    /// The last frame, once the stream has ended and [`next`](Self::next) gave `None`.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, FramingError> {
        let rest = self.buffer.split().freeze();
        self.searched = 0;
        match self.framing {
            Framing::Whole => Ok(Some(rest)),
            _ if rest.is_empty() => Ok(None),
            Framing::Separated(_) => Ok(Some(rest)),
            Framing::LengthPrefixed => Err(match rest.first_chunk::<4>() {
                Some(length) => FramingError::Truncated {
                    announced: u32::from_be_bytes(*length) as usize,
                    came: rest.len() - 4,
                },
                None => FramingError::Truncated { announced: 0, came: rest.len() },
            }),
        }
    }
}

fn check(length: usize) -> Result<(), FramingError> {
    if length > LONGEST { Err(FramingError::TooLong(length)) } else { Ok(()) }
}

/// How messages are told apart on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutFraming {
    /// One line each
    Lines,
    /// A NUL byte after each
    Null,
    /// Length in 4 bytes, big endian, then the message
    LengthPrefixed,
    /// One after the other, nothing between
    Raw,
    /// One JSON object a line: {"type":"text","data":…}, or {"type":"binary","base64":…}
    Json,
}

impl OutFraming {
    /// The byte that ends a message, where one does.
    pub(crate) const fn separator(self) -> Option<u8> {
        match self {
            Self::Lines => Some(b'\n'),
            Self::Null => Some(0),
            Self::LengthPrefixed | Self::Raw | Self::Json => None,
        }
    }
}

/// How a binary message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BinaryOutput {
    /// Lower-case hexadecimal
    Hex,
    /// Base64 with padding
    Base64,
    /// Its bytes
    Raw,
}

/// What to do with a message that holds the separator itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Newlines {
    /// Write it as it is; a warning says so once
    Keep,
    /// \n for the separator and \\ for a backslash, in both directions
    Escape,
    /// Stop with status 1
    Error,
}

/// Puts messages onto a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoder {
    pub(crate) framing: OutFraming,
    pub(crate) binary: BinaryOutput,
    pub(crate) newlines: Newlines,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoded {
    Exact,
    /// Written, but the separator is inside: where it ends can't be told.
    Ambiguous,
    /// Not written: [`Newlines::Error`] forbids.
    Refused,
}

impl Encoder {
    /// Appends `message` to `out`.
    pub(crate) fn encode(self, message: &Message, out: &mut Vec<u8>) -> Encoded {
        if self.framing == OutFraming::Json {
            out.extend_from_slice(json_line(message).as_bytes());
            return Encoded::Exact;
        }
        let payload: Cow<'_, [u8]> = match (message, self.binary) {
            (Message::Text(text), _) => Cow::Borrowed(text.as_bytes()),
            (Message::Binary(bytes), BinaryOutput::Raw) => Cow::Borrowed(bytes),
            (Message::Binary(bytes), BinaryOutput::Base64) => Cow::Owned(BASE64.encode(bytes).into_bytes()),
            (Message::Binary(bytes), BinaryOutput::Hex) => Cow::Owned(hex(bytes).into_bytes()),
        };
        let Some(separator) = self.framing.separator() else {
            if self.framing == OutFraming::LengthPrefixed {
                let length = u32::try_from(payload.len()).expect("a message above 4 GiB is never received");
                out.extend_from_slice(&length.to_be_bytes());
            }
            out.extend_from_slice(&payload);
            return Encoded::Exact;
        };
        let inside = memchr::memchr(separator, &payload).is_some();
        let encoded = match self.newlines {
            Newlines::Error if inside => return Encoded::Refused,
            Newlines::Escape => {
                escape(&payload, separator, out);
                Encoded::Exact
            }
            Newlines::Keep | Newlines::Error => {
                out.extend_from_slice(&payload);
                if inside { Encoded::Ambiguous } else { Encoded::Exact }
            }
        };
        out.push(separator);
        encoded
    }
}

fn json_line(message: &Message) -> String {
    let string = |text| serde_json::Value::from(text);
    match message {
        Message::Text(text) => format!("{{\"type\":\"text\",\"data\":{}}}\n", string(text.as_str())),
        Message::Binary(bytes) => {
            format!("{{\"type\":\"binary\",\"base64\":{}}}\n", string(BASE64.encode(bytes).as_str()))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// What stands for the separator behind a backslash.
const fn letter(separator: u8) -> u8 {
    if separator == 0 { b'0' } else { b'n' }
}

fn escape(payload: &[u8], separator: u8, out: &mut Vec<u8>) {
    for &byte in payload {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ if byte == separator => out.extend_from_slice(&[b'\\', letter(separator)]),
            _ => out.push(byte),
        }
    }
}

/// Undoes [`Newlines::Escape`]; a backslash before anything else is an error.
pub(crate) fn unescape(frame: &[u8], separator: u8) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(frame.len());
    let mut bytes = frame.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match (byte, byte == b'\\') {
            (_, false) => byte,
            (_, true) => match bytes.next() {
                Some(b'\\') => b'\\',
                Some(&escaped) if escaped == letter(separator) => separator,
                _ => {
                    return Err(format!(
                        "after a backslash only \\ or {} may follow with --newlines escape",
                        char::from(letter(separator))
                    ));
                }
            },
        });
    }
    Ok(out)
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
