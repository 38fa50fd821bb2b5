//! What comes besides whole messages: pieces of messages, and control frames.

use super::{
    Connection, codec,
    position::{Frame, Position},
};
use crate::{
    Opcode,
    close::CloseReason,
    error::Error,
    event::{Event, Piece},
    input::Input,
    message::Payload,
    payload::{self, Masking},
    time::Time,
    workspace::Workspace,
};
use bytes::BytesMut;

impl Connection {
    /// Hands a piece over as it came.
    pub(super) fn stream<'a>(
        &mut self,
        piece: &'a mut [u8],
        masking: Option<Masking>,
        last: bool,
        workspace: &mut Workspace,
    ) -> Result<Option<Event<'a>>, Error> {
        let Some(mut message) = self.inward.incoming.message.take() else { return Ok(None) };
        message.judge(piece, masking)?;
        let payload = if message.compressed {
            Payload::Owned(codec::inflate_piece(self, &mut message, piece, last, &mut workspace.codecs)?)
        } else {
            Payload::Borrowed(piece)
        };
        if last {
            message.check_end()?;
        }
        self.outward.deadlines.message_came();
        self.inward.stats.messages_in += u64::from(last);
        self.inward.stats.bytes_in += payload.len() as u64;
        let (kind, first) = (message.kind, !message.started);
        let event = (last || !payload.is_empty()).then(|| {
            message.started = true;
            Event::Piece(Piece { kind, payload, first, last })
        });
        if !last {
            self.inward.incoming.message = Some(message);
        }
        Ok(event)
    }

    pub(super) fn control_frame<'a>(
        &mut self,
        mut frame: Frame,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<Option<Event<'a>>, Error> {
        let piece = input.take(frame.left);
        payload::take(piece, frame.masking(), None);
        frame.took(piece.len());
        self.inward.incoming.position = Position::behind(frame);
        let payload = match &mut self.inward.incoming.control {
            None if frame.left == 0 => Payload::Borrowed(piece),
            kept => {
                let control = kept.get_or_insert_default();
                control.extend(piece);
                if frame.left > 0 {
                    return Ok(None);
                }
                let payload = BytesMut::from(control.as_bytes());
                *kept = None;
                Payload::Owned(payload)
            }
        };
        Ok(Some(match frame.opcode {
            Opcode::Ping => {
                self.answer_ping(&payload, workspace);
                Event::Ping(payload)
            }
            Opcode::Pong => {
                let latency = self.outward.deadlines.pong(&payload, now);
                Event::Pong { payload, latency }
            }
            _ => {
                let reason = CloseReason::parse(&payload)?;
                self.peer_close(&reason, &mut workspace.keys, now);
                Event::Close(reason)
            }
        }))
    }

    /// Answers a ping, behind a close frame of ours too (RFC 6455 §5.5.2); past the high-water mark only the newest is
    /// (§5.5.3).
    fn answer_ping(&mut self, payload: &[u8], workspace: &mut Workspace) {
        if self.is_congested() {
            self.late_pong.insert(Box::default()).extend(payload);
        } else {
            self.control(Opcode::Pong, payload, &mut workspace.keys);
        }
    }
}
