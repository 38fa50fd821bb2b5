//! The bytes of one read.

/// What was read and is not yet used up. Payloads are unmasked in it, in place.
#[derive(Debug)]
pub struct Input<'a>(&'a mut [u8]);

impl<'a> Input<'a> {
    /// The bytes of a read.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// What is not yet used up.
    #[inline]
    pub fn rest(&self) -> &[u8] {
        self.0
    }

    /// Whether all is used up.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` bytes, or as many as there are.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> &'a mut [u8] {
        let all = core::mem::take(&mut self.0);
        let (taken, rest) = all.split_at_mut(count.min(all.len()));
        self.0 = rest;
        taken
    }

    /// Throws the rest away.
    pub(crate) fn discard(&mut self) {
        self.0 = &mut [];
    }
}
