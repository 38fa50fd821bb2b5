//! What came, on its way from the connection's task to the receiver: gathered on the one side, taken in one go on the other,
//! so that the lock is held once for all that a read brought.

use super::{Channel, ENTRY, INBOX, Incoming, state::Intake};
use crate::outcome::Result;
use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    task::{self, Poll},
};

/// A queue that has run empty keeps no more room than this.
const KEPT: usize = 64;
/// So much has been taken before the connection's task learns of it.
const NEWS: usize = INBOX / 4;

/// What came and is not in the channel yet.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    queue: VecDeque<Incoming>,
    weight: usize,
}

impl Arrived {
    #[inline]
    pub(crate) fn push(&mut self, incoming: Incoming) {
        self.weight += incoming.weight();
        self.queue.push_back(incoming);
    }
}

/// What the receiver has taken and not given to its user yet.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    queue: VecDeque<Incoming>,
    /// Of what went to the user and is still counted with the inbox.
    weight: usize,
    control: bool,
}

impl Incoming {
    #[inline]
    fn weight(&self) -> usize {
        ENTRY
            + match self {
                Self::Message(message) => message.as_bytes().len(),
                Self::Ping(bytes) | Self::Pong(bytes, _) => bytes.len(),
            }
    }
}

impl Channel {
    /// Whether there is room for more than what has arrived.
    #[inline]
    pub(crate) fn has_room(&self, arrived: &Arrived) -> bool {
        self.inbox.load(Ordering::Relaxed) + arrived.weight < INBOX
    }

    /// Puts what arrived into the inbox. A receiver on the same task is polled anyway.
    #[inline]
    pub(crate) fn deliver(&self, arrived: &mut Arrived) {
        if !arrived.queue.is_empty() {
            self.deliver_all(arrived);
        }
    }

    fn deliver_all(&self, arrived: &mut Arrived) {
        let mut state = self.lock();
        arrived.weight = 0;
        for incoming in arrived.queue.drain(..) {
            if let Incoming::Pong(_, Some(latency)) = &incoming {
                state.latency = Some(*latency);
            }
            // Behind our close there is no pause: what finds no room is dropped.
            let full = state.intake != Intake::Open && self.inbox.load(Ordering::Relaxed) >= INBOX;
            let wanted = state.control_wanted || matches!(incoming, Incoming::Message(_));
            if wanted && !state.deaf && !full {
                // Written under the lock only, but for what is given back.
                self.inbox.fetch_add(incoming.weight(), Ordering::Relaxed);
                state.inbox.push_back(incoming);
            }
        }
    }

    /// The next thing that came; `Ready(Ok(None))` once the connection is closed.
    pub(crate) fn poll_incoming(
        &self,
        control: bool,
        taken: &mut Taken,
        task: &mut task::Context<'_>,
    ) -> Poll<Result<Option<Incoming>>> {
        if control && !std::mem::replace(&mut taken.control, true) {
            self.lock().control_wanted = true;
        }
        loop {
            while let Some(incoming) = taken.queue.pop_front() {
                taken.weight += incoming.weight();
                if taken.weight >= NEWS {
                    self.give_back(taken, task);
                }
                if control || matches!(incoming, Incoming::Message(_)) {
                    return Poll::Ready(Ok(Some(incoming)));
                }
            }
            self.give_back(taken, task);
            let mut state = self.lock();
            if !state.inbox.is_empty() {
                std::mem::swap(&mut state.inbox, &mut taken.queue);
                continue;
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
            if taken.queue.capacity() > KEPT {
                taken.queue = VecDeque::new();
            }
            return Poll::Pending;
        }
    }

    /// Counts what went to the user out of the inbox, and lets reading go on where that makes room.
    fn give_back(&self, taken: &mut Taken, task: &task::Context<'_>) {
        let weight = std::mem::take(&mut taken.weight);
        if weight == 0 {
            return;
        }
        let before = self.inbox.fetch_sub(weight, Ordering::Relaxed);
        if before >= INBOX && before - weight < INBOX {
            self.lock().wake_driver(task);
        }
    }

    /// Nobody will receive any more: what comes is dropped, so that reading goes on and pings are answered.
    pub(crate) fn go_deaf(&self) {
        let mut state = self.lock();
        state.deaf = true;
        state.inbox.clear();
        if self.inbox.swap(0, Ordering::Relaxed) >= INBOX {
            state.driver.iter().for_each(task::Waker::wake_by_ref);
        }
    }
}
