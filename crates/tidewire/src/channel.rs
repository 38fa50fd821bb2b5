//! Between a connection's task and the rest of the program: what came, what is to be sent, who waits.
//!
//! The lock is held for a push or a pop, never over I/O and never over an await.

use crate::{
    context::Context,
    outcome::{Error, Outcome, Result},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    task::{self, Poll, Waker},
    time::Duration,
};
use tidewire_proto::{CloseCode, CloseReason, Connection, Message, Prepared, message::Kind};

/// What the inbox holds before reading pauses, in bytes.
const INBOX: usize = 256 * 1024;
/// What a message in the inbox counts besides its payload.
const ENTRY: usize = 64;

/// Something that the program wants done on a connection.
#[derive(Debug)]
pub(crate) enum Command {
    Message(Message),
    Prepared(Prepared),
    Piece(Kind, Bytes, bool),
    Ping(Bytes),
    Pong(Bytes),
    Close(CloseCode, String),
}

impl Command {
    fn size(&self) -> usize {
        ENTRY
            + match self {
                Self::Message(message) => message.as_bytes().len(),
                Self::Prepared(prepared) => prepared.message().as_bytes().len(),
                Self::Piece(_, bytes, _) | Self::Ping(bytes) | Self::Pong(bytes) => bytes.len(),
                Self::Close(..) => 0,
            }
    }
}

/// Something that came from the peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A whole message.
    Message(Message),
    /// A ping; it is answered already.
    Ping(Bytes),
    /// A pong, with the round trip where it answers a ping of the connection's own.
    Pong(Bytes, Option<Duration>),
}

#[derive(Debug)]
pub(crate) struct Channel {
    state: Mutex<State>,
    /// Weight of the inbox; read without the lock.
    inbox: AtomicUsize,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is set by another party, and once")]
struct State {
    inbox: VecDeque<Incoming>,
    control_wanted: bool,
    /// Nobody will receive any more.
    deaf: bool,
    commands: VecDeque<Command>,
    /// Bytes in `commands`.
    queued: usize,
    /// Bytes in the outbox, as of the last write.
    pending: usize,
    /// The outbox's high-water mark.
    limit: usize,
    /// Commands taken in, those that are in the outbox, and those whose bytes have left.
    issued: u64,
    carried_out: u64,
    flushed: u64,
    /// How many bytes will have left in all with the last of those in the outbox.
    end: u64,
    /// Some of those in the outbox, and how many bytes will have left with them.
    mark: Option<(u64, u64)>,
    driver: Option<Waker>,
    receiver: Option<Waker>,
    waiting: Vec<Waker>,
    closed: Option<CloseReason>,
    /// Nothing more is taken in: the connection is over, or closes.
    refusing: bool,
    /// Nobody holds the connection any more; it has to be closed.
    left: bool,
    latency: Option<Duration>,
    outcome: Option<Outcome>,
}

impl Channel {
    /// A channel whose senders wait above `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::new(State { limit, ..State::default() }), inbox: AtomicUsize::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    // The connection's side.

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
        state.refusing = true;
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
        while state.refusing || state.left || !context.is_congested() {
            let Some(command) = state.commands.pop_front() else { break };
            state.queued -= command.size();
            state.carried_out += 1;
            carry_out(command, context);
        }
        if state.left && !std::mem::replace(&mut state.refusing, true) {
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
        state.refusing = true;
        state.commands = VecDeque::new();
        state.driver = None;
        let wakers: Vec<Waker> = state.receiver.take().into_iter().chain(state.waiting.drain(..)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    // The program's side.

    /// The next thing that came; `Ready(Ok(None))` once the connection is closed.
    pub(crate) fn poll_incoming(
        &self,
        control: bool,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<Option<Incoming>>> {
        let mut state = self.lock();
        state.control_wanted |= control;
        while let Some(incoming) = state.inbox.pop_front() {
            let weight = ENTRY
                + match &incoming {
                    Incoming::Message(message) => message.as_bytes().len(),
                    Incoming::Ping(bytes) | Incoming::Pong(bytes, _) => bytes.len(),
                };
            let before = self.inbox.fetch_sub(weight, Ordering::Relaxed);
            if before >= INBOX && before - weight < INBOX {
                state.wake_driver(task);
            }
            if control || matches!(incoming, Incoming::Message(_)) {
                return Poll::Ready(Ok(Some(incoming)));
            }
        }
        if let Some(error) = state.outcome.as_ref().and_then(|outcome| outcome.error.clone()) {
            return Poll::Ready(Err(error));
        }
        if state.closed.is_some() || state.outcome.is_some() {
            return Poll::Ready(Ok(None));
        }
        if !state.receiver.as_ref().is_some_and(|receiver| receiver.will_wake(task.waker())) {
            state.receiver = Some(task.waker().clone());
        }
        Poll::Pending
    }

    /// Ready once there is room for one more command.
    pub(crate) fn poll_room(&self, task: &mut task::Context<'_>) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.is_refusing() {
            return Poll::Ready(Err(state.refusal()));
        }
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        state.wait(task);
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
            state.wait(task);
            return Poll::Pending;
        }
        if let Some(command) = command.take() {
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
        state.push(command, None);
        Ok(())
    }

    /// Nobody holds the connection any more: it closes, with what [`finish`](Self::finish) says in the same poll of its
    /// task, else with 1000.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.left = true;
        state.driver.iter().for_each(Waker::wake_by_ref);
    }

    /// Closes behind what was sent, unless that has begun. Called on the connection's task, which goes on with it.
    pub(crate) fn finish(&self, code: CloseCode, reason: &str) {
        let mut state = self.lock();
        if !state.refusing {
            state.refusing = true;
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
        state.wait(task);
        Poll::Pending
    }

    /// Ready once the closing handshake is done, or the connection over.
    pub(crate) fn poll_closed(&self, task: &mut task::Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closed.is_some() || state.outcome.is_some() {
            return Poll::Ready(());
        }
        state.wait(task);
        Poll::Pending
    }

    /// Nobody will receive any more: what comes is dropped, so that reading goes on and pings are answered.
    pub(crate) fn go_deaf(&self) {
        let mut state = self.lock();
        state.deaf = true;
        state.inbox.clear();
        if self.inbox.swap(0, Ordering::Relaxed) >= INBOX {
            state.driver.iter().for_each(Waker::wake_by_ref);
        }
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

/// Why a command was not taken in.
pub(crate) enum Refused {
    Full(Command),
    Error(Error),
}

impl State {
    fn push(&mut self, command: Command, task: Option<&task::Context<'_>>) {
        self.refusing |= matches!(command, Command::Close(..));
        self.queued += command.size();
        self.issued += 1;
        self.commands.push_back(command);
        match task {
            Some(task) => self.wake_driver(task),
            None => self.driver.iter().for_each(Waker::wake_by_ref),
        }
    }

    fn has_room(&self) -> bool {
        self.queued + self.pending < self.limit
    }

    fn is_refusing(&self) -> bool {
        self.refusing || self.left
    }

    /// Notes whose bytes are among the first `out` of all.
    fn note_flushed(&mut self, out: u64) {
        if let Some((carried_out, _)) = self.mark.take_if(|(_, end)| out >= *end) {
            self.flushed = carried_out;
        }
        if out >= self.end {
            self.flushed = self.carried_out;
        } else if self.mark.is_none() && self.flushed < self.carried_out {
            self.mark = Some((self.carried_out, self.end));
        }
    }

    fn refusal(&self) -> Error {
        self.outcome.as_ref().and_then(|outcome| outcome.error.clone()).unwrap_or(Error::Closed)
    }

    fn wait(&mut self, task: &task::Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(task.waker())) {
            self.waiting.push(task.waker().clone());
        }
    }

    /// Wakes the connection's task, unless it is the one that runs now and goes on with the connection anyway.
    fn wake_driver(&self, task: &task::Context<'_>) {
        if let Some(driver) = self.driver.as_ref().filter(|driver| !driver.will_wake(task.waker())) {
            driver.wake_by_ref();
        }
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
