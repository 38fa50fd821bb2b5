//! When to ping, and when to give a silent peer up. Time is an argument.

use crate::{config::Timing, error::Timeout, time::Time};
use core::time::Duration;

/// The clocks of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    /// When the peer last showed that it lives: bytes of it came, or a transport that was full took more.
    life: Time,
    /// When a message last went either way.
    message: Time,
    /// A message was queued since the time was last told.
    queued: bool,
    /// When the transport took less than there was.
    blocked: Option<Time>,
    /// For a while nothing of the peer was read or awaited, so its silence meant nothing.
    unwatched: bool,
    ping: Ping,
    close: Option<Time>,
    latency: Option<u32>,
    sequence: u32,
}

#[derive(Clone, Copy, Debug)]
enum Ping {
    /// The last ping was answered; the next is due at the interval after this.
    Answered(Time),
    /// A ping of ours awaits its pong.
    Sent {
        /// When the first was sent behind which nothing came.
        first: Time,
        /// When the newest was sent, whose pong measures the latency.
        newest: Time,
    },
}

/// What a deadline asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    GiveUp(Timeout),
}

impl Deadlines {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            life: now,
            message: now,
            queued: false,
            blocked: None,
            unwatched: false,
            ping: Ping::Answered(now),
            close: None,
            latency: None,
            sequence: 0,
        }
    }

    #[inline]
    pub(crate) fn bytes_came(&mut self, now: Time) {
        self.life = now;
    }

    /// Notes a write. What a transport with room takes says nothing about the peer.
    #[inline]
    pub(crate) fn bytes_went(&mut self, all: bool, now: Time) {
        if self.blocked.is_some_and(|since| now > since) {
            self.life = now;
        }
        self.blocked = (!all).then_some(now);
        self.tell(now);
    }

    /// Notes a message of the peer's, behind [`bytes_came`](Self::bytes_came).
    #[inline]
    pub(crate) fn message_came(&mut self) {
        self.message = self.life;
    }

    /// Notes a message of ours.
    #[inline]
    pub(crate) fn message_queued(&mut self) {
        self.queued = true;
    }

    /// Notes that the peer's silence means nothing at present.
    pub(crate) fn unwatch(&mut self) {
        self.unwatched = true;
    }

    fn tell(&mut self, now: Time) {
        if core::mem::take(&mut self.queued) {
            self.message = now;
        }
    }

    /// Starts the close deadline, once: later traffic does not put it off.
    pub(crate) fn closing(&mut self, now: Time, timing: &Timing) {
        self.close.get_or_insert(now.after(timing.close_timeout));
    }

    /// The payload of the ping that is sent now.
    pub(crate) fn next_ping(&mut self, now: Time) -> [u8; 4] {
        self.sequence = self.sequence.wrapping_add(1);
        let first = match self.ping {
            Ping::Sent { first, .. } if self.life <= first => first,
            _ => now,
        };
        self.ping = Ping::Sent { first, newest: now };
        self.sequence.to_be_bytes()
    }

    /// Notes a pong; the round trip where it answers our last ping.
    pub(crate) fn pong(&mut self, payload: &[u8], now: Time) -> Option<Duration> {
        let Ping::Sent { newest: sent, .. } = self.ping else { return None };
        if payload != self.sequence.to_be_bytes() {
            return None;
        }
        let latency = now.since(sent);
        self.ping = Ping::Answered(sent);
        self.latency = Some(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        Some(latency)
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(|micros| Duration::from_micros(micros.into()))
    }

    /// The next moment at which [`due`](Self::due) has something to say.
    pub(crate) fn next(&self, timing: &Timing, watching: bool) -> Option<Time> {
        if let Some(close) = self.close {
            return Some(close);
        }
        let ping = match self.ping {
            Ping::Sent { first, .. } if watching && self.life <= first => {
                Some(first.after(timing.pong_timeout))
            }
            Ping::Answered(last) | Ping::Sent { newest: last, .. } => {
                timing.ping_interval.map(|interval| last.after(interval))
            }
        };
        let idle = timing.idle_timeout.map(|idle| self.message.after(idle));
        [ping, idle].into_iter().flatten().min()
    }

    /// What is due now. `watching`: we read, or the peer owes us reading, so its silence means something.
    pub(crate) fn due(&mut self, now: Time, timing: &Timing, watching: bool) -> Due {
        if let Some(close) = self.close {
            return if now >= close { Due::GiveUp(Timeout::Close) } else { Due::Nothing };
        }
        self.tell(now);
        if timing.idle_timeout.is_some_and(|idle| now >= self.message.after(idle)) {
            return Due::GiveUp(Timeout::Idle);
        }
        if watching && core::mem::take(&mut self.unwatched) {
            self.life = now;
        }
        match self.ping {
            Ping::Sent { first, .. } if watching && self.life <= first => {
                let silent = now >= first.after(timing.pong_timeout);
                if silent { Due::GiveUp(Timeout::Pong) } else { Due::Nothing }
            }
            // Pings go on while nobody watches: the write of one finds a transport that is gone.
            Ping::Answered(last) | Ping::Sent { newest: last, .. } => {
                let due = timing.ping_interval.is_some_and(|interval| now >= last.after(interval));
                if due { Due::Ping } else { Due::Nothing }
            }
        }
    }
}
