//! Requests, responses, and both of our own ends against each other.

use tidewire_proto::{
    deflate::DeflateConfig,
    handshake::{
        Choice, ClientHandshake, HeadLimits, HeadScanner, RequestHead, RequestView, ResponseHead,
        ServerPolicy, WsUrl, check, extensions, is_websocket, redirect,
    },
};

const NONCE: [u8; 16] = *b"the sample nonce";

/// Any request gets an answer that is a head, any response a verdict, and what our client asks our server answers so that
/// both read the same agreement out of it.
pub fn handshake(data: &[u8]) {
    let Some((&[mode, flags], rest)) = data.split_first_chunk::<2>() else { return };
    match mode % 5 {
        0 => request(rest),
        1 => response(flags, rest),
        2 => both(flags, rest),
        3 => answer(rest),
        _ => elements(rest),
    }
}

/// The scanner, asked after each byte, says what it says of the whole.
fn scan(bytes: &[u8], limits: &HeadLimits) {
    let whole = HeadScanner::new().find(bytes, limits);
    let mut scanner = HeadScanner::new();
    let found = (0..=bytes.len()).map(|end| scanner.find(&bytes[..end], limits));
    let found = found.take(limits.bytes + 2).find(|found| !matches!(found, Ok(None))).unwrap_or(Ok(None));
    assert_eq!(found, whole);
}

fn request(bytes: &[u8]) {
    let limits = HeadLimits { bytes: 1024, headers: 16 };
    scan(bytes, &limits);
    let head = match RequestHead::parse(bytes, &limits) {
        Ok(None) => return,
        Ok(Some((head, length))) => {
            assert_eq!(
                &RequestHead::parse(&bytes[..length], &limits).unwrap().unwrap().0.raw_target(),
                &head.raw_target()
            );
            head
        }
        Err(error) => {
            let refusal = tidewire_proto::handshake::Refusal::from(error);
            assert_head(&refusal.to_bytes(), refusal.status);
            return;
        }
    };
    is_websocket(head.headers());
    let Ok(view) = RequestView::try_from(&head) else { return };
    match check(&view, &ServerPolicy::default()) {
        Ok(accepted) => {
            let config = DeflateConfig::default();
            let choice = Choice {
                subprotocol: accepted.offer.subprotocols.first().map(String::as_str),
                deflate: Some(&config),
                ..Choice::default()
            };
            let switching = accepted.respond(&choice).expect("offered");
            assert_head(&switching.to_bytes(), 101);
        }
        Err(refusal) => assert_head(&refusal.to_bytes(), refusal.status),
    }
}

/// The bytes begin with one whole response head.
fn assert_head(bytes: &[u8], status: u16) {
    let limits = HeadLimits { bytes: usize::MAX, headers: 1000 };
    let (head, length) = ResponseHead::parse(bytes, &limits).expect("our own head").expect("whole");
    assert_eq!(head.status(), status);
    assert!(status != 101 || length == bytes.len(), "no byte stands between a 101 and the first frame");
}

fn client(flags: u8) -> ClientHandshake {
    let config = DeflateConfig {
        enabled: flags & 1 == 0,
        server_no_context_takeover: flags & 2 == 0,
        client_no_context_takeover: flags & 4 == 0,
        server_max_window_bits: 8 + (flags >> 3 & 7),
        client_max_window_bits: 15 - (flags >> 5 & 7),
        ..DeflateConfig::default()
    };
    ClientHandshake::new(NONCE).deflate(config).subprotocols(["chat", "superchat"]).expect("tokens")
}

fn response(flags: u8, bytes: &[u8]) {
    let limits = HeadLimits { bytes: 1024, headers: 16 };
    scan(bytes, &limits);
    let Ok(Some((head, _))) = ResponseHead::parse(bytes, &limits) else { return };
    if let Ok(agreed) = client(flags).check_response(&head) {
        assert_eq!(head.status(), 101);
        assert!(agreed.deflate.is_none() || flags & 1 == 0, "only what was offered");
    }
}

/// A 101 whose extensions and subprotocol come from outside.
fn answer(rest: &[u8]) {
    let [flags, rest @ ..] = rest else { return };
    let client = client(*flags);
    let mut bytes =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_vec();
    bytes.extend_from_slice(b"Sec-WebSocket-Accept: ");
    bytes.extend_from_slice(client.key().accept().as_str().as_bytes());
    bytes.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(b"\r\n\r\n");
    let Ok(Some((head, _))) = ResponseHead::parse(&bytes, &HeadLimits::default()) else { return };
    if let Ok(agreed) = client.check_response(&head) {
        for bits in
            agreed.deflate.iter().flat_map(|one| [one.server_max_window_bits, one.client_max_window_bits])
        {
            assert!((8..=15).contains(&bits));
        }
    }
}

/// Our client against our server: they agree, and on the same.
fn both(flags: u8, rest: &[u8]) {
    let [server, rest @ ..] = rest else { return };
    let Ok(url) = core::str::from_utf8(rest).map_err(drop).and_then(|text| WsUrl::parse(text).map_err(drop))
    else {
        return;
    };
    if let Ok(to) = redirect(&url, rest) {
        assert!(to.is_secure() || !url.is_secure());
    }
    let client = client(flags);
    let request = client.request(&url);
    let limits = HeadLimits { bytes: usize::MAX, headers: 64 };
    let (head, length) = RequestHead::parse(&request, &limits).expect("our own request").expect("whole");
    assert_eq!(length, request.len());
    let view = RequestView::try_from(&head).expect("our own target");
    let accepted = check(&view, &ServerPolicy::default()).expect("our own request");
    let config = DeflateConfig {
        server_no_context_takeover: server & 1 == 0,
        client_no_context_takeover: server & 2 == 0,
        server_max_window_bits: 8 + (server >> 2 & 7),
        client_max_window_bits: 15 - (server >> 5 & 7),
        ..DeflateConfig::default()
    };
    let choice = Choice { subprotocol: Some("superchat"), deflate: Some(&config), ..Choice::default() };
    let switching = accepted.respond(&choice).expect("offered");
    let bytes = switching.to_bytes();
    let (head, length) = ResponseHead::parse(&bytes, &limits).expect("our own head").expect("whole");
    assert_eq!(length, bytes.len());
    assert_eq!(client.check_response(&head), Ok(switching.agreed));
}

/// The header of extensions alone.
fn elements(rest: &[u8]) {
    let values = rest.split(|byte| *byte == b'\n');
    if let Ok(extensions) = extensions::parse(values) {
        for extension in &extensions {
            assert!(!extension.name.is_empty());
            let _ = DeflateConfig::default().accept_offer(extension.pairs());
            let _ = DeflateConfig::default().confirm(extension.pairs());
        }
    }
}
