use super::*;
use proptest::prelude::*;

const FRAMINGS: [Framing; 4] =
    [Framing::Separated(b'\n'), Framing::Separated(0), Framing::LengthPrefixed, Framing::Whole];

/// All frames of `stream`, given to the framer in pieces of these lengths.
fn cut(framing: Framing, stream: &[u8], pieces: &[usize]) -> Result<Vec<Bytes>, FramingError> {
    let mut framer = Framer::new(framing);
    let mut found = Vec::new();
    let mut rest = stream;
    let mut pieces = pieces.iter().copied();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(pieces.next().unwrap_or(rest.len()).min(rest.len()));
        framer.buffer().extend_from_slice(piece);
        rest = later;
        while let Some(frame) = framer.next()? {
            found.push(frame);
        }
    }
    found.extend(framer.finish()?);
    Ok(found)
}

fn frames(framing: Framing, stream: &[u8]) -> Vec<Bytes> {
    cut(framing, stream, &[]).unwrap()
}

#[test]
fn a_line_is_a_message_and_the_last_needs_no_newline() {
    let lines = Framing::Separated(b'\n');
    assert_eq!(frames(lines, b"a\n\nb\r\nc"), [&b"a"[..], b"", b"b\r", b"c"]);
    assert_eq!(frames(lines, b"a\n"), [&b"a"[..]]);
    assert!(frames(lines, b"").is_empty());
    assert_eq!(frames(Framing::Separated(0), b"a\nb\0c"), [&b"a\nb"[..], b"c"]);
}

#[test]
fn all_of_stdin_is_one_message_even_if_empty() {
    assert_eq!(frames(Framing::Whole, b"a\nb\n"), [&b"a\nb\n"[..]]);
    assert_eq!(frames(Framing::Whole, b""), [&b""[..]]);
}

#[test]
fn lengths_are_four_bytes_big_endian() {
    assert_eq!(frames(Framing::LengthPrefixed, b"\0\0\0\x02hi\0\0\0\0"), [&b"hi"[..], b""]);
    let ended = cut(Framing::LengthPrefixed, b"\0\0\0\x09hi", &[]).unwrap_err();
    assert_eq!(ended.to_string(), "stdin ended inside a message: 9 bytes announced, 2 came");
    let ended = cut(Framing::LengthPrefixed, b"\0\0", &[]).unwrap_err();
    assert_eq!(ended.to_string(), "stdin ended inside a length: 2 of 4 bytes came");
}

/// edge 24: an announced length is judged before its bytes come, and nothing is set aside for it.
#[test]
fn an_announced_length_is_not_allocated() {
    let mut framer = Framer::new(Framing::LengthPrefixed);
    framer.buffer().extend_from_slice(&0x3fff_ffff_u32.to_be_bytes());
    assert_eq!(framer.next(), Ok(None));
    assert!(framer.buffer().capacity() < 1024);
    let too_long = cut(Framing::LengthPrefixed, &u32::MAX.to_be_bytes(), &[]).unwrap_err();
    assert_eq!(too_long, FramingError::TooLong(u32::MAX as usize));
}

fn encoder(framing: OutFraming, newlines: Newlines) -> Encoder {
    Encoder { framing, binary: BinaryOutput::Raw, newlines }
}

fn encode(encoder: Encoder, message: &Message) -> (Encoded, Vec<u8>) {
    let mut out = Vec::new();
    (encoder.encode(message, &mut out), out)
}

#[test]
fn a_newline_inside_is_kept_escaped_or_refused() {
    let message = Message::Text("a\\\nb".into());
    let with = |newlines| encode(encoder(OutFraming::Lines, newlines), &message);
    assert_eq!(with(Newlines::Keep), (Encoded::Ambiguous, b"a\\\nb\n".to_vec()));
    assert_eq!(with(Newlines::Escape), (Encoded::Exact, b"a\\\\\\nb\n".to_vec()));
    assert_eq!(with(Newlines::Error), (Encoded::Refused, Vec::new()));
    assert_eq!(
        encode(encoder(OutFraming::Null, Newlines::Keep), &message),
        (Encoded::Exact, b"a\\\nb\0".to_vec())
    );
}

#[test]
fn binary_messages_are_written_as_asked() {
    let message = Message::Binary(Bytes::from_static(b"\x00\xff\n"));
    let with = |binary, framing| encode(Encoder { binary, framing, newlines: Newlines::Error }, &message).1;
    assert_eq!(with(BinaryOutput::Base64, OutFraming::Lines), b"AP8K\n");
    assert_eq!(with(BinaryOutput::Hex, OutFraming::Lines), b"00ff0a\n");
    assert_eq!(with(BinaryOutput::Raw, OutFraming::Null), b"");
    assert_eq!(with(BinaryOutput::Raw, OutFraming::Raw), b"\x00\xff\n");
    assert_eq!(with(BinaryOutput::Raw, OutFraming::LengthPrefixed), b"\0\0\0\x03\x00\xff\n");
    assert_eq!(with(BinaryOutput::Hex, OutFraming::Json), b"{\"type\":\"binary\",\"base64\":\"AP8K\"}\n");
}

#[test]
fn a_wrong_escape_is_named() {
    assert_eq!(unescape(b"a\\nb\\\\", b'\n').unwrap(), b"a\nb\\");
    assert_eq!(unescape(b"a\\0", 0).unwrap(), b"a\0");
    for wrong in [&b"a\\"[..], b"\\t", b"\\0"] {
        assert!(unescape(wrong, b'\n').unwrap_err().contains("backslash"));
    }
}

proptest! {
    /// edge 31: however stdin is cut, the messages are the same.
    #[test]
    fn every_cut_gives_the_same_messages(
        stream in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(0), 0..4_u8, any::<u8>()], 0..200),
        pieces in proptest::collection::vec(1..9_usize, 0..200),
    ) {
        for framing in FRAMINGS {
            prop_assert_eq!(cut(framing, &stream, &pieces), cut(framing, &stream, &[]));
        }
    }

    #[test]
    fn what_is_written_reads_back(messages in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        for (out, framing, newlines) in [
            (OutFraming::Lines, Framing::Separated(b'\n'), Newlines::Escape),
            (OutFraming::Null, Framing::Separated(0), Newlines::Escape),
            (OutFraming::LengthPrefixed, Framing::LengthPrefixed, Newlines::Keep),
        ] {
            let mut stream = Vec::new();
            for message in &messages {
                let message = Message::Binary(message.clone().into());
                prop_assert_eq!(encoder(out, newlines).encode(&message, &mut stream), Encoded::Exact);
            }
            let mut back = frames(framing, &stream);
            if let Framing::Separated(separator) = framing {
                back = back.iter().map(|frame| unescape(frame, separator).unwrap().into()).collect();
            }
            prop_assert_eq!(back, messages.iter().cloned().map(Bytes::from).collect::<Vec<_>>());
        }
    }
}
