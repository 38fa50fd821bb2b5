//! What went over a connection.

/// Counts of one connection since its handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Bytes of the messages received, inflated.
    pub bytes_in: u64,
    /// Bytes of the messages sent, before compression.
    pub bytes_out: u64,
    /// Bytes received, with headers and control frames.
    pub wire_in: u64,
    /// Bytes written.
    pub wire_out: u64,
}
