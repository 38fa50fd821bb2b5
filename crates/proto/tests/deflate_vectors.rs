//! Streams of other compressors, in `data/deflate.txt` (made by `data/deflate.py`), through every way to inflate them.

use bytes::BytesMut;
use tidewire_proto::deflate::{InflateError, Inflater, Window};

const LIMIT: usize = 1 << 20;

struct Row {
    name: &'static str,
    compressed: Vec<Vec<u8>>,
    plain: Vec<Option<Vec<u8>>>,
}

fn rows() -> Vec<Row> {
    include_str!("data/deflate.txt")
        .lines()
        .map(|line| {
            let [name, compressed, plain] =
                line.split(' ').collect::<Vec<_>>().try_into().expect("three columns");
            Row {
                name,
                compressed: compressed.split('+').map(bytes_of).collect(),
                plain: plain.split('+').map(|part| (part != "!").then(|| bytes_of(part))).collect(),
            }
        })
        .collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let hex = hex.trim_matches('-');
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

fn expected(plain: Option<&Vec<u8>>) -> Result<Vec<u8>, InflateError> {
    plain.cloned().ok_or(InflateError::Invalid)
}

/// edge 45, edge 46, edge 47: blocks of every type and order, final blocks, junk and missing data.
#[test]
fn whole_messages() {
    let mut inflater = Inflater::new();
    for row in rows() {
        let mut window = Window::new(15);
        for (compressed, plain) in row.compressed.iter().zip(&row.plain) {
            let mut out = BytesMut::from(&b"before"[..]);
            let result = inflater.inflate_message(compressed, &mut out, LIMIT, Some(&mut window));
            assert_eq!(&out[..6], b"before", "{}", row.name);
            assert_eq!(result.map(|()| out[6..].to_vec()), expected(plain.as_ref()), "{}", row.name);
            if result.is_err() {
                assert_eq!(out.len(), 6, "{}: nothing of a failed message is left", row.name);
            }
        }
    }
}

/// edge 45, edge 46, edge 47: the same, cut into pieces of every length.
#[test]
fn messages_in_pieces() {
    let mut inflater = Inflater::new();
    for row in rows() {
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut window = Window::new(15);
            for (compressed, plain) in row.compressed.iter().zip(&row.plain) {
                let mut whole = Vec::new();
                let mut result = Ok(());
                for piece in compressed.chunks(size) {
                    let mut out = BytesMut::new();
                    result = result.and_then(|()| inflater.feed(piece, false, &mut out, LIMIT, &mut window));
                    whole.extend_from_slice(&out);
                }
                let mut out = BytesMut::new();
                result = result.and_then(|()| inflater.feed(b"", true, &mut out, LIMIT, &mut window));
                assert!(out.is_empty(), "{}: the tail gives nothing", row.name);
                assert_eq!(result.map(|()| whole), expected(plain.as_ref()), "{} by {size}", row.name);
            }
        }
    }
}

/// edge 46: a message cut inside its block is refused wherever it is cut (level 0 alone has cuts between blocks).
#[test]
fn a_cut_message_is_never_delivered_as_whole() {
    let mut inflater = Inflater::new();
    let one_block = |row: &&Row| row.name.starts_with("level") && !row.name.starts_with("level0");
    for row in rows().iter().filter(one_block) {
        let (compressed, plain) = (&row.compressed[0], row.plain[0].as_ref().expect("whole"));
        for end in 0..compressed.len() - 1 {
            let mut out = BytesMut::new();
            let result = inflater.inflate_message(&compressed[..end], &mut out, LIMIT, None);
            assert_eq!(result, Err(InflateError::Invalid), "{} cut at {end} of {}", row.name, plain.len());
        }
    }
}

/// edge 47: a compressed message without payload fails alone.
#[test]
fn no_payload_spoils_nothing() {
    let mut inflater = Inflater::new();
    let mut window = Window::new(15);
    let mut out = BytesMut::new();
    let hello = bytes_of("f248cdc9c90700");
    inflater.inflate_message(&hello, &mut out, LIMIT, Some(&mut window)).expect("valid");
    assert_eq!(inflater.inflate_message(b"", &mut out, LIMIT, Some(&mut window)), Err(InflateError::Invalid));
    assert_eq!(inflater.inflate_message(b"", &mut out, LIMIT, None), Err(InflateError::Invalid));
    let same = bytes_of("f200110000");
    inflater.inflate_message(&same, &mut out, LIMIT, Some(&mut window)).expect("the window is what it was");
    assert_eq!(&out[..], b"HelloHello");
}
