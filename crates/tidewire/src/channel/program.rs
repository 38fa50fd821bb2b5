//! What the rest of the program does with a connection's channel.

use super::{Channel, Command, ENTRY, Refused, state::Intake};
use crate::outcome::{Outcome, Result};
use std::{
    task::{self, Poll, Waker},
    time::Duration,
};
use tidewire_proto::{CloseCode, CloseReason};

impl Channel {
    /// Ready once there is room for one more command.
    pub(crate) fn poll_room(&self, task: &mut task::Context<'_>) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.is_refusing() {
            return Poll::Ready(Err(state.refusal()));
        }
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        state.room.join(task);
        Poll::Pending
    }

    /// Takes a command in once there is room for it.
    pub(crate) fn poll_push(
        &self,
        command: &mut Option<Command>,
        task: &task::Context<'_>,
    ) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.is_refusing() {
            return Poll::Ready(Err(state.refusal()));
        }
        if !state.has_room() {
            state.room.join(task);
            return Poll::Pending;
        }
        if let Some(command) = command.take() {
            state.check(&command)?;
            state.push(command, Some(task));
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a command in, room or not.
    pub(crate) fn push(&self, command: Command) -> Result<()> {
        let mut state = self.lock();
        if state.is_refusing() {
            return Err(state.refusal());
        }
        state.check(&command)?;
        state.push(command, None);
        Ok(())
    }

    /// Nobody holds the connection any more: it closes, with what [`finish`](Self::finish) says in the same poll of its
    /// task, else with 1000.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        if state.intake == Intake::Open {
            state.intake = Intake::Left;
        }
        state.driver.iter().for_each(Waker::wake_by_ref);
    }

    /// Closes behind what was sent, unless that has begun. Called on the connection's task, which goes on with it.
    pub(crate) fn finish(&self, code: CloseCode, reason: &str) {
        let mut state = self.lock();
        if state.intake != Intake::Refusing {
            state.intake = Intake::Refusing;
            state.issued += 1;
            state.queued += ENTRY;
            state.commands.push_back(Command::Close(code, reason.into()));
        }
    }

    /// Takes a command in where there is room; gives it back where there is none.
    pub(crate) fn try_push(&self, command: Command) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_refusing() {
            return Err(Refused::Error(state.refusal()));
        }
        if !state.has_room() {
            return Err(Refused::Full(command));
        }
        state.check(&command).map_err(|misuse| Refused::Error(misuse.into()))?;
        state.push(command, None);
        Ok(())
    }

    /// Ready once all that was sent before has left for the operating system.
    pub(crate) fn poll_flushed(&self, upto: u64, task: &mut task::Context<'_>) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.flushed >= upto {
            return Poll::Ready(Ok(()));
        }
        if state.outcome.is_some() {
            return Poll::Ready(Err(state.refusal()));
        }
        state.leaving.join(task);
        Poll::Pending
    }

    /// Ready once the closing handshake is done, or the connection over.
    pub(crate) fn poll_closed(&self, task: &mut task::Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closed.is_some() || state.outcome.is_some() {
            return Poll::Ready(());
        }
        state.closing.join(task);
        Poll::Pending
    }

    pub(crate) fn issued(&self) -> u64 {
        self.lock().issued
    }

    pub(crate) fn close_reason(&self) -> Option<CloseReason> {
        let state = self.lock();
        state.closed.clone().or_else(|| state.outcome.as_ref().map(|outcome| outcome.close.clone()))
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.lock().outcome.clone()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.lock().latency
    }
}
