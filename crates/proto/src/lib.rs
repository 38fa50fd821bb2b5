//! The WebSocket protocol (RFC 6455, RFC 7692) without I/O.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod close;
pub mod deflate;
pub mod error;
pub mod handshake;
pub mod opcode;
pub mod role;

pub use close::{CloseCode, CloseReason};
pub use error::{Error, Fault};
pub use opcode::Opcode;
pub use role::Role;
