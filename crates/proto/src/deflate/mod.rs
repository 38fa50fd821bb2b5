//! permessage-deflate (RFC 7692).
//!
//! What is shared and what a connection holds:
//!
//! | direction | without context takeover | with context takeover |
//! |---|---|---|
//! | receiving | the thread's [`Inflater`] | the same, and a [`Window`] of at most 2^window bits bytes |
//! | sending | the thread's [`Compressor`] | a [`Compressor`] of its own |
//!
//! [`Codecs`] holds what a thread shares, [`Budget`] counts what connections hold.
//!
//! What a connection holds at the most, in bytes:
//!
//! ```
//! use tidewire_proto::deflate::{Compressor, Window};
//!
//! assert_eq!(Window::footprint(15), 32_768);
//! assert_eq!(Compressor::footprint(15, Compressor::MEM_LEVEL), 299_008);
//! assert_eq!(Compressor::footprint(12, 1), 156_544);
//! ```

pub mod compress;
pub mod inflate;
pub mod parameters;
pub mod pool;
pub mod window;

pub use compress::Compressor;
pub use inflate::{InflateError, Inflater};
pub use parameters::{DeflateConfig, DeflateParams};
pub use pool::{Budget, Codecs, Lease};
pub use window::Window;

/// The inflater of a message that is delivered in pieces, and the window of that message alone.
#[derive(Debug)]
pub(crate) struct PieceInflater {
    pub(crate) inflater: Inflater,
    pub(crate) window: Window,
}

/// The end of every compressed message, which is not sent (RFC 7692 §7.2.1): length and complement of an empty stored block.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
