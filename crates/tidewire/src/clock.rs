//! The process's one clock, in the core's units.

use std::sync::OnceLock;
use tidewire_proto::Time;
use tokio::time::Instant;

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// Now, on the clock that all connections of the process share.
#[inline]
pub fn now() -> Time {
    let micros = Instant::now().saturating_duration_since(start()).as_micros();
    Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// The moment on tokio's clock.
pub(crate) fn instant(time: Time) -> Instant {
    start() + std::time::Duration::from_micros(time.as_micros())
}
