//! Frames on their way in.
#![expect(
    clippy::inline_always,
    reason = "what every message passes is one function with `next`; left to itself the compiler parts it by size"
)]

use super::{
    Connection, codec,
    position::{Frame, Position, Spill},
};
use crate::{
    Opcode,
    assembler::Assembly,
    config::{Config, Delivery},
    control::Control,
    error::{Error, Limit, Violation},
    event::Event,
    frame::{self, Header, Rules},
    input::Input,
    message::{Kind, MessageRef, Payload},
    payload,
    time::Time,
    workspace::Workspace,
};
use alloc::{boxed::Box, sync::Arc};
use bytes::{BytesMut, buf::Limit as Limited};

/// A frame with more than this many bytes to come is best read [directly](Connection::direct).
const DIRECT: usize = 32 * 1024;

/// What of the peer's stream is not yet an event.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) position: Position,
    /// The beginning of a control frame's payload.
    pub(super) control: Option<Box<Control>>,
    pub(super) message: Option<Box<Assembly>>,
}

impl Incoming {
    /// The frame whose payload comes.
    #[inline]
    fn frame(&self) -> Option<Frame> {
        match self.position {
            Position::Payload(frame) => Some(frame),
            Position::Header(_) => None,
        }
    }

    /// Whether nothing of a message, nor of any frame, was read that is not yet an event.
    #[inline]
    fn is_between_messages(&self) -> bool {
        self.message.is_none() && matches!(self.position, Position::Header(Spill { length: 0, .. }))
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Connection {
    /// The next event in `input`; `None` once all of it is used up, or kept for later.
    ///
    /// Payloads are unmasked in place and borrowed from `input` where a message lies whole in it. Call again
    /// until it says `None`, also with an empty input after bytes were read [directly](Self::direct).
    ///
    /// # Errors
    /// The connection is failed: a close frame that says why is in the outbox, and no more events come.
    #[inline]
    pub fn next<'a>(
        &mut self,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<Option<Event<'a>>, Error> {
        let before = input.rest().len();
        if before > 0 {
            self.outward.deadlines.bytes_came(now);
        }
        let event = self.step(input, workspace, now);
        self.inward.stats.wire_in += (before - input.rest().len()) as u64;
        match event {
            Ok(event) => Ok(event),
            Err(error) => {
                input.discard();
                Err(self.fail(error, &mut workspace.keys, now))
            }
        }
    }

    /// Whether [`next`](Self::next) would fail the connection at the header that `input` begins with.
    pub fn rejects(&self, input: &[u8]) -> bool {
        match self.inward.incoming.position {
            _ if !self.phase.is_reading() || input.is_empty() => false,
            Position::Payload(_) => false,
            Position::Header(Spill { length: 0, .. }) => frame::decode(input, self.rules()).is_err(),
            Position::Header(spill) => frame::decode(spill.joined(input).as_bytes(), self.rules()).is_err(),
        }
    }

    /// Where the next bytes of the transport belong while a large frame arrives; `None` where they should be read
    /// into a buffer of the caller's. The buffer is never larger than four times the bytes that came.
    pub fn direct(&mut self) -> Option<Limited<&mut BytesMut>> {
        let frame =
            self.inward.incoming.frame().filter(|frame| frame.left > DIRECT && !frame.opcode.is_control())?;
        if self.config.delivery == Delivery::Streaming {
            return None;
        }
        self.inward.incoming.message.as_mut()?.direct(frame.left, &self.config)
    }

    /// Hands messages over in another way than the settings say, from the next message on. `false` in the midst of a
    /// message, where nothing changes.
    pub fn set_delivery(&mut self, delivery: Delivery) -> bool {
        if self.inward.incoming.message.is_some() {
            return self.config.delivery == delivery;
        }
        if self.config.delivery != delivery {
            self.config = Arc::new(Config { delivery, ..(*self.config).clone() });
        }
        true
    }

    /// A message whose only frame lies whole in the input is judged and handed over here: the others go the longer way.
    #[inline]
    fn step<'a>(
        &mut self,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<Option<Event<'a>>, Error> {
        if self.inward.incoming.is_between_messages() && self.phase.is_reading() {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some((header, length)) = frame::decode(input.rest(), self.rules())? {
                input.take(length);
                let frame = self.begin(&header)?;
                if self.is_whole(&frame, input) {
                    return self.whole_message(&frame, input, workspace).map(Some);
                }
                self.inward.incoming.position = Position::Payload(frame);
            }
        }
        self.go_on(input, workspace, now)
    }

    #[inline(never)]
    fn go_on<'a>(
        &mut self,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<Option<Event<'a>>, Error> {
        while self.phase.is_reading() {
            let frame = match self.inward.incoming.position {
                Position::Payload(frame) => frame,
                Position::Header(spill) => match self.header(spill, input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let event = if frame.opcode.is_control() {
                self.control_frame(frame, input, workspace, now)?
            } else {
                self.data_frame(frame, input, workspace, now)?
            };
            if event.is_some() || (input.is_empty() && self.inward.incoming.frame().is_some()) {
                return Ok(event);
            }
        }
        input.discard();
        Ok(None)
    }

    #[inline]
    fn rules(&self) -> Rules {
        Rules {
            role: self.role,
            message: self.inward.incoming.message.is_some(),
            deflate: self.deflate.is_some(),
        }
    }

    /// Reads a header, of which `spill` came before, and judges it; `None` where it is not whole yet.
    #[inline]
    fn header(&mut self, spill: Spill, input: &mut Input<'_>) -> Result<Option<Frame>, Error> {
        let rules = self.rules();
        if spill.length > 0 {
            return self.spilled_header(spill, input, rules);
        }
        match frame::decode(input.rest(), rules)? {
            Some((header, length)) => {
                input.take(length);
                self.begin(&header).map(Some)
            }
            None if input.is_empty() => Ok(None),
            None => self.spilled_header(spill, input, rules),
        }
    }

    #[cold]
    fn spilled_header(
        &mut self,
        spill: Spill,
        input: &mut Input<'_>,
        rules: Rules,
    ) -> Result<Option<Frame>, Error> {
        let joined = spill.joined(input.rest());
        if let Some((header, length)) = frame::decode(joined.as_bytes(), rules)? {
            input.take(length - usize::from(spill.length));
            return self.begin(&header).map(Some);
        }
        input.take(usize::from(joined.length - spill.length));
        self.inward.incoming.position = Position::Header(joined);
        Ok(None)
    }

    /// Holds a header against the limits; nothing is allocated for what it announces.
    #[inline(always)]
    fn begin(&mut self, header: &Header) -> Result<Frame, Error> {
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let Header { fin, rsv1, opcode, mask, .. } = *header;
        if !opcode.is_control() {
            if length > self.config.limits.frame {
                return Err(Limit::Frame.into());
            }
            match &mut self.inward.incoming.message {
                Some(message) => message.begin_frame(length, &self.config)?,
                None if length > self.config.limits.message => return Err(Limit::Message.into()),
                None => {}
            }
        }
        Ok(Frame { opcode, fin, rsv1, mask, phase: 0, left: length })
    }

    #[inline]
    fn data_frame<'a>(
        &mut self,
        mut frame: Frame,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<Option<Event<'a>>, Error> {
        if self.is_whole(&frame, input) {
            self.inward.incoming.position = Position::default();
            return self.whole_message(&frame, input, workspace).map(Some);
        }
        if self.inward.incoming.message.is_none() {
            let mut message = Box::new(Assembly::new(frame.kind(), frame.rsv1));
            message.begin_frame(frame.left, &self.config)?;
            self.inward.incoming.message = Some(message);
        }
        let Some(message) = self.inward.incoming.message.as_deref_mut() else { return Ok(None) };
        let direct = message.take_direct(frame.masking())?;
        if direct > 0 {
            self.outward.deadlines.bytes_came(now);
            self.inward.stats.wire_in += direct as u64;
            frame.took(direct);
        }
        let piece = input.take(frame.left);
        let masking = frame.masking();
        frame.took(piece.len());
        let last = frame.fin && frame.left == 0;
        self.inward.incoming.position = Position::behind(frame);
        if self.config.delivery == Delivery::Streaming {
            return self.stream(piece, masking, last, workspace);
        }
        if !piece.is_empty() {
            message.append(piece, masking, &self.config)?;
        }
        if !last {
            return Ok(None);
        }
        message.check_end()?;
        let Some(message) = self.inward.incoming.message.take() else { return Ok(None) };
        let (kind, compressed, payload) = (message.kind, message.compressed, message.into_buffer());
        if compressed {
            return self.deliver_inflated(kind, &payload, workspace).map(Some);
        }
        Ok(Some(self.deliver(kind, Payload::Owned(payload))))
    }

    /// Whether a frame that was not begun is a whole message, and lies whole in the input.
    #[inline]
    fn is_whole(&self, frame: &Frame, input: &Input<'_>) -> bool {
        frame.fin
            && !frame.opcode.is_control()
            && frame.left <= input.rest().len()
            && self.inward.incoming.message.is_none()
            && self.config.delivery == Delivery::Whole
    }

    /// Hands a message over whose only frame [lies whole](Self::is_whole) in the input.
    #[inline(always)]
    fn whole_message<'a>(
        &mut self,
        frame: &Frame,
        input: &mut Input<'a>,
        workspace: &mut Workspace,
    ) -> Result<Event<'a>, Error> {
        let payload = input.take(frame.left);
        let text = frame.opcode == Opcode::Text && !frame.rsv1;
        if !payload::take_whole(payload, frame.mask, text) {
            return Err(Violation::InvalidUtf8.into());
        }
        if frame.rsv1 {
            return self.deliver_inflated(frame.kind(), payload, workspace);
        }
        Ok(self.deliver(frame.kind(), Payload::Borrowed(payload)))
    }

    /// Hands a whole message over.
    #[inline(always)]
    fn deliver<'a>(&mut self, kind: Kind, payload: Payload<'a>) -> Event<'a> {
        self.outward.deadlines.message_came();
        self.inward.stats.messages_in += 1;
        self.inward.stats.bytes_in += payload.len() as u64;
        Event::Message(MessageRef::validated(kind, payload))
    }

    /// Hands a whole message over that came compressed.
    #[cold]
    fn deliver_inflated<'a>(
        &mut self,
        kind: Kind,
        payload: &[u8],
        workspace: &mut Workspace,
    ) -> Result<Event<'a>, Error> {
        let payload = codec::inflate(self, kind, payload, &mut workspace.codecs)?;
        Ok(self.deliver(kind, payload))
    }
}
