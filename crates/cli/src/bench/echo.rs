//! Round trips on one connection: closed loop, or at the times of a schedule.

use super::idle::leave;
use super::local::{Local, Stage};
use super::payload::Number;
use super::track::{Arrival, Track};
use std::collections::VecDeque;
use std::task::Waker;
use tidewire::{Context, Handler, Kind, MessageRef, Outcome};

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// When it was to be sent.
    pub(crate) intended: u64,
    /// When it was sent.
    pub(crate) sent: u64,
}

/// One connection of echo mode.
#[derive(Debug)]
pub(crate) struct Echo {
    /// On its thread.
    place: usize,
    next: Number,
    track: Track,
    flying: VecDeque<Stamp>,
    /// With a schedule: the next message of this connection.
    due: u64,
    /// The time of this turn, once it was asked for.
    now: Option<u64>,
    registered: bool,
    begun: bool,
    closing: bool,
}

impl Echo {
    /// Connection `number` of all, at `place` of its thread.
    pub(crate) fn new(number: u32, place: usize, kind: Kind) -> Self {
        Self {
            place,
            next: Number::first(number, kind),
            track: Track::new(number, kind),
            flying: VecDeque::new(),
            due: place as u64,
            now: None,
            registered: false,
            begun: false,
            closing: false,
        }
    }

    /// One clock reading serves all that came in one turn.
    #[inline]
    fn now(&mut self, local: &Local) -> u64 {
        *self.now.get_or_insert_with(|| local.now())
    }

    #[inline]
    fn send(&mut self, ws: &mut Context<'_>, local: &mut Local, stamp: Stamp) {
        let counts = local.counts();
        let message = local.payloads.message(&self.next, &mut local.scratch);
        if counts {
            local.tally.sent.add(message.as_bytes().len());
        }
        ws.send(message);
        local.budget -= 1;
        local.in_flight += 1;
        self.next.advance();
        self.flying.push_back(stamp);
    }

    fn returned(&mut self, ws: &mut Context<'_>, local: &mut Local, message: &MessageRef<'_>) {
        let sent = self.next.value();
        let arrival = self.track.take(&local.payloads, message, sent, &mut local.tally.faults);
        let count = match arrival {
            Arrival::Next => 1,
            Arrival::Ahead(count) => count,
            Arrival::Behind => return,
            Arrival::Foreign => match self.track.stand_in(sent, &mut local.tally.faults) {
                Arrival::Next => 1,
                _ => return,
            },
        };
        let now = self.now(local);
        for _ in 1..count {
            self.flying.pop_front();
        }
        local.in_flight -= count;
        if let Some(stamp) = self.flying.pop_front()
            && stamp.sent >= local.since
        {
            local.tally.received.add(message.as_bytes().len());
            local.tally.latency.record(now.saturating_sub(stamp.intended));
            if local.schedule.is_some() {
                local.tally.service.record(now - stamp.sent);
            }
        }
        if local.schedule.is_none() {
            for _ in 0..count {
                if !local.sends() {
                    break;
                }
                self.send(ws, local, Stamp { intended: now, sent: now });
            }
        }
        local.settle();
    }

    /// Sends what is to be sent without a reply before it.
    fn pump(&mut self, ws: &mut Context<'_>, local: &mut Local) {
        let Some(schedule) = local.schedule else {
            if !self.begun {
                self.begun = true;
                let now = self.now(local);
                for _ in 0..local.depth {
                    if local.sends() {
                        self.send(ws, local, Stamp { intended: now, sent: now });
                    }
                }
            }
            return;
        };
        while self.due < schedule.released && local.budget > 0 && !ws.is_congested() {
            let intended = schedule.due(self.due);
            let sent = self.now(local).max(intended);
            self.send(ws, local, Stamp { intended, sent });
            self.due += schedule.senders;
        }
    }
}

impl Handler for Echo {
    #[inline]
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        Local::with(|local| self.returned(ws, local, &message));
        // Large ones take their time to arrive.
        if message.as_bytes().len() > 4096 {
            self.now = None;
        }
    }

    #[inline]
    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &Waker) {
        Local::with(|local| {
            if !self.registered {
                self.registered = true;
                local.wakers[self.place] = Some(waker.clone());
            }
            match local.stage {
                Stage::Running => self.pump(ws, local),
                Stage::Draining if local.schedule.is_some() => {
                    self.pump(ws, local);
                    self.due = local.give_up(self.due);
                }
                Stage::Closing if !self.closing => {
                    self.closing = true;
                    leave(ws);
                }
                _ => {}
            }
        });
        self.now = None;
    }

    fn on_end(&mut self, outcome: &Outcome) {
        Local::with(|local| {
            local.wakers[self.place] = None;
            local.sender_ended(self.flying.len(), Some(outcome));
        });
    }
}
