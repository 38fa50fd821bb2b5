//! Reading the response to an opening handshake.

use super::ConnectError;
use std::{io, time::Duration};
use tidewire_proto::handshake::{HeadError, HeadLimits, HeadScanner, HeaderView, ResponseHead};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};

/// What a head is read into at first; most fit.
const FIRST: usize = 1024;
/// Of a refusal's body this many bytes are kept, to be shown.
const BODY: usize = 4096;
/// How long is waited for that body.
const PATIENCE: Duration = Duration::from_secs(1);

/// Gathers the bytes of a response.
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// Where the head that is looked for begins, behind interim responses.
    begin: usize,
    scanner: HeadScanner,
    limits: HeadLimits,
}

/// Why there is no head.
pub(super) enum Failure {
    /// The server ended the connection.
    Ended,
    /// The connection broke.
    Io(io::Error),
    /// What came is no head.
    Head(HeadError),
}

impl Reader {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { bytes: Vec::with_capacity(FIRST), begin: 0, scanner: HeadScanner::new(), limits }
    }

    /// Whether nothing has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The head of the final response; interim ones are skipped (RFC 9110 §15.2).
    pub(super) async fn head(&mut self, io: &mut (impl AsyncRead + Unpin)) -> Result<ResponseHead, Failure> {
        loop {
            while let Some(head) = self.next_head().map_err(Failure::Head)? {
                if !head.is_interim() {
                    return Ok(head);
                }
            }
            match io.read_buf(&mut self.bytes).await {
                Ok(0) => return Err(Failure::Ended),
                Ok(_) => {}
                Err(error) => return Err(Failure::Io(error)),
            }
        }
    }

    /// The next head, where all of it has come. All heads together have the room of one.
    fn next_head(&mut self) -> Result<Option<ResponseHead>, HeadError> {
        let bytes = &self.bytes[self.begin..];
        let limits = HeadLimits { bytes: self.limits.bytes - self.begin, ..self.limits };
        let whole = |error| match error {
            HeadError::TooLarge(_) => HeadError::TooLarge(self.limits.bytes),
            error => error,
        };
        if self.scanner.find(bytes, &limits).map_err(whole)?.is_none() {
            // Other protocols may never send an empty line.
            let is_http = bytes.iter().zip(b"HTTP/").all(|(have, wanted)| have == wanted);
            return if is_http { Ok(None) } else { Err(HeadError::StartLine) };
        }
        let Some((head, length)) = ResponseHead::parse(bytes, &limits).map_err(whole)? else {
            return Ok(None);
        };
        self.begin += length;
        self.scanner = HeadScanner::new();
        Ok(Some(head))
    }

    /// Reads the beginning of a refusal's body, as far as it comes soon: it may say what to do.
    pub(super) async fn body(
        &mut self,
        io: &mut (impl AsyncRead + Unpin),
        head: &ResponseHead,
        deadline: Instant,
    ) {
        let length = head.headers().one("Content-Length").ok().flatten();
        let length = length.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(BODY);
        let end = self.begin + length.min(BODY);
        let reading = async {
            while self.bytes.len() < end && io.read_buf(&mut self.bytes).await.is_ok_and(|count| count > 0) {}
        };
        // What has come by then is shown; the error is known already.
        let _in_time = timeout_at(deadline.min(Instant::now() + PATIENCE), reading).await;
        self.bytes.truncate(end);
    }

    /// The server ended the connection before the end of a head.
    pub(super) fn ended(&self) -> ConnectError {
        ConnectError::Ended { received: self.bytes.clone() }
    }

    /// All bytes that came, and where the last head ends in them.
    pub(super) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, self.begin)
    }
}
