//! Decompression (RFC 7692 §7.2.2).

use super::{TAIL, window::Window};
use bytes::BytesMut;
use core::fmt;
use zlib_rs::{Inflate, InflateFlush, Status};

/// What stands behind each message: its missing tail, and an empty final block. The stream ends exactly here if, and only
/// if, the message consists of whole blocks; a message cut inside a block is told apart by this.
const END: [u8; 9] = {
    let [a, b, c, d] = TAIL;
    [a, b, c, d, 0x01, a, b, c, d]
};

/// The furthest that DEFLATE reaches back (RFC 1951 §2), in bytes.
const REACH: usize = 32 * 1024;

/// Behind a final block the window is loaded anew, which costs a copy of [`REACH`] bytes: a message may have so many final
/// blocks, and one more for each KiB it inflates to.
const FINAL_BLOCKS: usize = 4096;

/// The largest piece of output made room for at a time, in bytes: stays in the first-level cache between zeroing and filling.
const PIECE: usize = 32 * 1024;

/// Why a message does not inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is no DEFLATE data, ends inside a block, or reaches behind the start of its window.
    Invalid,
    /// It inflates to more than the limit.
    TooBig,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "a compressed message that does not inflate (RFC 7692 §7.2.2)",
            Self::TooBig => "a compressed message that inflates to more than the limit",
        })
    }
}

impl core::error::Error for InflateError {}

/// A decompressor that any number of connections share: what must outlast a message is in the connection's [`Window`].
pub struct Inflater {
    engine: Inflate,
    /// A message given to [`Inflater::feed`] is unfinished.
    open: bool,
    /// The last block so far was final, and nothing came behind it.
    ended: bool,
    produced: usize,
    final_blocks: usize,
}

impl Inflater {
    /// The bytes that an inflater pins.
    pub const FOOTPRINT: usize = 48 * 1024;

    /// A decompressor for any window bits.
    pub fn new() -> Self {
        Self { engine: Inflate::new(false, 15), open: false, ended: false, produced: 0, final_blocks: 0 }
    }

    /// Inflates the whole message `compressed` (without its tail, as it came) and appends it to `out`.
    ///
    /// `limit` is the most bytes that it may inflate to. `window` is the connection's, with context takeover; without one
    /// the message is taken to start afresh. `out` never gets more capacity than what it held before, `limit` and 1 byte.
    ///
    /// # Errors
    /// [`InflateError`]; `out` is then as it was, and the connection must be failed.
    pub fn inflate_message(
        &mut self,
        compressed: &[u8],
        out: &mut BytesMut,
        limit: usize,
        window: Option<&mut Window>,
    ) -> Result<(), InflateError> {
        self.start(window.as_deref());
        let start = out.len();
        let result = self.run(compressed, out, limit, window.as_deref()).and_then(|()| self.finish());
        self.open = false;
        if result.is_err() {
            out.truncate(start);
        } else if let Some(window) = window {
            window.push(&out[start..]);
            window.end_message();
        }
        result
    }

    /// Inflates the next piece of a message that comes in pieces, and appends what it gives to `out`.
    ///
    /// `limit` is for the whole message. Until the piece with `fin` this inflater belongs to this message; `window` is the
    /// same for all pieces: the connection's with context takeover, else [`Window::for_one_message`].
    ///
    /// # Errors
    /// [`InflateError`]; `out` is then as it was before this piece, and the connection must be failed.
    pub fn feed(
        &mut self,
        piece: &[u8],
        fin: bool,
        out: &mut BytesMut,
        limit: usize,
        window: &mut Window,
    ) -> Result<(), InflateError> {
        if !self.open {
            self.start(Some(window));
        }
        let start = out.len();
        let mut result = self.run(piece, out, limit, Some(window));
        if fin {
            result = result.and_then(|()| self.finish());
        }
        self.open = !fin && result.is_ok();
        if result.is_err() {
            out.truncate(start);
        } else {
            window.push(&out[start..]);
            if fin {
                window.end_message();
            }
        }
        result
    }

    /// Gives up an unfinished message.
    pub fn reset(&mut self) {
        self.open = false;
    }

    fn start(&mut self, window: Option<&Window>) {
        self.open = true;
        self.produced = 0;
        self.final_blocks = 0;
        self.load(window, &[]);
    }

    /// Starts a DEFLATE stream whose window holds `window` and, behind it, `recent`. A full window of 32 KiB costs 0.8 µs, which
    /// is the price for pinning no inflater per connection.
    fn load(&mut self, window: Option<&Window>, recent: &[u8]) {
        self.ended = false;
        self.engine.reset(false);
        let recent = &recent[recent.len().saturating_sub(REACH)..];
        if let Some(window) = window.filter(|_| recent.len() < REACH) {
            for part in window.parts() {
                self.extend(part);
            }
        }
        self.extend(recent);
    }

    fn extend(&mut self, history: &[u8]) {
        if !history.is_empty() {
            let set = self.engine.set_dictionary(history);
            debug_assert!(set.is_ok(), "raw inflate takes a dictionary at any time");
        }
    }

    /// Inflates all of `input`. `window` is what precedes the bytes that this call appends to `out`.
    fn run(
        &mut self,
        mut input: &[u8],
        out: &mut BytesMut,
        limit: usize,
        window: Option<&Window>,
    ) -> Result<(), InflateError> {
        let start = out.len();
        let mut room = input.len().saturating_mul(4).clamp(256, PIECE);
        while !input.is_empty() {
            if self.ended {
                self.load(window, &out[start..]);
            }
            loop {
                let filled = out.len();
                // One byte more than the limit, so that a message beyond it shows.
                let most = limit.saturating_sub(self.produced).saturating_add(1);
                room = room.min(most);
                make_room(out, room, most);
                out.resize(filled + room, 0);
                let (before_in, before_out) = (self.engine.total_in(), self.engine.total_out());
                let status = self.engine.decompress(input, &mut out[filled..], InflateFlush::NoFlush);
                let used = difference(self.engine.total_in(), before_in);
                let made = difference(self.engine.total_out(), before_out);
                out.truncate(filled + made);
                input = &input[used..];
                self.produced += made;
                if self.produced > limit {
                    return Err(InflateError::TooBig);
                }
                match status {
                    Err(_) => return Err(InflateError::Invalid),
                    Ok(Status::StreamEnd) => {
                        self.final_block()?;
                        break;
                    }
                    // The engine holds back what did not fit.
                    Ok(_) if made == room => room = self.produced.clamp(256, PIECE),
                    Ok(_) if input.is_empty() => break,
                    Ok(_) if used == 0 => return Err(InflateError::Invalid),
                    Ok(_) => {}
                }
            }
        }
        Ok(())
    }

    /// A final block is an end of the DEFLATE stream, not of the message (RFC 7692 §7.2.3.4).
    fn final_block(&mut self) -> Result<(), InflateError> {
        self.ended = true;
        self.final_blocks += 1;
        if self.final_blocks > FINAL_BLOCKS + self.produced / 1024 {
            return Err(InflateError::Invalid);
        }
        Ok(())
    }

    /// Holds the message to an end between two blocks. A message that ends with a final block needs no tail.
    fn finish(&mut self) -> Result<(), InflateError> {
        if self.ended {
            return Ok(());
        }
        let (before_in, before_out) = (self.engine.total_in(), self.engine.total_out());
        // An empty payload fails here too: even an empty message is one byte (RFC 7692 §7.2.3.6).
        let status = self.engine.decompress(&END, &mut [0; 16], InflateFlush::NoFlush);
        let used = difference(self.engine.total_in(), before_in);
        let made = difference(self.engine.total_out(), before_out);
        match status {
            Ok(Status::StreamEnd) if used == END.len() && made == 0 => Ok(()),
            _ => Err(InflateError::Invalid),
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("open", &self.open)
            .field("produced", &self.produced)
            .finish_non_exhaustive()
    }
}

/// Grows `out` geometrically, but not beyond `most` bytes behind what it holds.
fn make_room(out: &mut BytesMut, room: usize, most: usize) {
    if !out.try_reclaim(room) {
        let capacity =
            out.capacity().saturating_mul(2).min(out.len().saturating_add(most)).max(out.len() + room);
        let mut larger = BytesMut::with_capacity(capacity);
        larger.extend_from_slice(out);
        *out = larger;
    }
}

/// The progress of one of the engine's counters; within a call it is never more than a slice is long.
fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).unwrap_or(usize::MAX)
}
