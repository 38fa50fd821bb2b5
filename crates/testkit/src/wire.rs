//! Frames of any shape, right and wrong, and the frames in a stream of bytes.

use tidewire_proto::{CloseCode, Opcode, Role};

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As short as it goes.
    Shortest,
    /// In seven bits, cut off where it does not fit.
    Seven,
    /// In 16 bits, cut off where it does not fit.
    Sixteen,
    /// In 64 bits.
    SixtyFour,
}

/// A frame to be written; nothing about it need be right.
#[derive(Clone, Debug)]
pub struct Frame {
    first: u8,
    form: Length,
    announced: Option<u64>,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl Frame {
    /// A final frame with the low four bits `opcode` that a peer with this role may send.
    pub fn new(from: Role, opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first: 0x80 | opcode & 0x0F,
            form: Length::Shortest,
            announced: None,
            mask: (from == Role::Client).then_some([0x37, 0xFA, 0x21, 0x3D]),
            payload: payload.as_ref().into(),
        }
    }

    /// Its FIN bit.
    #[must_use]
    pub fn fin(mut self, fin: bool) -> Self {
        self.first = self.first & 0x7F | u8::from(fin) << 7;
        self
    }

    /// Its three reserved bits, RSV1 the highest.
    #[must_use]
    pub fn rsv(mut self, bits: u8) -> Self {
        self.first = self.first & 0x8F | (bits & 7) << 4;
        self
    }

    /// Its masking key, or none.
    #[must_use]
    pub fn mask(mut self, mask: Option<[u8; 4]>) -> Self {
        self.mask = mask;
        self
    }

    /// The form of its length.
    #[must_use]
    pub fn form(mut self, form: Length) -> Self {
        self.form = form;
        self
    }

    /// A length other than that of its payload.
    #[must_use]
    pub fn announce(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// Appends the frame to `out`.
    #[expect(clippy::cast_possible_truncation, reason = "forms that don't fit are what is asked for")]
    pub fn write(&self, out: &mut Vec<u8>) {
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        let masked = u8::from(self.mask.is_some()) << 7;
        let form = match self.form {
            Length::Shortest if length <= 125 => Length::Seven,
            Length::Shortest if length <= 0xFFFF => Length::Sixteen,
            Length::Shortest => Length::SixtyFour,
            form => form,
        };
        out.push(self.first);
        match form {
            Length::Sixteen => {
                out.push(masked | 0x7E);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            Length::SixtyFour => {
                out.push(masked | 0x7F);
                out.extend_from_slice(&length.to_be_bytes());
            }
            _ => out.push(masked | length as u8 & 0x7F),
        }
        out.extend_from_slice(&self.mask.unwrap_or_default()[..if self.mask.is_some() { 4 } else { 0 }]);
        let key = self.mask.unwrap_or_default();
        out.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }

    /// The frame's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// Writes frames as a peer of one role.
#[derive(Clone, Debug)]
pub struct Wire {
    from: Role,
    /// What was written so far.
    pub bytes: Vec<u8>,
}

impl Wire {
    /// Nothing yet, from a peer with this role.
    pub fn from(role: Role) -> Self {
        Self { from: role, bytes: Vec::new() }
    }

    /// Appends raw bytes.
    #[must_use]
    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// Appends a final frame.
    #[must_use]
    pub fn frame(self, opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        self.shaped(opcode, payload, |frame| frame)
    }

    /// Appends a frame with FIN = 0.
    #[must_use]
    pub fn part(self, opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        self.shaped(opcode, payload, |frame| frame.fin(false))
    }

    /// Appends a frame of any shape.
    #[must_use]
    pub fn shaped(
        mut self,
        opcode: Opcode,
        payload: impl AsRef<[u8]>,
        shape: impl FnOnce(Frame) -> Frame,
    ) -> Self {
        shape(Frame::new(self.from, opcode as u8, payload)).write(&mut self.bytes);
        self
    }

    /// Appends a text message.
    #[must_use]
    pub fn text(self, text: impl AsRef<[u8]>) -> Self {
        self.frame(Opcode::Text, text)
    }

    /// Appends a binary message.
    #[must_use]
    pub fn binary(self, bytes: impl AsRef<[u8]>) -> Self {
        self.frame(Opcode::Binary, bytes)
    }

    /// Appends a message with RSV1, `payload` as it is.
    #[must_use]
    pub fn deflated(self, opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        self.shaped(opcode, payload, |frame| frame.rsv(4))
    }

    /// Appends a ping.
    #[must_use]
    pub fn ping(self, payload: impl AsRef<[u8]>) -> Self {
        self.frame(Opcode::Ping, payload)
    }

    /// Appends a pong.
    #[must_use]
    pub fn pong(self, payload: impl AsRef<[u8]>) -> Self {
        self.frame(Opcode::Pong, payload)
    }

    /// Appends a close frame.
    #[must_use]
    pub fn close(self, code: CloseCode, reason: &str) -> Self {
        self.frame(Opcode::Close, [&code.0.to_be_bytes(), reason.as_bytes()].concat())
    }
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// FIN.
    pub fin: bool,
    /// The three reserved bits, RSV1 the highest.
    pub rsv: u8,
    /// The low four bits of the first byte.
    pub opcode: u8,
    /// The masking key.
    pub mask: Option<[u8; 4]>,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

/// The frames in `bytes`, and how many bytes of an unfinished one follow.
pub fn parse(bytes: &[u8]) -> (Vec<Parsed>, usize) {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((frame, after)) = parse_one(rest) {
        frames.push(frame);
        rest = after;
    }
    (frames, rest.len())
}

fn parse_one(bytes: &[u8]) -> Option<(Parsed, &[u8])> {
    let (&[first, second], mut rest) = bytes.split_first_chunk()?;
    let mut length = u64::from(second & 0x7F);
    if length == 126 {
        let (long, after) = rest.split_first_chunk()?;
        (length, rest) = (u16::from_be_bytes(*long).into(), after);
    } else if length == 127 {
        let (long, after) = rest.split_first_chunk()?;
        (length, rest) = (u64::from_be_bytes(*long), after);
    }
    let mut mask = None;
    if second & 0x80 != 0 {
        let (key, after) = rest.split_first_chunk()?;
        (mask, rest) = (Some(*key), after);
    }
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let key = mask.unwrap_or_default();
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((Parsed { fin: first & 0x80 != 0, rsv: first >> 4 & 7, opcode: first & 0x0F, mask, payload }, rest))
}
