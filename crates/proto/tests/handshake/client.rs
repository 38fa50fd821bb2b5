//! The client's side.

use crate::{ACCEPT, KEY, NONCE, lines, response_head};
use tidewire_proto::deflate::parameters::{DeflateConfig, ParameterError};
use tidewire_proto::handshake::key::{AcceptError, Mistake};
use tidewire_proto::handshake::{
    Agreed, ClientHandshake, ExtensionsError, HandshakeError, HeadError, HeadLimits, ResponseHead,
    SetupError, WsUrl,
};

fn url(text: &str) -> WsUrl {
    WsUrl::parse(text).expect("a URL")
}

fn request_text(handshake: &ClientHandshake, to: &str) -> String {
    String::from_utf8(handshake.request(&url(to))).expect("text")
}

fn judge_by(handshake: &ClientHandshake, added: &[&str]) -> Result<Agreed, HandshakeError> {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let mut all = vec!["HTTP/1.1 101 Switching Protocols"];
    let good = ["Upgrade: websocket", "Connection: Upgrade", &accept];
    all.extend(good.into_iter().filter(|line| added.iter().all(|added| name(added) != name(line))));
    // A bare name takes the header out.
    all.extend(added.iter().filter(|line| line.contains(':')));
    handshake.check_response(&response_head(&lines(&all)))
}

fn judge(added: &[&str]) -> Result<Agreed, HandshakeError> {
    judge_by(&ClientHandshake::new(NONCE), added)
}

/// edge 2, 8, 10: the request byte for byte, in RFC casing.
#[test]
fn the_request_byte_for_byte() {
    let handshake = ClientHandshake::new(NONCE);
    let expected = format!(
        "GET /?x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    assert_eq!(request_text(&handshake, "ws://h?x"), expected);
    assert!(request_text(&handshake, "wss://h:443").contains("\r\nHost: h\r\n"));
    assert!(request_text(&handshake, "wss://[::1]:80").contains("\r\nHost: [::1]:80\r\n"));
}

#[test]
fn a_request_with_all_there_is() {
    let handshake = ClientHandshake::new(NONCE)
        .subprotocols(["b", "a"])
        .and_then(|handshake| {
            handshake.deflate(DeflateConfig::default()).header("Origin", "http://one.example")
        })
        .and_then(|handshake| handshake.header("origin", "http://two.example"))
        .and_then(|handshake| handshake.header("X-Name", b"J\xc3\xb6rg"))
        .expect("good headers");
    let text = request_text(&handshake, "ws://user:pass@h:1/");
    let rest = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Extensions: permessage-deflate; \
        server_no_context_takeover; client_no_context_takeover; client_max_window_bits\r\n\
        Authorization: Basic dXNlcjpwYXNz\r\norigin: http://two.example\r\nX-Name: J\u{f6}rg\r\n\r\n";
    assert!(text.ends_with(rest), "{text}");
    let own =
        handshake.header("Host", "other").and_then(|handshake| handshake.header("authorization", "Bearer x"));
    let text = request_text(&own.expect("good headers"), "ws://user:pass@h:1/");
    assert!(text.contains("\r\nHost: other\r\n") && !text.contains("Host: h:1"), "{text}");
    assert!(text.contains("\r\nauthorization: Bearer x\r\n") && !text.contains("Basic"), "{text}");
}

/// edge 17: headers of the user's that can't be sent are refused before there is a request.
#[test]
fn headers_of_the_users_are_checked() {
    let header = |name: &str, value: &str| ClientHandshake::new(NONCE).header(name, value).map(|_| ());
    for value in ["a\r\nX: y", "a\n", "\r", "a\0b"] {
        assert!(matches!(header("X-A", value), Err(SetupError::HeaderValue(..))), "{value:?}");
    }
    for name in ["", "a b", "a\r\nb", "a:"] {
        assert!(matches!(header(name, "x"), Err(SetupError::HeaderName(_))), "{name:?}");
    }
    for name in [
        "Sec-WebSocket-Key",
        "sec-websocket-protocol",
        "Connection",
        "upgrade",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        assert_eq!(header(name, "x"), Err(SetupError::Reserved(name.to_owned())));
    }
    assert_eq!(header("X-\u{e4}", "x"), Err(SetupError::HeaderName("X-\u{e4}".into())));
    assert_eq!(header("X-A", "\u{e4}\tb"), Ok(()));
}

/// edge 14: subprotocols that the user offers.
#[test]
fn own_subprotocols_are_checked() {
    let offer =
        |names: &[&'static str]| ClientHandshake::new(NONCE).subprotocols(names.iter().copied()).map(|_| ());
    assert_eq!(offer(&["a", "A"]), Ok(()));
    assert_eq!(offer(&["a", "a"]), Err(SetupError::SubprotocolTwice("a".into())));
    for name in ["", "a b", "a,b", "\u{e4}", "a\r\n"] {
        assert_eq!(offer(&[name]), Err(SetupError::Subprotocol(name.into())));
    }
}

/// edge 1: the accept value is exact, and each way of being wrong has its name.
#[test]
fn accept_values() {
    let accept = |value: &str| judge(&[&format!("Sec-WebSocket-Accept: {value}")]);
    assert_eq!(accept(ACCEPT), Ok(Agreed::default()));
    assert_eq!(
        accept(&format!("\t{ACCEPT}  ")),
        Ok(Agreed::default()),
        "white space around a value is no part of it"
    );
    let table: [(&str, AcceptError); 12] = [
        ("", AcceptError::Length(0)),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xO0=", AcceptError::Wrong(Mistake::OtherKey)),
        ("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", AcceptError::Wrong(Mistake::OtherKey)),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo", AcceptError::Base64),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOp=", AcceptError::Base64),
        ("s3pPLMBiTxaQ9kYGzzhZRbK-xOo=", AcceptError::Base64),
        ("s3pPLMBiTxaQ 9kYGzzhZRbK+xOo=", AcceptError::Base64),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x", AcceptError::Base64),
        ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=AAAA", AcceptError::Base64),
        ("dGhlIHNhbXBsZSBub25jZQ==", AcceptError::Length(16)),
        ("YjM3YTRmMmNjMDYyNGYxNjkwZjY0NjA2Y2YzODU5NDViMmJlYzRlYQ==", AcceptError::Wrong(Mistake::HexDigest)),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", AcceptError::Length(30)),
    ];
    for (value, expected) in table {
        assert_eq!(accept(value), Err(HandshakeError::Accept(expected, value.to_owned())), "{value}");
    }
    assert_eq!(judge(&["Sec-WebSocket-Accept"]), Err(HandshakeError::AcceptMissing));
    let line = format!("Sec-WebSocket-Accept: {ACCEPT}");
    assert_eq!(judge(&[&line, &line]), Err(HandshakeError::AcceptTwice));
}

/// edge 1: the usual mistakes in computing the accept value are told.
#[test]
fn mistakes_in_computing_the_accept_value() {
    for (value, mistake) in [(KEY_ALONE, Mistake::NoGuid), (KEY_DECODED, Mistake::DecodedKey)] {
        let judged = judge(&[&format!("Sec-WebSocket-Accept: {value}")]);
        assert_eq!(judged, Err(HandshakeError::Accept(AcceptError::Wrong(mistake), value.to_owned())));
    }
}

/// edge 1: the whole story of the stray line feed, as a user reads it.
#[test]
fn a_stray_line_feed_as_a_user_reads_it() {
    let bytes = format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {ACCEPT}\n\r\n\r\n");
    let error = ResponseHead::parse(bytes.as_bytes(), &HeadLimits::default()).map_err(HandshakeError::from);
    let text = error.expect_err("a stray line feed").to_string();
    assert!(text.contains("a stray line feed behind Sec-WebSocket-Accept"), "{text}");
}

/// edge 3, 4: Connection and Upgrade of the response.
#[test]
fn connection_and_upgrade() {
    for added in [["Upgrade: WebSocket"], ["Connection: keep-alive,\tupgrade"], ["UPGRADE: WEBSOCKET"]] {
        assert!(judge(&added).is_ok(), "{added:?}");
    }
    assert_eq!(judge(&["Upgrade"]), Err(HandshakeError::UpgradeMissing));
    assert_eq!(judge(&["Upgrade: "]), Err(HandshakeError::UpgradeMissing));
    assert_eq!(judge(&["Upgrade: h2c"]), Err(HandshakeError::UpgradeOther("h2c".into())));
    assert_eq!(judge(&["Upgrade: websocket, h2c"]), Err(HandshakeError::UpgradeTwice));
    assert_eq!(judge(&["Connection"]), Err(HandshakeError::ConnectionMissing));
    assert_eq!(judge(&["Connection: not-upgrade"]), Err(HandshakeError::ConnectionMissing));
}

/// edge 14, 16: the server's choice of a subprotocol.
#[test]
fn subprotocols() {
    let handshake = ClientHandshake::new(NONCE).subprotocols(["chat", "v2"]).expect("subprotocols");
    let judge = |added: &[&str]| judge_by(&handshake, added).map(|agreed| agreed.subprotocol);
    assert_eq!(judge(&[]), Ok(None));
    assert_eq!(judge(&["Sec-WebSocket-Protocol: \tv2 "]), Ok(Some("v2".into())));
    assert_eq!(
        judge(&["Sec-WebSocket-Protocol: V2"]),
        Err(HandshakeError::SubprotocolNotOffered("V2".into()))
    );
    assert_eq!(judge(&["Sec-WebSocket-Protocol: x"]), Err(HandshakeError::SubprotocolNotOffered("x".into())));
    assert_eq!(
        judge(&["Sec-WebSocket-Protocol: chat, v2"]),
        Err(HandshakeError::SubprotocolNoToken("chat, v2".into()))
    );
    assert_eq!(judge(&["Sec-WebSocket-Protocol:"]), Err(HandshakeError::SubprotocolNoToken(String::new())));
    let line = "Sec-WebSocket-Protocol: chat";
    assert_eq!(judge(&[line, line]), Err(HandshakeError::SubprotocolTwice));
    let not_asked = judge_by(&ClientHandshake::new(NONCE), &[line]);
    assert_eq!(not_asked, Err(HandshakeError::SubprotocolNotOffered("chat".into())));
}

/// edge 15, 16: the server's choice of extensions.
#[test]
fn extensions() {
    let handshake = ClientHandshake::new(NONCE).deflate(DeflateConfig::default());
    let judge = |value: &str| judge_by(&handshake, &[&format!("Sec-WebSocket-Extensions: {value}")]);
    let agreed =
        judge("permessage-deflate; server_no_context_takeover").expect("agreed").deflate.expect("deflate");
    assert!(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
    let good = "permessage-deflate; server_no_context_takeover";
    assert_eq!(
        judge(&format!("{good}, {good}")),
        Err(HandshakeError::ExtensionTwice("permessage-deflate".into()))
    );
    assert_eq!(judge(&format!("{good}, x-y")), Err(HandshakeError::ExtensionNotOffered("x-y".into())));
    assert_eq!(
        judge("permessage-deflate; a=\""),
        Err(HandshakeError::Extensions(ExtensionsError::Unbalanced(22)))
    );
    assert_eq!(
        judge("permessage-deflate"),
        Err(HandshakeError::Deflate(ParameterError::NotConfirmed("server_no_context_takeover")))
    );
    let not_asked = judge_by(&ClientHandshake::new(NONCE), &[&format!("Sec-WebSocket-Extensions: {good}")]);
    assert_eq!(not_asked, Err(HandshakeError::ExtensionNotOffered("permessage-deflate".into())));
    assert_eq!(judge_by(&handshake, &[]).expect("agreed").deflate, None, "the server has no deflate");
}

/// edge 8, 13: other statuses, and redirects.
#[test]
fn other_statuses() {
    let judge = |bytes: &[u8]| ClientHandshake::new(NONCE).check_response(&response_head(bytes));
    let refused = judge(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    assert_eq!(refused, Err(HandshakeError::Status { status: 403, reason: "Forbidden".into() }));
    let redirected = judge(b"HTTP/1.1 307 x\r\nlocation: /b\r\n\r\n");
    assert_eq!(redirected, Err(HandshakeError::Redirect { status: 307, location: b"/b".to_vec() }));
    let nowhere = judge(b"HTTP/1.1 302 Found\r\n\r\n");
    assert_eq!(nowhere, Err(HandshakeError::Status { status: 302, reason: "Found".into() }));
    let created = judge(b"HTTP/1.1 201 x\r\nLocation: /b\r\n\r\n");
    assert_eq!(created, Err(HandshakeError::Status { status: 201, reason: "x".into() }));
    let old = format!(
        "HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    assert_eq!(judge(old.as_bytes()), Err(HandshakeError::Http10));
    let large = ResponseHead::parse(&vec![b'a'; 20_000], &HeadLimits::default());
    assert_eq!(large, Err(HeadError::TooLarge(16 * 1024)));
}

/// edge 9: to another origin go Origin and User-Agent of the user's headers alone, and each request has a new key.
#[test]
fn redirected_requests_drop_the_users_headers() {
    const SECRETS: [&str; 9] = [
        "authorization",
        "COOKIE",
        "Host",
        "Proxy-Authorization",
        "X-Api-Key",
        "X-Auth-Token",
        "Referer",
        "Origin-Token",
        "User-Agents",
    ];
    let handshake = ClientHandshake::new(NONCE)
        .subprotocols(["chat"])
        .and_then(|handshake| handshake.header("origin", "http://page"))
        .and_then(|handshake| handshake.header("USER-AGENT", "probe"))
        .and_then(|handshake| {
            SECRETS.iter().try_fold(handshake, |handshake, name| handshake.header(name, "secret"))
        })
        .expect("headers")
        .deflate(DeflateConfig::default());
    let kept = [
        "origin: http://page\r\n",
        "USER-AGENT: probe\r\n",
        "Sec-WebSocket-Protocol: chat\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ];
    let from = url("ws://user:secret@h/a");
    let same = handshake.clone().redirected(&from, &url("ws://h/b"), [7; 16]);
    let text = request_text(&same, "ws://h/b");
    for line in SECRETS.map(|name| format!("{name}: secret\r\n")).iter().map(String::as_str).chain(kept) {
        assert!(text.contains(line), "{line} {text}");
    }
    assert!(!text.contains(KEY));
    for other in ["ws://other/b", "ws://h:81/b", "wss://h/b"] {
        let far = handshake.clone().redirected(&from, &url(other), [7; 16]);
        let text = request_text(&far, other);
        assert!(!text.contains("secret") && !text.contains(KEY), "{text}");
        assert!(text.contains(&format!("Host: {}\r\n", url(other).host_header())), "{text}");
        for line in kept {
            assert!(text.contains(line), "{line} {text}");
        }
        let back = far.redirected(&url(other), &from, [8; 16]);
        assert!(!request_text(&back, "ws://h/a").contains("secret"), "what was dropped stays dropped");
    }
}

/// What another implementation of SHA-1 makes of the key without the GUID, and of the decoded key with it.
const KEY_ALONE: &str = "hHLtf2V1k8aDQZfNjw3Ia1hCwt0=";
const KEY_DECODED: &str = "BXhwxM0SZasKmCD9S4BfpPmCnEw=";
