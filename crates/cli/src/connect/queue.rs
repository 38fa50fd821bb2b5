//! The way from the connection to the output: bounded by bytes, and never in the way of a notice.

use super::output::Item;
use std::cell::RefCell;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// Received bytes that may wait for the output; the connection is not read beyond it.
const HIGH_WATER: usize = 1 << 20;

/// What an item costs besides its payload.
const ITEM: usize = 128;

/// Items on their way to the output. One task pushes and one pops.
#[derive(Default)]
pub(crate) struct Queue {
    state: RefCell<State>,
    filled: Notify,
    drained: Notify,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    finished: bool,
}

impl Queue {
    /// Whether the connection may be read on.
    pub(crate) fn is_writable(&self) -> bool {
        self.state.borrow().bytes < HIGH_WATER
    }

    /// Waits until the connection may be read on. Cancel-safe.
    pub(crate) async fn writable(&self) {
        while !self.is_writable() {
            self.drained.notified().await;
        }
    }

    /// Adds an item, also above the mark: only reading on is held back.
    pub(crate) fn push(&self, item: Item) {
        let mut state = self.state.borrow_mut();
        state.bytes += ITEM + item.len();
        state.items.push_back(item);
        self.filled.notify_one();
    }

    /// Nothing more will be pushed.
    pub(crate) fn finish(&self) {
        self.state.borrow_mut().finished = true;
        self.filled.notify_one();
    }

    /// The next item at once, where there is one.
    pub(crate) fn try_pop(&self) -> Option<Item> {
        let mut state = self.state.borrow_mut();
        let item = state.items.pop_front()?;
        state.bytes -= ITEM + item.len();
        if state.bytes < HIGH_WATER {
            self.drained.notify_one();
        }
        Some(item)
    }

    /// The next item; `None` after [`finish`](Self::finish) and the last one. Cancel-safe.
    pub(crate) async fn pop(&self) -> Option<Item> {
        loop {
            if let Some(item) = self.try_pop() {
                return Some(item);
            }
            if self.state.borrow().finished {
                return None;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::output::Received;
    use crate::connect::session::Message;
    use std::time::Duration;

    fn item(bytes: usize) -> Item {
        let message = Message::Binary(vec![0; bytes].into());
        Item::Received(Received { message, at: Duration::ZERO, since: Duration::ZERO })
    }

    #[tokio::test]
    async fn reading_waits_for_the_output_and_notices_do_not() {
        let queue = Queue::default();
        queue.writable().await;
        queue.push(item(HIGH_WATER));
        queue.push(Item::Warning("still here".into()));
        assert!(tokio::time::timeout(Duration::from_millis(5), queue.writable()).await.is_err());
        let ((), popped) = tokio::join!(queue.writable(), queue.pop());
        assert!(matches!(popped, Some(Item::Received(_))));
        queue.finish();
        assert!(matches!(queue.pop().await, Some(Item::Warning(_))));
        assert!(queue.pop().await.is_none());
    }
}
