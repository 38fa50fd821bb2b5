//! The task of a server's connection: its driver, and what the server wants of it.

use super::registry::{Registry, Stage};
use crate::driver::{Application, Driver};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tidewire_proto::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite};

/// Counts a connection for as long as it lives.
pub(crate) struct Place(Arc<Registry>);

impl Place {
    /// A place among at most `limit` connections.
    pub(crate) fn take(registry: &Arc<Registry>, limit: usize) -> Option<Self> {
        registry.enter(limit).then(|| Self(Arc::clone(registry)))
    }

    /// Another place, for a connection that goes on under another task.
    pub(crate) fn again(&self) -> Option<Self> {
        Self::take(&self.0, usize::MAX)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Drives a connection until it ends or the server does.
pub(crate) struct Task<IO, A> {
    driver: Driver<IO, A>,
    place: Place,
    key: Option<usize>,
    told: bool,
}

impl<IO, A> Task<IO, A> {
    pub(crate) fn new(driver: Driver<IO, A>, place: Place) -> Self {
        Self { driver, place, key: None, told: false }
    }
}

impl<IO, A> Future for Task<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.key.is_none() {
            this.key = Some(this.place.registry().register(task.waker().clone()));
        }
        match this.place.registry().stage() {
            Stage::Running => {}
            Stage::Closing => {
                if !std::mem::replace(&mut this.told, true) {
                    this.driver.close(CloseCode::GOING_AWAY, "the server stops");
                }
            }
            Stage::Ending => {
                this.driver.abandon();
                return Poll::Ready(());
            }
        }
        Pin::new(&mut this.driver).poll(task).map(drop)
    }
}

impl<IO, A> Drop for Task<IO, A> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.place.registry().unregister(key);
        }
    }
}
