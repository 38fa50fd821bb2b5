//! How a run of `connect` ends: every status of the table in `--help`.

use crate::support::peer::{closed_port, opened, scripted};
use crate::support::{Ran, Serve, connect, signal, start};
use nix::sys::signal::Signal;
use std::thread::sleep;
use std::time::Duration;
use testkit::wire::Length;
use tidewire_proto::Opcode;

fn refused(response: &'static str) -> Ran {
    let address = scripted(move |_, mut peer| {
        peer.request();
        peer.write(response);
    });
    connect(&["-1", &format!("ws://{address}/")], "hi\n")
}

#[test]
fn what_can_not_be_used_is_1() {
    let serve = Serve::start(&[]);
    connect(&["-1", &serve.url], b"a\xffb\n".to_vec()).told(1, "not UTF-8: send bytes with --binary");
    connect(&["ws://[::1/"], "").told(1, "tidewire: ");
    connect(&["--subprotocol", "a b", &serve.url], "").told(1, "is no token");
    connect(&["-H", "Sec-WebSocket-Key: x", &serve.url], "").told(1, "Sec-WebSocket-Key");
    connect(&["--proxy", "gopher://x", &serve.url], "").told(1, "--proxy");
    connect(&["--ca", "/nonexistent/ca.pem", &serve.url], "").told(1, "/nonexistent/ca.pem does not exist");
}

#[test]
fn nobody_there_is_3() {
    let ran = connect(&["-1", &format!("ws://{}/", closed_port())], "hi\n");
    assert_eq!(ran.told(3, "refused the connection").stderr.lines().count(), 1);
}

#[test]
fn a_refusal_is_4_and_tells_what_the_server_says() {
    refused("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot you\r\n")
        .told(4, "403 (Forbidden)")
        .told(4, "It says: not you\n");
    refused("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").told(4, "serves pages, not WebSockets");
    refused("SSH-2.0-OpenSSH_9.2\r\n\r\n").told(4, "response can't be read");
    // edge 1: an accept value of another key.
    refused(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .told(4, "Sec-WebSocket-Accept");
}

#[test]
fn a_refusal_is_shown_with_its_head_on_request() {
    let address = scripted(|_, mut peer| {
        peer.request();
        peer.write(
            "HTTP/1.1 403 Forbidden\r\nX-Why: not you\r\nSet-Cookie: hush\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let url = format!("ws://{address}/");
    let ran = connect(&["-v", "-1", &url], "hi\n");
    ran.told(4, "< HTTP/1.1 403 Forbidden\n")
        .told(4, "< X-Why: not you\n")
        .told(4, "< Set-Cookie: (hidden)\n");
    assert!(!connect(&["-1", &url], "hi\n").told(4, "403").stderr.contains("X-Why"));
}

#[test]
fn the_servers_close_is_5_unless_it_is_a_normal_one() {
    for (code, reason, status, words) in [
        (1000, "", 0, "closed by the server: 1000 (normal closure)\n"),
        (1001, "", 0, "closed by the server: 1001"),
        (1008, "not today", 5, "closed by the server: 1008 (policy violation): not today\n"),
        (4000, "over", 5, "closed by the server: 4000: over\n"),
    ] {
        let url = opened(move |peer| peer.close(code, reason));
        connect(&["-n", &url], "").told(status, words);
    }
    // What the server tells while we close is not taken for an answer.
    let url = opened(|peer| {
        while peer.frame().is_some_and(|frame| frame.opcode != 8) {}
        peer.close(1011, "too late");
    });
    connect(&["-E", &url], "hi\n").told(5, "closed by the server: 1011");
}

#[test]
fn a_broken_protocol_is_6() {
    let url = opened(|peer| {
        peer.send(|wire| wire.shaped(Opcode::Text, "hi", |frame| frame.mask(Some([1, 2, 3, 4]))));
        assert_eq!(peer.frame().expect("the client closes").payload[..2], 1002_u16.to_be_bytes());
    });
    connect(&["-n", &url], "").told(6, "a server's frame with a mask");
    let url = opened(|peer| {
        peer.send(|wire| wire.shaped(Opcode::Binary, "hi", |frame| frame.form(Length::SixtyFour)));
        while peer.frame().is_some() {}
    });
    connect(&["-n", &url], "").told(6, "RFC 6455 §5.2");
    let serve = Serve::start(&[]);
    connect(&["--max-message", "3", "--linger", "5s", &serve.url], "hello\n").told(6, "--max-message");
}

#[test]
fn time_that_ran_out_is_7() {
    let silent = scripted(|_, mut peer| {
        peer.request();
        sleep(Duration::from_secs(2));
    });
    connect(&["--connect-timeout", "200ms", &format!("ws://{silent}/")], "").told(7, "did not answer");
    let deaf = opened(|_| sleep(Duration::from_secs(2)));
    connect(&["-E", "--close-timeout", "200ms", &deaf], "").told(7, "did not answer the close in time");
    connect(&["--count", "1", "--linger", "200ms", &deaf], "hi\n")
        .told(7, "silent for --linger after 0 of 1");
}

#[test]
fn too_few_answers_are_8() {
    let url = opened(|peer| {
        peer.send(|wire| wire.text("only"));
        peer.close(1000, "");
    });
    connect(&["--count", "2", &url], "hi\n").expect(8, "only\n").told(8, "after 1 of 2 messages");
}

/// edge 42: the end of the stream without a close.
#[test]
fn a_lost_connection_is_9() {
    let url = opened(|peer| {
        peer.send(|wire| wire.text("so far"));
    });
    connect(&["-n", &url], "").expect(9, "so far\n").told(9, "without a close frame");
}

#[test]
fn signals_close_and_are_told() {
    for (number, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let serve = Serve::start(&[]);
        let started = start(&[&serve.url], "hi\n", true);
        serve.line(" open ");
        signal(&started.child, number);
        started.finish().told(status, if status == 130 { "interrupted" } else { "terminated" });
        assert!(serve.line("close").contains("1000"), "the server gets a close");
    }
}

#[test]
fn a_lost_connection_is_made_again() {
    let address = scripted(|number, mut peer| {
        peer.open();
        peer.send(|wire| wire.text(format!("{number}")));
        if number == 1 {
            peer.close(1000, "");
        }
    });
    let url = format!("ws://{address}/");
    let ran = connect(&["-n", "--reconnect", &url], "");
    ran.expect(0, "0\n1\n").told(0, "connecting again in ");
    let away = format!("ws://{}/", closed_port());
    let ran = connect(&["-n", "--reconnect", "--max-attempts", "1", &away], "");
    assert_eq!(ran.told(3, "refused").stderr.matches("connecting again").count(), 1);
}
