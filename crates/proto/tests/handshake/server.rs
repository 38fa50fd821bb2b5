//! The server's side.

use crate::{
    ACCEPT, KEY, REQUEST, judge, judge_by, lines, request_head, request_with, request_without, status,
};
use tidewire_proto::deflate::parameters::DeflateConfig;
use tidewire_proto::handshake::{
    Agreed, Choice, Fields, HeaderView, OriginPolicy, Refusal, RequestView, ServerPolicy, SetupError,
    Version, check_offer, is_websocket,
};

/// edge 1, 2: the 101 byte for byte: RFC casing, no byte between the accept value and CRLF, none behind the head.
#[test]
fn the_switching_response_byte_for_byte() {
    let accepted = judge(&lines(&REQUEST)).expect("accepted");
    assert_eq!(accepted.accept.as_str(), ACCEPT);
    let response = accepted.respond(&Choice::default()).expect("a response");
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    assert_eq!(String::from_utf8(response.to_bytes()), Ok(expected));
    assert_eq!(response.agreed, Agreed::default());
}

#[test]
fn a_response_with_all_there_is() {
    let bytes = request_with(&[
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ]);
    let mut headers = Fields::new();
    headers.push("Set-Cookie", b"name=J\xf6rg").expect("a header");
    let deflate = DeflateConfig::default();
    let choice = Choice { subprotocol: Some("b"), deflate: Some(&deflate), headers };
    let response = judge(&bytes).expect("accepted").respond(&choice).expect("a response");
    let expected = [
        &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "[..],
        ACCEPT.as_bytes(),
        b"\r\nSec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
          client_no_context_takeover\r\nSet-Cookie: name=J\xf6rg\r\n\r\n",
    ];
    assert_eq!(response.to_bytes().escape_ascii().to_string(), expected.concat().escape_ascii().to_string());
    assert_eq!(response.agreed.subprotocol.as_deref(), Some("b"));
    assert!(response.agreed.deflate.is_some_and(|params| params.server_no_context_takeover));
}

/// edge 3, 4: lists, tabs and case in Connection and Upgrade.
#[test]
fn connection_and_upgrade_as_lists() {
    let good: [&[&str]; 8] = [
        &["Connection: keep-alive, Upgrade"],
        &["Connection:\tkeep-alive\t,\tUpGrAdE\t"],
        &["Connection: keep-alive", "Connection: upgrade"],
        &["Connection: ,, Upgrade ,"],
        &["Upgrade: WebSocket"],
        &["Upgrade: h2c, WEBSOCKET"],
        &["Upgrade: h2c", "Upgrade: websocket"],
        &["connection: upgrade", "upgrade: websocket"],
    ];
    for with in good {
        assert!(judge(&request_with(with)).is_ok(), "{with:?}");
    }
    let bad: [&[&str]; 9] = [
        &["Connection: not-upgrade"],
        &["Connection: keep-alive"],
        &["Connection: upgrade websocket"],
        &["Connection:"],
        &["Upgrade:"],
        &["Upgrade: ,"],
        &["Upgrade: websocket/13"],
        &["Upgrade: web socket"],
        &["Upgrade: \u{fc}\u{ff}"],
    ];
    for with in bad {
        assert_eq!(status(&request_with(with)), 400, "{with:?}");
    }
    assert_eq!(status(&request_without("Connection")), 400);
    assert_eq!(status(&request_without("Upgrade")), 400);
}

/// edge 5: the key.
#[test]
fn keys() {
    for key in [KEY, "AAAAAAAAAAAAAAAAAAAAAA==", "  \tAAAAAAAAAAAAAAAAAAAAAA==  "] {
        assert!(judge(&request_with(&[&format!("Sec-WebSocket-Key: {key}")])).is_ok(), "{key}");
    }
    let bad = [
        "",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "_-hlIHNhbXBsZSBub25jZQ==",
        "\u{e4}GhlIHNhbXBsZSBub25jZQ==",
    ];
    for key in bad {
        assert_eq!(status(&request_with(&[&format!("Sec-WebSocket-Key: {key}")])), 400, "{key}");
    }
    assert_eq!(status(&request_without("Sec-WebSocket-Key")), 400);
    let line = format!("Sec-WebSocket-Key: {KEY}");
    assert_eq!(status(&request_with(&[&line, &line])), 400, "twice");
}

/// edge 6: any other version is answered by 426 that names ours.
#[test]
fn versions() {
    let name = "Sec-WebSocket-Version";
    let mut requests: Vec<Vec<u8>> =
        ["", "8", "0", "12", "14", "013", "13 8", "13, 8", "13a", "\u{661}\u{663}"]
            .iter()
            .map(|version| request_with(&[&format!("{name}: {version}")]))
            .collect();
    requests.push(request_without(name));
    requests.push(request_with(&["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"]));
    // A draft of the year 2010.
    requests.push(lines(&[
        "GET /demo HTTP/1.1",
        "Host: example.com",
        "Connection: Upgrade",
        "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
        "Origin: http://example.com",
    ]));
    for bytes in requests {
        let refusal = judge(&bytes).expect_err("refused");
        assert_eq!(refusal.status, 426, "{}", bytes.escape_ascii());
        let text = String::from_utf8(refusal.to_bytes()).expect("text");
        assert!(text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{text}");
        for line in [
            "\r\nSec-WebSocket-Version: 13\r\n",
            "\r\nUpgrade: websocket\r\n",
            "\r\nConnection: Upgrade, close\r\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }
}

fn with_start(start: &str) -> Vec<u8> {
    let mut all = REQUEST;
    all[0] = start;
    lines(&all)
}

/// edge 7: method, version of HTTP, body.
#[test]
fn requests_that_cannot_upgrade() {
    for method in ["POST", "HEAD", "get", "OPTIONS"] {
        let refusal = judge(&with_start(&format!("{method} / HTTP/1.1"))).expect_err("refused");
        assert_eq!(refusal.status, 405, "{method}");
        assert_eq!(refusal.headers.one("Allow"), Ok(Some(&b"GET"[..])));
    }
    assert_eq!(status(&with_start("GET / HTTP/1.0")), 505);
    for body in [
        "Content-Length: 5",
        "Content-Length: x",
        "Content-Length: 0, 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding:",
    ] {
        let refusal = judge(&request_with(&[body])).expect_err("refused");
        assert_eq!(refusal.status, 400, "{body}");
        assert!(String::from_utf8_lossy(&refusal.to_bytes()).contains("\r\nConnection: close\r\n"));
    }
    assert_eq!(status(&request_with(&["Content-Length: 0", "Content-Length: 3"])), 400);
    assert!(judge(&request_with(&["Content-Length: 0"])).is_ok());
}

/// edge 8: request targets.
#[test]
fn targets() {
    for target in
        ["/", "/?x", "/a%20b?c=%C3%A4", "*/x", "http://server.example/chat", "ws://server.example?x", "//a"]
    {
        let judged = judge(&with_start(&format!("GET {target} HTTP/1.1")));
        assert_eq!(judged.is_ok(), target != "*/x", "{target}");
    }
    for target in [
        "*",
        "server.example:80",
        "/a#b",
        "/a#",
        "/%",
        "/%4",
        "/%zz",
        "/?%-1",
        "/\\",
        "ftp://server.example/",
        "http://",
        "http:///x",
        "http://u@server.example/",
    ] {
        assert_eq!(status(&with_start(&format!("GET {target} HTTP/1.1"))), 400, "{target}");
    }
    let head = request_head(&with_start("GET http://server.example?x HTTP/1.1"));
    let target = head.target().expect("a target");
    assert_eq!((target.authority, target.path, target.query), (Some("server.example"), "/", Some("x")));
}

/// edge 8, 18: the host of an absolute-form target outranks the Host header.
#[test]
fn an_absolute_target_outranks_host() {
    let bytes = lines(&[
        "GET http://other.example/ HTTP/1.1",
        REQUEST[1],
        REQUEST[2],
        REQUEST[3],
        REQUEST[4],
        REQUEST[5],
        "Origin: http://other.example",
    ]);
    assert!(judge(&bytes).is_ok());
    assert_eq!(
        status(&[&bytes[..bytes.len() - 2], b"Origin: http://server.example\r\n\r\n"].concat()),
        400,
        "two origins"
    );
}

/// edge 10: the Host header.
#[test]
fn hosts() {
    for host in ["server.example:9876", "[::1]", "[2001:db8::1]:80", "10.0.0.1", "a_b.example", "x:"] {
        assert!(judge(&request_with(&[&format!("Host: {host}")])).is_ok(), "{host}");
    }
    for host in [
        "",
        "a b",
        "a@b",
        "[::1",
        "::1",
        "[::1]x",
        "a:b",
        "a:0",
        "a:65536",
        "a:+1",
        "a/b",
        "b\u{fc}cher.example",
    ] {
        assert_eq!(status(&request_with(&[&format!("Host: {host}")])), 400, "{host}");
    }
    assert_eq!(status(&request_without("Host")), 400);
    assert_eq!(status(&request_with(&["Host: a", "Host: a"])), 400);
}

/// edge 4, 13: what goes to a plain HTTP service, and what gets a WebSocket's answer.
#[test]
fn plain_requests_are_told_from_attempts() {
    let is = |bytes: &[u8]| is_websocket(request_head(bytes).headers());
    assert!(is(&lines(&REQUEST)));
    for without in ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
        assert!(is(&request_without(without)), "{without}");
    }
    assert!(is(&request_with(&["Upgrade:"])));
    assert!(!is(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"));
    assert!(!is(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"));
    assert!(!is(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"));
}

/// edge 14: subprotocols.
#[test]
fn subprotocols() {
    let offer = |with: &[&str]| judge(&request_with(with)).map(|accepted| accepted.offer);
    let chat = offer(&["Sec-WebSocket-Protocol: chat ,\tsuperchat", "sec-websocket-protocol: Chat"])
        .expect("an offer");
    assert_eq!(chat.subprotocols, ["chat", "superchat", "Chat"]);
    assert_eq!(chat.pick(&["CHAT", "superchat", "chat"]), Some("superchat"), "the server's order, by case");
    assert_eq!(chat.pick(&["other"]), None);
    let agreed = chat.agree(&Choice::default()).expect("no subprotocol is fine").agreed;
    assert_eq!(agreed.subprotocol, None);
    let other = Choice { subprotocol: Some("SuperChat"), ..Choice::default() };
    assert_eq!(chat.agree(&other), Err(SetupError::SubprotocolNotOffered("SuperChat".into())));
    for value in ["", ",", "a b", "a, a", "a;b", "\"a\"", "a, \u{e4}", "a/b"] {
        let refusal = offer(&[&format!("Sec-WebSocket-Protocol: {value}")]).expect_err("refused");
        assert_eq!(refusal.status, 400, "{value:?}");
    }
    assert!(
        offer(&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]).is_err(),
        "twice in two lines"
    );
    let many: Vec<String> = (0..65).map(|n| format!("p{n}")).collect();
    assert!(offer(&[&format!("Sec-WebSocket-Protocol: {}", many[..64].join(","))]).is_ok());
    assert!(offer(&[&format!("Sec-WebSocket-Protocol: {}", many.join(","))]).is_err());
}

/// edge 15: a malformed offer is refused, a well-formed unknown one passed over.
#[test]
fn extension_offers() {
    let judge_offer = |value: &str| judge(&request_with(&[&format!("Sec-WebSocket-Extensions: {value}")]));
    assert_eq!(judge_offer("permessage-deflate; x=\"a").expect_err("refused").status, 400);
    let accepted =
        judge_offer("x-unknown; a=1; a=2, permessage-deflate; foo=1, permessage-deflate").expect("accepted");
    let config = DeflateConfig {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..DeflateConfig::default()
    };
    let response =
        accepted.respond(&Choice { deflate: Some(&config), ..Choice::default() }).expect("a response");
    assert_eq!(response.headers.one("Sec-WebSocket-Extensions"), Ok(Some(&b"permessage-deflate"[..])));
    let none = accepted.respond(&Choice { deflate: Some(&DeflateConfig::disabled()), ..Choice::default() });
    assert_eq!(none.expect("a response").agreed.deflate, None);
}

/// edge 17: headers that the user sets.
#[test]
fn headers_of_the_users_are_checked() {
    let mut fields = Fields::new();
    for value in ["a\r\nX: b", "a\n", "a\r", "a\0", "\x7f"] {
        assert!(matches!(fields.push("X-Name", value), Err(SetupError::HeaderValue(..))), "{value:?}");
    }
    for name in ["", "a b", "a:", "a\r\n", "\u{e4}"] {
        assert!(matches!(fields.push(name, "x"), Err(SetupError::HeaderName(_))), "{name:?}");
    }
    assert_eq!(fields, Fields::new());
    let accepted = judge(&lines(&REQUEST)).expect("accepted");
    for name in [
        "connection",
        "UPGRADE",
        "Sec-WebSocket-Accept",
        "sec-websocket-anything",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let mut headers = Fields::new();
        headers.push(name, "x").expect("a header");
        let refused = accepted.respond(&Choice { headers, ..Choice::default() });
        assert_eq!(refused, Err(SetupError::Reserved(name.to_owned())));
    }
}

/// edge 13: a refusal can be read by people and ends the connection.
#[test]
fn a_refusal_byte_for_byte() {
    let mut refusal = Refusal::new(404, "No such page.");
    refusal.headers.push("Connection", "keep-alive").expect("a header");
    let expected = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
        X-Content-Type-Options: nosniff\r\nContent-Length: 14\r\n\r\nNo such page.\n";
    assert_eq!(String::from_utf8(refusal.to_bytes()), Ok(expected.to_owned()));
    assert_eq!(Refusal::new(204, "x").to_bytes(), b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert!(Refusal::new(101, "x").to_bytes().starts_with(b"HTTP/1.1 500 "));
}

/// edge 18: the answer to a foreign origin names it, and the log names the option.
#[test]
fn a_foreign_origin_is_refused_with_its_name() {
    let refusal = judge(&request_with(&["Origin: https://evil.example\x21"])).expect_err("refused");
    assert_eq!(refusal.status, 403);
    let refusal = judge(&request_with(&["Origin: https://evil.example"])).expect_err("refused");
    assert!(refusal.body.contains("https://evil.example"), "{}", refusal.body);
    assert!(refusal.log.contains("give --origin 'https://evil.example' ("), "{}", refusal.log);
    assert!(refusal.log.contains("OriginPolicy::allow"));
    let odd = judge(&request_with(&["Origin: \u{1f30a}\t\""])).expect_err("refused");
    assert!(odd.log.is_ascii() && !odd.log.contains(char::is_control), "{}", odd.log);
    assert_eq!(
        status(&request_with(&["Origin: http://server.example", "Origin: http://server.example"])),
        400
    );
}

/// edge 18: DNS rebinding: a page reaches a loopback listener under its own host's name.
#[test]
fn a_loopback_listener_answers_to_loopback_names_only() {
    let policy = ServerPolicy { origin: OriginPolicy::default(), loopback: true };
    let request = |host: &str| request_with(&[&format!("Host: {host}"), &format!("Origin: http://{host}")]);
    for host in ["localhost:9876", "127.0.0.1:9876", "[::1]:9876", "app.localhost"] {
        assert!(judge_by(&request(host), &policy).is_ok(), "{host}");
    }
    let refusal = judge_by(&request("rebound.example:9876"), &policy).expect_err("refused");
    assert_eq!(refusal.status, 403);
    assert!(refusal.log.contains("give --origin 'rebound.example:9876' ("), "{}", refusal.log);
    let origin = OriginPolicy::default().allow("rebound.example:9876").expect("an entry");
    assert!(judge_by(&request("rebound.example:9876"), &ServerPolicy { origin, loopback: true }).is_ok());
    assert!(judge(&request("rebound.example:9876")).is_ok(), "not on a loopback address");
}

/// edge 18: what a stranger sent is offered as an option only where it is an entry for itself alone, and in quotes.
#[test]
fn the_log_offers_no_command_of_a_strangers() {
    let long = format!("https://{}", "a".repeat(300));
    for origin in [
        "http://x$(touch /tmp/pwn)",
        "http://x`id`",
        "http://x;id",
        "http://x'",
        "http://x'$(id)'",
        "http://x|id",
        "http://x y",
        "http://x\\",
        "$(id)://x",
        "--unix=/tmp/s",
        "-x://y",
        "*",
        "https://*.example",
        "*.example",
        "evil.example",
        "file://",
        "https://[::1%eth0]",
        "https://\u{1f30a}",
        "",
        &long,
    ] {
        let refusal = judge(&request_with(&[&format!("Origin: {origin}")])).expect_err(origin);
        assert_eq!(refusal.status, 403, "{origin}");
        assert!(
            !refusal.log.contains("--origin") && refusal.log.contains("can't be allowed by name"),
            "{}",
            refusal.log
        );
    }
    for origin in ["null", "http://[::2]:81", "chrome-extension://abc", "HTTP://EVIL.example:8080"] {
        let refusal = judge(&request_with(&[&format!("Origin: {origin}")])).expect_err(origin);
        assert!(refusal.log.contains(&format!("give --origin '{origin}' (")), "{}", refusal.log);
    }
    let policy = ServerPolicy { origin: OriginPolicy::default(), loopback: true };
    for host in ["null", "-x", "--unix", "--unix:80"] {
        let refusal = judge_by(&request_with(&[&format!("Host: {host}")]), &policy).expect_err(host);
        assert_eq!(refusal.status, 403, "{host}");
        assert!(
            !refusal.log.contains("--origin") && refusal.log.contains("can't be allowed by name"),
            "{}",
            refusal.log
        );
    }
    for host in ["x$(id)", "x`id`", "x'", "x;id", "*", "*.example"] {
        assert_eq!(
            judge_by(&request_with(&[&format!("Host: {host}")]), &policy).expect_err(host).status,
            400
        );
    }
}

struct LowerCase(Vec<(&'static str, &'static str)>);

impl HeaderView for LowerCase {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }
}

/// edge 14, 18, 61: the shared rules judge headers of another library, without key and Upgrade, by `:authority`.
#[test]
fn shared_rules_without_a_key() {
    let headers = LowerCase(vec![
        ("sec-websocket-version", "13"),
        ("origin", "https://server.example:444"),
        ("sec-websocket-protocol", "chat"),
    ]);
    let request = RequestView {
        method: "CONNECT",
        version: Version::Http11,
        authority: Some("server.example"),
        headers: &headers,
    };
    let offer = check_offer(&request, &ServerPolicy::default()).expect("an offer");
    assert_eq!(offer.subprotocols, ["chat"]);
    let foreign = RequestView { authority: Some("other.example"), ..request };
    assert_eq!(check_offer(&foreign, &ServerPolicy::default()).expect_err("refused").status, 403);
}
