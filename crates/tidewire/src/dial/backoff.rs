//! How long to wait before connecting again: exponential backoff with full jitter.

use std::time::Duration;

/// The waits between attempts to reconnect.
///
/// The n-th wait is drawn evenly from zero to `min × factorⁿ`, `max` at most ("full jitter"): clients that lost their
/// server together come back spread out. A connection that lasted [`stable_after`](Self::stable_after) starts the
/// series anew; a shorter one does not, so that a server that accepts and drops is not hammered.
///
/// No clock and no generator is inside: time and chance are arguments.
///
/// ```
/// use std::time::Duration;
/// use tidewire::dial::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(backoff.wait(|| 0.5), Duration::from_millis(500));
/// assert_eq!(backoff.wait(|| 0.5), Duration::from_secs(1));
/// backoff.connected_for(Duration::from_secs(3600));
/// assert_eq!(backoff.wait(|| 0.5), Duration::from_millis(500));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    factor: f64,
    stable_after: Duration,
    failures: u32,
}

impl Default for Backoff {
    /// From 500 ms to 30 s, doubled each time, anew after 30 s of connection.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(500),
            max: Duration::from_secs(30),
            factor: 2.0,
            stable_after: Duration::from_secs(30),
            failures: 0,
        }
    }
}

impl Backoff {
    /// Ceilings from `min`, of the first wait, to `max`; where `max` is below `min`, `max` counts.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, ..Self::default() }
    }

    /// By how much the ceiling grows each time; below 1 (or not a number) it stays as it is.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// How long a connection must last to start the series anew.
    #[must_use]
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.stable_after = time;
        self
    }

    /// The next wait. `random` gives a number from 0 up to, but not including, 1; others are cut to that range.
    pub fn wait(&mut self, random: impl FnOnce() -> f64) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        let wait = ceiling.as_secs_f64() * random().clamp(0.0, 1.0);
        Duration::try_from_secs_f64(wait).unwrap_or(ceiling)
    }

    /// The longest that the next [`wait`](Self::wait) can be.
    pub fn ceiling(&self) -> Duration {
        let exponent = i32::try_from(self.failures).unwrap_or(i32::MAX);
        let seconds = self.min.as_secs_f64() * self.factor.powi(exponent);
        // Infinity, and 0 × infinity, are no durations: the first is `max`, the second zero.
        if seconds.is_nan() {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(seconds).map_or(self.max, |ceiling| ceiling.min(self.max))
    }

    /// A connection ended that had lasted `time`.
    pub fn connected_for(&mut self, time: Duration) {
        if time >= self.stable_after {
            self.reset();
        }
    }

    /// Starts the series anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many waits were drawn since the series began.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ceilings_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(SECOND, SECOND * 10);
        let ceilings: Vec<_> = (0..6).map(|_| backoff.wait(|| 1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn the_wait_is_the_random_part_of_the_ceiling() {
        let mut backoff = Backoff::new(SECOND * 8, SECOND * 100).factor(1.5);
        assert_eq!(backoff.wait(|| 0.0), Duration::ZERO);
        assert_eq!(backoff.wait(|| 0.25), SECOND * 3);
        assert_eq!(backoff.wait(|| 0.5), SECOND * 9);
        assert_eq!(backoff.wait(|| 7.0), SECOND * 27);
    }

    #[test]
    fn only_a_stable_connection_starts_anew() {
        let mut backoff = Backoff::new(SECOND, SECOND * 60).stable_after(SECOND * 5);
        backoff.wait(|| 0.5);
        backoff.wait(|| 0.5);
        backoff.connected_for(Duration::from_millis(4999));
        assert_eq!(backoff.ceiling(), SECOND * 4);
        backoff.connected_for(SECOND * 5);
        assert_eq!((backoff.ceiling(), backoff.failures()), (SECOND, 0));
    }

    #[test]
    fn a_million_failures_and_odd_settings_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::default() };
        assert_eq!(backoff.wait(|| 1.0), SECOND * 30);
        let mut zero = Backoff { failures: u32::MAX, ..Backoff::new(Duration::ZERO, SECOND) };
        assert_eq!(zero.wait(|| 1.0), Duration::ZERO);
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX).factor(f64::NAN);
        assert_eq!(endless.wait(|| f64::NAN), Duration::MAX);
        assert_eq!(endless.wait(|| 1.0), Duration::MAX);
        assert_eq!(Backoff::new(SECOND * 9, SECOND).wait(|| 1.0), SECOND);
    }
}
