//! One stream of numbered messages: what has come, what is missing, what came twice.

use super::payload::{Number, Payloads, Seen};
use super::tally::Found;
use std::collections::BTreeSet;
use tidewire::{Kind, MessageRef};

/// Numbers that can be missing on a stream before they count as lost for good.
const REMEMBERED: usize = 65_536;

/// Messages that one without a number is compared with, either way.
const GUESSED: usize = 1024;

/// The receiving end of a stream. Without numbers (see [`Payloads::is_numbered`]) only the content tells.
#[derive(Debug)]
pub(crate) struct Track {
    due: Number,
    /// Passed over by later ones.
    missing: BTreeSet<u64>,
}

/// What a message is for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is due, or stands in the place of the one that was; the stream went on by one.
    Next,
    /// Those before it were passed over; the stream went on by so many, itself included.
    Ahead(u64),
    /// It came late or twice: nothing moves.
    Behind,
    /// It is none of the stream; it may stand in the place of one, see [`Track::stand_in`].
    Foreign,
}

impl Track {
    pub(crate) fn new(connection: u32, kind: Kind) -> Self {
        Self { due: Number::first(connection, kind), missing: BTreeSet::new() }
    }

    /// The number of the next.
    pub(crate) const fn due(&self) -> Number {
        self.due
    }

    /// The number of the one before.
    pub(crate) fn last(&self) -> Number {
        let mut number = self.due;
        number.go_to(self.due.value().saturating_sub(1));
        number
    }

    /// Takes in a message, of which `sent` were sent so far. What is passed over counts as lost until it comes.
    #[inline]
    pub(crate) fn take(
        &mut self,
        payloads: &Payloads,
        message: &MessageRef<'_>,
        sent: u64,
        faults: &mut Found,
    ) -> Arrival {
        match payloads.judge(&self.due, message) {
            Seen::Expected if self.due.value() < sent => {
                self.due.advance();
                Arrival::Next
            }
            Seen::Foreign if payloads.cycle() > 1 && !payloads.is_numbered() => {
                let seen = self.guess(payloads, message, sent).map_or(Seen::Foreign, Seen::Other);
                self.unexpected(seen, false, sent, faults)
            }
            other => self.unexpected(other, payloads.is_numbered(), sent, faults),
        }
    }

    /// Which of several messages without a number this is: one that is missing, the one before, or the next of those in
    /// flight that are like it. One that is lost would else make all behind it seem wrong.
    #[cold]
    fn guess(&self, payloads: &Payloads, message: &MessageRef<'_>, sent: u64) -> Option<u64> {
        let due = self.due.value();
        let cycle = payloads.cycle() as u64;
        let ahead = sent.min(due.saturating_add(cycle));
        // One that is missing for longer is lost for good, and another like it has come since.
        let recent = due.saturating_sub(cycle - 1);
        let missing = self.missing.range(recent..).rev().take(GUESSED).copied();
        let mut candidates = missing.chain(due.checked_sub(1)).chain((due..ahead).take(GUESSED));
        candidates.find(|value| payloads.stands_at(*value, message))
    }

    #[cold]
    fn unexpected(&mut self, seen: Seen, numbered: bool, sent: u64, faults: &mut Found) -> Arrival {
        let due = self.due.value();
        match seen {
            Seen::Other(value) if value < due => {
                if self.missing.remove(&value) {
                    faults.lost -= 1;
                    faults.reordered += 1;
                } else {
                    faults.duplicated += 1;
                }
                Arrival::Behind
            }
            Seen::Other(value) if value < sent => {
                let missing = &mut self.missing;
                faults.lost += i64::try_from(value - due).unwrap_or(i64::MAX);
                missing.extend(due.max(value.saturating_sub(REMEMBERED as u64))..value);
                while missing.len() > REMEMBERED {
                    missing.pop_first();
                }
                self.due.go_to(value + 1);
                Arrival::Ahead(value + 1 - due)
            }
            // Without a number a second reply looks like one to the next message, which is still to be sent.
            Seen::Expected if !numbered => {
                faults.duplicated += 1;
                Arrival::Behind
            }
            Seen::Foreign => Arrival::Foreign,
            _ => self.stand_in(sent, faults),
        }
    }

    /// What came is corrupted: it takes the place of the message that is due, unless nothing more was sent.
    pub(crate) fn stand_in(&mut self, sent: u64, faults: &mut Found) -> Arrival {
        faults.corrupted += 1;
        if self.due.value() >= sent {
            return Arrival::Behind;
        }
        self.due.advance();
        Arrival::Next
    }
}
