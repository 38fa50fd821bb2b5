//! WebSocket server and client on tokio: strict, fast, small.

mod channel;
mod clock;
mod context;
mod driver;
mod handler;
mod joined;
mod outcome;
mod sender;
mod tools;
mod websocket;

pub use channel::Incoming;
pub use context::Context;
pub use handler::{Handler, Opening};
pub use outcome::{Error, Outcome, Result, Side};
pub use sender::{Sender, TrySendError};
pub use tidewire_proto::{
    self as proto, CloseCode, CloseReason, Kind, Message, MessageRef, Prepared, Stats, Text, config,
};
pub use websocket::{Receiver, WebSocket, Writer};
