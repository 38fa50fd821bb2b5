//! The parameters of permessage-deflate (RFC 7692 §7.1): one value, read by the handshake and by the codec.

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server compresses each message afresh (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message afresh (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// log2 of the server's window, 8–15 (§7.1.2.1).
    pub server_max_window_bits: u8,
    /// log2 of the client's window, 8–15 (§7.1.2.2).
    pub client_max_window_bits: u8,
}
