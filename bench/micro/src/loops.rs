//! The loops over payload bytes: masking beside memcpy, UTF-8 beside simdutf8.

use crate::race::Race;
use std::{hint::black_box, sync::Arc};
use testkit::{samples, wire::Wire};
use tidewire_proto::{Config, Connection, Event, Input, Opcode, Role, Time, Workspace, mask, utf8};

const SIZES: [(usize, &str); 6] = [
    (16, "16 B"),
    (60, "60 B"),
    (125, "125 B"),
    (1024, "1 KiB"),
    (64 * 1024, "64 KiB"),
    (1024 * 1024, "1 MiB"),
];

/// Short payloads lie one behind the other, as in one read, so that none is touched again while its bytes are on their way to the cache.
const fn batch(size: usize) -> u32 {
    if size > 1024 { 1 } else { 16 }
}

/// The payloads of a batch with a header's room before each.
struct Batch {
    bytes: Vec<u8>,
    stride: usize,
}

impl Batch {
    fn new(payload: &[u8]) -> Self {
        let stride = payload.len() + 6;
        let bytes = [&[0; 6], payload].concat().repeat(batch(payload.len()) as usize);
        Self { bytes, stride }
    }

    fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.stride).map(|frame| &frame[6..])
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(self.stride).map(|frame| &mut frame[6..])
    }
}

/// Turns the samples into other texts of the same kind, so that unmasking twice gives the first ones back.
const KEY: [u8; 4] = [1; 4];

pub(crate) fn mask() {
    for (size, name) in SIZES {
        let text = samples::ascii(size).into_bytes();
        let (source, mut target) = (Batch::new(&text), Batch::new(&text));
        let mut own = Batch::new(&text);
        Race::new(format!("masking, {name}"), size, batch(size))
            .way("memcpy", move || {
                for (to, from) in target.each_mut().zip(source.each()) {
                    to.copy_from_slice(black_box(from));
                }
                black_box(&target.bytes);
            })
            .way("unmask in place", move || {
                own.each_mut().for_each(|payload| mask::apply(black_box(payload), black_box(KEY), 0));
            })
            .run();
    }
    for (size, name) in SIZES.into_iter().filter(|(size, _)| *size >= 1024) {
        let text = samples::ascii(size).into_bytes();
        let (first, second, third) = (text.clone(), text.clone(), text);
        Race::new(format!("a masked copy, {name}"), size, 1)
            .way("to_vec, no mask", move || {
                black_box(black_box(&first).clone());
            })
            .way("to_vec, then mask", move || {
                let mut copy = black_box(&second).clone();
                mask::apply(black_box(&mut copy), black_box(KEY), 0);
            })
            .way("masked", move || {
                black_box(mask::masked(black_box(&third), black_box(KEY)));
            })
            .run();
    }
}

pub(crate) fn utf8() {
    for (kind, sample) in
        [("ASCII", samples::ascii as fn(usize) -> String), ("multi-byte", samples::multi_byte)]
    {
        for (size, name) in SIZES {
            let text = sample(size).into_bytes();
            let (theirs, ours, mut twice) = (Batch::new(&text), Batch::new(&text), Batch::new(&text));
            Race::new(format!("UTF-8, {kind}, {name}"), size, batch(size))
                .way("simdutf8", move || {
                    assert!(theirs.each().all(|text| simdutf8::basic::from_utf8(black_box(text)).is_ok()));
                })
                .way("validate", move || assert!(ours.each().all(|text| utf8::is_valid(black_box(text)))))
                .way("unmask, then simdutf8", move || {
                    for text in twice.each_mut() {
                        mask::apply(black_box(text), black_box(KEY), 0);
                        assert!(simdutf8::basic::from_utf8(black_box(text)).is_ok());
                    }
                })
                .way("receive texts (unmask and validate)", receiver(Opcode::Text, &text))
                .way("receive the same as binary (unmask)", receiver(Opcode::Binary, &text))
                .run();
        }
    }
}

/// Receives a batch of frames over and over, through the whole of the core.
fn receiver(opcode: Opcode, text: &[u8]) -> impl FnMut() + 'static {
    let frame = Wire::from(Role::Client).shaped(opcode, text, |frame| frame.mask(Some(KEY))).bytes;
    let mut frames = frame.repeat(batch(text.len()) as usize);
    let mut workspace = Workspace::new(Box::new(|key| key.fill(7)));
    let mut connection = Connection::new(Role::Server, Arc::new(Config::default()), None, Time::default());
    move || {
        let mut input = Input::new(black_box(&mut frames));
        while let Some(event) =
            connection.next(&mut input, &mut workspace, Time::default()).expect("the frames are right")
        {
            assert!(matches!(black_box(event), Event::Message(_)));
        }
    }
}
