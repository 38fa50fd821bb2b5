//! What wakes the task of a connection at its deadline.

use crate::clock;
use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};
use tidewire_proto::Time;
use tokio::time::Sleep;

/// Wakes a task at a time: at the newest it was set to, and never before.
pub trait Alarm {
    /// Sets the time, in place of the one before.
    fn set(&mut self, at: Time, task: &mut Context<'_>);
}

/// An alarm of a connection's own, on the runtime's clock.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Pin<Box<Sleep>>>);

impl Alarm for Sleeper {
    fn set(&mut self, at: Time, task: &mut Context<'_>) {
        let at = clock::instant(at);
        let sleep = match &mut self.0 {
            Some(sleep) => {
                sleep.as_mut().reset(at);
                sleep
            }
            None => self.0.insert(Box::pin(tokio::time::sleep_until(at))),
        };
        if let Poll::Ready(()) = sleep.as_mut().poll(task) {
            task.waker().wake_by_ref();
        }
    }
}
