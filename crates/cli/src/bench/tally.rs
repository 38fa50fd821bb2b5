//! What one thread counts between two reports to the coordinator.

use super::report::Flow;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// The longest time that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// Times, in nanoseconds; three digits of each are kept.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("these bounds are in order")
}

/// A histogram that takes equal values in a row as one: replies of one read that left in one write are.
#[derive(Debug)]
pub(crate) struct Times {
    histogram: Option<Box<Histogram<u64>>>,
    last: u64,
    run: u64,
}

impl Times {
    pub(crate) const fn new() -> Self {
        Self { histogram: None, last: 0, run: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, nanos: u64) {
        if nanos != self.last {
            self.settle();
            self.last = nanos;
        }
        self.run += 1;
    }

    #[inline]
    fn settle(&mut self) {
        if self.run > 0 {
            let histogram = self.histogram.get_or_insert_with(|| Box::new(histogram()));
            histogram.saturating_record_n(self.last, self.run);
            self.run = 0;
        }
    }

    /// What was recorded; `None` where nothing was.
    pub(crate) fn finish(mut self) -> Option<Box<Histogram<u64>>> {
        self.settle();
        self.histogram
    }
}

/// What was wrong with messages. What is late counts as lost until it comes, perhaps in a later interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) lost: i64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
}

/// Counts and times of one thread and one interval.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) sent: Flow,
    pub(crate) received: Flow,
    pub(crate) latency: Times,
    pub(crate) service: Times,
    pub(crate) dial: Times,
    pub(crate) tls: Times,
    pub(crate) upgrade: Times,
    pub(crate) total: Times,
    pub(crate) opened: u64,
    pub(crate) failed: u64,
    pub(crate) faults: Found,
    pub(crate) closes: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) const fn new() -> Self {
        const NONE: Flow = Flow { messages: 0, bytes: 0 };
        Self {
            sent: NONE,
            received: NONE,
            latency: Times::new(),
            service: Times::new(),
            dial: Times::new(),
            tls: Times::new(),
            upgrade: Times::new(),
            total: Times::new(),
            opened: 0,
            failed: 0,
            faults: Found { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 },
            closes: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Notes an error of this kind.
    pub(crate) fn error(&mut self, kind: &str) {
        *self.errors.entry(kind.to_owned()).or_default() += 1;
    }
}

impl Flow {
    /// One more message.
    #[inline]
    pub(crate) const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}
