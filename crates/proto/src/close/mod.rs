//! Closing (RFC 6455 §7): codes and reasons, and the closing handshake.

mod code;
mod handshake;
mod reason;

pub use code::CloseCode;
pub use handshake::{Action, Phase, Step};
pub use reason::{CloseReason, MAX_REASON, truncate};
