//! Following a run while it goes on.

use super::report::Sample;

/// Is told how a run goes, on a thread that measures nothing.
pub(crate) trait Watch {
    /// Connections are opened; called several times a second until all are.
    fn opening(&mut self, opened: u64, wanted: u64);

    /// Another second of the measured time is over.
    fn sample(&mut self, sample: &Sample);
}
