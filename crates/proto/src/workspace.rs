//! What the connections of one thread share.

use crate::{
    deflate::{Codecs, DeflateConfig},
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
    /// The shared compressors have the level and memory level of `deflate`.
    pub fn new(entropy: Entropy, deflate: &DeflateConfig) -> Self {
        Self {
            keys: MaskingKeys::new(entropy),
            codecs: Codecs::new(deflate.level, deflate.mem_level),
            scratch: BytesMut::new(),
        }
    }

    /// After a fork: draws masking keys anew, so that parent and child do not use the same ones.
    pub fn reseed(&mut self) {
        self.keys.reseed();
    }
}
