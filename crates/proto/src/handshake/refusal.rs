//! The answer to a request that does not become a WebSocket: a status, headers, and a text that says what to do.

use super::fields::Fields;
use super::scan::HeadError;
use super::target::TargetError;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A response other than 101. The connection is closed behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, 200–599; any other is sent as 500.
    pub status: u16,
    /// Headers beside Content-Type, Content-Length and Connection, which [`to_bytes`](Self::to_bytes) writes.
    pub headers: Fields,
    /// The body, plain text.
    pub body: String,
    /// A line for the log of the server: the body's words, or more.
    pub log: String,
}

impl Refusal {
    /// A refusal with a text for whoever sent the request.
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        let log = text.into();
        let body = format!("{log}\n");
        Self { status, headers: Fields::new(), body, log }
    }

    /// The answer of a server of nothing else to a request that does not mean to become a WebSocket.
    pub fn only_websockets() -> Self {
        let text = "This is a WebSocket server: open it with ws:// or wss:// from a WebSocket client.";
        Self::new(426, text).with("Upgrade", "websocket")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push_ours(name, value);
        self
    }

    /// The whole response in HTTP/1.1. The transport is closed behind it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let status = if matches!(self.status, 200..=599) { self.status } else { 500 };
        let mut out = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
        let connection = if self.headers.contains("Upgrade") { "Upgrade, close" } else { "close" };
        // A message of 204 or 304 has no body (RFC 9110 §6.4.1).
        let body = if matches!(status, 204 | 304) { "" } else { &self.body };
        let mut headers = self.headers.clone();
        for name in ["Connection", "Content-Length", "Transfer-Encoding"] {
            headers.remove(name);
        }
        headers.push_ours("Connection", connection);
        if !matches!(status, 204 | 304) {
            if !headers.contains("Content-Type") {
                headers.push_ours("Content-Type", "text/plain; charset=utf-8");
                headers.push_ours("X-Content-Type-Options", "nosniff");
            }
            headers.push_ours("Content-Length", &body.len().to_string());
        }
        headers.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body.as_bytes());
        out
    }
}

impl From<HeadError> for Refusal {
    fn from(error: HeadError) -> Self {
        let status = match error {
            HeadError::TooLarge(_) | HeadError::TooManyHeaders(_) => 431,
            HeadError::Version | HeadError::Http2 => 505,
            _ => 400,
        };
        Self::new(status, format!("The request can't be read: {error}."))
    }
}

impl From<TargetError> for Refusal {
    fn from(error: TargetError) -> Self {
        Self::new(400, format!("The request can't be taken: {error}."))
    }
}

/// The reason phrase of the status codes that refusals carry (RFC 9110 §15, RFC 6585 §5); empty for others.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
