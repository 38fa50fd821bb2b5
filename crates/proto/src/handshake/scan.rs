//! Finds the end of a head in bytes that arrive little by little, and what makes it none (RFC 9112 §2.2, §5).
//!
//! Errors are judged in the order of the bytes, so that they do not depend on how the head was cut in arriving.

use super::grammar::{is_field_byte, token};
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, the empty line included.
    pub bytes: usize,
    /// Header lines.
    pub headers: usize,
}

impl Default for HeadLimits {
    /// 16 KiB and 64 header lines.
    fn default() -> Self {
        Self { bytes: 16 * 1024, headers: 64 }
    }
}

/// Looks for the empty line that ends a head, and at no byte twice.
#[derive(Clone, Debug, Default)]
pub struct HeadScanner {
    at: usize,
    line: usize,
    lines: usize,
}

impl HeadScanner {
    /// A scanner at the beginning of a head.
    pub const fn new() -> Self {
        Self { at: 0, line: 0, lines: 0 }
    }

    /// Where the head ends, behind its empty line; `None` where more bytes are needed. `bytes` is all that has come of
    /// the head so far, from its first byte on. An empty line before the head is taken as a part of it (RFC 9112 §2.2).
    ///
    /// # Errors
    /// The first thing that is no part of a head; the same at each cut of the bytes.
    pub fn find(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let window = &bytes[..bytes.len().min(limits.bytes)];
        while let Some(&byte) = window.get(self.at) {
            let line = &window[self.line..self.at];
            match byte {
                // The content types of a handshake and of an alert (RFC 8446 §5.1).
                0x15 | 0x16 if self.at == 0 => return Err(HeadError::Tls),
                b'\n' => match line {
                    [text @ .., b'\r'] => match text {
                        b"" if self.line == 0 => {}
                        b"" if self.lines == 0 => return Err(HeadError::EmptyStart),
                        b"" => return Ok(Some(self.at + 1)),
                        b"PRI * HTTP/2.0" if self.lines == 0 => return Err(HeadError::Http2),
                        _ if self.lines > limits.headers => {
                            return Err(HeadError::TooManyHeaders(limits.headers));
                        }
                        _ => self.lines += 1,
                    },
                    _ => return Err(HeadError::StrayLf(self.place(line))),
                },
                _ if line.last() == Some(&b'\r') => return Err(HeadError::BareCr(self.place(line))),
                b' ' | b'\t' if line.is_empty() && self.lines > 0 => return Err(HeadError::Folded),
                b'\r' => {}
                _ if !is_field_byte(byte) => return Err(HeadError::Control(byte, self.place(line))),
                _ => {}
            }
            if byte == b'\n' {
                self.line = self.at + 1;
            }
            self.at += 1;
        }
        if bytes.len() >= limits.bytes { Err(HeadError::TooLarge(limits.bytes)) } else { Ok(None) }
    }

    fn place(&self, line: &[u8]) -> Place {
        if self.lines == 0 {
            return Place::StartLine;
        }
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        match token(name).filter(|name| name.len() <= 64 && name.len() < line.len()) {
            Some(name) => Place::Header(name.to_owned()),
            None => Place::Line(self.lines + 1),
        }
    }
}

/// Where in a head something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The request line or status line.
    StartLine,
    /// The header of this name.
    Header(String),
    /// This line, counted from 1.
    Line(usize),
}

/// Why bytes are no head of HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// No end within this many bytes.
    TooLarge(usize),
    /// More header lines than this.
    TooManyHeaders(usize),
    /// A line feed without the carriage return before it.
    StrayLf(Place),
    /// A carriage return without the line feed behind it.
    BareCr(Place),
    /// A control character.
    Control(u8, Place),
    /// A line that begins with white space: obs-fold (RFC 9112 §5.2), or white space before the first header.
    Folded,
    /// White space between a header's name and its colon (RFC 9112 §5.1).
    SpaceBeforeColon(Place),
    /// A header line without a colon, or a name that is no token.
    HeaderName,
    /// A request line or status line that is none.
    StartLine,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// Empty lines in place of the start line.
    EmptyStart,
    /// The beginning of HTTP/2 (RFC 9113 §3.4).
    Http2,
    /// The beginning of TLS.
    Tls,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartLine => f.write_str("the first line"),
            Self::Header(name) => f.write_str(name),
            Self::Line(number) => write!(f, "line {number}"),
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the head is larger than {limit} bytes"),
            Self::TooManyHeaders(limit) => write!(f, "the head has more than {limit} header lines"),
            Self::StrayLf(Place::StartLine) => f.write_str(
                "the first line ends in a line feed alone: each line ends in CR LF (RFC 9112 §2.1)",
            ),
            Self::StrayLf(place) => {
                write!(
                    f,
                    "a stray line feed behind {place}: a line ends in CR LF, and no value holds one (RFC 9112 §2.1)"
                )
            }
            Self::BareCr(place) => {
                write!(f, "a carriage return without its line feed in {place} (RFC 9112 §2.2)")
            }
            Self::Control(byte, place) => {
                write!(f, "a control character, 0x{byte:02x}, in {place} (RFC 9110 §5.5)")
            }
            Self::Folded => {
                f.write_str("a header line begins with white space: folding is not allowed (RFC 9112 §5.2)")
            }
            Self::SpaceBeforeColon(place) => {
                write!(f, "white space before the colon of {place} (RFC 9112 §5.1)")
            }
            Self::HeaderName => f.write_str("a header line without a colon, or with a name that is no token"),
            Self::StartLine => f.write_str("the first line is none of HTTP/1.1 (RFC 9112 §3, §4)"),
            Self::Version => f.write_str("the version is neither HTTP/1.1 nor HTTP/1.0"),
            Self::EmptyStart => f.write_str("empty lines in place of the first line"),
            Self::Http2 => f.write_str("the beginning of HTTP/2; HTTP/1.1 is spoken here"),
            Self::Tls => {
                f.write_str("the beginning of TLS (https, wss); plain HTTP (http, ws) is spoken here")
            }
        }
    }
}

impl core::error::Error for HeadError {}
