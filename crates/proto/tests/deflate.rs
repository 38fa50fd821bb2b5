//! The codecs of permessage-deflate against each other and against a reference decoder.

mod reference;

use bytes::BytesMut;
use proptest::prelude::*;
use tidewire_proto::deflate::{Codecs, Compressor, InflateError, Inflater, Window};

const LIMIT: usize = 1 << 20;

/// Text with repeats near and far, then noise, then runs: every kind of block.
fn sample(length: usize) -> Vec<u8> {
    let mut seed = 7u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[3]
    };
    let mut bytes = Vec::with_capacity(length + 64);
    while bytes.len() < length {
        match bytes.len() / 4096 % 4 {
            0 | 3 => bytes.extend_from_slice(format!("{{\"id\":{},\"wave\":true}},", next() % 50).as_bytes()),
            1 => bytes.push(next()),
            _ => bytes.extend_from_slice(&[next() % 3; 40]),
        }
    }
    bytes.truncate(length);
    bytes
}

fn compress(compressor: &mut Compressor, payload: &[u8], takeover: bool) -> BytesMut {
    let mut out = BytesMut::new();
    compressor.compress_message(payload, &mut out, takeover);
    out
}

fn inflate(
    inflater: &mut Inflater,
    compressed: &[u8],
    window: Option<&mut Window>,
) -> Result<Vec<u8>, InflateError> {
    let mut out = BytesMut::new();
    inflater.inflate_message(compressed, &mut out, LIMIT, window).map(|()| out.to_vec())
}

/// edge 53: a message that is given up has no part in the next, at any level, wherever it stopped.
#[test]
fn message_given_up() {
    let all = sample(50_000);
    for level in 1..=9 {
        for stop in [1, 10, 1000, 50_000] {
            for takeover in [false, true] {
                let mut compressor = Compressor::new(15, level, Compressor::MEM_LEVEL);
                let expected = compress(&mut compressor, &all[..3000], false);
                let mut out = BytesMut::new();
                compressor.compress_piece(&all[..stop], false, &mut out, takeover);
                assert_eq!(
                    compress(&mut compressor, &all[..3000], takeover),
                    expected,
                    "level {level}, {stop} bytes"
                );
                compressor.compress_piece(&all[..stop], false, &mut out, takeover);
                compressor.reset();
                assert_eq!(
                    compress(&mut compressor, &all[..3000], takeover),
                    expected,
                    "level {level}, {stop} bytes"
                );
            }
        }
    }
}

/// edge 48, edge 51, edge 52: round trips for all window bits, with and without takeover; the far end's window is no larger
/// than agreed, and no match reaches further.
#[test]
fn round_trips() {
    let sizes = [
        0, 1, 2, 3, 100, 250, 251, 256, 257, 263, 512, 1024, 4095, 4096, 4097, 16_384, 32_768, 65_535,
        65_536, 70_000,
    ];
    let all = sample(70_000);
    let mut inflater = Inflater::new();
    for bits in 8..=15 {
        for level in 1..=9 {
            for takeover in [false, true] {
                let mut compressor = Compressor::new(bits, level, Compressor::MEM_LEVEL);
                let mut window = Window::new(bits);
                let mut history = Vec::new();
                for size in sizes {
                    let payload = &all[..size];
                    let compressed = compress(&mut compressor, payload, takeover);
                    let plain = inflate(&mut inflater, &compressed, takeover.then_some(&mut window));
                    assert!(
                        plain.as_deref() == Ok(payload),
                        "bits {bits}, level {level}, {takeover}, {size} bytes"
                    );
                    if !takeover {
                        history.clear();
                    }
                    // The reference is slow: the large messages at three levels only.
                    if size > 5000 && ![1, 3, 9].contains(&level) {
                        continue;
                    }
                    let reach = reference::inflate(&compressed, &mut history);
                    assert!(history.ends_with(payload));
                    assert!(reach <= 1 << bits, "bits {bits}, level {level}: a match {reach} bytes back");
                }
            }
        }
    }
}

/// edge 47: an empty message is one zero byte, with and without context, as a whole and in pieces.
#[test]
fn empty_message_is_one_zero_byte() {
    let mut compressor = Compressor::new(15, 1, 8);
    for takeover in [false, true] {
        for before in [&b""[..], b"something"] {
            compress(&mut compressor, before, takeover);
            assert_eq!(compress(&mut compressor, b"", takeover)[..], [0]);
            let mut out = BytesMut::new();
            compressor.compress_piece(b"", false, &mut out, takeover);
            compressor.compress_piece(b"", true, &mut out, takeover);
            assert_eq!(out[..], [0]);
        }
    }
    assert_eq!(inflate(&mut Inflater::new(), &[0], None).as_deref(), Ok(&b""[..]));
}

/// edge 49: a bomb of 256 MiB stops at the limit, and so does the memory it takes.
#[test]
fn bombs() {
    let mut bomb = BytesMut::new();
    let mut compressor = Compressor::new(15, 9, 8);
    let zeros = vec![0; 1 << 20];
    for piece in 0..256 {
        compressor.compress_piece(&zeros, piece == 255, &mut bomb, false);
    }
    assert!(bomb.len() < 300_000);
    let mut inflater = Inflater::new();
    for limit in [0, 1, 255, 256, 257, 4096, 65_535, 65_536, 1_000_000] {
        let mut out = BytesMut::new();
        let result = inflater.inflate_message(&bomb, &mut out, limit, None);
        assert_eq!(result, Err(InflateError::TooBig));
        assert!(out.is_empty() && out.capacity() <= limit + 1, "{} for a limit of {limit}", out.capacity());
        let mut out = BytesMut::new();
        let result = bomb.chunks(100).enumerate().find_map(|(at, piece)| {
            inflater
                .feed(
                    piece,
                    at + 1 == bomb.len().div_ceil(100),
                    &mut out,
                    limit,
                    &mut Window::for_one_message(),
                )
                .err()
        });
        assert_eq!(result, Some(InflateError::TooBig));
        assert!(out.len() <= limit);
    }
}

/// edge 48, edge 49: a message that inflates to exactly the limit is taken; one more byte is not.
#[test]
fn the_limit_is_exact() {
    let mut inflater = Inflater::new();
    let mut compressor = Compressor::new(15, 1, 8);
    for size in [0, 1, 255, 256, 257, 1023, 1024, 4096, 8192, 32_768, 65_536, 65_537] {
        for payload in [sample(size), vec![b'a'; size]] {
            let compressed = compress(&mut compressor, &payload, false);
            let mut out = BytesMut::new();
            assert_eq!(inflater.inflate_message(&compressed, &mut out, size, None), Ok(()));
            assert!(out == payload && out.capacity() <= size + 1);
            if size > 0 {
                let mut out = BytesMut::new();
                let result = inflater.inflate_message(&compressed, &mut out, size - 1, None);
                assert_eq!(result, Err(InflateError::TooBig));
                assert!(out.is_empty());
            }
            assert_eq!(inflate(&mut inflater, &compressed, None), Ok(payload), "a failure spoils nothing");
        }
    }
}

/// edge 49: final blocks without output, each of which loads the window anew, are bounded.
#[test]
fn a_message_of_nothing_but_final_blocks() {
    let mut inflater = Inflater::new();
    assert_eq!(inflate(&mut inflater, &[3, 0].repeat(4096), None).as_deref(), Ok(&b""[..]));
    assert_eq!(inflate(&mut inflater, &[3, 0].repeat(4097), None), Err(InflateError::Invalid));
}

/// edge 50: a message that is sent plain is in nobody's window.
#[test]
fn plain_messages_between_compressed_ones() {
    let mut compressor = Compressor::new(15, 1, 8);
    let (mut inflater, mut window) = (Inflater::new(), Window::new(15));
    for payload in [&b"one tide"[..], b"one tide", b"two tides", b"one tide"] {
        let compressed = compress(&mut compressor, payload, true);
        assert_eq!(inflate(&mut inflater, &compressed, Some(&mut window)).as_deref(), Ok(payload));
    }
}

/// edge 52: the shared compressor gives, byte for byte, what a new one gives, so nothing of one connection has a part in
/// another's message, nor in its length.
#[test]
fn shared_compressor_leaks_nothing() {
    let secret = sample(41_000);
    for level in 1..=9 {
        let mut codecs = Codecs::new(level, Compressor::MEM_LEVEL);
        for bits in 8..=15 {
            for (from, size) in [(0, 1), (3, 5), (90, 100), (500, 1024), (20_000, 3000), (0, 40_000)] {
                let payload = &secret[from..from + size];
                let expected =
                    compress(&mut Compressor::new(bits, level, Compressor::MEM_LEVEL), payload, false);
                let shared = codecs.compressor(bits);
                compress(shared, &secret, false);
                assert_eq!(compress(shared, payload, false), expected, "level {level}, bits {bits}");
                let mut taken = codecs.take_compressor(bits);
                taken.compress_piece(&secret[size..], false, &mut BytesMut::new(), false);
                codecs.give_compressor(bits, taken);
                let mut taken = codecs.take_compressor(bits);
                assert_eq!(
                    compress(&mut taken, payload, true),
                    expected,
                    "level {level}, bits {bits}, given up"
                );
                codecs.give_compressor(bits, taken);
            }
        }
    }
}

/// edge 52: a match behind the start of a message fails, whatever the shared inflater did before: by one byte, and by every
/// distance that DEFLATE has; also behind a final block, and behind a connection's own window.
#[test]
fn shared_inflater_leaks_nothing() {
    let secret = sample(65_536);
    let before = compress(&mut Compressor::new(15, 1, 8), &secret, false);
    let mut codecs = Codecs::default();
    for distance in (1..=300).chain((301..=32_768).step_by(61)).chain([32_767, 32_768]) {
        let known = b"own bytes of this message";
        for own in [0, known.len()] {
            let message = reference::literals_then_match(&known[..own], distance);
            let inflater = codecs.inflater();
            assert!(inflate(inflater, &before, Some(&mut Window::new(15))).is_ok());
            let expected = (distance <= own).then(|| {
                let from = own - distance;
                let copied: Vec<u8> = known[from..].iter().copied().cycle().take(3).collect();
                [&known[..own], &copied].concat()
            });
            let expected = expected.ok_or(InflateError::Invalid);
            assert_eq!(inflate(inflater, &message, None), expected, "{distance} behind {own}");
            let mut window = Window::new(15);
            assert_eq!(inflate(inflater, &message, Some(&mut window)), expected);
            let behind_final = [&[3, 0][..], &message].concat();
            assert_eq!(inflate(inflater, &behind_final, None), expected);
        }
        let mut window = Window::new(8);
        let inflater = codecs.inflater();
        assert!(inflate(inflater, &before, Some(&mut window)).is_ok());
        let result = inflate(inflater, &reference::literals_then_match(b"", distance), Some(&mut window));
        let tail = &secret[secret.len() - 256..];
        match result {
            Ok(bytes) => assert!(distance <= 256 && bytes[0] == tail[256 - distance]),
            Err(error) => assert!(distance > 256 && error == InflateError::Invalid),
        }
    }
}

/// A message in progress on a taken inflater, given up, leaves nothing to the next.
#[test]
fn inflater_given_back_in_mid_message() {
    let mut codecs = Codecs::default();
    let compressed = compress(codecs.compressor(15), &sample(5000), false);
    let mut taken = codecs.take_inflater();
    taken
        .feed(
            &compressed[..compressed.len() / 2],
            false,
            &mut BytesMut::new(),
            LIMIT,
            &mut Window::for_one_message(),
        )
        .expect("a beginning");
    codecs.give_inflater(taken);
    let mut taken = codecs.take_inflater();
    let mut out = BytesMut::new();
    taken.feed(&compressed, true, &mut out, LIMIT, &mut Window::for_one_message()).expect("whole");
    assert_eq!(out, sample(5000));
    let behind = reference::literals_then_match(b"", 1);
    let result = taken.feed(&behind, true, &mut out, LIMIT, &mut Window::for_one_message());
    assert_eq!(result, Err(InflateError::Invalid));
}

/// Codecs move between threads with their connections.
#[test]
fn codecs_are_send() {
    fn is_send<T: Send>() {}
    is_send::<Codecs>();
    is_send::<Window>();
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        prop::collection::vec(0u8..4, 0..3000),
        (0usize..70_000).prop_map(sample),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// edge 46, edge 52: messages cut anywhere, on both sides, come out as they went in.
    #[test]
    fn pieces(
        messages in prop::collection::vec((payload(), prop::collection::vec(any::<prop::sample::Index>(), 0..6)), 1..5),
        bits in 8u8..=15,
        level in 1u8..=9,
        takeover in any::<bool>(),
        step in 1usize..5000,
    ) {
        let mut compressor = Compressor::new(bits, level, 1 + level % 9);
        let mut inflater = Inflater::new();
        let mut window = if takeover { Window::new(bits) } else { Window::for_one_message() };
        let mut whole_window = Window::new(bits);
        for (payload, cuts) in &messages {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
            cuts.extend([0, payload.len()]);
            cuts.sort_unstable();
            let mut compressed = BytesMut::new();
            for (at, cut) in cuts.windows(2).enumerate() {
                compressor.compress_piece(&payload[cut[0]..cut[1]], at + 2 == cuts.len(), &mut compressed, takeover);
            }
            let mut plain = BytesMut::new();
            let pieces = compressed.len().div_ceil(step);
            for (at, piece) in compressed.chunks(step).enumerate() {
                inflater.feed(piece, at + 1 == pieces, &mut plain, payload.len(), &mut window).unwrap();
            }
            prop_assert!(plain == payload);
            let own = takeover.then_some(&mut whole_window);
            prop_assert!(inflate(&mut Inflater::new(), &compressed, own).as_ref() == Ok(payload));
        }
    }

    /// edge 45, edge 46: any bytes give the same verdict and the same bytes as a reference decoder, and never a panic.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut history = Vec::new();
        let expected = reference::try_inflate(&bytes, &mut history).map(|_| history);
        prop_assert_eq!(inflate(&mut Inflater::new(), &bytes, None).ok(), expected);
    }
}
