//! What is told, and where it goes: messages to stdout exactly, everything else to stderr.

use super::display::Display;
use super::framing::{Encoded, Encoder, OutFraming};
use super::queue::Queue;
use super::session::{Handshake, Message};
use crate::ui::{escape, json};
use bytes::Bytes;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// A message, and when it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: Message,
    /// Since the connection opened.
    pub(crate) at: Duration,
    /// Since the last message, sent or received.
    pub(crate) since: Duration,
}

/// Something to tell.
#[derive(Debug)]
pub(crate) enum Item {
    Connected(Rc<Handshake>),
    Received(Received),
    Ping(Bytes),
    /// The answer to a ping; `asked` when the user sent that ping.
    Pong {
        payload: Bytes,
        round_trip: Option<Duration>,
        asked: bool,
    },
    /// What may surprise.
    Warning(String),
    /// The answer to a command.
    Reply(String),
    /// The whole handshake, on demand.
    Headers(Rc<Handshake>),
    ToggleJson,
}

impl Item {
    /// Bytes of payload that wait with it.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Received(received) => received.message.len(),
            _ => 0,
        }
    }
}

/// Why nothing more can be written.
#[derive(Debug)]
pub(crate) enum OutputError {
    /// The reader has gone (EPIPE).
    Gone,
    /// One sentence.
    Failed(String),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Gone,
            _ => Self::Failed(format!("stdout can't be written: {error}")),
        }
    }
}

/// Where items go.
pub(crate) trait Output {
    /// Takes an item; what it writes may stay in memory until [`flush`](Self::flush).
    fn write(&mut self, item: Item) -> Result<(), OutputError>;

    /// Bytes that wait for a flush.
    fn buffered(&self) -> usize;

    /// Writes all of it.
    async fn flush(&mut self) -> Result<(), OutputError>;
}

/// Bytes gathered before a write.
const BATCH: usize = 64 * 1024;

/// Moves everything from the queue to the output; what has come together is written together.
pub(crate) async fn print<O: Output>(output: &mut O, queue: &Queue) -> Result<(), OutputError> {
    while let Some(item) = queue.pop().await {
        let mut next = Some(item);
        let mut refused = Ok(());
        while let Some(item) = next.take() {
            refused = output.write(item);
            if refused.is_ok() && output.buffered() < BATCH {
                next = queue.try_pop();
            }
        }
        // What came before a message that can't be written is written all the same.
        output.flush().await?;
        refused?;
    }
    Ok(())
}

/// stdout and stderr of a run in a pipe.
pub(crate) struct PipeOutput<W, E> {
    stdout: W,
    stderr: E,
    encoder: Encoder,
    display: Display,
    /// stdout is a terminal: nothing of the peer may command it.
    is_terminal: bool,
    buffer: Vec<u8>,
    warned: bool,
    count: u64,
}

impl<W: AsyncWrite + Unpin, E: io::Write> PipeOutput<W, E> {
    pub(crate) fn new(stdout: W, stderr: E, encoder: Encoder, display: Display, is_terminal: bool) -> Self {
        Self { stdout, stderr, encoder, display, is_terminal, buffer: Vec::new(), warned: false, count: 0 }
    }

    fn received(&mut self, received: &Received) -> Result<(), OutputError> {
        self.count += 1;
        if self.display.options.timings {
            let line = Display::timing_line(self.count, received);
            self.tell(&line);
        }
        if self.is_terminal {
            return self.received_on_terminal(&received.message);
        }
        let encoded = self.encoder.encode(&received.message, &mut self.buffer);
        self.judge(encoded)
    }

    fn received_on_terminal(&mut self, message: &Message) -> Result<(), OutputError> {
        if let Some(json) = self.display.json(message) {
            self.buffer.extend_from_slice(json.as_bytes());
            self.buffer.push(b'\n');
            return Ok(());
        }
        let mut bytes = Vec::new();
        let encoded = self.encoder.encode(message, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        match text.strip_suffix('\n') {
            Some(object) if self.encoder.framing == OutFraming::Json => {
                self.buffer.extend_from_slice(json::safe(object).as_bytes());
                self.buffer.push(b'\n');
            }
            _ => self.buffer.extend_from_slice(escape::visible(&text, true).as_bytes()),
        }
        self.judge(encoded)
    }

    fn judge(&mut self, encoded: Encoded) -> Result<(), OutputError> {
        let (name, instead) = match self.encoder.framing.separator() {
            Some(0) => ("NUL byte", "--length-prefixed"),
            _ => ("newline", "--null"),
        };
        match encoded {
            Encoded::Exact => Ok(()),
            Encoded::Ambiguous if self.warned => Ok(()),
            Encoded::Ambiguous => {
                self.warned = true;
                let warning = format!(
                    "a message with a {name} inside was written as it is: use {instead} or --newlines escape to tell where each ends"
                );
                self.write(Item::Warning(warning))
            }
            Encoded::Refused => Err(OutputError::Failed(format!(
                "message {} from the server has a {name} inside: use {instead} or --newlines escape",
                self.count
            ))),
        }
    }

    fn tell(&mut self, text: &str) {
        for line in text.lines() {
            // Where stderr is gone there is nobody left to tell.
            let _ = writeln!(self.stderr, "tidewire: {line}");
        }
    }
}

impl<W: AsyncWrite + Unpin, E: io::Write> Output for PipeOutput<W, E> {
    fn write(&mut self, item: Item) -> Result<(), OutputError> {
        match item {
            Item::Received(received) => return self.received(&received),
            // A pipe has no reader who waits for this.
            Item::Connected(_) if !self.display.options.verbose && !self.display.options.timings => {}
            item => {
                if let Some(text) = self.display.status(&item) {
                    self.tell(&text);
                }
            }
        }
        Ok(())
    }

    fn buffered(&self) -> usize {
        self.buffer.len()
    }

    async fn flush(&mut self) -> Result<(), OutputError> {
        if !self.buffer.is_empty() {
            self.stdout.write_all(&self.buffer).await?;
            self.stdout.flush().await?;
            self.buffer.clear();
            self.buffer.shrink_to(BATCH);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::display::DisplayOptions;
    use super::super::framing::{BinaryOutput, Newlines};
    use super::*;
    use crate::ui::style::Palette;

    #[tokio::test]
    async fn json_on_a_terminal_stays_json() {
        let encoder =
            Encoder { framing: OutFraming::Json, binary: BinaryOutput::Base64, newlines: Newlines::Keep };
        let display = Display::new(DisplayOptions::default(), Palette::plain());
        let mut stdout = Vec::new();
        let mut output = PipeOutput::new(&mut stdout, Vec::new(), encoder, display, true);
        let message = Message::Text("\u{9b}2J".into());
        let (at, since) = (Duration::ZERO, Duration::ZERO);
        output.write(Item::Received(Received { message, at, since })).unwrap();
        output.flush().await.unwrap();
        let line = String::from_utf8(stdout).unwrap();
        assert!(line.ends_with('\n') && line.contains("\\u009b2J"), "{line}");
        assert!(line.parse::<serde_json::Value>().unwrap().to_string().contains("\u{9b}2J"));
    }
}
