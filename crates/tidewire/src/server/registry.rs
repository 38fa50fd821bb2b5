//! The connections of a server: how many there are, a way to reach all of them, and what wakes each at its deadline.

use crate::clock;
use slab::Slab;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};
use tidewire_proto::Time;
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
    table: Mutex<Table>,
    advanced: Notify,
    emptied: Notify,
    /// A deadline was set that comes before the next look at all of them.
    sooner: Notify,
}

/// How much later than its deadline a connection may be woken, for each connection there is: to look at all of them
/// then costs a thousandth of a core, however many they are.
const GRAIN: Duration = Duration::from_micros(1);
/// The least time between two looks.
const LEAST: Duration = Duration::from_millis(1);
/// The most.
const MOST: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
struct Table {
    entries: Slab<Entry>,
    /// When all deadlines are looked at next.
    look: Option<Time>,
}

/// The place of a connection in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u32);

#[derive(Debug)]
struct Entry {
    waker: Waker,
    due: Option<Time>,
}

impl Table {
    /// Wakes the connections that are due; when to look again.
    fn wake(&mut self, now: Time) -> Time {
        let mut next = now.after(MOST);
        for (_, entry) in &mut self.entries {
            match entry.due {
                Some(due) if due <= now => {
                    entry.due = None;
                    entry.waker.wake_by_ref();
                }
                Some(due) => next = next.min(due),
                None => {}
            }
        }
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        next.max(now.after(LEAST.max(GRAIN * count)))
    }
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
        self.table().entries.iter().for_each(|(_, entry)| entry.waker.wake_by_ref());
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

    pub(crate) fn register(&self, waker: Waker) -> Key {
        let key = self.table().entries.insert(Entry { waker, due: None });
        // Descriptors, of which each entry has one, are counted in 31 bits.
        Key(u32::try_from(key).unwrap_or(u32::MAX))
    }

    pub(crate) fn unregister(&self, key: Key) {
        self.table().entries.remove(key.0 as usize);
    }

    /// Has a connection woken at `due`, in place of the time before.
    pub(crate) fn wake_at(&self, key: Key, due: Time) {
        let mut table = self.table();
        table.entries[key.0 as usize].due = Some(due);
        if table.look.is_none_or(|look| due < look) {
            table.look = Some(due);
            drop(table);
            self.sooner.notify_one();
        }
    }

    /// Wakes connections at their deadlines, for as long as it is polled.
    pub(crate) async fn keep_time<T>(&self) -> T {
        loop {
            let look = {
                let mut table = self.table();
                let look = table.wake(clock::now());
                table.look = Some(look);
                look
            };
            tokio::select! {
                () = tokio::time::sleep_until(clock::instant(look)) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
