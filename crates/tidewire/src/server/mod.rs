//! A WebSocket server.

mod fallback;
mod launch;
mod listen;
mod observe;
mod opening;
mod registry;
mod request;
mod task;
mod worker;

pub use listen::{Listener, Peer};
pub use observe::{Observer, Refused};
pub use request::{Opened, Request, Verdict};

use crate::{
    handler::Handler,
    outcome::{Error, Result},
    websocket::WebSocket,
};
use launch::{Futures, Handlers, Launch};
use listen::Arrival;
use observe::Nobody;
use registry::{Registry, Stage};
use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use task::{Life, Place};
use tidewire_proto::{
    config::{Config, Delivery},
    deflate::Budget,
    handshake::{HeadLimits, OriginPolicy, ServerPolicy},
};
use tokio::{net::ToSocketAddrs, sync::Semaphore};
use worker::Workers;

/// Memory that all connections of a server share for unfinished messages and dedicated compressors, in bytes.
const BUDGET: usize = 1 << 30;
/// How many of those above `max_connections` are told so at a time.
const TURNED_AWAY: usize = 64;

/// A server, listening. Settings are chained; [`serve`](Self::serve) or [`handle`](Self::handle) runs it.
///
/// ```no_run
/// # async fn run() -> tidewire::Result<()> {
/// tidewire::Server::bind("127.0.0.1:9876").await?
///     .serve(|mut ws| async move {
///         while let Some(message) = ws.recv().await? { ws.send(message).await?; }
///         Ok(())
///     })
///     .await?;
/// # Ok(()) }
/// ```
pub struct Server {
    listener: Listener,
    config: Config,
    origins: OriginPolicy,
    head_limits: HeadLimits,
    handshake_timeout: Duration,
    shutdown_timeout: Duration,
    max_connections: usize,
    workers: usize,
    on_request: Box<dyn Fn(&Request) -> Verdict + Send + Sync>,
    observer: Arc<dyn Observer>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    #[cfg(feature = "http")]
    fallback: Option<fallback::Fallback>,
    control: Handle,
}

/// What the tasks of a server's connections share.
pub(crate) struct Shared<L> {
    config: Arc<Config>,
    origins: OriginPolicy,
    head_limits: HeadLimits,
    handshake_timeout: Duration,
    on_request: Box<dyn Fn(&Request) -> Verdict + Send + Sync>,
    observer: Arc<dyn Observer>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    #[cfg(feature = "http")]
    fallback: Option<fallback::Fallback>,
    launch: L,
    /// Answers at a time to connections above the most that are let in.
    turned_away: Semaphore,
}

impl<L> Shared<L> {
    /// Whom to let in of those who come as `arrival` does.
    fn policy(&self, arrival: &Arrival) -> ServerPolicy {
        ServerPolicy { origin: self.origins.clone(), loopback: arrival.loopback }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens on a TCP address; port 0 picks a free one.
    ///
    /// # Errors
    /// The address can't be had.
    pub async fn bind(address: impl ToSocketAddrs) -> Result<Self> {
        Ok(Self::on(Listener::tcp(address).await?))
    }

    /// A server on a listener.
    pub fn on(listener: Listener) -> Self {
        Self {
            listener,
            config: Config { budget: Some(Budget::new(BUDGET)), ..Config::default() },
            origins: OriginPolicy::default(),
            head_limits: HeadLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            max_connections: usize::MAX,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            on_request: Box::new(|_| Verdict::accept()),
            observer: Arc::new(Nobody),
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "http")]
            fallback: None,
            control: Handle::default(),
        }
    }

    /// Changes limits, timing, compression.
    ///
    /// ```no_run
    /// # async fn run() -> tidewire::Result<()> {
    /// # use std::time::Duration;
    /// let server = tidewire::Server::bind("127.0.0.1:0").await?
    ///     .config(|config| config.limits.message = 1 << 20)
    ///     .config(|config| config.timing.ping_interval = Some(Duration::from_secs(5)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Which pages of other hosts may connect. By default a page of the same host (any port), and requests without an
    /// Origin header.
    #[must_use]
    pub fn origins(mut self, policy: OriginPolicy) -> Self {
        self.origins = policy;
        self
    }

    /// The largest request head and its most headers. 16 KiB, 64.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// How long TLS and opening handshake may each take. 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a graceful stop may take before connections are cut. 10 s.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The most connections at once; more are answered 503.
    #[must_use]
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// Worker threads. One per core.
    #[must_use]
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Looks at each request before the 101: accepts it, with a subprotocol and headers, or refuses it with any status.
    #[must_use]
    pub fn on_request(mut self, decide: impl Fn(&Request) -> Verdict + Send + Sync + 'static) -> Self {
        self.on_request = Box::new(decide);
        self
    }

    /// Watches the server.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Speaks TLS; see [`tls::server_config`](crate::tls::server_config) for one of PEM files.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Answers every request that is no upgrade.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn fallback<S, B>(mut self, service: S) -> Self
    where
        S: tower_service::Service<http::Request<crate::http::Body>, Response = http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: fmt::Display,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.fallback = Some(fallback::Fallback::new(service));
        self
    }

    /// The address it listens on, where that is one of TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Stops the server from elsewhere.
    pub fn stop_handle(&self) -> Handle {
        self.control.clone()
    }

    /// Runs a future for each connection, until the server is stopped.
    ///
    /// # Errors
    /// The worker threads can't be started.
    pub async fn serve<F, U>(self, handler: F) -> Result<()>
    where
        F: Fn(WebSocket) -> U + Send + Sync + 'static,
        U: Future<Output = Result<()>> + Send + 'static,
    {
        // Owned messages are whole ones.
        self.config(|config| config.delivery = Delivery::Whole).run(Futures(handler)).await
    }

    /// Runs a [`Handler`] for each connection, until the server is stopped.
    ///
    /// # Errors
    /// The worker threads can't be started.
    pub async fn handle<F, H>(self, handler: F) -> Result<()>
    where
        F: Fn(&Opened) -> H + Send + Sync + 'static,
        H: Handler,
    {
        self.run(Handlers(handler)).await
    }

    async fn run<L: Launch>(self, launch: L) -> Result<()> {
        let mut workers = Workers::start(self.workers)?;
        let registry = Arc::clone(&self.control.registry);
        let shared = Arc::new(Shared {
            config: Arc::new(self.config),
            origins: self.origins,
            turned_away: Semaphore::new(TURNED_AWAY),
            head_limits: self.head_limits,
            handshake_timeout: self.handshake_timeout,
            on_request: self.on_request,
            observer: self.observer,
            #[cfg(feature = "tls")]
            tls: self.tls,
            #[cfg(feature = "http")]
            fallback: self.fallback,
            launch,
        });
        let cut = CutOnDrop(&registry);
        // Ends with its worker.
        let clocked = Arc::clone(&registry);
        workers.run(Life::begin(async move { clocked.keep_time().await }));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = registry.stopping() => break,
            };
            match accepted {
                Ok(accepted) => {
                    let place = Place::take(&registry, self.max_connections);
                    let shared = Arc::clone(&shared);
                    workers.run(Life::begin(async move {
                        let Some(place) = place else {
                            opening::turn_away(accepted, &shared).await;
                            return None;
                        };
                        match accepted.register() {
                            Ok(socket) => opening::serve(socket, shared, place).await,
                            Err(error) => {
                                shared.observer.accept_failed(&error);
                                None
                            }
                        }
                    }));
                }
                Err(error) => {
                    shared.observer.accept_failed(&error);
                    // Out of descriptors or memory: connections that end make room.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        let grace = self.control.grace().unwrap_or(self.shutdown_timeout);
        if tokio::time::timeout(grace, registry.empty()).await.is_err() {
            registry.advance(Stage::Ending);
            // Each connection needs one poll to end.
            let _ended = tokio::time::timeout(Duration::from_secs(1), registry.empty()).await;
        }
        drop(cut);
        workers.join().await;
        Ok(())
    }
}

/// Cuts all connections when the future of the server is dropped.
struct CutOnDrop<'a>(&'a Registry);

impl Drop for CutOnDrop<'_> {
    fn drop(&mut self) {
        self.0.advance(Stage::Ending);
    }
}

/// Stops a [`Server`].
#[derive(Clone, Debug, Default)]
pub struct Handle {
    registry: Arc<Registry>,
    grace: Arc<Mutex<Option<Duration>>>,
}

impl Handle {
    /// Takes no more connections, closes all with 1001, and cuts those that have not closed within `grace`.
    /// The future of [`Server::serve`] then ends.
    pub fn stop(&self, grace: Duration) {
        *self.grace.lock().unwrap_or_else(PoisonError::into_inner) = Some(grace);
        self.registry.advance(Stage::Closing);
    }

    /// Connections at present, with those in their handshake.
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    fn grace(&self) -> Option<Duration> {
        *self.grace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
