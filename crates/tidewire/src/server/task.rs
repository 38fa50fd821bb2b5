//! The task of a server's connection: its driver, and what the server wants of it.

use super::registry::{Key, Registry, Stage};
use crate::{
    alarm::Alarm,
    driver::{Application, Driver},
};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tidewire_proto::{CloseCode, Time};
use tokio::io::{AsyncRead, AsyncWrite};

/// Counts a connection for as long as it lives.
pub(crate) struct Place(Arc<Registry>);

impl Place {
    /// A place among at most `limit` connections.
    pub(crate) fn take(registry: &Arc<Registry>, limit: usize) -> Option<Self> {
        registry.enter(limit).then(|| Self(Arc::clone(registry)))
    }

    /// Another place, for a connection that goes on under another task.
    #[cfg(feature = "http")]
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

/// A connection's one task: its opening handshake, then what that leads to. Each stage has a box of its own, so that the
/// memory of one goes with it, and the runtime rounds up nothing but a pointer.
pub(crate) struct Life(Pin<Box<dyn Future<Output = Option<Life>> + Send>>);

impl Life {
    /// The first stage.
    pub(crate) fn begin(stage: impl Future<Output = Option<Self>> + Send + 'static) -> Self {
        Self(Box::pin(stage))
    }

    /// The last one.
    pub(super) fn of<IO, A>(task: Task<IO, A>) -> Self
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Application + Send + 'static,
    {
        Self(Box::pin(task))
    }
}

impl Future for Life {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        while let Some(next) = ready!(self.0.as_mut().poll(task)) {
            *self = next;
        }
        Poll::Ready(())
    }
}

/// Drives a connection until it ends or the server does.
pub(crate) struct Task<IO, A: Application> {
    work: Work<IO, A>,
    place: Place,
    key: Option<Key>,
    told: bool,
}

enum Work<IO, A> {
    Driving(Driver<IO, A>),
    /// The connection is over, and its transport closed; the application is not done yet.
    Finishing(A),
    Done,
}

impl<IO, A: Application> Task<IO, A> {
    pub(crate) fn new(driver: Driver<IO, A>, place: Place) -> Self {
        Self { work: Work::Driving(driver), place, key: None, told: false }
    }
}

/// The registry's alarm.
struct Registered<'a> {
    registry: &'a Registry,
    key: Key,
}

impl Alarm for Registered<'_> {
    fn set(&mut self, at: Time, _: &mut Context<'_>) {
        self.registry.wake_at(self.key, at);
    }
}

impl<IO, A> Future for Task<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    type Output = Option<Life>;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Life>> {
        let this = self.get_mut();
        let key = *this.key.get_or_insert_with(|| this.place.registry().register(task.waker().clone()));
        let stage = this.place.registry().stage();
        if stage == Stage::Ending {
            this.cut();
        }
        if let Work::Driving(driver) = &mut this.work {
            if stage == Stage::Closing && !std::mem::replace(&mut this.told, true) {
                driver.close(CloseCode::GOING_AWAY, "the server stops", task);
            }
            ready!(driver.poll(&mut Registered { registry: this.place.registry(), key }, task));
            if let Work::Driving(driver) = std::mem::replace(&mut this.work, Work::Done) {
                this.work = Work::Finishing(driver.into_application());
            }
        }
        if let Work::Finishing(application) = &mut this.work {
            ready!(application.poll_rest(task));
            this.work = Work::Done;
        }
        Poll::Ready(None)
    }
}

impl<IO, A: Application> Task<IO, A> {
    /// Ends the connection and what the application does on it.
    fn cut(&mut self) {
        if let Work::Driving(driver) = &mut self.work {
            driver.abandon();
        }
        self.work = Work::Done;
    }
}

impl<IO, A: Application> Drop for Task<IO, A> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.place.registry().unregister(key);
        }
        // The runtime drops its tasks when the server's future is dropped. A panic has to pass undisturbed.
        if !std::thread::panicking() {
            self.cut();
        }
    }
}
