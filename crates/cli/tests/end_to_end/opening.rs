//! What `connect` asks for, and the ways it goes.

use crate::support::peer::{Peer, scripted};
use crate::support::{Serve, connect, with_environment};
use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A server that hands over each request's head and closes with 1000.
fn listener() -> (SocketAddr, Receiver<String>) {
    let (to, heads) = channel();
    let address = scripted(move |_, mut peer| {
        let offered = peer.request().contains("Sec-WebSocket-Protocol: chat.v2");
        peer.open_with(if offered { "Sec-WebSocket-Protocol: chat.v2\r\n" } else { "" });
        // The test may have seen enough.
        let _gone = to.send(peer.head.clone());
        peer.close(1000, "");
    });
    (address, heads)
}

#[test]
fn options_of_the_handshake_stand_in_the_request() {
    let (address, heads) = listener();
    let url = format!("ws://{address}/a?b=c");
    let ran = connect(
        &[
            "-n",
            "-v",
            "-H",
            "X-Trace: 7",
            "--origin",
            "http://app.example",
            "--auth",
            "me:secret",
            "--subprotocol",
            "chat.v2",
            "--subprotocol",
            "chat",
            "--no-deflate",
            &url,
        ],
        "",
    );
    let head = heads.recv().expect("a request came");
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
    for field in [
        &format!("Host: {address}"),
        "X-Trace: 7",
        "Origin: http://app.example",
        "Authorization: Basic bWU6c2VjcmV0",
        "Sec-WebSocket-Protocol: chat.v2, chat",
    ] {
        assert!(head.contains(&format!("{field}\r\n")), "{field}: {head}");
    }
    assert!(!head.contains("Sec-WebSocket-Extensions"), "{head}");
    ran.told(0, "subprotocol chat.v2").told(0, "> X-Trace: 7").told(0, "> Authorization: (hidden)");
    ran.told(0, "< HTTP/1.1 101 Switching Protocols");
    assert!(!ran.stderr.contains("bWU6c2VjcmV0"), "{}", ran.stderr);
}

#[test]
fn credentials_come_from_url_and_environment_too() {
    let (address, heads) = listener();
    connect(&["-n", &format!("ws://me:p%40ss@{address}/")], "");
    assert!(heads.recv().expect("a request came").contains("Authorization: Basic bWU6cEBzcw==\r\n"));
    let url = format!("ws://{address}/");
    with_environment(&["connect", "-n", &url], "", &[("TIDEWIRE_AUTH", "Bearer abc")]);
    assert!(heads.recv().expect("a request came").contains("Authorization: Bearer abc\r\n"));
}

/// edge 8 and 9: a redirect is followed where that is asked for, and credentials stay with their origin.
#[test]
fn redirects_are_followed_on_request() {
    let (target, heads) = listener();
    let from = scripted(move |_, mut peer| {
        peer.request();
        peer.write(format!(
            "HTTP/1.1 302 Found\r\nLocation: ws://{target}/there\r\nContent-Length: 0\r\n\r\n"
        ));
    });
    let url = format!("ws://me:secret@{from}/");
    connect(&["-n", &url], "").told(4, "-L follows it");
    connect(&["-n", "-v", "-L", &url], "").told(0, "redirected from ws://");
    let head = heads.recv().expect("a request came");
    assert!(head.starts_with("GET /there ") && !head.contains("Authorization"), "{head}");
}

/// Carries a connection on to where its CONNECT wants it.
fn tunnel(peer: &mut Peer, to: &str) {
    let mut server = TcpStream::connect(to).expect("the server is there");
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    let (mut from, mut back) =
        (peer.stream.try_clone().expect("a clone"), server.try_clone().expect("a clone"));
    let forth = thread::spawn(move || {
        copy(&mut from, &mut back).and_then(|_| back.shutdown(Shutdown::Write)).ok();
    });
    copy(&mut server, &mut peer.stream).ok();
    peer.stream.shutdown(Shutdown::Both).ok();
    forth.join().expect("the tunnel did not panic");
}

#[test]
fn proxies_are_gone_through_and_gone_round() {
    let serve = Serve::start(&[]);
    let (to, asked) = channel();
    let proxy = scripted(move |_, mut peer| {
        let line = peer.request().lines().next().unwrap_or_default().to_owned();
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        to.send((line, peer.header("Proxy-Authorization").is_some())).expect("the test listens");
        tunnel(&mut peer, &target);
    });
    let url = format!("http://u:p@{proxy}");
    connect(&["-1", "-v", "--proxy", &url, &serve.url], "hi\n").expect(0, "hi\n").told(0, " through http://");
    let (line, has_credentials) = asked.recv().expect("the proxy was asked");
    assert_eq!((line, has_credentials), (format!("CONNECT {} HTTP/1.1", serve.address()), true));
    // A loopback address is no business of the environment's proxy, and --no-proxy says so for others.
    let arguments = ["connect", "-1", "--no-proxy", serve.url.as_str()];
    with_environment(&arguments, "hi\n", &[("all_proxy", &url)]).expect(0, "hi\n");
    assert!(asked.try_recv().is_err());
}

/// edge 19: a proxy that says no is named, and nothing of the credentials.
#[test]
fn a_proxy_that_refuses_is_named() {
    let proxy = scripted(|_, mut peer| {
        peer.request();
        peer.write("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
    });
    let ran = connect(&["-1", "--proxy", &format!("http://u:secret@{proxy}"), ":1"], "");
    assert!(!ran.told(3, "proxy").stderr.contains("secret"), "{}", ran.stderr);
    // Time does not mend credentials.
    let ran = connect(&["-1", "--reconnect", "--proxy", &format!("http://u:secret@{proxy}"), ":1"], "");
    assert!(!ran.told(3, "proxy").stderr.contains("connecting again"), "{}", ran.stderr);
}

#[test]
fn timings_tell_each_step_and_each_message() {
    let serve = Serve::start(&[]);
    let ran = connect(&["-1", "-t", &serve.url], "hi\n");
    for words in ["tcp ", "upgrade ", "#1 at ", "2 bytes of text"] {
        ran.told(0, words);
    }
}

/// A client that goes away in the middle of its request does not trouble the server.
#[test]
fn a_request_that_is_cut_off_leaves_the_server_well() {
    let serve = Serve::start(&[]);
    let mut stream = TcpStream::connect(serve.address()).expect("the server is there");
    stream.write_all(b"GET / HTTP/1.1\r\nHo").expect("it is taken");
    stream.shutdown(Shutdown::Write).expect("it can be shut");
    let mut answer = Vec::new();
    // Refused with words or without.
    let _reset = stream.read_to_end(&mut answer);
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
}
