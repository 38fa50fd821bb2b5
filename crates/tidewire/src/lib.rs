//! WebSocket server and client on tokio: strict, fast, small.
//!
//! A server, and a client that talks to it:
//!
//! ```
//! # use std::time::Duration;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use tidewire::{CloseCode, Server};
//!
//! let server = Server::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", server.local_addr().unwrap());
//! let stop = server.stop_handle();
//! let serving = tokio::spawn(server.serve(|mut ws| async move {
//!     while let Some(message) = ws.recv().await? {
//!         ws.send(message).await?;
//!     }
//!     Ok(())
//! }));
//!
//! let mut ws = tidewire::connect(&url).await?;
//! ws.send("hello").await?;
//! let reply = ws.recv().await?; // `None` after a close
//! assert_eq!(reply.unwrap().as_text(), Some("hello"));
//! ws.close(CloseCode::NORMAL, "bye").await?;
//!
//! stop.stop(Duration::from_secs(1));
//! serving.await??;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! What a client or a server has to be told beyond that, [`Client`] and [`Server`] take as chained settings.
//!
//! # Two tiers
//!
//! | | [`Server::serve`] | [`Server::handle`] |
//! |---|---|---|
//! | you write | a future for each connection, with [`recv().await`](WebSocket::recv) and [`send().await`](WebSocket::send) | a [`Handler`] for each connection, whose calls return at once |
//! | messages | owned; cheap to clone and to keep | borrowed from the buffer they were read into |
//! | sending | waits while the outbox is full | gathered; leaves in one write when what was read is used up |
//! | take it for | most programs | many small messages, and replies that need nothing from elsewhere |
//!
//! In both, a [`Sender`] sends from other tasks and threads, pings are answered, and the closing handshake is carried on
//! whether or not anybody looks.
//!
//! # What stands by default
//!
//! Messages to 16 MiB, a request head to 16 KiB in 10 s, a ping every 20 s and 20 s to answer it, 5 s to close, 1 MiB of
//! unsent bytes before senders wait; pages of other hosts are refused ([`Server::origins`]). Each is one line to change:
//! see [`Server`] and [`config`].
//!
//! # Features
//!
//! | feature | default | what |
//! |---|---|---|
//! | `http` | yes | [`Server::fallback`]: a tower service for requests that are no upgrade |
//! | `tls` | yes | `wss://`, and `https://` proxies: rustls with ring |
//!
//! A feature adds; none changes what is there without it.

mod alarm;
mod channel;
pub mod client;
mod clock;
mod context;
pub mod dial;
pub mod driver;
mod handler;
#[cfg(feature = "http")]
pub mod http;
mod joined;
mod outcome;
mod sender;
pub mod server;
#[cfg(feature = "tls")]
pub mod tls;
mod tools;
mod websocket;

pub use channel::Incoming;
pub use client::{Client, ConnectError, Handshake, connect};
pub use context::Context;
pub use handler::{Handler, Opening};
pub use outcome::{Error, Outcome, Result, Side};
pub use sender::{Sender, TrySendError, prepare};
pub use server::{Listener, Opened, Peer, Request, Server, Verdict};
pub use tidewire_proto::{
    self as proto, CloseCode, CloseReason, Kind, Message, MessageRef, Prepared, Stats, Text, config,
};
pub use websocket::{Receiver, WebSocket, Writer};
