//! What the connections of one thread share.

use crate::{
    deflate::Codecs,
    mask::{Entropy, MaskingKeys},
};
use bytes::BytesMut;

/// The tools of one thread: masking keys, shared compressors, a scratch buffer. Connections borrow it for a call.
#[derive(Debug)]
pub struct Workspace {
    pub(crate) keys: MaskingKeys,
    pub(crate) codecs: Codecs,
    pub(crate) scratch: BytesMut,
}

impl Workspace {
    /// A workspace whose masking keys come from `entropy`, which must be unpredictable (RFC 6455 §10.3).
    pub fn new(entropy: Entropy) -> Self {
        Self { keys: MaskingKeys::new(entropy), codecs: Codecs::default(), scratch: BytesMut::new() }
    }

    /// After a fork: draws masking keys anew, so that parent and child do not use the same ones.
    pub fn reseed(&mut self) {
        self.keys.reseed();
    }
}
