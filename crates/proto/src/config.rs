//! What a connection allows and how long it waits. The defaults protect.

use crate::deflate::{Budget, DeflateConfig};
use core::time::Duration;

const MIB: usize = 1 << 20;

/// The settings of a connection; one value is shared by many.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// How much a peer may send, and how much waits to be sent.
    pub limits: Limits,
    /// How long a peer may be silent.
    pub timing: Timing,
    /// permessage-deflate.
    pub deflate: DeflateConfig,
    /// How messages are handed over.
    pub delivery: Delivery,
    /// Memory that all connections with this budget share for unfinished messages and dedicated compressors.
    pub budget: Option<Budget>,
}

/// How much a peer may send, and how much waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload in one message, inflated; above it the connection fails with 1009. 16 MiB.
    pub message: usize,
    /// Bytes of payload in one frame; above it the connection fails with 1009. 16 MiB.
    pub frame: usize,
    /// Frames of one message; above it the connection fails with 1009. 262,144.
    pub fragments: u32,
    /// The high-water mark of the outbox, in bytes; above it replies wait for the peer to read. 1 MiB.
    pub outbox: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 16 * MIB, frame: 16 * MIB, fragments: 1 << 18, outbox: MIB }
    }
}

/// How long a peer may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Time between pings; `None` sends none. 20 s.
    pub ping_interval: Option<Duration>,
    /// How long nothing at all may come after a ping. 20 s.
    pub pong_timeout: Duration,
    /// How long no message may come or go; `None` waits for ever, which is the default.
    pub idle_timeout: Option<Duration>,
    /// How long the closing handshake may take, with the peer's end of the transport. 5 s.
    pub close_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ping_interval: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(20),
            idle_timeout: None,
            close_timeout: Duration::from_secs(5),
        }
    }
}

/// How messages are handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each message whole.
    #[default]
    Whole,
    /// Each message in pieces, as its bytes arrive; nothing of it is held.
    Streaming,
}
