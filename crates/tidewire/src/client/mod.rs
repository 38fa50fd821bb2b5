//! A WebSocket client.

mod builder;
mod error;
mod handshake;
mod launch;
mod opening;
mod reconnect;
mod response;
mod retry;

pub use builder::Client;
pub use error::{ConnectError, Rejected, Step};
pub use handshake::{Handshake, Hop};
pub use launch::{Driving, Established, Running};
pub use reconnect::{Event, Reconnecting, ReconnectingSender};
pub use retry::Why;

use crate::{handler::Handler, websocket::WebSocket};
use std::sync::Arc;
use tidewire_proto::handshake::{HandshakeError, WsUrl, redirect};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

/// Connects to a `ws://` or `wss://` URL with the defaults of [`Client`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut ws = tidewire::connect("ws://127.0.0.1:9876").await?;
/// ws.send("hello").await?;
/// println!("{:?}", ws.recv().await?);
/// ws.close(tidewire::CloseCode::NORMAL, "bye").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Why there is no connection; see [`ConnectError`].
pub async fn connect(url: &str) -> Result<WebSocket, ConnectError> {
    Client::new().connect(url).await
}

impl Client {
    /// Connects to a `ws://` or `wss://` URL; `http` and `https` count as these. Redirects are followed. Cancel-safe:
    /// a future that is dropped leaves no socket open.
    ///
    /// # Errors
    /// Why there is no connection; see [`ConnectError`].
    pub async fn connect(&self, url: &str) -> Result<WebSocket, ConnectError> {
        Ok(self.launch_owned(self.open(url).await?))
    }

    /// Connects over a byte stream that is there already. `url` gives the request its target and Host; with `wss://` the
    /// stream is one inside TLS. Redirects are errors.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_over<IO>(&self, io: IO, url: &str) -> Result<WebSocket, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let url = WsUrl::parse(url)?;
        let request = self.request()?;
        Ok(self.launch_owned(self.upgrade(io, &url, &request).await?))
    }

    /// Connects, and drives `handler` on a task of its own: borrowed messages, gathered replies, no await.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn handle(&self, url: &str, handler: impl Handler) -> Result<Running, ConnectError> {
        Ok(self.launch_handler(self.open(url).await?, handler))
    }

    /// Connects, and leaves it to the caller when, by whom and in which task the connection is driven: for programs with
    /// many connections, which want neither a task nor a channel of the library's for each.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn establish(&self, url: &str) -> Result<Established, ConnectError> {
        Ok(launch::established(self.open(url).await?, Arc::clone(&self.config)))
    }

    /// Dials and shakes hands, through redirects.
    async fn open(&self, url: &str) -> Result<opening::Open<crate::dial::Stream>, ConnectError> {
        let first = WsUrl::parse(url)?;
        let mut url = first.clone();
        let mut request = self.request()?;
        let mut hops: Vec<Hop> = Vec::new();
        loop {
            let begin = Instant::now();
            let (stream, info) = self.dial(&first, &url).await?;
            let mut rejected = match self.upgrade(stream, &url, &request).await {
                Ok(mut open) => {
                    open.handshake.dial = Some(info);
                    open.handshake.total = begin.elapsed();
                    open.handshake.hops = hops;
                    return Ok(open);
                }
                Err(ConnectError::Handshake(rejected)) if self.max_redirects > 0 => rejected,
                Err(error) => return Err(error),
            };
            let HandshakeError::Redirect { status, location } = &rejected.error else {
                return Err(ConnectError::Handshake(rejected));
            };
            let hop = Hop { url: url.clone(), status: *status };
            let to = match redirect(&url, location) {
                Ok(to) => to,
                Err(error) => {
                    rejected.error = HandshakeError::Location(error);
                    return Err(ConnectError::Handshake(rejected));
                }
            };
            hops.push(hop);
            if hops.len() > self.max_redirects || hops.iter().any(|hop| hop.url == to) {
                return Err(ConnectError::Redirects { hops, to: Box::new(to), limit: self.max_redirects });
            }
            request = request.redirected(&url, &to, builder::nonce());
            url = to;
        }
    }

    fn launch_owned<IO>(&self, open: opening::Open<IO>) -> WebSocket
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        launch::owned(open, Arc::clone(&self.config))
    }

    fn launch_handler<IO, H: Handler>(&self, open: opening::Open<IO>, handler: H) -> Running
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        launch::handled(open, Arc::clone(&self.config), handler)
    }
}
