//! The six opcodes of RFC 6455 §5.2.

/// What a frame carries (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message under way.
    Continuation = 0x0,
    /// UTF-8 text.
    Text = 0x1,
    /// Bytes without a meaning to the protocol.
    Binary = 0x2,
    /// The closing handshake (RFC 6455 §5.5.1).
    Close = 0x8,
    /// A question that a pong answers (RFC 6455 §5.5.2).
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life (RFC 6455 §5.5.3).
    Pong = 0xA,
}

impl Opcode {
    /// The opcode of the low four bits of a frame's first byte; `None` for the reserved ones.
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether this is close, ping or pong.
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}
