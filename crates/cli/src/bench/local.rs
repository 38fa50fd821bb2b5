//! What the connections of a thread share: counters, the message to send, the state of the run. No lock is taken.

use super::payload::{Payloads, Scratch};
use super::plan::Plan;
use super::report::Mode;
use super::tally::Tally;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;
use tidewire::{Error, Outcome, Side};
use tokio::sync::Notify;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Connections are opened.
    Opening,
    /// Messages are sent.
    Running,
    /// Nothing more is sent; replies are awaited.
    Draining,
    /// Connections are closed.
    Closing,
    /// What is left is cut.
    Over,
}

/// The kind of error of a message that was due, but could not be sent before the end.
const UNSENT: &str = "due, but the connection took no more";

/// What all threads share; touched once for a connection, not for a message.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) opened: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// Failures since the last success.
    pub(crate) streak: AtomicU64,
    pub(crate) alive: AtomicU64,
    pub(crate) peak: AtomicU64,
}

/// The state of a thread.
#[derive(Debug)]
pub(crate) struct Local {
    base: Instant,
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) scratch: Scratch,
    pub(crate) stage: Stage,
    /// Messages sent before belong to the warm-up of a count: neither they nor their replies are counted.
    pub(crate) since: u64,
    /// Messages that may still be sent.
    pub(crate) budget: u64,
    pub(crate) in_flight: u64,
    pub(crate) alive: u64,
    /// Those alive that send.
    pub(crate) senders: u64,
    pub(crate) depth: u32,
    /// With a rate: when what is due.
    pub(crate) schedule: Option<Schedule>,
    /// What is due is for whoever waits, not for one connection.
    pub(crate) any_sender: bool,
    pub(crate) tally: Tally,
    /// To wake the connections, by their place on this thread.
    pub(crate) wakers: Vec<Option<Waker>>,
    /// Told when nothing is in flight any more, or nothing alive.
    pub(crate) quiet: Arc<Notify>,
    pub(crate) totals: Arc<Totals>,
}

/// The timetable of a thread's messages: number `k` is due at `start + k * period`, on connection `k % senders`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Since the base, in nanoseconds.
    pub(crate) start: u64,
    /// Nanoseconds.
    pub(crate) period: f64,
    pub(crate) senders: u64,
    /// The messages before this one are due.
    pub(crate) released: u64,
}

impl Schedule {
    /// When message `k` is due.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "times of a run, far below 2^52 nanoseconds"
    )]
    pub(crate) fn due(&self, k: u64) -> u64 {
        self.start + (k as f64 * self.period) as u64
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

impl Local {
    pub(crate) fn new(plan: &Plan, base: Instant, places: usize, totals: Arc<Totals>) -> Self {
        Self {
            base,
            payloads: Arc::clone(&plan.payloads),
            scratch: plan.payloads.scratch(),
            stage: Stage::Opening,
            since: if plan.is_count_warmed_up() { u64::MAX } else { 0 },
            budget: u64::MAX,
            in_flight: 0,
            alive: 0,
            senders: 0,
            depth: plan.depth,
            schedule: None,
            any_sender: plan.mode == Mode::Connect,
            tally: Tally::new(),
            wakers: vec![None; places],
            quiet: Arc::default(),
            totals,
        }
    }

    /// Makes this the thread's.
    pub(crate) fn install(self) {
        LOCAL.with_borrow_mut(|local| *local = Some(self));
    }

    /// Takes it away again.
    pub(crate) fn uninstall() {
        LOCAL.with_borrow_mut(Option::take);
    }

    /// Works on the thread's.
    ///
    /// # Panics
    /// On a thread without one.
    #[inline]
    pub(crate) fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        LOCAL.with_borrow_mut(|local| work(local.as_mut().expect("the thread generates load")))
    }

    /// Nanoseconds since the run's base.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        // 584 years fit.
        #[expect(clippy::cast_possible_truncation, reason = "584 years fit")]
        let nanos = self.base.elapsed().as_nanos() as u64;
        nanos
    }

    /// Whether messages are to be sent.
    #[inline]
    pub(crate) fn sends(&self) -> bool {
        self.stage == Stage::Running && self.budget > 0
    }

    /// Whether what is sent now is counted.
    #[inline]
    pub(crate) const fn counts(&self) -> bool {
        self.since != u64::MAX
    }

    /// Takes up what was due on a connection and found no room there by the end: it has waited at least until now, and
    /// left out it would make a server that stalls look fast. `due` is the next of the connection; returned is the first
    /// behind the end.
    pub(crate) fn give_up(&mut self, mut due: u64) -> u64 {
        let Some(schedule) = self.schedule else { return due };
        let (now, mut count) = (self.now(), 0);
        while due < schedule.released && self.budget > 0 && self.counts() {
            self.tally.latency.record(now.saturating_sub(schedule.due(due)));
            self.budget -= 1;
            count += 1;
            due += schedule.senders;
        }
        if count > 0 {
            *self.tally.errors.entry(UNSENT.into()).or_default() += count;
        }
        due
    }

    /// Tells where nothing is to be waited for any more.
    #[inline]
    pub(crate) fn settle(&self) {
        if self.in_flight == 0 && !self.sends() {
            self.quiet.notify_one();
        }
    }

    pub(crate) fn wake_all(&self) {
        self.wakers.iter().flatten().for_each(Waker::wake_by_ref);
    }

    /// A connection is open.
    pub(crate) fn opened(&mut self) {
        self.alive += 1;
        self.totals.opened.fetch_add(1, Ordering::Relaxed);
        self.totals.streak.store(0, Ordering::Relaxed);
        let alive = self.totals.alive.fetch_add(1, Ordering::Relaxed) + 1;
        self.totals.peak.fetch_max(alive, Ordering::Relaxed);
    }

    /// A connection that sends is over, with so many messages in flight: their replies are lost.
    pub(crate) fn sender_ended(&mut self, in_flight: usize, why: Option<&Outcome>) {
        self.senders -= 1;
        self.in_flight -= in_flight as u64;
        self.lose(in_flight as u64);
        if self.senders == 0 {
            self.quiet.notify_one();
        }
        self.ended(why);
    }

    /// Counts replies that can't come any more; those that are missing at the end of the run the coordinator counts.
    pub(crate) fn lose(&mut self, count: u64) {
        if !matches!(self.stage, Stage::Closing | Stage::Over) {
            self.tally.faults.lost += i64::try_from(count).unwrap_or(i64::MAX);
        }
    }

    /// A connection is over.
    pub(crate) fn ended(&mut self, why: Option<&Outcome>) {
        self.gone();
        if matches!(self.stage, Stage::Closing | Stage::Over) {
            return;
        }
        let Some(outcome) = why else { return self.closed(1006) };
        match &outcome.error {
            Some(Error::Protocol(error)) => self.tally.error(&format!("protocol: {error}")),
            Some(Error::Vanished | Error::Io(_)) => self.closed(1006),
            Some(error) => self.tally.error(&error.to_string()),
            None if outcome.by == Side::Peer => self.closed(outcome.close.code.0),
            None => {}
        }
    }

    fn gone(&mut self) {
        self.alive -= 1;
        self.totals.alive.fetch_sub(1, Ordering::Relaxed);
        if self.alive == 0 {
            self.quiet.notify_one();
        }
        self.settle();
    }

    fn closed(&mut self, code: u16) {
        *self.tally.closes.entry(code).or_default() += 1;
    }
}
