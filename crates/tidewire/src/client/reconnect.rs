//! A sequence of connections to one server.

use super::{Client, ConnectError, Why};
use crate::{
    dial::Backoff,
    outcome::{Error, Result},
    sender::Sender,
    tools::entropy,
    websocket::WebSocket,
};
use futures_core::Stream;
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tidewire_proto::{CloseCode, Message};
use tokio::{
    sync::watch,
    time::{Instant, Sleep, sleep},
};

/// Keeps a connection to a server: where it breaks, another is made, after a wait that grows from attempt to attempt and
/// is drawn at random (see [`Backoff`]), and that is no shorter than the server's Retry-After. [`Why::is_transient`]
/// says which ends are final.
///
/// It connects, waits and receives inside [`event`](Self::event) and [`recv`](Self::recv), and nowhere else: poll one of
/// them. There is no queue of messages to be sent: while there is no connection [`send`](Self::send) refuses them, and
/// [`ReconnectingSender::send`] waits. A message that was taken in just before a connection broke may be lost; only an
/// answer of the application's own protocol tells.
///
/// ```no_run
/// # async fn run() {
/// use tidewire::{Client, client::Event};
///
/// let mut feed = Client::new().reconnecting("wss://example.com/live");
/// while let Some(event) = feed.event().await {
///     match event {
///         Event::Connected => println!("connected"),
///         Event::Message(message) => println!("{message:?}"),
///         Event::Disconnected { why, retry_in: Some(wait) } => println!("{why}; again in {wait:?}"),
///         Event::Disconnected { why, retry_in: None } => println!("{why}"),
///     }
/// }
/// # }
/// ```
pub struct Reconnecting {
    connect: Connect,
    backoff: Backoff,
    max_attempts: Option<u32>,
    state: State,
    closing: bool,
    link: watch::Sender<Link>,
}

/// What happens to a [`Reconnecting`].
#[derive(Debug)]
pub enum Event {
    /// There is a [`connection`](Reconnecting::connection).
    Connected,
    /// A message came.
    Message(Message),
    /// There is no connection any more, or an attempt to make one failed.
    Disconnected {
        /// Why.
        why: Why,
        /// The wait until the next attempt; `None` where this is the end.
        retry_in: Option<Duration>,
    },
}

/// Sends on whichever connection a [`Reconnecting`] has; clones send on the same.
#[derive(Clone, Debug)]
pub struct ReconnectingSender {
    link: watch::Receiver<Link>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<WebSocket, ConnectError>> + Send>>;
type Connect = Box<dyn FnMut() -> Connecting + Send>;

enum State {
    Connecting(Connecting),
    Open { ws: WebSocket, since: Instant },
    Waiting(Pin<Box<Sleep>>),
    Ended,
}

/// What senders see of it.
#[derive(Debug)]
enum Link {
    Away,
    Open(Sender),
    Ended,
}

impl Client {
    /// Keeps a connection to `url`. Nothing happens until it is polled.
    pub fn reconnecting(&self, url: impl Into<String>) -> Reconnecting {
        let (client, url) = (self.clone(), url.into());
        Reconnecting::with(move || {
            let (client, url) = (client.clone(), url.clone());
            async move { client.connect(&url).await }
        })
    }
}

impl Reconnecting {
    /// Connects by `connect`, which is called for each attempt: it may take another server, or a fresh token.
    pub fn with<F, C>(mut connect: F) -> Self
    where
        F: FnMut() -> C + Send + 'static,
        C: Future<Output = Result<WebSocket, ConnectError>> + Send + 'static,
    {
        let mut connect: Connect = Box::new(move || Box::pin(connect()));
        Self {
            state: State::Connecting(connect()),
            connect,
            backoff: Backoff::default(),
            max_attempts: None,
            closing: false,
            link: watch::Sender::new(Link::Away),
        }
    }

    /// The waits between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Gives up after so many waits without a connection that [lasted](Backoff::stable_after). By default it never does.
    #[must_use]
    pub fn max_attempts(mut self, count: impl Into<Option<u32>>) -> Self {
        self.max_attempts = count.into();
        self
    }

    /// The next event; `None` once it has ended. Cancel-safe.
    pub async fn event(&mut self) -> Option<Event> {
        poll_fn(|task| self.poll_event(task)).await
    }

    /// The next message, over as many connections as it takes; `Ok(None)` once it was [closed](Self::close), or the
    /// server closed with 1000 or without a code. Cancel-safe.
    ///
    /// # Errors
    /// Why it has ended, once.
    pub async fn recv(&mut self) -> Result<Option<Message>, Why> {
        loop {
            match self.event().await {
                None => return Ok(None),
                Some(Event::Message(message)) => return Ok(Some(message)),
                Some(Event::Disconnected { why, retry_in: None }) if !why.is_normal() => return Err(why),
                Some(Event::Connected | Event::Disconnected { .. }) => {}
            }
        }
    }

    /// Sends on the connection there is. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Closed`] while there is none: the message is not kept. Clones of a message share its bytes.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<()> {
        match &mut self.state {
            State::Open { ws, .. } => ws.send(message).await,
            _ => Err(Error::Closed),
        }
    }

    /// A sender for other tasks.
    pub fn sender(&self) -> ReconnectingSender {
        ReconnectingSender { link: self.link.subscribe() }
    }

    /// The connection there is.
    pub fn connection(&self) -> Option<&WebSocket> {
        match &self.state {
            State::Open { ws, .. } => Some(ws),
            _ => None,
        }
    }

    /// Ends it: the connection is closed, and none is made again. What came before can still be received. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Usage`] for a code that must not be sent (RFC 6455 §7.4).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<()> {
        if let State::Open { ws, .. } = &mut self.state {
            ws.sender().start_close(code, reason)?;
            self.closing = true;
            self.link.send_replace(Link::Ended);
            ws.close(code, reason).await
        } else {
            self.end();
            Ok(())
        }
    }

    fn poll_event(&mut self, task: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(task));
                    self.state = State::Connecting((self.connect)());
                }
                State::Connecting(connecting) => {
                    return Poll::Ready(Some(match ready!(connecting.as_mut().poll(task)) {
                        Ok(ws) => self.connected(ws),
                        Err(error) => self.disconnected(Why::Connect(Arc::new(error))),
                    }));
                }
                State::Open { ws, since } => {
                    let why = match ready!(Pin::new(&mut *ws).poll_next(task)) {
                        Some(Ok(message)) => return Poll::Ready(Some(Event::Message(message))),
                        Some(Err(error)) => Why::Lost(error),
                        None => ws.close_reason().map_or(Why::Lost(Error::Vanished), Why::Closed),
                    };
                    self.backoff.connected_for(since.elapsed());
                    if self.closing {
                        self.end();
                        return Poll::Ready(None);
                    }
                    return Poll::Ready(Some(self.disconnected(why)));
                }
            }
        }
    }

    fn connected(&mut self, ws: WebSocket) -> Event {
        self.link.send_replace(Link::Open(ws.sender()));
        self.state = State::Open { ws, since: Instant::now() };
        Event::Connected
    }

    fn disconnected(&mut self, why: Why) -> Event {
        let gives_up = self.max_attempts.is_some_and(|count| self.backoff.failures() >= count);
        if gives_up || !why.is_transient() {
            self.end();
            return Event::Disconnected { why, retry_in: None };
        }
        // On top of what the server asks for, so that its clients do not all come back at once.
        let wait = why.retry_after().unwrap_or_default() + self.backoff.wait(chance);
        self.link.send_replace(Link::Away);
        self.state = State::Waiting(Box::pin(sleep(wait)));
        Event::Disconnected { why, retry_in: Some(wait) }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.link.send_replace(Link::Ended);
    }
}

/// A number drawn evenly from 0 up to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    entropy(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

impl ReconnectingSender {
    /// Sends a message, once there is a connection whose outbox has room for it. Cancel-safe: nothing is sent unless this
    /// returns.
    ///
    /// # Errors
    /// [`Error::Closed`] once the [`Reconnecting`] has ended or is dropped; [`Error::Usage`] for what can't be sent.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<()> {
        let message = message.into();
        loop {
            let sender = match &*self.link.borrow_and_update() {
                Link::Ended => return Err(Error::Closed),
                Link::Away => None,
                Link::Open(sender) => Some(sender.clone()),
            };
            if let Some(sender) = sender {
                match sender.send(message.clone()).await {
                    Ok(()) => return Ok(()),
                    Err(Error::Usage(misuse)) => return Err(Error::Usage(misuse)),
                    // This connection is over; the next may take the message.
                    Err(_) => {}
                }
            }
            self.link.changed().await.map_err(|_| Error::Closed)?;
        }
    }
}

impl Stream for Reconnecting {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(task)
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Connecting(_) => "connecting",
            State::Open { .. } => "open",
            State::Waiting(_) => "waiting",
            State::Ended => "ended",
        };
        f.debug_struct("Reconnecting")
            .field("state", &state)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}
