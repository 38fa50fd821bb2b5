//! How long `--reconnect` waits: doubled each time, with jitter, so that clients do not come back in step.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// A connection that lasted this long starts the count anew; a server that accepts and hangs up does not.
pub(crate) const PROVEN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Attempts since the last reset.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next wait: between half and the whole of the doubled time.
    pub(crate) fn next(&mut self) -> Duration {
        self.step(getrandom::u32().unwrap_or(u32::MAX))
    }

    fn step(&mut self, random: u32) -> Duration {
        let full = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        full / 2 + (full / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..8).map(|_| backoff.step(u32::MAX).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.step(0), LONGEST / 2);
        backoff.attempts = u32::MAX;
        assert_eq!(backoff.step(u32::MAX), LONGEST);
        backoff.reset();
        assert_eq!(backoff.step(0), FIRST / 2);
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        for _ in 0..100 {
            let wait = Backoff::default().next();
            assert!((FIRST / 2..=FIRST).contains(&wait), "{wait:?}");
        }
    }
}
