//! Messages and control frames on their way out.

use super::{Connection, codec};
use crate::{
    Opcode, Role,
    close::Phase,
    copy,
    error::Misuse,
    frame::{self, Encoded, Header, MAX_CONTROL},
    mask::{self, MaskingKeys},
    message::{Kind, MessageRef, Payload},
    outbox::SEGMENT,
    prepared::{self, Prepared},
    workspace::Workspace,
};
use bytes::{Bytes, BytesMut};

/// A compression buffer above this many bytes is not kept.
const SCRATCH: usize = 256 * 1024;
/// A borrowed payload has to be copied somewhere: up to this many bytes behind its header, so that one plain write takes both.
const COPIED: usize = 128 * 1024;

/// Whether a payload goes behind its header, and not as a segment of its own.
#[inline]
fn is_copied(payload: &Payload<'_>) -> bool {
    payload.len() < if matches!(payload, Payload::Borrowed(_)) { COPIED } else { SEGMENT }
}

impl Connection {
    /// Queues a message, compressed where that was agreed on and the message is not below the threshold.
    ///
    /// # Errors
    /// [`Misuse::Closed`] once the closing handshake began; [`Misuse::MessageUnfinished`] while
    /// [`send_piece`](Self::send_piece) is in mid-message. Nothing is queued then.
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
        workspace: &mut Workspace,
    ) -> Result<(), Misuse> {
        self.may_send()?;
        let message = message.into();
        let length = message.as_bytes().len();
        self.count_message(length);
        if codec::wants(self, length) {
            self.send_compressed(message, workspace);
        } else if is_copied(message.payload()) {
            self.copied(true, false, message.kind().into(), message.as_bytes(), &mut workspace.keys);
        } else {
            let (kind, payload) = message.into_parts();
            self.large(true, false, kind.into(), payload, &mut workspace.keys);
        }
        Ok(())
    }

    /// Queues a message that was encoded for many.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, prepared: &Prepared, workspace: &mut Workspace) -> Result<(), Misuse> {
        let shares_window = codec::takes_shared(self, prepared::WINDOW_BITS);
        let encoded = match (self.role, prepared.deflated()) {
            (Role::Client, _) => return self.send(prepared.message(), workspace),
            (Role::Server, Some(deflated)) if shares_window => deflated,
            (Role::Server, _) => prepared.plain(),
        };
        self.may_send()?;
        self.inward.stats.messages_out += 1;
        self.inward.stats.bytes_out += prepared.message().as_bytes().len() as u64;
        self.outward.deadlines.message_queued();
        if encoded.len() >= SEGMENT {
            self.outward.outbox.push_segment(encoded.clone());
        } else {
            self.outward.outbox.push(encoded);
        }
        Ok(())
    }

    /// Queues a piece of a message as a frame of its own (RFC 6455 §5.4), uncompressed; `last` ends the message.
    /// A character may be cut between two pieces of a text.
    ///
    /// # Errors
    /// [`Misuse::MessageUnfinished`] where `kind` is not that of the message under way, [`Misuse::InvalidUtf8`]
    /// where the text can't go on so, [`Misuse::Closed`] once the closing handshake began. Nothing is queued then.
    pub fn send_piece(
        &mut self,
        kind: Kind,
        piece: &[u8],
        last: bool,
        workspace: &mut Workspace,
    ) -> Result<(), Misuse> {
        if self.phase != Phase::Open {
            return Err(Misuse::Closed);
        }
        let begins = self.pieces.take(kind, piece, last)?;
        let opcode = if begins { kind.into() } else { Opcode::Continuation };
        self.frame(last, false, opcode, Payload::Borrowed(piece), &mut workspace.keys);
        self.outward.deadlines.message_queued();
        self.inward.stats.messages_out += u64::from(last);
        self.inward.stats.bytes_out += piece.len() as u64;
        Ok(())
    }

    /// Queues a ping of the caller's own (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// [`Misuse::ControlTooLong`] above 125 bytes, [`Misuse::Closed`] once the closing handshake began.
    pub fn ping(&mut self, payload: &[u8], workspace: &mut Workspace) -> Result<(), Misuse> {
        self.user_control(Opcode::Ping, payload, workspace)
    }

    /// Queues an unasked pong (RFC 6455 §5.5.3).
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8], workspace: &mut Workspace) -> Result<(), Misuse> {
        self.user_control(Opcode::Pong, payload, workspace)
    }

    fn user_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        workspace: &mut Workspace,
    ) -> Result<(), Misuse> {
        if self.phase != Phase::Open {
            return Err(Misuse::Closed);
        }
        if payload.len() > MAX_CONTROL {
            return Err(Misuse::ControlTooLong);
        }
        self.control(opcode, payload, &mut workspace.keys);
        Ok(())
    }

    #[inline]
    fn count_message(&mut self, length: usize) {
        self.outward.deadlines.message_queued();
        self.inward.stats.messages_out += 1;
        self.inward.stats.bytes_out += length as u64;
    }

    #[inline]
    fn may_send(&self) -> Result<(), Misuse> {
        if self.phase == Phase::Open { self.pieces.check_whole() } else { Err(Misuse::Closed) }
    }

    #[cold]
    fn send_compressed(&mut self, message: MessageRef<'_>, workspace: &mut Workspace) {
        let (kind, payload) = message.into_parts();
        let mut scratch = core::mem::take(&mut workspace.scratch);
        scratch.clear();
        if codec::compress(self, &payload, &mut scratch, &mut workspace.codecs) {
            self.frame(true, true, kind.into(), Payload::Borrowed(&scratch), &mut workspace.keys);
        } else {
            self.frame(true, false, kind.into(), payload, &mut workspace.keys);
        }
        // One large message must not cost its thread the memory for good.
        if scratch.capacity() <= SCRATCH {
            workspace.scratch = scratch;
        }
    }

    pub(super) fn control(&mut self, opcode: Opcode, payload: &[u8], keys: &mut MaskingKeys) {
        debug_assert!(payload.len() <= MAX_CONTROL);
        self.copied(true, false, opcode, payload, keys);
    }

    /// Queues one frame: a small payload behind its header, a large one as it is.
    fn frame(&mut self, fin: bool, rsv1: bool, opcode: Opcode, payload: Payload<'_>, keys: &mut MaskingKeys) {
        if is_copied(&payload) {
            self.copied(fin, rsv1, opcode, &payload, keys);
        } else {
            self.large(fin, rsv1, opcode, payload, keys);
        }
    }

    /// The key of the next frame (RFC 6455 §5.3).
    #[inline]
    fn mask(&self, keys: &mut MaskingKeys) -> Option<[u8; 4]> {
        match self.role {
            Role::Server => None,
            Role::Client => Some(keys.next_key()),
        }
    }

    #[inline]
    fn copied(&mut self, fin: bool, rsv1: bool, opcode: Opcode, payload: &[u8], keys: &mut MaskingKeys) {
        let mask = self.mask(keys);
        let header = frame::encode(&Header { fin, rsv1, opcode, mask, length: payload.len() as u64 });
        let buffer = self.outward.outbox.buffer(Encoded::ROOM + payload.len());
        header.append_to(buffer);
        match mask {
            Some(key) => mask::append_masked(buffer, payload, key),
            None => copy::append(buffer, payload),
        }
    }

    #[inline(never)]
    fn large(&mut self, fin: bool, rsv1: bool, opcode: Opcode, payload: Payload<'_>, keys: &mut MaskingKeys) {
        let mask = self.mask(keys);
        let header = frame::encode(&Header { fin, rsv1, opcode, mask, length: payload.len() as u64 });
        self.outward.outbox.push(&header);
        let Some(key) = mask else {
            self.outward.outbox.push_segment(payload.into_bytes());
            return;
        };
        let mut own = match payload {
            Payload::Borrowed(bytes) => BytesMut::from(bytes),
            Payload::Owned(bytes) => bytes,
            Payload::Shared(bytes) => {
                bytes.try_into_mut().unwrap_or_else(|shared: Bytes| BytesMut::from(&shared[..]))
            }
        };
        mask::apply(&mut own, key, 0);
        self.outward.outbox.push_segment(own.freeze());
    }
}
