//! What lies in a channel, and who waits for it.

use super::{Command, Incoming};
use crate::outcome::{Error, Outcome};
use std::{
    collections::VecDeque,
    task::{self, Waker},
    time::Duration,
};
use tidewire_proto::{CloseReason, Pieces, error::Misuse};

/// Whether commands are taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Intake {
    #[default]
    Open,
    /// Nobody holds the connection any more; it has to be closed.
    Left,
    /// Nothing more is taken in: the connection is over, or closes.
    Refusing,
}

/// Tasks that wait for one thing.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Waker>);

impl Waiting {
    pub(super) fn join(&mut self, task: &task::Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(task.waker())) {
            self.0.push(task.waker().clone());
        }
    }

    /// All of them, to be woken without the lock.
    pub(super) fn take(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.0)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) inbox: VecDeque<Incoming>,
    pub(super) control_wanted: bool,
    /// Nobody will receive any more.
    pub(super) deaf: bool,
    pub(super) commands: VecDeque<Command>,
    /// Bytes in `commands`.
    pub(super) queued: usize,
    /// Bytes in the outbox, as of the last write.
    pub(super) pending: usize,
    /// The outbox's high-water mark.
    pub(super) limit: usize,
    /// Commands taken in, those that are in the outbox, and those whose bytes have left.
    pub(super) issued: u64,
    pub(super) carried_out: u64,
    pub(super) flushed: u64,
    /// How many bytes will have left in all with the last of those in the outbox.
    pub(super) end: u64,
    /// Some of those in the outbox, and how many bytes will have left with them.
    pub(super) mark: Option<(u64, u64)>,
    pub(super) driver: Option<Waker>,
    pub(super) receiver: Option<Waker>,
    /// Who waits for room, for what was sent to leave, for the closing handshake.
    pub(super) room: Waiting,
    pub(super) leaving: Waiting,
    pub(super) closing: Waiting,
    /// The message that is being sent in pieces.
    pub(super) pieces: Pieces,
    pub(super) closed: Option<CloseReason>,
    pub(super) intake: Intake,
    pub(super) latency: Option<Duration>,
    pub(super) outcome: Option<Outcome>,
}

impl State {
    /// Whether the command may follow those before it: the peer would not learn of one that is dropped later.
    pub(super) fn check(&mut self, command: &Command) -> Result<(), Misuse> {
        match command {
            Command::Piece(kind, piece, last) => self.pieces.take(*kind, piece, *last).map(drop),
            Command::Message(_) | Command::Prepared(_) => self.pieces.check_whole(),
            _ => Ok(()),
        }
    }

    pub(super) fn push(&mut self, command: Command, task: Option<&task::Context<'_>>) {
        if matches!(command, Command::Close(..)) {
            self.intake = Intake::Refusing;
        }
        self.queued += command.size();
        self.issued += 1;
        self.commands.push_back(command);
        match task {
            Some(task) => self.wake_driver(task),
            None => self.driver.iter().for_each(Waker::wake_by_ref),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued + self.pending < self.limit
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.intake != Intake::Open
    }

    /// Notes whose bytes are among the first `out` of all.
    pub(super) fn note_flushed(&mut self, out: u64) {
        if let Some((carried_out, _)) = self.mark.take_if(|(_, end)| out >= *end) {
            self.flushed = carried_out;
        }
        if out >= self.end {
            self.flushed = self.carried_out;
        } else if self.mark.is_none() && self.flushed < self.carried_out {
            self.mark = Some((self.carried_out, self.end));
        }
    }

    pub(super) fn refusal(&self) -> Error {
        self.outcome.as_ref().and_then(|outcome| outcome.error.clone()).unwrap_or(Error::Closed)
    }

    /// Wakes the connection's task, unless it is the one that runs now and goes on with the connection anyway.
    pub(super) fn wake_driver(&self, task: &task::Context<'_>) {
        if let Some(driver) = self.driver.as_ref().filter(|driver| !driver.will_wake(task.waker())) {
            driver.wake_by_ref();
        }
    }
}
