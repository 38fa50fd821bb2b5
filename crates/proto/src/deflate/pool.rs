//! What connections share: the codecs of a thread, and the budget of memory for codecs of their own.

use super::{Compressor, Inflater};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};

/// How many codecs of each kind are kept for the next message that comes or goes in pieces.
const SPARE: usize = 4;

/// The codecs of one thread, for all connections without context takeover. Each is made when first used.
#[derive(Debug)]
pub struct Codecs {
    level: u8,
    mem_level: u8,
    inflater: Option<Inflater>,
    spare_inflaters: Vec<Inflater>,
    /// By the bits of the window, 8–15.
    compressors: [Option<Compressor>; 8],
    spare_compressors: [Vec<Compressor>; 8],
}

impl Codecs {
    /// None yet; compressors will have this level and memory level.
    ///
    /// # Panics
    /// If a level is not 1–9.
    pub fn new(level: u8, mem_level: u8) -> Self {
        assert!(
            matches!(level, 1..=9) && matches!(mem_level, 1..=9),
            "compression and memory levels are 1 to 9"
        );
        Self {
            level,
            mem_level,
            inflater: None,
            spare_inflaters: Vec::new(),
            compressors: Default::default(),
            spare_compressors: Default::default(),
        }
    }

    /// The same codecs, with compressors of these levels; those of other levels are dropped.
    pub fn with_levels(&mut self, level: u8, mem_level: u8) -> &mut Self {
        if (self.level, self.mem_level) != (level, mem_level) {
            *self = Self { inflater: self.inflater.take(), ..Self::new(level, mem_level) };
        }
        self
    }

    /// The inflater for whole messages.
    pub fn inflater(&mut self) -> &mut Inflater {
        self.inflater.get_or_insert_default()
    }

    /// The compressor for whole messages without context, by the bits of the window.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub fn compressor(&mut self, window_bits: u8) -> &mut Compressor {
        let (level, mem_level) = (self.level, self.mem_level);
        self.compressors[index(window_bits)]
            .get_or_insert_with(|| Compressor::new(window_bits, level, mem_level))
    }

    /// An inflater for a message that comes in pieces; give it back behind the last.
    pub fn take_inflater(&mut self) -> Inflater {
        self.spare_inflaters.pop().unwrap_or_default()
    }

    /// Takes an inflater back.
    pub fn give_inflater(&mut self, mut inflater: Inflater) {
        if self.spare_inflaters.len() < SPARE {
            inflater.reset();
            self.spare_inflaters.push(inflater);
        }
    }

    /// A compressor for a message that goes in pieces; give it back behind the last.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub fn take_compressor(&mut self, window_bits: u8) -> Compressor {
        self.spare_compressors[index(window_bits)]
            .pop()
            .unwrap_or_else(|| Compressor::new(window_bits, self.level, self.mem_level))
    }

    /// Takes a compressor back that [`Codecs::take_compressor`] gave for the same bits.
    ///
    /// # Panics
    /// If `window_bits` is not 8–15.
    pub fn give_compressor(&mut self, window_bits: u8, mut compressor: Compressor) {
        let spare = &mut self.spare_compressors[index(window_bits)];
        if spare.len() < SPARE {
            compressor.reset();
            spare.push(compressor);
        }
    }

    /// The bytes that the codecs pin, those taken and not given back excepted.
    pub fn pinned(&self) -> usize {
        let inflaters = usize::from(self.inflater.is_some()) + self.spare_inflaters.len();
        let compressors = self.compressors.iter().flatten().chain(self.spare_compressors.iter().flatten());
        inflaters * Inflater::FOOTPRINT + compressors.map(Compressor::pinned).sum::<usize>()
    }
}

impl Default for Codecs {
    fn default() -> Self {
        Self::new(Compressor::LEVEL, Compressor::MEM_LEVEL)
    }
}

fn index(window_bits: u8) -> usize {
    assert!(matches!(window_bits, 8..=15), "window bits are 8 to 15 (RFC 7692 §7.1.2)");
    usize::from(window_bits - 8)
}

/// A number of bytes that connections, on any thread, share out among themselves.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Arc<AtomicUsize>,
}

impl Budget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self { left: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// Takes `bytes` until the lease is dropped; `None`, and nothing taken, where less is left.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Lease> {
        // The counter orders no other memory.
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).ok()?;
        Some(Lease { left: Arc::clone(&self.left), bytes })
    }

    /// The bytes that nobody holds.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

/// A part of a [`Budget`]; gives it back when dropped.
#[derive(Debug)]
pub struct Lease {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

impl Lease {
    /// The bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `bytes` more; `false` where the budget has not so many left, and nothing is taken then.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let budget = Budget { left: Arc::clone(&self.left) };
        let Some(mut more) = budget.try_take(bytes) else { return false };
        self.bytes += core::mem::take(&mut more.bytes);
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_never_overdrawn() {
        let budget = Budget::new(100);
        let lease = budget.try_take(60).unwrap();
        assert_eq!((lease.bytes(), budget.left()), (60, 40));
        assert!(budget.try_take(41).is_none());
        assert!(budget.clone().try_take(40).is_some());
        drop(lease);
        assert_eq!(budget.left(), 100);
    }

    #[test]
    fn codecs_are_made_when_used_and_kept() {
        let mut codecs = Codecs::default();
        assert_eq!(codecs.pinned(), 0);
        let taken = codecs.take_inflater();
        assert_eq!(codecs.pinned(), 0);
        codecs.give_inflater(taken);
        codecs.inflater();
        codecs.inflater();
        assert_eq!(codecs.pinned(), 2 * Inflater::FOOTPRINT);
        codecs.compressor(15);
        let taken = codecs.take_compressor(9);
        codecs.give_compressor(9, taken);
        let compressors = [15, 9].map(|bits| Compressor::footprint(bits, Compressor::MEM_LEVEL));
        assert_eq!(codecs.pinned(), 2 * Inflater::FOOTPRINT + compressors[0] + compressors[1]);
    }
}
