//! WebSocket server and client on tokio: strict, fast, small.

mod channel;
pub mod client;
mod clock;
mod context;
pub mod dial;
mod driver;
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
pub use sender::{Sender, TrySendError};
pub use server::{Listener, Opened, Peer, Request, Server, Verdict};
pub use tidewire_proto::{
    self as proto, CloseCode, CloseReason, Kind, Message, MessageRef, Prepared, Stats, Text, config,
};
pub use websocket::{Receiver, WebSocket, Writer};
