//! From an open connection to the task that drives it.

use super::{Handshake, opening::Open};
use crate::dial::Stream;
use crate::{
    alarm::Sleeper,
    channel::Channel,
    clock,
    driver::{Application, Driver},
    handler::{Handled, Handler},
    joined::Channeled,
    outcome::{Outcome, Result},
    sender::Sender,
    websocket::WebSocket,
};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tidewire_proto::{CloseCode, Config, Connection, Role, config::Delivery};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

/// A connection whose [`Handler`] runs on a task of its own. It goes on where this is dropped.
pub struct Running {
    handshake: Box<Handshake>,
    sender: Sender,
    task: JoinHandle<Outcome>,
}

/// A connection whose opening handshake is done, and that nothing drives yet. Dropped, it is gone without a close frame.
pub struct Established {
    open: Open<Stream>,
    config: Arc<Config>,
}

/// A connection with its [`Handler`], as a future of the caller's; ready once it is over. Dropping it cuts the connection.
pub struct Driving<H: Handler>(Guarded<Stream, Handled<H>>);

pub(super) fn established(open: Open<Stream>, config: Arc<Config>) -> Established {
    Established { open, config }
}

impl Established {
    /// How the connection came about.
    pub fn handshake(&self) -> &Handshake {
        &self.open.handshake
    }

    /// Hands the connection to `handler`; the future does all the work, inside the task that polls it. What only the
    /// handshake needed is freed.
    pub fn drive<H: Handler>(self, handler: H) -> Driving<H> {
        let connection = connection(&self.open, self.config);
        let application = Handled::new(handler, None);
        Driving(Guarded::new(Driver::new(self.open.io, connection, application, self.open.early)))
    }
}

impl<H: Handler> Future for Driving<H> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.0).poll(task)
    }
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established").field("url", self.handshake().url()).finish_non_exhaustive()
    }
}

impl<H: Handler> fmt::Debug for Driving<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driving").finish_non_exhaustive()
    }
}

pub(super) fn owned<IO>(open: Open<IO>, config: Arc<Config>) -> WebSocket
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let channel = Arc::new(Channel::new(config.limits.outbox));
    let connection = connection(&open, whole(config));
    let application = Channeled::new(Arc::clone(&channel));
    tokio::spawn(Guarded::new(Driver::new(open.io, connection, application, open.early)));
    WebSocket::of_client(channel, open.handshake)
}

pub(super) fn handled<IO, H: Handler>(open: Open<IO>, config: Arc<Config>, handler: H) -> Running
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let channel = Arc::new(Channel::new(config.limits.outbox));
    let connection = connection(&open, config);
    let application = Handled::on(Arc::clone(&channel), handler);
    let task = tokio::spawn(Guarded::new(Driver::new(open.io, connection, application, open.early)));
    Running { handshake: open.handshake, sender: Sender::new(channel), task }
}

/// Owned messages are whole ones.
fn whole(mut config: Arc<Config>) -> Arc<Config> {
    if config.delivery != Delivery::Whole {
        Arc::make_mut(&mut config).delivery = Delivery::Whole;
    }
    config
}

/// Drives a connection to its end, and tells the application of that also where the task is dropped before.
struct Guarded<IO, A: Application> {
    driver: Option<Driver<IO, A>>,
    sleeper: Sleeper,
}

impl<IO, A: Application> Guarded<IO, A> {
    fn new(driver: Driver<IO, A>) -> Self {
        Self { driver: Some(driver), sleeper: Sleeper::default() }
    }
}

impl<IO, A> Future for Guarded<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.get_mut();
        let Some(driver) = &mut this.driver else { return Poll::Pending };
        let outcome = ready!(driver.poll(&mut this.sleeper, task));
        this.driver = None;
        Poll::Ready(outcome)
    }
}

impl<IO, A: Application> Drop for Guarded<IO, A> {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.as_mut().filter(|_| !std::thread::panicking()) {
            driver.abandon();
        }
    }
}

fn connection<IO>(open: &Open<IO>, config: Arc<Config>) -> Connection {
    Connection::new(Role::Client, config, open.handshake.deflate().copied(), clock::now())
}

impl Running {
    /// How the connection came about.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// A sender, to be used from anywhere.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Begins the closing handshake; see [`Sender::start_close`].
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) for a code that must not be sent (RFC 6455 §7.4).
    pub fn start_close(&self, code: CloseCode, reason: &str) -> Result<()> {
        self.sender.start_close(code, reason)
    }

    /// Cuts the connection, without a close frame.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Waits for the end of the connection; `None` where it was [aborted](Self::abort) before. Cancel-safe.
    ///
    /// # Panics
    /// Where the handler panicked.
    pub async fn ended(&mut self) -> Option<Outcome> {
        match (&mut self.task).await {
            Ok(outcome) => Some(outcome),
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("url", self.handshake.url()).finish_non_exhaustive()
    }
}
