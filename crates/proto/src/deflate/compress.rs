//! Compression (RFC 7692 §7.2.1).

use super::TAIL;
use bytes::BytesMut;
use core::fmt;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

/// The largest piece of output made room for at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// A compressor: one that connections share, each message without context, or one that a connection holds.
pub struct Compressor {
    engine: Deflate,
    footprint: usize,
    /// The engine's window holds something of an earlier message.
    used: bool,
    /// Bytes of the message given to [`Compressor::compress_piece`] so far; `None` between messages.
    open: Option<usize>,
}

impl Compressor {
    /// The level that pays best for chat messages: the fastest.
    pub const LEVEL: u8 = 1;

    /// The memory level without a reason for another: 32 KiB of buffers. It has no part in the cost of a new message.
    pub const MEM_LEVEL: u8 = 6;

    /// A compressor whose output never reaches back further than 2^`window_bits` bytes.
    ///
    /// `level` is 1, fastest, to 9, smallest; `mem_level` is 1, least memory, to 9.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15, or a level is not 1–9.
    pub fn new(window_bits: u8, level: u8, mem_level: u8) -> Self {
        assert!(
            matches!(level, 1..=9) && matches!(mem_level, 1..=9),
            "compression and memory levels are 1 to 9"
        );
        let engine = Deflate::new_with_config(DeflateConfig {
            level: level.into(),
            window_bits: -i32::from(engine_bits(window_bits)),
            mem_level: mem_level.into(),
            ..DeflateConfig::default()
        });
        Self { engine, footprint: Self::footprint(window_bits, mem_level), used: false, open: None }
    }

    /// The bytes that a compressor pins: two windows and their links, the hash table, the buffers of its memory level.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub const fn footprint(window_bits: u8, mem_level: u8) -> usize {
        let window = 1 << engine_bits(window_bits);
        let literals = 1 << (mem_level as usize + 6);
        4 * window + 128 * 1024 + 7 * literals + 8 * 1024
    }

    /// The bytes that this compressor pins.
    pub fn pinned(&self) -> usize {
        self.footprint
    }

    /// Compresses `payload` as a whole message and appends it, without its tail, to `out`.
    ///
    /// Without `takeover` nothing of an earlier message has a part in the output; neither has, ever, a message given up.
    pub fn compress_message(&mut self, payload: &[u8], out: &mut BytesMut, takeover: bool) {
        if self.open.is_some() {
            self.reset();
        }
        self.compress_piece(payload, true, out, takeover);
    }

    /// Compresses the next piece of a message and appends what it gives, which may be nothing yet, to `out`.
    ///
    /// Until the piece with `fin` this compressor belongs to this message; `takeover` counts at its first piece.
    pub fn compress_piece(&mut self, payload: &[u8], fin: bool, out: &mut BytesMut, takeover: bool) {
        if self.open.is_none() && !takeover {
            self.forget();
        }
        let total = self.open.unwrap_or(0).saturating_add(payload.len());
        self.open = (!fin).then_some(total);
        if total == 0 {
            if fin {
                // An empty stored block without its tail (RFC 7692 §7.2.3.6).
                out.extend_from_slice(&[0]);
            }
            return;
        }
        self.used = true;
        let start = out.len();
        self.run(payload, if fin { DeflateFlush::SyncFlush } else { DeflateFlush::NoFlush }, out);
        if fin {
            debug_assert!(out[start..].ends_with(&TAIL), "a sync flush ends with an empty stored block");
            out.truncate(out.len() - TAIL.len());
        }
    }

    /// Gives up an unfinished message and forgets all earlier ones.
    pub fn reset(&mut self) {
        if self.open.take().is_some() && self.used {
            // The engine's own reset would take an open block over into the next message.
            let mut nobody = BytesMut::new();
            self.run(&[], DeflateFlush::SyncFlush, &mut nobody);
        }
        self.forget();
    }

    /// Zeroes the engine's hash table, 128 KiB at any level, memory level and window: 1.3–2.1 µs of the 4–5 µs that 1 KiB of JSON
    /// takes at level 1 (`examples/deflate_speed.rs`).
    fn forget(&mut self) {
        if self.used {
            self.engine.reset();
            self.used = false;
        }
    }

    fn run(&mut self, mut input: &[u8], flush: DeflateFlush, out: &mut BytesMut) {
        // The fixed codes need 9 bits for a byte at most.
        let mut room = (input.len() + input.len() / 8 + 64).min(PIECE);
        loop {
            let filled = out.len();
            out.resize(filled + room, 0);
            let (before_in, before_out) = (self.engine.total_in(), self.engine.total_out());
            let status = self.engine.compress(input, &mut out[filled..], flush);
            debug_assert!(status.is_ok(), "the engine's state is sound");
            let made = usize::try_from(self.engine.total_out() - before_out).unwrap_or(room);
            input = &input[usize::try_from(self.engine.total_in() - before_in).unwrap_or(input.len())..];
            out.truncate(filled + made);
            if made < room {
                debug_assert!(input.is_empty(), "the engine takes all input while there is room");
                return;
            }
            room = PIECE;
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("open", &self.open)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// The engine has no window of 256 bytes. Its window of 512 serves: a match reaches back at most the window less 262 bytes
/// (the longest match and its look-ahead), which is 250.
const fn engine_bits(window_bits: u8) -> u8 {
    assert!(matches!(window_bits, 8..=15), "window bits are 8 to 15 (RFC 7692 §7.1.2)");
    if window_bits < 9 { 9 } else { window_bits }
}
