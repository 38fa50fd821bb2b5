//! Where messages come from: stdin, cut into frames and read as text, binary, base64 or hexadecimal.

use super::codec;
use super::command::Action;
use super::framing::{Framer, Framing, unescape};
use super::session::Message;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What the run loop takes its actions from.
pub(crate) trait Input {
    /// The next action; `None` after the last. Cancel-safe.
    ///
    /// # Errors
    /// One sentence: what of the input can't be used. Nothing follows it.
    async fn next(&mut self) -> Result<Option<Action>, String>;

    /// Whether a person sits there: told what happens, and able to stop it while no connection is open.
    fn is_interactive(&self) -> bool;

    /// Whether bytes were read that no action has come of.
    fn has_rest(&self) -> bool;
}

/// What the bytes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoding {
    Text,
    Binary,
    Base64,
    Hex,
}

/// A pipe, a file, or a terminal without the editor.
pub(crate) struct PipeInput<R> {
    reader: R,
    framer: Framer,
    decoding: Decoding,
    /// The separator that `--newlines escape` hides.
    escaped: Option<u8>,
    /// Messages read, for complaints.
    count: u64,
    ended: bool,
}

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

impl<R: AsyncRead + Unpin> PipeInput<R> {
    pub(crate) fn new(reader: R, framing: Framing, decoding: Decoding, escape: bool) -> Self {
        let escaped = match framing {
            Framing::Separated(separator) if escape => Some(separator),
            _ => None,
        };
        Self { reader, framer: Framer::new(framing), decoding, escaped, count: 0, ended: false }
    }

    fn message(&mut self, frame: Bytes) -> Result<Action, String> {
        self.count += 1;
        let frame = match self.escaped {
            Some(separator) => unescape(&frame, separator).map(Bytes::from),
            None => Ok(frame),
        };
        let message = frame.and_then(|frame| match self.decoding {
            Decoding::Text => match String::from_utf8(frame.into()) {
                Ok(text) => Ok(Message::Text(text)),
                Err(error) => Err(format!(
                    "its byte {} is not UTF-8: send bytes with --binary",
                    error.utf8_error().valid_up_to() + 1
                )),
            },
            Decoding::Binary => Ok(Message::Binary(frame)),
            Decoding::Base64 => codec::base64(&frame).map(|bytes| Message::Binary(bytes.into())),
            Decoding::Hex => codec::hex(&frame).map(|bytes| Message::Binary(bytes.into())),
        });
        message
            .map(Action::Send)
            .map_err(|why| format!("message {} of stdin can't be sent: {why}", self.count))
    }
}

impl<R: AsyncRead + Unpin> Input for PipeInput<R> {
    fn has_rest(&self) -> bool {
        !self.framer.is_empty()
    }

    async fn next(&mut self) -> Result<Option<Action>, String> {
        loop {
            if self.ended {
                return Ok(None);
            }
            if let Some(frame) = self.framer.next().map_err(|error| error.to_string())? {
                return self.message(frame).map(Some);
            }
            let buffer = self.framer.buffer();
            buffer.reserve(CHUNK);
            let read = self.reader.read_buf(buffer).await;
            if read.map_err(|error| format!("stdin can't be read: {error}"))? == 0 {
                self.ended = true;
                let last = self.framer.finish().map_err(|error| error.to_string())?;
                return last.map(|frame| self.message(frame)).transpose();
            }
        }
    }

    fn is_interactive(&self) -> bool {
        false
    }
}

/// Nothing to send.
pub(crate) struct NoInput;

impl Input for NoInput {
    fn has_rest(&self) -> bool {
        false
    }

    async fn next(&mut self) -> Result<Option<Action>, String> {
        Ok(None)
    }

    fn is_interactive(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(
        stdin: &[u8],
        framing: Framing,
        decoding: Decoding,
        escape: bool,
    ) -> Result<Vec<Action>, String> {
        let mut input = PipeInput::new(stdin, framing, decoding, escape);
        let mut actions = Vec::new();
        while let Some(action) = input.next().await? {
            actions.push(action);
        }
        Ok(actions)
    }

    const LINES: Framing = Framing::Separated(b'\n');

    fn binary(bytes: &[u8]) -> Action {
        Action::Send(Message::Binary(Bytes::copy_from_slice(bytes)))
    }

    #[tokio::test]
    async fn frames_become_messages() {
        let text = |text: &str| Action::Send(Message::Text(text.into()));
        assert_eq!(all(b"/ping\nb", LINES, Decoding::Text, false).await.unwrap(), [text("/ping"), text("b")]);
        assert_eq!(all(b"a\\nb\n", LINES, Decoding::Text, true).await.unwrap(), [text("a\nb")]);
        assert_eq!(all(b"\xff\n", LINES, Decoding::Binary, false).await.unwrap(), [binary(b"\xff")]);
        assert_eq!(all(b"AP8=\n", LINES, Decoding::Base64, false).await.unwrap(), [binary(b"\x00\xff")]);
        assert_eq!(all(b"00ff\r\n", LINES, Decoding::Hex, false).await.unwrap(), [binary(b"\x00\xff")]);
    }

    #[tokio::test]
    async fn complaints_name_the_message_and_the_byte() {
        assert_eq!(
            all(b"ok\nab\xff\n", LINES, Decoding::Text, false).await.unwrap_err(),
            "message 2 of stdin can't be sent: its byte 3 is not UTF-8: send bytes with --binary"
        );
        assert!(all(b"\0\0\0\x05a", Framing::LengthPrefixed, Decoding::Text, false).await.is_err());
    }
}
