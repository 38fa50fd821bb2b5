//! Heads as bytes.

use crate::{REQUEST, lines, request_head, request_with, response_head};
use tidewire_proto::handshake::scan::Place;
use tidewire_proto::handshake::{
    HeadError, HeadLimits, HeadScanner, HeaderView, Refusal, RequestHead, ResponseHead, Version,
};

fn request_error(bytes: &[u8]) -> HeadError {
    RequestHead::parse(bytes, &HeadLimits::default()).expect_err("no head")
}

fn header(name: &str) -> Place {
    Place::Header(name.to_owned())
}

#[test]
fn names_are_kept_as_received_and_in_order() {
    let head = request_head(b"GET /a?b HTTP/1.1\r\nhOST: x\r\nB: 2\r\nA:1\r\nb: \t3 \t\r\nEmpty:\r\n\r\n");
    assert_eq!((head.method(), head.raw_target(), head.version()), ("GET", "/a?b", Version::Http11));
    let fields: Vec<_> = head.headers().iter().collect();
    let expected: [(&str, &[u8]); 5] =
        [("hOST", b"x"), ("B", b"2"), ("A", b"1"), ("b", b"3"), ("Empty", b"")];
    assert_eq!(fields, expected);
    assert_eq!(head.headers().all("B").collect::<Vec<_>>(), [b"2", b"3"]);
}

/// edge 2: header names in any case are read.
#[test]
fn names_are_found_in_any_case() {
    let head = request_head(b"GET / HTTP/1.1\r\nSEC-WEBSOCKET-KEY: x\r\nsec-websocket-version: 13\r\n\r\n");
    assert_eq!(head.headers().one("Sec-WebSocket-Key"), Ok(Some(&b"x"[..])));
    assert_eq!(head.headers().one("Sec-WebSocket-Version"), Ok(Some(&b"13"[..])));
}

/// edge 17: bytes above 127 in values are kept.
#[test]
fn values_outside_ascii_are_kept_as_bytes() {
    let head = request_head(b"GET / HTTP/1.1\r\nHost: x\r\nName: J\xf6rg \xff\r\n\r\n");
    assert_eq!(head.headers().one("Name"), Ok(Some(&b"J\xf6rg \xff"[..])));
}

/// edge 12: what stands behind the head is not touched.
#[test]
fn bytes_behind_the_head_are_left() {
    let mut bytes = lines(&REQUEST);
    let end = bytes.len();
    bytes.extend_from_slice(b"\x81\x85\r\n\r\n\n\x00");
    let (_, consumed) = RequestHead::parse(&bytes, &HeadLimits::default()).expect("a head").expect("whole");
    assert_eq!(consumed, end);
}

/// edge 11: frames in the same segment as the 101 are left for the decoder.
#[test]
fn frames_behind_a_response_are_left() {
    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let bytes = [&head[..], b"\x81\x05Hello"].concat();
    let (_, consumed) = ResponseHead::parse(&bytes, &HeadLimits::default()).expect("a head").expect("whole");
    assert_eq!(consumed, head.len());
}

/// edge 13: byte by byte; the scanner looks at each byte once, and no earlier end is seen.
#[test]
fn a_head_that_arrives_byte_by_byte() {
    let bytes = lines(&REQUEST);
    let mut scanner = HeadScanner::new();
    let limits = HeadLimits::default();
    for come in 0..bytes.len() {
        assert_eq!(scanner.find(&bytes[..come], &limits), Ok(None), "after {come} bytes");
        assert_eq!(RequestHead::parse(&bytes[..come], &limits), Ok(None));
    }
    assert_eq!(scanner.find(&bytes, &limits), Ok(Some(bytes.len())));
    assert_eq!(scanner.find(&bytes, &limits), Ok(Some(bytes.len())), "asked again");
}

/// edge 13: size limits, exact and one above, answered by 431.
#[test]
fn limits_are_exact() {
    let bytes = lines(&REQUEST);
    let exact = HeadLimits { bytes: bytes.len(), headers: REQUEST.len() - 1 };
    assert!(matches!(RequestHead::parse(&bytes, &exact), Ok(Some(_))));
    let short = HeadLimits { bytes: bytes.len() - 1, ..exact };
    let error = RequestHead::parse(&bytes, &short).expect_err("too large");
    assert_eq!(error, HeadError::TooLarge(bytes.len() - 1));
    assert_eq!(Refusal::from(error).status, 431);
    let few = HeadLimits { headers: REQUEST.len() - 2, ..exact };
    let error = RequestHead::parse(&bytes, &few).expect_err("too many headers");
    assert_eq!(error, HeadError::TooManyHeaders(REQUEST.len() - 2));
    assert_eq!(Refusal::from(error).status, 431);
}

/// edge 13: an endless head is refused as soon as the limit is reached, and not before.
#[test]
fn an_endless_head_is_refused_at_the_limit() {
    let limits = HeadLimits::default();
    let mut bytes = b"GET / HTTP/1.1\r\nX: ".to_vec();
    bytes.resize(limits.bytes - 1, b'a');
    assert_eq!(RequestHead::parse(&bytes, &limits), Ok(None));
    bytes.push(b'a');
    assert_eq!(RequestHead::parse(&bytes, &limits), Err(HeadError::TooLarge(16 * 1024)));
}

/// edge 1: the head of the origin story, whose accept value ends in a line feed of its base64 encoder.
#[test]
fn a_stray_line_feed_behind_the_accept_value_is_named() {
    let bytes = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n\r\n\r\n";
    let error = ResponseHead::parse(bytes, &HeadLimits::default()).expect_err("a stray line feed");
    assert_eq!(error, HeadError::StrayLf(header("Sec-WebSocket-Accept")));
    assert!(error.to_string().starts_with("a stray line feed behind Sec-WebSocket-Accept"), "{error}");
}

/// edge 7: protocols that are not HTTP/1.1 are told by name.
#[test]
fn other_protocols_are_named() {
    let preface = request_error(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(preface, HeadError::Http2);
    assert_eq!(Refusal::from(preface).status, 505);
    assert_eq!(request_error(b"\x16\x03\x01\x02\x00\x01\x00"), HeadError::Tls);
    let future = request_error(b"GET / HTTP/3.0\r\n\r\n");
    assert_eq!((Refusal::from(future.clone()).status, future), (505, HeadError::Version));
}

#[test]
fn one_empty_line_before_a_request_is_passed_over() {
    let head = request_head(&[b"\r\n", &lines(&REQUEST)[..]].concat());
    assert_eq!(head.headers().len(), REQUEST.len() - 1);
    assert_eq!(request_error(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), HeadError::EmptyStart);
    let response = ResponseHead::parse(b"\r\nHTTP/1.1 101 x\r\n\r\n", &HeadLimits::default());
    assert_eq!(response, Err(HeadError::EmptyStart));
}

/// edge 13: hostile heads, each refused by 400 with its own words.
#[test]
fn hostile_heads() {
    let table: [(&[u8], HeadError); 24] = [
        (b"GET / HTTP/1.1\nHost: x\n\n", HeadError::StrayLf(Place::StartLine)),
        (b"\n", HeadError::StrayLf(Place::StartLine)),
        (b"GET / HTTP/1.1\r\nHost: x\n\r\n", HeadError::StrayLf(header("Host"))),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\n", HeadError::StrayLf(Place::Line(3))),
        (b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", HeadError::BareCr(header("Host"))),
        (b"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", HeadError::BareCr(header("Host"))),
        (b"GET / HTTP/1.1\rHost: x\r\n\r\n", HeadError::BareCr(Place::StartLine)),
        (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", HeadError::Folded),
        (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", HeadError::Folded),
        (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", HeadError::Folded),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", HeadError::SpaceBeforeColon(header("Host"))),
        (b"GET / HTTP/1.1\r\nA: 1\r\nHost\t: x\r\n\r\n", HeadError::SpaceBeforeColon(header("Host"))),
        (b"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", HeadError::Control(0, header("A"))),
        (b"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", HeadError::Control(0x7f, header("A"))),
        (b"GET / HTTP/1.1\r\nA: \x0b\r\n\r\n", HeadError::Control(0x0b, header("A"))),
        (b"\0GET / HTTP/1.1\r\n\r\n", HeadError::Control(0, Place::StartLine)),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", HeadError::HeaderName),
        (b"GET / HTTP/1.1\r\n: x\r\n\r\n", HeadError::HeaderName),
        (b"GET / HTTP/1.1\r\nN\xc3\xa4me: x\r\n\r\n", HeadError::HeaderName),
        (b"GET / HTTP/1.1\r\nA(b): x\r\n\r\n", HeadError::HeaderName),
        (b"GET  / HTTP/1.1\r\n\r\n", HeadError::StartLine),
        (b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", HeadError::StartLine),
        (b"G\tET / HTTP/1.1\r\n\r\n", HeadError::StartLine),
        (b"GET /\r\n\r\n", HeadError::StartLine),
    ];
    for (bytes, expected) in table {
        let error = request_error(bytes);
        assert_eq!(error, expected, "{}", bytes.escape_ascii());
        assert_eq!(Refusal::from(error).status, 400);
    }
}

#[test]
fn hostile_status_lines() {
    for bytes in [
        &b"HTTP/1.1 99 x\r\n\r\n"[..],
        b"HTTP/1.1 099 x\r\n\r\n",
        b"HTTP/1.1 1010 x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ] {
        let parsed = ResponseHead::parse(bytes, &HeadLimits::default());
        assert!(matches!(parsed, Err(HeadError::StartLine | HeadError::Version)), "{}", bytes.escape_ascii());
    }
    let bare = response_head(b"HTTP/1.1 101\r\n\r\n");
    assert_eq!((bare.status(), bare.reason(), bare.is_interim()), (101, "", false));
    assert!(response_head(b"HTTP/1.1 100 Continue\r\n\r\n").is_interim());
    assert!(response_head(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_interim());
}

#[test]
fn the_scanner_does_not_stop_at_line_breaks_of_values() {
    let bytes = request_with(&["X: a; b, \"c\""]);
    assert_eq!(HeadScanner::new().find(&bytes, &HeadLimits::default()), Ok(Some(bytes.len())));
}
