use super::*;
use std::rc::Rc;
use std::time::Duration;

fn display(options: DisplayOptions) -> Display {
    Display::new(options, Palette::plain())
}

fn received(message: Message) -> Item {
    let at = Duration::from_millis(1234);
    Item::Received(Received { message, at, since: Duration::from_micros(150) })
}

fn text(text: &str) -> Item {
    received(Message::Text(text.into()))
}

#[test]
fn messages_have_a_marker_and_their_further_lines_none() {
    let mut plain = display(DisplayOptions::default());
    assert_eq!(plain.terminal(&text("hi")).unwrap(), "< hi");
    // No line of a message can pass for one of ours or for another message.
    assert_eq!(plain.terminal(&text("a\n· closed\n< b")).unwrap(), "< a\n  · closed\n  < b");
    assert_eq!(
        plain.terminal(&received(Message::Binary(vec![0, 65].into()))).unwrap(),
        format!("< binary, 2 bytes\n  00000000  00 41 {}  |.A|", " ".repeat(42))
    );
}

#[test]
fn nothing_from_the_peer_commands_the_terminal() {
    let mut all =
        display(DisplayOptions { json: true, verbose: true, timings: true, ..DisplayOptions::default() });
    let attack = "\x1b]0;x\x07\r\u{9b}2J";
    let handshake = Handshake {
        url: attack.into(),
        subprotocol: Some(attack.into()),
        extensions: Some(attack.into()),
        redirects: vec![attack.into()],
        response: Head { start: attack.into(), fields: vec![(attack.into(), attack.into())] },
        ..Handshake::default()
    };
    let payload = bytes::Bytes::from_static(attack.as_bytes());
    for item in [
        text(attack),
        text(&format!("[\"{attack}\"]")),
        received(Message::Binary(payload.clone())),
        Item::Ping(payload.clone()),
        Item::Pong { payload, round_trip: None, asked: true },
        Item::Connected(Rc::new(handshake)),
        Item::Reply(attack.into()),
        Item::Warning(attack.into()),
    ] {
        let shown = all.terminal(&item).unwrap();
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{item:?}: {shown:?}");
    }
}

#[test]
fn json_is_laid_out_on_request() {
    let mut plain = display(DisplayOptions::default());
    assert_eq!(plain.terminal(&text("{\"a\":1}")).unwrap(), "< {\"a\":1}");
    assert!(plain.terminal(&Item::ToggleJson).is_some());
    assert_eq!(plain.terminal(&text("{\"a\":1}")).unwrap(), "< {\n    \"a\": 1\n  }");
    assert_eq!(plain.terminal(&text("{no json}")).unwrap(), "< {no json}");
}

#[test]
fn secrets_are_hidden_and_other_headers_are_not() {
    let fields = [("Authorization", "Basic c2VjcmV0"), ("cookie", "c2VjcmV0"), ("X-Id", "7")];
    let fields = fields.map(|(name, value)| (name.into(), value.into())).to_vec();
    let request = Head { start: "GET / HTTP/1.1".into(), fields };
    let handshake = Rc::new(Handshake { request, ..Handshake::default() });
    let mut verbose = display(DisplayOptions { verbose: true, ..DisplayOptions::default() });
    for item in [Item::Connected(handshake.clone()), Item::Headers(handshake)] {
        let shown = verbose.terminal(&item).unwrap();
        assert!(!shown.contains("c2VjcmV0"), "{shown}");
        assert!(shown.contains("\n  > X-Id: 7"), "{shown}");
    }
}

#[test]
fn times_are_told_on_request() {
    let mut timings = display(DisplayOptions { timings: true, ..DisplayOptions::default() });
    assert_eq!(timings.terminal(&text("hi")).unwrap(), "< [1.23 s Δ 150 µs] hi");
    let steps = Timings { tcp: Some(Duration::from_micros(1500)), ..Timings::default() };
    let handshake = Handshake { url: "ws://h/".into(), timings: steps, ..Handshake::default() };
    assert_eq!(
        timings.terminal(&Item::Connected(Rc::new(handshake))).unwrap(),
        "· connected to ws://h/\n  tcp     1.5 ms"
    );
}

#[test]
fn pings_are_told_to_those_who_ask() {
    let pong = |asked| Item::Pong { payload: "a".into(), round_trip: Some(Duration::from_millis(2)), asked };
    let mut plain = display(DisplayOptions::default());
    assert_eq!(plain.terminal(&pong(true)).unwrap(), "· pong from the server \"a\", round trip 2.0 ms");
    assert_eq!(plain.terminal(&pong(false)), None);
    assert_eq!(plain.terminal(&Item::Ping("a".into())), None);
    let mut all = display(DisplayOptions { show_ping_pong: true, ..DisplayOptions::default() });
    assert!(all.terminal(&pong(false)).is_some() && all.terminal(&Item::Ping("a".into())).is_some());
    let mut quiet = display(DisplayOptions { quiet: true, ..DisplayOptions::default() });
    assert_eq!(quiet.terminal(&Item::Warning("x".into())), None);
    assert!(quiet.terminal(&Item::Reply("x".into())).is_some());
}

use super::super::session::Timings;

#[test]
fn secrets_of_the_handshake_are_hidden() {
    let fields = |names: &[(&str, &str)]| Head {
        start: "start".into(),
        fields: names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let handshake = Handshake {
        subprotocol: Some("Bearer.hush".into()),
        request: fields(&[
            ("Proxy-Authorization", "hush"),
            ("Sec-WebSocket-Key", "nonce"),
            ("Sec-WebSocket-Protocol", "chat, bearer.hush"),
            ("X-API-Key", "hush"),
            ("X-Csrf-Token", "hush"),
            ("Client-Secret", "hush"),
        ]),
        response: fields(&[("Set-Cookie", "hush"), ("Sec-WebSocket-Protocol", "chat"), ("Server", "s")]),
        ..Handshake::default()
    };
    let mut verbose = display(DisplayOptions { verbose: true, ..DisplayOptions::default() });
    let shown = verbose.terminal(&Item::Connected(Rc::new(handshake))).unwrap();
    assert!(!shown.contains("hush"), "{shown}");
    for line in ["> Sec-WebSocket-Key: nonce", "< Sec-WebSocket-Protocol: chat", "< Server: s"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(shown.matches("(hidden)").count(), 7, "{shown}");
}
