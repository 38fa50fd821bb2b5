//! Streams of frames, right and wrong, that a string of bytes describes: random bytes give varied streams, and fewer
//! bytes give shorter ones, so that proptest and a fuzzer can both drive it.

use crate::{
    Setup,
    wire::{Frame, Length},
};
use bytes::BytesMut;
use tidewire_proto::{Role, deflate::Compressor};

/// A supply of small decisions; zeros once it is used up.
#[derive(Clone, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// The decisions in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether it is used up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// The next two bytes.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A size: mostly small, at times around a limit of the framing or a buffer.
    pub fn size(&mut self) -> usize {
        let pick = self.byte();
        match pick {
            0..=199 => usize::from(pick) % 40,
            200..=219 => 120 + usize::from(pick) % 12,
            220..=239 => usize::from(self.word()) % 3000,
            240..=249 => 65_530 + usize::from(pick) % 12,
            _ => usize::from(self.word()),
        }
    }

    /// `length` bytes from the script, repeated where it is short.
    fn payload(&mut self, length: usize, text: bool) -> Vec<u8> {
        const LETTERS: &str = "tide, wire: é€😀\u{0}\u{7FF}\u{FFFF}\u{10FFFF} ";
        let seed = [self.byte(), self.byte(), self.byte()];
        if !text {
            return seed.into_iter().cycle().take(length).collect();
        }
        let mut letters = LETTERS.chars().cycle().skip(usize::from(seed[0]) % 16);
        let mut text = String::new();
        while let Some(letter) = letters.next().filter(|letter| text.len() + letter.len_utf8() <= length) {
            text.push(letter);
        }
        text.into_bytes()
    }
}

/// The stream that `script` describes, sent to a connection as `setup` says.
pub fn stream(setup: &Setup, script: &[u8]) -> Vec<u8> {
    let mut script = Script::new(script);
    let mut writer = Writer {
        from: setup.peer(),
        compressor: setup.peer_compression().map(|(takeover, bits)| (takeover, Compressor::new(bits, 1, 4))),
        out: Vec::new(),
    };
    while !script.is_empty() && writer.out.len() < 1 << 20 {
        writer.step(&mut script);
    }
    writer.out
}

struct Writer {
    from: Role,
    compressor: Option<(bool, Compressor)>,
    out: Vec<u8>,
}

impl Writer {
    fn step(&mut self, script: &mut Script<'_>) {
        let choice = script.byte();
        match choice {
            0..=89 => self.message(choice.is_multiple_of(2), 1, false, script),
            90..=149 => self.message(choice.is_multiple_of(2), 2 + choice % 5, false, script),
            150..=199 => self.message(choice.is_multiple_of(2), 1 + choice % 4, true, script),
            200..=229 => self.control(script),
            230..=249 => self.wrong(script),
            250..=252 => {
                let from = self.out.len().saturating_sub(1 + usize::from(script.byte()));
                if let Some(byte) = self.out[from..].first_mut() {
                    *byte ^= script.byte();
                }
            }
            253 => {
                let keep = self.out.len().saturating_sub(usize::from(script.byte() % 16));
                self.out.truncate(keep);
            }
            254 => self.out.push(script.byte()),
            255 => {
                let code =
                    [1000, 1001, 3000, 4999, 1005, 999, 0, script.word()][usize::from(script.byte() % 8)];
                let reason = [&b""[..], b"bye", "bye é".as_bytes(), b"\xFF"][usize::from(script.byte() % 4)];
                let mut payload = [&code.to_be_bytes(), reason].concat();
                if script.byte() == 7 {
                    payload.truncate(1);
                }
                Frame::new(self.from, 8, payload).write(&mut self.out);
            }
        }
    }

    fn message(&mut self, text: bool, fragments: u8, compress: bool, script: &mut Script<'_>) {
        let length = script.size();
        let mut payload = script.payload(length, text);
        let mut rsv = 0;
        if let Some((takeover, compressor)) = self.compressor.as_mut().filter(|_| compress) {
            if script.byte() == 9 {
                payload.insert(payload.len() / 2, 0xFF);
            }
            let mut out = BytesMut::new();
            compressor.compress_message(&payload, &mut out, *takeover);
            (payload, rsv) = (out.to_vec(), 4);
        }
        let mut opcode = if text { 1 } else { 2 };
        let mut rest = payload.as_slice();
        for fragment in (0..fragments).rev() {
            let count = if fragment == 0 { rest.len() } else { script.size().min(rest.len()) };
            let (part, after) = rest.split_at(count);
            rest = after;
            Frame::new(self.from, opcode, part).fin(fragment == 0).rsv(rsv).write(&mut self.out);
            (opcode, rsv) = (0, 0);
            if fragment > 0 && script.byte().is_multiple_of(4) {
                self.control(script);
            }
        }
    }

    fn control(&mut self, script: &mut Script<'_>) {
        let length = script.size().min(125);
        let payload = script.payload(length, false);
        let opcode = 9 + script.byte() % 2;
        Frame::new(self.from, opcode, payload).write(&mut self.out);
    }

    /// A frame that mostly breaks a rule.
    fn wrong(&mut self, script: &mut Script<'_>) {
        let length = script.size();
        let payload = script.payload(length, false);
        let bits = script.byte();
        let mut frame = Frame::new(self.from, script.byte() % 16, payload).fin(bits & 1 == 0);
        if bits & 6 == 6 {
            frame = frame.rsv(script.byte() % 8);
        }
        if bits & 0x18 == 0x18 {
            frame = frame
                .form([Length::Sixteen, Length::SixtyFour, Length::Seven][usize::from(script.byte() % 3)]);
        }
        if bits & 0x60 == 0x60 {
            frame = frame.announce(u64::from(script.word()) << (script.byte() % 64));
        }
        match script.byte() {
            0..=9 => frame = frame.mask(None),
            10..=19 => frame = frame.mask(Some([0; 4])),
            _ => {}
        }
        frame.write(&mut self.out);
    }
}
