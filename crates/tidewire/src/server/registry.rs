//! The connections of a server: how many there are, and a way to reach all of them.

use slab::Slab;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
};
use tokio::sync::Notify;

/// What a stopping server asks of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Go on.
    Running = 0,
    /// Close with 1001.
    Closing = 1,
    /// End at once.
    Ending = 2,
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    stage: AtomicU8,
    count: AtomicUsize,
    wakers: Mutex<Slab<Waker>>,
    advanced: Notify,
    emptied: Notify,
}

impl Registry {
    #[inline]
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Running,
            1 => Stage::Closing,
            _ => Stage::Ending,
        }
    }

    /// Moves on to `stage` and wakes every connection.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.iter().for_each(|(_, waker)| waker.wake_by_ref());
        drop(wakers);
        self.advanced.notify_waiters();
    }

    /// Counts a connection in; `false` where that would be more than `limit`.
    pub(crate) fn enter(&self, limit: usize) -> bool {
        self.count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < limit).then_some(count + 1))
            .is_ok()
    }

    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn register(&self, waker: Waker) -> usize {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).insert(waker)
    }

    pub(crate) fn unregister(&self, key: usize) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Waits until no connection is left.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Waits until the server stops.
    pub(crate) async fn stopping(&self) {
        self.reached(Stage::Closing).await;
    }

    /// Waits until the server is at `stage` or past it.
    pub(crate) async fn reached(&self, stage: Stage) {
        loop {
            let advanced = self.advanced.notified();
            if self.stage() >= stage {
                return;
            }
            advanced.await;
        }
    }
}
