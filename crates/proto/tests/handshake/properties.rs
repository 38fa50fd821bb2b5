//! Properties that hold for any input.

use crate::{NONCE, judge, request_head};
use proptest::prelude::*;
use tidewire_proto::deflate::parameters::DeflateConfig;
use tidewire_proto::handshake::extensions::parse;
use tidewire_proto::handshake::{
    Choice, ClientHandshake, Extension, HeadLimits, HeadScanner, HeaderView, OriginPolicy, Parameter,
    RequestHead, ResponseHead, Target, WsUrl, host_is_loopback, resolve,
};

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,12}";

fn extension() -> impl Strategy<Value = Extension> {
    let parameter = (TOKEN, proptest::option::of(TOKEN)).prop_map(|(name, value)| Parameter { name, value });
    (TOKEN, proptest::collection::vec(parameter, 0..6))
        .prop_map(|(name, parameters)| Extension { name, parameters })
}

/// A good value in quotes, each character behind a backslash where `escape` says so.
fn quote(value: &str, escape: &[bool]) -> String {
    let mut text = String::from("\"");
    for (at, character) in value.chars().enumerate() {
        if escape.get(at).copied().unwrap_or(false) {
            text.push('\\');
        }
        text.push(character);
    }
    text + "\""
}

/// Bytes that often come near to a head.
fn near_heads() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 11] = [
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 101 x\r\n",
        b"Host: x\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"A : b",
        b" ",
        b"Upgrade: websocket\r\n",
        b"\xff\0",
        b"PRI * HTTP/2.0\r\n",
    ];
    let piece = proptest::sample::select(&PIECES[..]);
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// edge 15: what is written is read again, with and without quotes, in one line or many.
    #[test]
    fn extensions_round_trip(
        list in proptest::collection::vec(extension(), 1..8),
        escape in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let lines: Vec<String> = list.iter().map(ToString::to_string).collect();
        prop_assert_eq!(&parse(lines.iter().map(String::as_bytes)).expect("lines"), &list);
        prop_assert_eq!(&parse([lines.join(" ,,\t").as_bytes()]).expect("one line"), &list);
        let quoted: Vec<String> = list
            .iter()
            .map(|extension| {
                extension.pairs().fold(extension.name.clone(), |text, (name, value)| match value {
                    Some(value) => format!("{text} ;{name} = {}", quote(value, &escape)),
                    None => format!("{text};{name}"),
                })
            })
            .collect();
        prop_assert_eq!(&parse([quoted.join(",").as_bytes()]).expect("quoted"), &list);
    }

    /// edge 15: no value brings the parser down.
    #[test]
    fn any_extensions_are_judged(value in "[a-c;,=\"\\\\ \t\u{e4}]{0,40}") {
        if let Ok(list) = parse([value.as_bytes()]) {
            let text: Vec<String> = list.iter().map(ToString::to_string).collect();
            prop_assert_eq!(parse([text.join(", ").as_bytes()]), Ok(list));
        }
    }

    /// edge 13: how a head is cut in arriving changes neither its end nor the error.
    #[test]
    fn any_cut_of_a_head_gives_the_same(
        bytes in near_heads(),
        cuts in proptest::collection::vec(0usize..200, 0..6),
        most in 8usize..200,
    ) {
        let limits = HeadLimits { bytes: most, headers: 3 };
        let whole = HeadScanner::new().find(&bytes, &limits);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut scanner = HeadScanner::new();
        let mut found = Ok(None);
        for cut in cuts {
            found = scanner.find(&bytes[..cut], &limits);
            if found != Ok(None) {
                break;
            }
        }
        prop_assert_eq!(found, whole.clone());
        if let Ok(end) = whole {
            let parsed = RequestHead::parse(&bytes, &limits);
            prop_assert_eq!(parsed.as_ref().is_ok_and(Option::is_none), end.is_none());
            if let Ok(Some((head, consumed))) = parsed {
                prop_assert_eq!(Some(consumed), end);
                prop_assert_eq!(RequestHead::parse(&bytes[..consumed], &limits), Ok(Some((head, consumed))));
            }
            let _ = ResponseHead::parse(&bytes, &limits);
        }
    }

    /// edge 13: no bytes bring the parsers down.
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,60}") {
        let limits = HeadLimits::default();
        let _ = RequestHead::parse(&bytes, &limits);
        let _ = ResponseHead::parse(&bytes, &limits);
        let _ = host_is_loopback(&bytes);
        let _ = OriginPolicy::default().admits(Some(&bytes), text.as_bytes());
        let _ = OriginPolicy::default().allow(&text);
        let _ = Target::parse(&text);
        let _ = WsUrl::parse(&text);
    }

    /// edge 8: a URL that is shown is read again as itself, and so is what a reference resolves to.
    #[test]
    fn urls_round_trip(
        text in "(ws|wss|http)://([a-z.]{1,8}|\\[::1\\])(:[0-9]{1,5})?([/?][a-z%./?&=]{0,12})?",
        reference in "[a-z./?:]{1,16}",
    ) {
        if let Ok(url) = WsUrl::parse(&text) {
            prop_assert_eq!(WsUrl::parse(&url.to_string()), Ok(url.clone()));
            if let Ok(next) = resolve(&url, &reference) {
                prop_assert!(next.target().starts_with('/'));
                prop_assert_eq!(WsUrl::parse(&next.to_string()), Ok(next));
            }
        }
    }

    /// edge 2, 10, 17: what our client asks, our server accepts, and our client takes the answer.
    #[test]
    fn client_and_server_agree(
        nonce in any::<[u8; 16]>(),
        names in proptest::collection::hash_set(TOKEN, 0..5),
        value in proptest::collection::vec(prop_oneof![Just(b'\t'), 0x20u8..0x7f, 0x80u8..], 0..20),
        host in "[a-z]{1,5}(\\.[a-z]{1,5})?|\\[2001:db8::[1-9]\\]|127\\.0\\.0\\.1",
        port in 1u16..,
    ) {
        let url = WsUrl::parse(&format!("ws://{host}:{port}/path?query")).expect("a URL");
        let client = ClientHandshake::new(nonce)
            .deflate(DeflateConfig::default())
            .subprotocols(names.iter().map(String::as_str))
            .and_then(|client| client.header("X-Value", &value))
            .and_then(|client| client.header("Origin", format!("http://{host}:1")))
            .expect("good headers");
        let request = client.request(&url);
        let kept = value.trim_ascii_start().trim_ascii_end().to_vec();
        let head = request_head(&request);
        prop_assert_eq!(head.headers().one("X-Value"), Ok(Some(kept.as_slice())));
        let accepted = judge(&request).expect("accepted");
        let config = DeflateConfig::default();
        let subprotocol = accepted.offer.subprotocols.last().map(String::as_str);
        let choice = Choice { subprotocol, deflate: Some(&config), ..Choice::default() };
        let response = accepted.respond(&choice).expect("a response");
        let bytes = response.to_bytes();
        let (head, consumed) = ResponseHead::parse(&bytes, &HeadLimits::default()).expect("a head").expect("whole");
        prop_assert_eq!(consumed, bytes.len());
        prop_assert_eq!(client.check_response(&head), Ok(response.agreed));
        if nonce != NONCE {
            prop_assert!(ClientHandshake::new(NONCE).check_response(&head).is_err());
        }
    }
}
