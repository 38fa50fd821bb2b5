//! Masking keys that a peer can't foresee (RFC 6455 §10.3).

use alloc::boxed::Box;

/// Fills a buffer with unpredictable bytes.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

const BLOCK: usize = 512;

/// A supply of masking keys, drawn from the system's entropy in blocks.
pub struct MaskingKeys {
    entropy: Entropy,
    block: Box<[u8; BLOCK]>,
    used: usize,
}

impl core::fmt::Debug for MaskingKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MaskingKeys").finish_non_exhaustive()
    }
}

impl MaskingKeys {
    /// Keys from `entropy`, which must be unpredictable, as the operating system's is.
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, block: Box::new([0; BLOCK]), used: BLOCK }
    }

    /// A key that was never given before.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        if self.used == BLOCK {
            (self.entropy)(&mut self.block[..]);
            self.used = 0;
        }
        let key = &mut self.block[self.used..self.used + 4];
        self.used += 4;
        let fresh = [key[0], key[1], key[2], key[3]];
        key.fill(0);
        fresh
    }

    /// Throws the drawn block away: a forked process must not use the keys of its parent.
    pub fn reseed(&mut self) {
        self.used = BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// edge 59: after a fork the child draws keys of its own.
    #[test]
    fn keys_are_drawn_once_and_anew_after_a_fork() {
        let mut counter = 0u32;
        let mut keys = MaskingKeys::new(Box::new(move |block: &mut [u8]| {
            for key in block.chunks_exact_mut(4) {
                counter += 1;
                key.copy_from_slice(&counter.to_be_bytes());
            }
        }));
        let per_block = u32::try_from(BLOCK / 4).unwrap();
        for expected in 1..=per_block + 1 {
            assert_eq!(keys.next_key(), expected.to_be_bytes());
        }
        keys.reseed();
        assert_eq!(keys.next_key(), (2 * per_block + 1).to_be_bytes());
    }
}
