//! A message that is not whole yet: its fragments, and the part of a frame that has arrived, in one buffer.

use crate::{
    config::Config,
    copy,
    deflate::{Lease, PieceInflater},
    error::{Error, Limit, Violation},
    message::Kind,
    payload::{self, Masking},
    utf8::Utf8,
};
use alloc::boxed::Box;
use bytes::BytesMut;

/// The least capacity that an unfinished message asks for, in bytes.
const SMALLEST: usize = 256;
/// How many times the bytes that came an unfinished message may hold.
const GROWTH: usize = 4;
/// So much of a message must have come before more is read into its buffer directly.
const EARNEST: usize = 4 * 1024;
/// Less free room than this is not worth a read.
const ROOM: usize = 32 * 1024;

/// A message under way. Fragments are joined as they come, so that a small one costs its bytes and no more.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) kind: Kind,
    pub(crate) compressed: bool,
    pub(crate) started: bool,
    buffer: BytesMut,
    /// Bytes of `buffer` that are unmasked and judged; what follows was read in directly.
    taken: usize,
    /// Payload bytes announced by all frames so far.
    announced: usize,
    fragments: u32,
    judge: Utf8,
    /// At work in a compressed message that is delivered in pieces.
    pub(crate) inflater: Option<Box<PieceInflater>>,
    lease: Option<Lease>,
}

impl Assembly {
    pub(crate) fn new(kind: Kind, compressed: bool) -> Self {
        Self {
            kind,
            compressed,
            started: false,
            buffer: BytesMut::new(),
            taken: 0,
            announced: 0,
            fragments: 0,
            judge: Utf8::default(),
            inflater: None,
            lease: None,
        }
    }

    /// Counts a frame of the message, on its header alone.
    pub(crate) fn begin_frame(&mut self, length: usize, config: &Config) -> Result<(), Limit> {
        self.announced = self.announced.saturating_add(length);
        self.fragments += 1;
        if self.announced > config.limits.message {
            Err(Limit::Message)
        } else if self.fragments > config.limits.fragments {
            Err(Limit::Fragments)
        } else {
            Ok(())
        }
    }

    /// Appends a piece that lies in the caller's buffer.
    pub(crate) fn append(
        &mut self,
        bytes: &mut [u8],
        masking: Option<Masking>,
        config: &Config,
    ) -> Result<(), Error> {
        self.judge(bytes, masking)?;
        self.reserve(bytes.len(), config)?;
        copy::append(&mut self.buffer, bytes);
        self.taken = self.buffer.len();
        Ok(())
    }

    /// Judges a piece without keeping it.
    pub(crate) fn judge(&mut self, bytes: &mut [u8], masking: Option<Masking>) -> Result<(), Violation> {
        let judge = (self.kind == Kind::Text && !self.compressed).then_some(&mut self.judge);
        if payload::take(bytes, masking, judge) { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }

    /// Judges text that came out of the decompressor.
    pub(crate) fn judge_inflated(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if self.kind == Kind::Binary || self.judge.push(bytes) { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }

    /// Whether the text may end here.
    pub(crate) fn check_end(&self) -> Result<(), Violation> {
        if self.judge.is_whole() { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }

    /// Room for at most `left` more bytes, to be read into directly; `None` where too little has come for that, or the
    /// budget has none.
    pub(crate) fn direct(
        &mut self,
        left: usize,
        config: &Config,
    ) -> Option<bytes::buf::Limit<&mut BytesMut>> {
        let (length, capacity) = (self.buffer.len(), self.buffer.capacity());
        let left = left - (length - self.taken);
        if length < EARNEST || left == 0 {
            return None;
        }
        if capacity - length < left.min(ROOM) && capacity <= GROWTH / 2 * length {
            self.grow(length, config).ok()?;
        }
        let free = self.buffer.capacity() - length;
        Some(bytes::BufMut::limit(&mut self.buffer, left.min(free)))
    }

    /// Unmasks and judges what was read in directly; how much it was.
    pub(crate) fn take_direct(&mut self, masking: Option<Masking>) -> Result<usize, Violation> {
        let judge = (self.kind == Kind::Text && !self.compressed).then_some(&mut self.judge);
        let fresh = &mut self.buffer[self.taken..];
        let count = fresh.len();
        if count > 0 && !payload::take(fresh, masking, judge) {
            return Err(Violation::InvalidUtf8);
        }
        self.taken += count;
        Ok(count)
    }

    pub(crate) fn into_buffer(self) -> BytesMut {
        self.buffer
    }

    fn reserve(&mut self, more: usize, config: &Config) -> Result<(), Limit> {
        let needed = self.buffer.len() + more;
        if needed > self.buffer.capacity() { self.grow(needed, config) } else { Ok(()) }
    }

    /// Makes room for `needed` bytes in all, which came, and in proportion to those for what is announced.
    fn grow(&mut self, needed: usize, config: &Config) -> Result<(), Limit> {
        let capacity = self.buffer.capacity();
        // `BytesMut` at least doubles, so that less is never what is held.
        let wanted =
            needed.saturating_mul(GROWTH).min(self.announced).max(needed).max(2 * capacity).max(SMALLEST);
        if let Some(budget) = &config.budget {
            let granted = if let Some(lease) = &mut self.lease {
                lease.grow(wanted - lease.bytes())
            } else {
                self.lease = budget.try_take(wanted);
                self.lease.is_some()
            };
            if !granted {
                return Err(Limit::Memory);
            }
        }
        self.buffer.reserve(wanted - self.buffer.len());
        debug_assert!(self.buffer.capacity() <= wanted, "what is held is what was asked for");
        Ok(())
    }
}
