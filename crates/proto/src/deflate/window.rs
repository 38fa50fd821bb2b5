//! The LZ77 sliding window of a receiver (RFC 7692 §7.1.1): what a connection with context takeover keeps between two messages.

use alloc::vec::Vec;

/// The last 2^window bits bytes that a peer's messages inflated to.
///
/// It grows with what arrives and never beyond [`Window::footprint`]; a new one holds nothing.
#[derive(Debug)]
pub struct Window {
    /// Linear until it is full, then a ring whose oldest byte is at `next`.
    bytes: Vec<u8>,
    next: usize,
    size: usize,
    takeover: bool,
}

impl Window {
    /// A window of 2^`window_bits` bytes that lives on between messages.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub fn new(window_bits: u8) -> Self {
        Self { bytes: Vec::new(), next: 0, size: Self::footprint(window_bits), takeover: true }
    }

    /// A window for [`Inflater::feed`](super::Inflater::feed) without context takeover: emptied behind each message.
    pub fn for_one_message() -> Self {
        Self { takeover: false, ..Self::new(15) }
    }

    /// The most bytes that a window of these bits pins.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub const fn footprint(window_bits: u8) -> usize {
        assert!(matches!(window_bits, 8..=15), "window bits are 8 to 15 (RFC 7692 §7.1.2)");
        1 << window_bits
    }

    /// The bytes that it pins now.
    pub fn pinned(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        self.bytes = Vec::new();
        self.next = 0;
    }

    /// The contents, oldest first, in two parts.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.next);
        [older, newer]
    }

    /// Behind a message: forgets it, where no context is taken over.
    pub(super) fn end_message(&mut self) {
        if !self.takeover {
            self.bytes.clear();
            self.next = 0;
        }
    }

    /// Appends `output`; the oldest bytes make room.
    pub(super) fn push(&mut self, output: &[u8]) {
        let output = &output[output.len().saturating_sub(self.size)..];
        if output.len() == self.size {
            self.bytes.clear();
            self.next = 0;
        }
        let (fill, wrap) = output.split_at(output.len().min(self.size - self.bytes.len()));
        self.reserve(fill.len());
        self.bytes.extend_from_slice(fill);
        let (end, start) = wrap.split_at(wrap.len().min(self.size - self.next));
        self.bytes[self.next..self.next + end.len()].copy_from_slice(end);
        self.bytes[..start.len()].copy_from_slice(start);
        if !wrap.is_empty() {
            self.next = (self.next + wrap.len()) % self.size;
        }
    }

    fn reserve(&mut self, more: usize) {
        let need = self.bytes.len() + more;
        if need > self.bytes.capacity() {
            let capacity = need.max(2 * self.bytes.capacity()).min(self.size);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_the_last_bytes_in_order(
            bits in 8u8..=10,
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 0..12),
        ) {
            let mut window = Window::new(bits);
            let mut all = Vec::new();
            for piece in &pieces {
                window.push(piece);
                all.extend_from_slice(piece);
                let last = &all[all.len().saturating_sub(1 << bits)..];
                prop_assert_eq!(window.parts().concat(), last);
                prop_assert!(window.pinned() <= Window::footprint(bits));
            }
        }
    }

    #[test]
    fn forgets() {
        let mut window = Window::for_one_message();
        window.push(b"abc");
        window.end_message();
        assert_eq!(window.parts().concat(), b"");
        let mut window = Window::new(8);
        window.push(b"abc");
        window.end_message();
        assert_eq!(window.parts().concat(), b"abc");
        window.clear();
        assert_eq!((window.parts().concat(), window.pinned()), (Vec::new(), 0));
    }
}
