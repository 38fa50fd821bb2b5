//! Who is told of a run while it is at work.

use super::report::Sample;

pub(crate) trait Watch {
    fn opening(&mut self, opened: u64, wanted: u64);
    fn sample(&mut self, sample: &Sample);
}
