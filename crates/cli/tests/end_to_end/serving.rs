//! `serve`: where it listens, what it lets in, what it logs, how it stops.

use crate::support::peer::closed_port;
use crate::support::{Serve, certificate, connect, serve_fails, signal, start, status, tidewire};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

/// One sentence on stderr, and the status 1.
#[track_caller]
fn refuses(options: &[&str], words: &str) {
    let ran = serve_fails(options);
    ran.expect(1, "").told(1, words);
    assert!(ran.stderr.starts_with("tidewire: ") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn what_keeps_it_from_listening_is_one_sentence() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = other.local_addr().expect("it is bound").port().to_string();
    refuses(&["--port", &port], &format!("port {port} of 127.0.0.1 is in use by another program"));
    refuses(&["--port", &port, "--reuse-port"], "by a program that does not share it: start that one with");
    // TEST-NET-1 (RFC 5737) is nobody's.
    refuses(&["--port", "0", "--address", "192.0.2.1"], "192.0.2.1 is no address of this machine");
    refuses(&["--unix", "/nonexistent/t.sock"], "its folder does not exist");
    refuses(&["--port", "0", "--static", "/nonexistent"], "--static: /nonexistent is no folder");
    refuses(&["--port", "0", "--origin", "not an origin"], "--origin: \"not an origin\" is no origin");
}

#[test]
fn values_that_could_never_work_are_refused() {
    for (option, value, words) in [
        ("--subprotocol", "a b", "without spaces"),
        ("--max-message", "0", "0 would take no message"),
        ("--handshake-timeout", "0", "0 would leave no time"),
        ("--close-timeout", "0s", "0 would leave no time"),
    ] {
        serve_fails(&["--port", "0", option, value]).expect(2, "").told(2, words);
    }
}

#[test]
fn a_certificate_that_can_not_be_used_is_one_sentence() {
    let (chain, key, ca) =
        (certificate("localhost.pem"), certificate("localhost.key"), certificate("ca.pem"));
    let tls = |chain, key, words| refuses(&["--port", "0", "--tls-cert", chain, "--tls-key", key], words);
    tls("/nonexistent/c.pem", &key, "/nonexistent/c.pem does not exist");
    tls(&chain, &ca, "are certificate and key swapped?");
    tls(&key, &key, "localhost.key");
    tls(&ca, &key, "ca.pem");
}

#[test]
fn a_port_can_be_shared_on_request() {
    let port = closed_port().port().to_string();
    let _first = Serve::start(&["--port", &port, "--reuse-port"]);
    let second = Serve::start(&["--port", &port, "--reuse-port"]);
    connect(&["-1", &second.url], "hi\n").expect(0, "hi\n");
}

#[test]
fn every_address_is_listened_on_with_a_warning() {
    let serve = Serve::start(&["--address", "0.0.0.0"]);
    assert!(serve.url.starts_with("ws://127.0.0.1:"), "{}", serve.url);
    assert!(serve.line("every machine").contains("--address 127.0.0.1"));
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
}

/// edge 18: another site's page is refused, and the log names the option that lets it in.
#[test]
fn a_foreign_origin_is_refused_and_the_log_names_the_option() {
    let serve = Serve::start(&[]);
    let foreign = ["-1", "--origin", "https://evil.example", serve.url.as_str()];
    connect(&foreign, "hi\n").expect(4, "").told(4, "403");
    let line = serve.line("refuse");
    assert!(line.contains("403") && line.contains("--origin 'https://evil.example'"), "{line}");
    connect(&["-1", "--origin", "http://127.0.0.1:1", &serve.url], "hi\n").expect(0, "hi\n");
    let serve = Serve::start(&["--origin", "https://evil.example"]);
    connect(&["-1", "--origin", "https://evil.example", &serve.url], "hi\n").expect(0, "hi\n");
}

#[test]
fn ctrl_c_closes_every_connection_with_1001_and_ends_with_0() {
    let mut serve = Serve::start(&[]);
    let clients: Vec<_> = (0..3).map(|_| start(&[&serve.url], "hi\n", true)).collect();
    for _ in &clients {
        serve.line(" open ");
    }
    assert_eq!(serve.interrupt().code(), Some(0));
    for client in clients {
        client.finish().told(0, "closed by the server: 1001");
    }
    assert!(serve.line("stopped").ends_with("after 3 connections"));
}

#[test]
fn the_human_log_numbers_connections() {
    let serve = Serve::start(&["--log-level", "debug", "--subprotocol", "chat"]);
    connect(&["-1", "--protocol", "chat", &format!("{}room?x=1", serve.url)], "hi\n").expect(0, "hi\n");
    let opened = serve.line(" open ");
    assert!(
        opened.contains("Z  #1     open    127.0.0.1:") && opened.ends_with("/room · chat · deflate"),
        "{opened}"
    );
    assert!(serve.line("message").ends_with("text, 2 B"));
    let closed = serve.line("close");
    assert!(
        closed.contains("#1 ") && closed.contains("1000 (normal closure) · by the client · "),
        "{closed}"
    );
    assert!(!closed.contains('\x1b'), "no colour in a pipe: {closed}");
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
    assert!(serve.line(" open ").contains(" #2 "));
}

#[test]
fn the_json_log_parses_line_by_line() {
    let mut serve = Serve::start(&["--log-format", "json"]);
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
    connect(&["-1", "--origin", "https://evil.example", &serve.url], "").told(4, "403");
    serve.interrupt();
    for (event, holds) in
        [("open", "target"), ("close", "code"), ("refuse", "why"), ("stopped", "connections")]
    {
        let line: Value = serde_json::from_str(&serve.line(event)).expect("JSON");
        assert_eq!(line["event"], event);
        assert!(
            line["time"].as_str().is_some_and(|time| time.ends_with('Z')) && !line[holds].is_null(),
            "{line}"
        );
        if event == "close" {
            assert_eq!(
                (&line["code"], &line["bytes_in"], &line["by"]),
                (&1000.into(), &2.into(), &"client".into())
            );
        }
    }
}

/// The log of 6000 messages is more than a pipe and the queue hold.
#[test]
fn a_log_that_nobody_reads_delays_neither_connections_nor_the_end() {
    let arguments = ["serve", "--port", "0", "--log-level", "debug", "--close-timeout", "1s"];
    let mut child = tidewire(&arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a line comes");
    let url = first.trim().strip_prefix("listening on ").expect("a URL").to_owned();
    let lines: String = (0..6000).fold(String::new(), |lines, number| lines + &format!("{number}\n"));
    connect(&["--count", "6000", &url], lines.as_str()).expect(0, &lines);
    signal(&child, Signal::SIGTERM);
    assert_eq!(status(&mut child).code(), Some(0));
}

#[test]
fn the_json_log_holds_no_query() {
    let serve = Serve::start(&["--log-format", "json"]);
    connect(&["-1", &format!("{}a?token=secret", serve.url)], "hi\n").expect(0, "hi\n");
    let line = serve.line("open");
    assert!(line.contains("\"target\":\"/a\"") && !line.contains("secret"), "{line}");
}

#[test]
fn a_message_above_the_limit_is_closed_with_1009() {
    let serve = Serve::start(&["--max-message", "10"]);
    connect(&["-1", &serve.url], "0123456789\n").expect(0, "0123456789\n");
    connect(&["-1", &serve.url], "0123456789a\n").expect(5, "").told(5, "1009 (message too big)");
}
