//! What the connection's task does with its channel.

use super::{Channel, Command, state::Intake};
use crate::{context::Context, outcome::Outcome};
use std::{
    collections::VecDeque,
    task::{self, Waker},
};
use tidewire_proto::{CloseCode, CloseReason, Connection};

impl Channel {
    pub(crate) fn peer_closed(&self, reason: &CloseReason) {
        let mut state = self.lock();
        state.closed = Some(reason.clone());
        state.intake = Intake::Refusing;
        let mut woken = state.closing.take();
        woken.append(&mut state.room.take());
        drop(state);
        woken.into_iter().for_each(Waker::wake);
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
        if context.is_closing() {
            // The connection began to close by itself: what was taken in is never sent, nor counted as such.
            state.intake = Intake::Refusing;
            state.commands = VecDeque::new();
            state.queued = 0;
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

    /// Notes what still waits to be written, and wakes those who wait for that. Whether commands wait that could be
    /// carried out now.
    pub(crate) fn written(&self, connection: &Connection) -> bool {
        let mut state = self.lock();
        let flushed = state.flushed;
        state.pending = connection.outbox().pending();
        state.note_flushed(connection.stats().wire_out);
        let mut woken = Vec::new();
        if state.has_room() || state.is_refusing() {
            woken = state.room.take();
        }
        if state.flushed != flushed {
            woken.append(&mut state.leaving.take());
        }
        let more = match state.intake {
            Intake::Open => !state.commands.is_empty() && !connection.is_congested(),
            Intake::Left => true,
            Intake::Refusing => !state.commands.is_empty(),
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        more
    }

    pub(crate) fn end(&self, outcome: &Outcome) {
        let mut state = self.lock();
        state.outcome = Some(outcome.clone());
        state.intake = Intake::Refusing;
        state.commands = VecDeque::new();
        state.driver = None;
        let mut woken: Vec<Waker> = state.receiver.take().into_iter().collect();
        for mut waiting in [state.room.take(), state.leaving.take(), state.closing.take()] {
            woken.append(&mut waiting);
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

fn carry_out(command: Command, context: &mut Context<'_>) {
    // The connection may have begun to close since the command was taken in; then nobody would receive it.
    match command {
        Command::Message(message) => drop(context.try_send(message)),
        Command::Prepared(prepared) => context.send_prepared(&prepared),
        Command::Piece(kind, bytes, last) => drop(context.send_piece(kind, &bytes, last)),
        Command::Ping(payload) => drop(context.ping(&payload)),
        Command::Pong(payload) => drop(context.pong(&payload)),
        Command::Close(code, reason) => drop(context.close(code, &reason)),
    }
}
