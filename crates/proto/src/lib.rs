//! The WebSocket protocol (RFC 6455, RFC 7692) without I/O.
//!
//! [`Connection`] is one end of a connection after its [handshake]: bytes that were read go in, events come out; messages
//! go in, bytes to be written come out. It knows no socket, no clock and no thread, so that it runs under any of them.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod assembler;
pub mod close;
pub mod config;
pub mod connection;
mod deadline;
pub mod deflate;
pub mod error;
pub mod event;
pub mod frame;
pub mod handshake;
mod input;
pub mod mask;
pub mod message;
mod opcode;
mod outbox;
mod payload;
mod prepared;
mod role;
mod stats;
mod text;
mod time;
pub mod utf8;
mod workspace;

pub use close::{CloseCode, CloseReason};
pub use config::Config;
pub use connection::Connection;
pub use error::{Error, Fault};
pub use event::Event;
pub use input::Input;
pub use message::{Kind, Message, MessageRef};
pub use opcode::Opcode;
pub use outbox::{Chunks, Outbox};
pub use prepared::Prepared;
pub use role::Role;
pub use stats::Stats;
pub use text::Text;
pub use time::Time;
pub use workspace::Workspace;
