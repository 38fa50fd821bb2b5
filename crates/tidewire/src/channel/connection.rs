//! What the connection's task does with its channel.

use super::{Channel, Command, ENTRY, INBOX, Incoming, state::Intake};
use crate::{context::Context, outcome::Outcome};
use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    task::{self, Waker},
};
use tidewire_proto::{CloseCode, CloseReason, Connection};

impl Channel {
    /// Whether the inbox has room.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.inbox.load(Ordering::Relaxed) < INBOX
    }

    /// Puts what came into the inbox. `task` is the connection's; a receiver on the same task is polled anyway.
    pub(crate) fn deliver(&self, incoming: Incoming) {
        let mut state = self.lock();
        if let Incoming::Pong(_, Some(latency)) = &incoming {
            state.latency = Some(*latency);
        }
        let weight = match &incoming {
            _ if state.deaf => return,
            Incoming::Message(message) => message.as_bytes().len(),
            _ if !state.control_wanted => return,
            Incoming::Ping(bytes) | Incoming::Pong(bytes, _) => bytes.len(),
        };
        self.inbox.fetch_add(weight + ENTRY, Ordering::Relaxed);
        state.inbox.push_back(incoming);
    }

    pub(crate) fn peer_closed(&self, reason: &CloseReason) {
        let mut state = self.lock();
        state.closed = Some(reason.clone());
        state.intake = Intake::Refusing;
    }

    /// Wakes a receiver that lives on another task.
    pub(crate) fn wake_receiver(&self, task: &task::Context<'_>) {
        let mut state = self.lock();
        if (!state.inbox.is_empty() || state.closed.is_some())
            && state.receiver.as_ref().is_some_and(|receiver| !receiver.will_wake(task.waker()))
        {
            let receiver = state.receiver.take();
            drop(state);
            receiver.into_iter().for_each(Waker::wake);
        }
    }

    /// Does what is asked for, as far as the outbox has room; all of it where a close stands at the end, which must not
    /// wait for a peer that does not read.
    pub(crate) fn carry_out(&self, context: &mut Context<'_>, task: &task::Context<'_>) {
        let mut state = self.lock();
        if !state.driver.as_ref().is_some_and(|driver| driver.will_wake(task.waker())) {
            state.driver = Some(task.waker().clone());
        }
        while state.intake != Intake::Open || !context.is_congested() {
            let Some(command) = state.commands.pop_front() else { break };
            state.queued -= command.size();
            state.carried_out += 1;
            carry_out(command, context);
        }
        if state.intake == Intake::Left {
            state.intake = Intake::Refusing;
            carry_out(Command::Close(CloseCode::NORMAL, String::new()), context);
        }
        state.pending = context.pending();
        state.end = state.end.max(context.stats().wire_out + state.pending as u64);
    }

    /// Notes what still waits to be written, and wakes those who wait for room.
    pub(crate) fn written(&self, connection: &Connection) {
        let mut state = self.lock();
        let flushed = state.flushed;
        state.pending = connection.outbox().pending();
        state.note_flushed(connection.stats().wire_out);
        if !state.waiting.is_empty() && (state.has_room() || state.flushed != flushed || state.is_refusing())
        {
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn end(&self, outcome: &Outcome) {
        let mut state = self.lock();
        state.outcome = Some(outcome.clone());
        state.intake = Intake::Refusing;
        state.commands = VecDeque::new();
        state.driver = None;
        let wakers: Vec<Waker> = state.receiver.take().into_iter().chain(state.waiting.drain(..)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn carry_out(command: Command, context: &mut Context<'_>) {
    // The connection may have begun to close since the command was taken in; then nobody would receive it.
    match command {
        Command::Message(message) => context.send(message),
        Command::Prepared(prepared) => context.send_prepared(&prepared),
        Command::Piece(kind, bytes, last) => drop(context.send_piece(kind, &bytes, last)),
        Command::Ping(payload) => drop(context.ping(&payload)),
        Command::Pong(payload) => drop(context.pong(&payload)),
        Command::Close(code, reason) => drop(context.close(code, &reason)),
    }
}
