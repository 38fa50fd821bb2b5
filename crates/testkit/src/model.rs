//! The reference decoder: the whole stream at once, each rule as plainly as it can be said, no care for speed.
//!
//! It shares with the core the words for what can go wrong, and no code.

use crate::{Seen, Setup};
use miniz_oxide::inflate::{
    TINFLStatus,
    core::{
        DecompressorOxide, decompress,
        inflate_flags::{TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    },
};
use tidewire_proto::{
    CloseCode, CloseReason, Error, Role,
    error::{Limit, Violation},
};

/// What a connection must make of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The events.
    pub seen: Vec<Seen>,
    /// How it fails.
    pub error: Option<Error>,
    /// The frames it sends back: opcode and payload.
    pub replies: Vec<(u8, Vec<u8>)>,
}

struct Message {
    text: bool,
    compressed: bool,
    fragments: u32,
    announced: u64,
    bytes: Vec<u8>,
}

struct Model<'a> {
    setup: &'a Setup,
    seen: Vec<Seen>,
    replies: Vec<(u8, Vec<u8>)>,
    message: Option<Message>,
    history: Vec<u8>,
}

/// Decodes `stream` as the peer's bytes to a connection as `setup` says.
pub fn decode(setup: &Setup, stream: &[u8]) -> Expected {
    let mut model =
        Model { setup, seen: Vec::new(), replies: Vec::new(), message: None, history: Vec::new() };
    let error = model.stream(stream).err();
    if let Some(code) = error.as_ref().and_then(Error::close_code) {
        let words = match error.as_ref() {
            Some(Error::Protocol(violation)) => violation.to_string(),
            Some(Error::Limit(limit)) => limit.to_string(),
            _ => String::new(),
        };
        model.replies.push((8, [&code.0.to_be_bytes(), words.as_bytes()].concat()));
    }
    Expected { seen: model.seen, error, replies: model.replies }
}

impl Model<'_> {
    fn stream(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        while !rest.is_empty() && !matches!(self.seen.last(), Some(Seen::Close(_))) {
            let Some(header) = self.header(rest)? else { return Ok(()) };
            let after = &rest[header.size..];
            let here = usize::try_from(header.length).unwrap_or(usize::MAX).min(after.len());
            let payload: Vec<u8> =
                (0..here).map(|i| after[i] ^ header.key.map_or(0, |key| key[i % 4])).collect();
            let whole = here as u64 == header.length;
            if header.opcode >= 8 {
                if !whole {
                    return Ok(());
                }
                self.control(header.opcode, payload)?;
            } else {
                self.data(&header, &payload, whole)?;
            }
            rest = &after[here..];
        }
        Ok(())
    }

    /// Judges as much of a header as is there (RFC 6455 §5.2).
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Error> {
        let (fin, rsv, opcode) = (bytes[0] >> 7 == 1, bytes[0] >> 4 & 7, bytes[0] & 15);
        let control = matches!(opcode, 8..=10);
        if !control && opcode > 2 {
            return Err(Violation::ReservedOpcode(opcode).into());
        }
        let compressed = rsv == 4 && self.setup.deflate.is_some() && (opcode == 1 || opcode == 2);
        if rsv != 0 && !compressed {
            return Err(Violation::ReservedBits.into());
        }
        match (opcode, &self.message) {
            (0, None) => return Err(Violation::UnexpectedContinuation.into()),
            (1 | 2, Some(_)) => return Err(Violation::ExpectedContinuation.into()),
            (8..=10, _) if !fin => return Err(Violation::ControlFragmented.into()),
            _ => {}
        }
        let Some(second) = bytes.get(1) else { return Ok(None) };
        let masked = second >> 7 == 1;
        if masked != (self.setup.role == Role::Server) {
            return Err(if masked { Violation::Masked } else { Violation::Unmasked }.into());
        }
        let short = second & 127;
        if control && short > 125 {
            return Err(Violation::ControlTooLong.into());
        }
        if short == 127 && bytes.get(2).is_some_and(|byte| *byte >= 128) {
            return Err(Violation::LengthTopBit.into());
        }
        let wide = [0, 2, 8][usize::from(short.saturating_sub(125))];
        let Some(length) = bytes.get(2..2 + wide) else { return Ok(None) };
        let length = length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let length = if wide == 0 { short.into() } else { length };
        if wide == 2 && length < 126 || wide == 8 && length < 65536 {
            return Err(Violation::NonMinimalLength.into());
        }
        let size = 2 + wide + if masked { 4 } else { 0 };
        let Some(key) = bytes.get(2 + wide..size) else { return Ok(None) };
        let key = <[u8; 4]>::try_from(key).ok();
        let header = Header { fin, compressed, opcode, length, key, size };
        let limits = &self.setup.config.limits;
        if !control {
            let before = self.message.as_ref().map_or(0, |message| message.announced);
            if length > limits.frame as u64 {
                return Err(Limit::Frame.into());
            }
            if before.saturating_add(length) > limits.message as u64 {
                return Err(Limit::Message.into());
            }
            if self.message.as_ref().is_some_and(|message| message.fragments + 1 > limits.fragments) {
                return Err(Limit::Fragments.into());
            }
        }
        Ok(Some(header))
    }

    fn data(&mut self, header: &Header, payload: &[u8], whole: bool) -> Result<(), Error> {
        let message = self.message.get_or_insert_with(|| Message {
            text: header.opcode == 1,
            compressed: header.compressed,
            fragments: 0,
            announced: 0,
            bytes: Vec::new(),
        });
        message.fragments += 1;
        message.announced += header.length;
        message.bytes.extend_from_slice(payload);
        if message.text && !message.compressed {
            // What is there may be cut inside a character, and may not be wrong already.
            if core::str::from_utf8(&message.bytes).is_err_and(|error| error.error_len().is_some()) {
                return Err(Violation::InvalidUtf8.into());
            }
        }
        if !(header.fin && whole) {
            return Ok(());
        }
        let Some(message) = self.message.take() else { return Ok(()) };
        let bytes = if message.compressed { self.inflate(&message.bytes)? } else { message.bytes };
        self.seen.push(if message.text {
            Seen::Text(String::from_utf8(bytes).map_err(|_| Violation::InvalidUtf8)?)
        } else {
            Seen::Binary(bytes)
        });
        Ok(())
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), Error> {
        if opcode == 9 {
            self.replies.push((10, payload.clone()));
            self.seen.push(Seen::Ping(payload));
        } else if opcode == 10 {
            self.seen.push(Seen::Pong(payload));
        } else {
            let reason = match payload.as_slice() {
                [] => CloseReason::empty(),
                [_] => return Err(Violation::ClosePayload.into()),
                [high, low, reason @ ..] => {
                    let code = u16::from(*high) << 8 | u16::from(*low);
                    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                        return Err(Violation::CloseCode(CloseCode(code)).into());
                    }
                    let reason = String::from_utf8(reason.to_vec()).map_err(|_| Violation::CloseReason)?;
                    CloseReason { code: CloseCode(code), reason }
                }
            };
            self.replies.push((8, payload));
            self.seen.push(Seen::Close(reason));
        }
        Ok(())
    }

    /// RFC 7692 §7.2.2, with the window of earlier messages in front of the output.
    fn inflate(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // What is not sent, then an empty final block, which ends the DEFLATE stream unless the message cuts a block.
        const TAIL: [u8; 9] = [0, 0, 255, 255, 1, 0, 0, 255, 255];
        let limit = self.setup.config.limits.message;
        let (takeover, bits) = self.setup.peer_compression().unwrap_or((false, 15));
        let past = if takeover { &self.history[self.history.len().saturating_sub(1 << bits)..] } else { &[] };
        let start = past.len();
        let mut out = past.to_vec();
        let room = |length: usize| (start + limit + 1).min(2 * length + 4096);
        out.resize(room(start), 0);
        let mut at = start;
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_HAS_MORE_INPUT;
        let mut engine = Box::<DecompressorOxide>::default();
        let mut used = 0;
        loop {
            let (status, took, made) = decompress(&mut engine, &message[used..], &mut out, at, flags);
            (used, at) = (used + took, at + made);
            if at - start > limit {
                return Err(Limit::Message.into());
            }
            match status {
                TINFLStatus::Done if used == message.len() => break,
                TINFLStatus::HasMoreOutput => out.resize(room(out.len()), 0),
                // A final block ends the DEFLATE stream, not the message.
                TINFLStatus::Done => *engine = DecompressorOxide::default(),
                TINFLStatus::NeedsMoreInput => {
                    out.resize(at + 16, 0);
                    let (status, took, made) = decompress(&mut engine, &TAIL, &mut out, at, flags);
                    if message.is_empty() || (status, took, made) != (TINFLStatus::Done, TAIL.len(), 0) {
                        return Err(Violation::Deflate.into());
                    }
                    break;
                }
                _ => return Err(Violation::Deflate.into()),
            }
        }
        let output = out[start..at].to_vec();
        if takeover {
            self.history.extend_from_slice(&output);
        }
        Ok(output)
    }
}

struct Header {
    fin: bool,
    compressed: bool,
    opcode: u8,
    length: u64,
    key: Option<[u8; 4]>,
    size: usize,
}
