//! Frames (RFC 6455 §5.2): a header that is read and written. Nothing here allocates.

mod decode;
mod encode;

pub use decode::{Rules, decode};
pub use encode::{Encoded, encode};

use crate::Opcode;

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const MAX_HEADER: usize = 14;

/// The most payload a control frame carries (RFC 6455 §5.5), in bytes.
pub const MAX_CONTROL: usize = 125;

/// What stands before the payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// The message is compressed (RFC 7692 §6). RSV2 and RSV3 are always zero.
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key, on frames that a client sent.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub length: u64,
}
