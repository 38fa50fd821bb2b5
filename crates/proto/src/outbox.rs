//! What waits to be written: small payloads copied behind their headers, large ones kept as they are.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use bytes::Bytes;

/// A payload from this size on is not copied.
pub(crate) const SEGMENT: usize = 16 * 1024;

/// Bytes on their way out, in order.
///
/// An empty outbox holds no memory unless it was [lent](Self::lend) some.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Headers and small payloads.
    buffer: Vec<u8>,
    /// Bytes of `buffer` already written.
    written: usize,
    segments: Option<Box<Segments>>,
}

/// Large payloads.
#[derive(Debug, Default)]
struct Segments {
    queue: VecDeque<Segment>,
    /// Bytes of them that wait.
    pending: usize,
    /// Bytes of the first one already written: it is held whole until its last byte has left.
    begun: usize,
}

/// A payload that stands before `buffer[at]`.
#[derive(Debug)]
struct Segment {
    at: usize,
    bytes: Bytes,
}

impl Outbox {
    /// Bytes that wait to be written.
    #[inline]
    pub fn pending(&self) -> usize {
        let copied = self.buffer.len() - self.written;
        copied + self.segments.as_ref().map_or(0, |segments| segments.pending)
    }

    /// Bytes held for what waits: with those of a large payload that is half written.
    #[inline]
    pub fn held(&self) -> usize {
        self.pending() + self.segments.as_ref().map_or(0, |segments| segments.begun)
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending() == 0
    }

    /// Gives the outbox a buffer to gather into, as long as it has none of its own.
    /// Gives the buffer back where it has.
    #[inline]
    pub fn lend(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.buffer.capacity() > 0 {
            return Some(buffer);
        }
        debug_assert!(buffer.is_empty());
        self.buffer = buffer;
        None
    }

    /// Takes a lent buffer back, empty; what it still holds is kept in a buffer of its own size.
    #[inline]
    pub fn reclaim(&mut self) -> Vec<u8> {
        let mut lent = if self.written == self.buffer.len() && self.segments.is_none() {
            core::mem::take(&mut self.buffer)
        } else {
            self.compact()
        };
        self.written = 0;
        lent.clear();
        lent
    }

    #[cold]
    fn compact(&mut self) -> Vec<u8> {
        let kept = self.buffer[self.written..].to_vec();
        self.move_segments();
        core::mem::replace(&mut self.buffer, kept)
    }

    /// The buffer to append at most `more` bytes to.
    #[inline]
    pub(crate) fn buffer(&mut self, more: usize) -> &mut Vec<u8> {
        if self.buffer.capacity() - self.buffer.len() < more {
            self.grow(more);
        }
        &mut self.buffer
    }

    /// Grows by an eighth, not to the double: what waits for a slow peer should cost little more than its bytes.
    #[cold]
    fn grow(&mut self, more: usize) {
        self.buffer.reserve_exact(more.max(self.buffer.len() / 8).max(64));
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer(bytes.len()).extend_from_slice(bytes);
    }

    /// Queues a payload without a copy.
    pub(crate) fn push_segment(&mut self, bytes: Bytes) {
        let at = self.buffer.len();
        let segments = self.segments.get_or_insert_default();
        segments.pending += bytes.len();
        segments.queue.push_back(Segment { at, bytes });
    }

    /// The pieces in the order in which they must be written; none is empty.
    #[inline]
    pub fn chunks(&self) -> Chunks<'_> {
        Chunks { outbox: self, at: self.written, segment: 0 }
    }

    /// Forgets the first `count` bytes: they are written.
    ///
    /// # Panics
    /// Where `count` is more than is pending.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.pending(), "more bytes written than were pending");
        if self.segments.is_none() {
            self.written += count;
        } else {
            self.advance_segments(count);
        }
        if self.is_empty() {
            self.discard();
        } else if self.written >= SEGMENT && self.written >= self.buffer.len() / 2 {
            self.forget_written();
        }
    }

    /// Moves what waits to the front. Done when no more waits than was written, it costs each byte one move at the most.
    #[cold]
    fn forget_written(&mut self) {
        self.buffer.drain(..self.written);
        self.move_segments();
        self.written = 0;
    }

    /// What was written leaves the buffer.
    fn move_segments(&mut self) {
        for segment in self.segments.iter_mut().flat_map(|segments| segments.queue.iter_mut()) {
            segment.at -= self.written;
        }
    }

    fn advance_segments(&mut self, mut count: usize) {
        let Some(segments) = &mut self.segments else { return };
        while count > 0 {
            let copied_end = segments.queue.front().map_or(self.buffer.len(), |segment| segment.at);
            let copied = (copied_end - self.written).min(count);
            self.written += copied;
            count -= copied;
            if count == 0 {
                break;
            }
            let front = segments.queue.front_mut().expect("pending counts every byte");
            let taken = front.bytes.len().min(count);
            bytes::Buf::advance(&mut front.bytes, taken);
            count -= taken;
            segments.pending -= taken;
            segments.begun += taken;
            if front.bytes.is_empty() {
                segments.begun = 0;
                segments.queue.pop_front();
            }
        }
        if segments.queue.is_empty() {
            self.segments = None;
        }
    }

    /// Throws away what waits: the transport takes no more.
    #[inline]
    pub fn discard(&mut self) {
        self.buffer.clear();
        self.written = 0;
        drop(self.segments.take());
    }

    /// Gives back the memory of an outbox that has run empty.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

/// The pieces of an [`Outbox`] in order.
#[derive(Debug)]
pub struct Chunks<'a> {
    outbox: &'a Outbox,
    at: usize,
    segment: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let segment = self.outbox.segments.as_ref().and_then(|segments| segments.queue.get(self.segment));
        let copied_end = segment.map_or(self.outbox.buffer.len(), |segment| segment.at);
        if self.at < copied_end {
            let copied = &self.outbox.buffer[self.at..copied_end];
            self.at = copied_end;
            return Some(copied);
        }
        self.segment += 1;
        segment.map(|segment| &segment.bytes[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> (Outbox, Vec<u8>) {
        let mut outbox = Outbox::default();
        outbox.push(b"head");
        outbox.push_segment(Bytes::from_static(b"LARGE"));
        outbox.push_segment(Bytes::from_static(b"SECOND"));
        outbox.push(b"tail");
        let all = outbox.chunks().collect::<Vec<_>>().concat();
        (outbox, all)
    }

    /// edge 31: partial vectored writes of every size lose and repeat nothing.
    #[test]
    fn partial_writes_of_every_size() {
        let (_, all) = filled();
        assert_eq!(all, b"headLARGESECONDtail");
        for size in 1..=all.len() {
            let (mut outbox, _) = filled();
            let mut written = Vec::new();
            while !outbox.is_empty() {
                let rest: Vec<u8> = outbox.chunks().collect::<Vec<_>>().concat();
                assert_eq!(rest.len(), outbox.pending());
                let count = size.min(rest.len());
                written.extend_from_slice(&rest[..count]);
                outbox.advance(count);
            }
            assert_eq!((written, outbox.held()), (all.clone(), 0), "{size}");
            assert_eq!(outbox.chunks().next(), None);
        }
    }

    /// A large payload is held whole until its last byte has left.
    #[test]
    fn a_half_written_payload_is_held_whole() {
        let (mut outbox, all) = filled();
        outbox.advance(4 + 3);
        assert_eq!((outbox.pending(), outbox.held()), (all.len() - 7, all.len() - 4));
        outbox.advance(2);
        assert_eq!((outbox.pending(), outbox.held()), (all.len() - 9, all.len() - 9));
    }

    #[test]
    fn a_lent_buffer_comes_back_and_the_rest_stays() {
        for written in 0..=19 {
            let mut outbox = Outbox::default();
            assert!(outbox.lend(Vec::with_capacity(64)).is_none());
            outbox.push(b"head");
            outbox.push_segment(Bytes::from_static(b"LARGE"));
            outbox.push(b"tail and more");
            let all: Vec<u8> = outbox.chunks().collect::<Vec<_>>().concat();
            outbox.advance(written);
            let lent = outbox.reclaim();
            assert!(lent.is_empty() && lent.capacity() >= 64, "{written}");
            outbox.push(b"!");
            let rest = [&all[written..], b"!"].concat();
            assert_eq!(outbox.chunks().collect::<Vec<_>>().concat(), rest, "{written}");
            assert_eq!(outbox.pending(), rest.len());
        }
    }
}
