//! Decompression of anything, and of what our compressor makes.

use bytes::BytesMut;
use testkit::{
    drive::{self, Cuts},
    wire::Wire,
};
use tidewire_proto::{
    Opcode,
    deflate::{Compressor, InflateError, Inflater, Window},
};

/// Compressed messages one after the other: whole, in pieces and by another decompressor the outcome is the same. And what
/// we compress inflates to what it was, below its length not at all.
pub fn inflate(data: &[u8]) {
    let Some((&[flags, agreement, step], rest)) = data.split_first_chunk::<3>() else { return };
    if flags & 8 != 0 {
        round_trip(agreement, step, rest);
        return;
    }
    let setup = crate::setup(flags | 4, agreement).config(|config| config.limits.message = 1 << 16);
    let messages = rest.split(|byte| *byte == 0xA5);
    let wire = messages.fold(Wire::from(setup.peer()), |wire, message| {
        wire.deflated(if flags & 16 != 0 { Opcode::Text } else { Opcode::Binary }, message)
    });
    drive::check(&setup, &wire.bytes, &Cuts::Sizes(vec![usize::from(step) + 1]));
    pieces(rest, usize::from(step) + 1);
}

/// A message in pieces is the message.
fn pieces(message: &[u8], step: usize) {
    const LIMIT: usize = 1 << 16;
    let (mut whole, mut joined) = (BytesMut::new(), BytesMut::new());
    let one = Inflater::new().inflate_message(message, &mut whole, LIMIT, None);
    let (mut inflater, mut window) = (Inflater::new(), Window::for_one_message());
    let mut other = Ok(());
    for piece in message.chunks(step) {
        other = other.and_then(|()| inflater.feed(piece, false, &mut joined, LIMIT, &mut window));
    }
    let other = other.and_then(|()| inflater.feed(&[], true, &mut joined, LIMIT, &mut window));
    assert_eq!(one, other);
    if one.is_ok() {
        assert_eq!(whole, joined);
    }
}

fn round_trip(agreement: u8, step: u8, rest: &[u8]) {
    let (bits, takeover) = (8 + agreement % 8, agreement & 8 != 0);
    let mut compressor = Compressor::new(bits, 1 + agreement % 9, 1 + step % 9);
    let (mut inflater, mut window) = (Inflater::new(), Window::new(bits));
    for message in rest.split(|byte| *byte == 0xA5) {
        // Long messages from short input, so that windows fill.
        let message = message.repeat(1 + usize::from(step) % 64);
        let mut compressed = BytesMut::new();
        if step & 64 == 0 {
            compressor.compress_message(&message, &mut compressed, takeover);
        } else {
            for piece in message.chunks(usize::from(step) + 1) {
                compressor.compress_piece(piece, false, &mut compressed, takeover);
            }
            compressor.compress_piece(&[], true, &mut compressed, takeover);
        }
        let mut out = BytesMut::new();
        let used = Some(&mut window).filter(|_| takeover);
        if !takeover && !message.is_empty() {
            let result = Inflater::new().inflate_message(&compressed, &mut out, message.len() - 1, None);
            assert_eq!((result, out.len()), (Err(InflateError::TooBig), 0));
        }
        inflater.inflate_message(&compressed, &mut out, message.len(), used).expect("our own output");
        assert_eq!(out, message);
    }
}
