//! From publishers to all others: each message is expected by every receiver.

use super::idle::leave;
use super::local::{Local, Stage};
use super::payload::Number;
use super::track::{Arrival, Track};
use super::worker::lock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use tidewire::{Context, Handler, Kind, MessageRef, Outcome};

/// Messages whose times of publishing are kept, over all publishers.
const KEPT: usize = 65_536;

/// The time of a message of the warm-up before a count.
const UNCOUNTED: u64 = u64::MAX;

/// What publishers and receivers share over all threads. Receivers touch it once in a turn.
#[derive(Debug)]
pub(crate) struct Room {
    publishers: usize,
    /// Deliveries that publishers may be ahead of the receivers, for each receiver.
    ahead: i64,
    receivers: AtomicI64,
    published: AtomicU64,
    /// Deliveries that are still to come.
    outstanding: AtomicI64,
    /// Nothing more is published: who finds nothing outstanding tells.
    finished: AtomicBool,
    /// For each publisher, the last messages: number and time.
    times: Vec<(AtomicU64, AtomicU64)>,
    wakers: Mutex<Vec<Waker>>,
}

impl Room {
    pub(crate) fn new(publishers: usize, depth: u32) -> Self {
        let publishers = publishers.max(1);
        let kept = (KEPT / publishers).max(1024) * publishers;
        Self {
            publishers,
            ahead: i64::from(depth) * i64::try_from(publishers).unwrap_or(i64::MAX),
            receivers: AtomicI64::default(),
            published: AtomicU64::default(),
            outstanding: AtomicI64::default(),
            finished: AtomicBool::default(),
            times: std::iter::repeat_with(Default::default).take(kept).collect(),
            wakers: Mutex::default(),
        }
    }

    /// Deliveries that are still to come.
    pub(crate) fn outstanding(&self) -> u64 {
        u64::try_from(self.outstanding.load(Ordering::Relaxed)).unwrap_or_default()
    }

    fn slot(&self, number: &Number) -> &(AtomicU64, AtomicU64) {
        let each = self.times.len() / self.publishers;
        let at = usize::try_from(number.value() % each as u64).expect("less than a length");
        &self.times[number.connection() as usize * each + at]
    }

    /// A message is about to be sent.
    fn publish(&self, number: &Number, time: u64) {
        let (value, at) = self.slot(number);
        at.store(time, Ordering::Relaxed);
        value.store(number.value(), Ordering::Release);
        self.published.fetch_add(1, Ordering::Relaxed);
        self.outstanding.fetch_add(self.receivers.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// When a message was published; `None` where that is too long ago.
    fn time(&self, number: &Number) -> Option<u64> {
        let (value, at) = self.slot(number);
        (value.load(Ordering::Acquire) == number.value()).then(|| at.load(Ordering::Relaxed))
    }

    /// Whether the receivers are near enough for one more message.
    fn has_room(&self) -> bool {
        self.outstanding.load(Ordering::Relaxed) <= self.mark()
    }

    fn mark(&self) -> i64 {
        (self.ahead - 1) * self.receivers.load(Ordering::Relaxed)
    }

    /// So many deliveries are not waited for any more. Whether they were the last.
    fn settle(&self, count: i64) -> bool {
        let before = self.outstanding.fetch_sub(count, Ordering::Relaxed);
        let (after, mark) = (before - count, self.mark());
        if before > mark && after <= mark {
            lock(&self.wakers).iter().for_each(Waker::wake_by_ref);
        }
        after <= 0 && self.finished.load(Ordering::Relaxed)
    }
}

/// A connection that publishes. What the server sends it is not looked at.
#[derive(Debug)]
pub(crate) struct Publisher {
    room: Arc<Room>,
    place: usize,
    next: Number,
    due: u64,
    registered: bool,
    closing: bool,
}

impl Publisher {
    /// Publisher `number`, at `place` of its thread.
    pub(crate) fn new(room: Arc<Room>, number: u32, place: usize, kind: Kind) -> Self {
        let next = Number::first(number, kind);
        Self { room, place, next, due: place as u64, registered: false, closing: false }
    }

    fn send(&mut self, ws: &mut Context<'_>, local: &mut Local, time: u64) {
        let counts = local.counts();
        self.room.publish(&self.next, if counts { time } else { UNCOUNTED });
        let message = local.payloads.message(&self.next, &mut local.scratch);
        if counts {
            local.tally.sent.add(message.as_bytes().len());
        }
        ws.send(message);
        local.budget -= 1;
        self.next.advance();
    }

    fn pump(&mut self, ws: &mut Context<'_>, local: &mut Local) {
        match local.schedule {
            None => {
                while local.sends() && self.room.has_room() && !ws.is_congested() {
                    let now = local.now();
                    self.send(ws, local, now);
                }
            }
            Some(schedule) => {
                while self.due < schedule.released && local.sends() && !ws.is_congested() {
                    self.send(ws, local, schedule.due(self.due));
                    self.due += schedule.senders;
                }
            }
        }
        if !local.sends() {
            self.room.finished.store(true, Ordering::Relaxed);
        }
    }
}

impl Handler for Publisher {
    fn on_message(&mut self, _ws: &mut Context<'_>, _message: MessageRef<'_>) {}

    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &Waker) {
        Local::with(|local| {
            if !self.registered {
                self.registered = true;
                local.wakers[self.place] = Some(waker.clone());
                lock(&self.room.wakers).push(waker.clone());
            }
            match local.stage {
                Stage::Running => self.pump(ws, local),
                Stage::Draining => self.room.finished.store(true, Ordering::Relaxed),
                Stage::Closing if !self.closing => {
                    self.closing = true;
                    leave(ws);
                }
                _ => {}
            }
        });
    }

    fn on_end(&mut self, outcome: &Outcome) {
        Local::with(|local| {
            local.wakers[self.place] = None;
            local.sender_ended(0, Some(outcome));
        });
    }
}

/// A connection that receives what every publisher sends.
#[derive(Debug)]
pub(crate) struct Receiver {
    room: Arc<Room>,
    place: usize,
    tracks: Vec<Track>,
    /// Deliveries of this turn.
    fresh: i64,
    /// Deliveries of all turns.
    seen: u64,
    now: Option<u64>,
    registered: bool,
    closing: bool,
}

impl Receiver {
    /// A receiver at `place` of its thread.
    pub(crate) fn new(room: Arc<Room>, place: usize, kind: Kind) -> Self {
        room.receivers.fetch_add(1, Ordering::Relaxed);
        let publishers = u32::try_from(room.publishers).expect("at most 1024");
        let tracks = (0..publishers).map(|number| Track::new(number, kind)).collect();
        Self { room, place, tracks, fresh: 0, seen: 0, now: None, registered: false, closing: false }
    }

    fn take(&mut self, local: &mut Local, message: &MessageRef<'_>) {
        let publisher = match self.tracks.len() {
            1 => 0,
            _ => match local.payloads.number_of(message) {
                Some(number) => number.connection() as usize,
                None => return,
            },
        };
        let Some(track) = self.tracks.get_mut(publisher) else { return };
        let due = track.due();
        let count = match track.take(&local.payloads, message, u64::MAX, &mut local.tally.faults) {
            Arrival::Next => 1,
            Arrival::Ahead(count) => count,
            // A server may have things of its own to say.
            Arrival::Behind | Arrival::Foreign => return,
        };
        self.seen += count;
        self.fresh += i64::try_from(count).unwrap_or(i64::MAX);
        let now = *self.now.get_or_insert_with(|| local.now());
        let time = if count == 1 { self.room.time(&due) } else { self.room.time(&track.last()) };
        if time == Some(UNCOUNTED) {
            return;
        }
        local.tally.received.add(message.as_bytes().len());
        if let Some(time) = time {
            local.tally.latency.record(now.saturating_sub(time));
        }
    }
}

impl Handler for Receiver {
    #[inline]
    fn on_message(&mut self, _ws: &mut Context<'_>, message: MessageRef<'_>) {
        Local::with(|local| self.take(local, &message));
    }

    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &Waker) {
        self.now = None;
        let fresh = std::mem::take(&mut self.fresh);
        let last = fresh > 0 && self.room.settle(fresh);
        Local::with(|local| {
            if !self.registered {
                self.registered = true;
                local.wakers[self.place] = Some(waker.clone());
            }
            if last {
                local.quiet.notify_one();
            }
            if local.stage == Stage::Closing && !self.closing {
                self.closing = true;
                leave(ws);
            }
        });
    }

    fn on_end(&mut self, outcome: &Outcome) {
        self.room.receivers.fetch_sub(1, Ordering::Relaxed);
        let missed = self.room.published.load(Ordering::Relaxed).saturating_sub(self.seen);
        // What it was still to get nobody will get.
        let count = self.fresh + i64::try_from(missed).unwrap_or(i64::MAX);
        let last = self.room.settle(count);
        Local::with(|local| {
            local.wakers[self.place] = None;
            if last {
                local.quiet.notify_one();
            }
            local.lose(missed);
            local.ended(Some(outcome));
        });
    }
}
