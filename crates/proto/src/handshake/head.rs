//! A request's or response's head of HTTP/1.1, kept as it was received (RFC 9112 §2–5).

use super::fields::HeaderView;
use super::grammar::{token, trim};
use super::scan::{HeadError, HeadLimits, HeadScanner, Place};
use super::target::{Target, TargetError};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use core::ops::Range;

/// The versions of HTTP that a head is read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// The header fields of a head: names as received, in the order received, values as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    bytes: Box<[u8]>,
    fields: Box<[(Range<u32>, Range<u32>)]>,
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    method: String,
    target: String,
    version: Version,
    headers: Headers,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    status: u16,
    reason: String,
    version: Version,
    headers: Headers,
}

impl RequestHead {
    /// Reads the head at the beginning of `bytes`: the head and how many bytes it took, or `None` where its end has not
    /// come. Each call looks at all bytes; where they trickle in, ask a [`HeadScanner`] for the end first.
    ///
    /// # Errors
    /// The bytes are no head, or one past the limits. `Refusal::from` answers it.
    pub fn parse(bytes: &[u8], limits: &HeadLimits) -> Result<Option<(Self, usize)>, HeadError> {
        let Some(end) = HeadScanner::new().find(bytes, limits)? else { return Ok(None) };
        let bytes = &bytes[..end];
        let mut slots = vec![httparse::EMPTY_HEADER; count_lines(bytes)];
        let mut request = httparse::Request::new(&mut slots);
        request.parse(bytes).map_err(|error| explain(error, bytes))?;
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(HeadError::StartLine);
        };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HeadError::StartLine);
        }
        let head = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version(request.version)?,
            headers: Headers::new(request.headers),
        };
        Ok(Some((head, end)))
    }

    /// The method, in the case it came in.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The request target as it came.
    pub fn raw_target(&self) -> &str {
        &self.target
    }

    /// The request target, taken apart.
    ///
    /// # Errors
    /// The target is not one of a WebSocket request (RFC 9112 §3.2.1, §3.2.2).
    pub fn target(&self) -> Result<Target<'_>, TargetError> {
        Target::parse(&self.target)
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The header fields.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

impl ResponseHead {
    /// Reads the head at the beginning of `bytes`: the head and how many bytes it took, or `None` where its end has not
    /// come. Each call looks at all bytes; where they trickle in, ask a [`HeadScanner`] for the end first.
    ///
    /// # Errors
    /// The bytes are no head, or one past the limits.
    pub fn parse(bytes: &[u8], limits: &HeadLimits) -> Result<Option<(Self, usize)>, HeadError> {
        let Some(end) = HeadScanner::new().find(bytes, limits)? else { return Ok(None) };
        let bytes = &bytes[..end];
        if bytes.starts_with(b"\r\n") {
            return Err(HeadError::EmptyStart);
        }
        let mut slots = vec![httparse::EMPTY_HEADER; count_lines(bytes)];
        let mut response = httparse::Response::new(&mut slots);
        response.parse(bytes).map_err(|error| explain(error, bytes))?;
        let head = Self {
            status: response.code.filter(|code| *code >= 100).ok_or(HeadError::StartLine)?,
            reason: response.reason.unwrap_or_default().to_owned(),
            version: version(response.version)?,
            headers: Headers::new(response.headers),
        };
        Ok(Some((head, end)))
    }

    /// The status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; empty where it is missing or not ASCII.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Whether the final response is yet to come behind this one: 1xx other than 101 (RFC 9110 §15.2).
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// The header fields.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}

impl Headers {
    fn new(headers: &[httparse::Header<'_>]) -> Self {
        let size = headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        let mut bytes = alloc::vec::Vec::with_capacity(size);
        let mut push = |part: &[u8]| {
            let start = offset(bytes.len());
            bytes.extend_from_slice(part);
            start..offset(bytes.len())
        };
        let fields =
            headers.iter().map(|header| (push(header.name.as_bytes()), push(trim(header.value)))).collect();
        Self { bytes: bytes.into_boxed_slice(), fields }
    }

    /// Names and values, as received and in the order received.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| {
            // httparse lets only tokens be names, and these are ASCII.
            (core::str::from_utf8(self.slice(name)).unwrap_or_default(), self.slice(value))
        })
    }

    /// How many header lines there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no header line.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}

impl HeaderView for Headers {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("HeadLimits::bytes is far below 4 GiB")
}

fn count_lines(head: &[u8]) -> usize {
    head.split(|&byte| byte == b'\n').count()
}

fn version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(HeadError::Version),
    }
}

/// Says in our words, and more exactly, why httparse refused a head.
fn explain(error: httparse::Error, head: &[u8]) -> HeadError {
    match error {
        httparse::Error::Version => HeadError::Version,
        httparse::Error::HeaderName | httparse::Error::HeaderValue => explain_header(head),
        _ => HeadError::StartLine,
    }
}

fn explain_header(head: &[u8]) -> HeadError {
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let bare = trim(name);
        if let Some(bare_name) = token(bare).filter(|_| bare.len() < name.len() && name.len() < line.len()) {
            return HeadError::SpaceBeforeColon(Place::Header(bare_name.to_owned()));
        }
    }
    HeadError::HeaderName
}
