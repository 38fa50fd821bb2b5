//! The clock of an open loop: releases messages when they are due, and wakes their connections.

use super::local::{Local, Stage};
use std::io;
use std::task::Waker;
use std::time::Duration;

/// Messages that are due together go together where they are closer than this.
const FINEST: u64 = 20_000;

/// Releases what is due on this thread, until nothing is to be sent any more.
pub(crate) async fn pace() {
    let mut alarm = Alarm::new();
    while let Some(wait) = Local::with(release) {
        if alarm.wait(wait).await.is_err() {
            alarm = Alarm::Coarse;
        }
    }
}

/// Releases what is due, and tells how long it is to the next.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "numbers of messages and times of a run, far below 2^52"
)]
fn release(local: &mut Local) -> Option<Duration> {
    if local.stage != Stage::Running {
        return None;
    }
    let now = local.now();
    let schedule = local.schedule.as_mut()?;
    let before = schedule.released;
    let due = ((now - schedule.start) as f64 / schedule.period) as u64 + 1;
    schedule.released = due.max(before);
    let next = schedule.due(schedule.released).max(now + FINEST);
    let senders = schedule.senders;
    for k in before..due.min(before + senders) {
        let place = (k % senders) as usize;
        if local.any_sender {
            let (before, behind) = local.wakers.split_at_mut(place);
            let idle = behind.iter_mut().chain(before).find_map(Option::take);
            idle.into_iter().for_each(Waker::wake);
        } else if let Some(waker) = &local.wakers[place] {
            waker.wake_by_ref();
        }
    }
    Some(Duration::from_nanos(next - now))
}

/// A timer. tokio's own counts milliseconds, too coarse for latencies of microseconds.
enum Alarm {
    #[cfg(target_os = "linux")]
    Fine {
        timer: nix::sys::timerfd::TimerFd,
        expiry: tokio::net::unix::pipe::Receiver,
    },
    Coarse,
}

impl Alarm {
    #[cfg(target_os = "linux")]
    fn new() -> Self {
        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        use std::os::fd::AsFd as _;
        use tokio::net::unix::pipe::Receiver;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let Ok(timer) = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags) else { return Self::Coarse };
        // Polled and read as a pipe is; all that the receiver asks of its descriptor is that it does not block.
        let expiry = timer.as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd_unchecked);
        expiry.map_or(Self::Coarse, |expiry| Self::Fine { timer, expiry })
    }

    #[cfg(not(target_os = "linux"))]
    const fn new() -> Self {
        Self::Coarse
    }

    async fn wait(&mut self, time: Duration) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Fine { timer, expiry } => {
                use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};
                timer.set(Expiration::OneShot(time.into()), TimerSetTimeFlags::empty())?;
                let mut count = [0; 8];
                loop {
                    expiry.readable().await?;
                    match expiry.try_read(&mut count) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Ok(_) => break,
                        Err(error) => return Err(error),
                    }
                }
            }
            Self::Coarse => tokio::time::sleep(time).await,
        }
        Ok(())
    }
}
