//! The client's opening handshake against servers whose bytes the test decides.

mod support;

use std::time::Duration;
use support::raw::{Answering, accept, client, header, pair_with, switching};
use support::{listen, read_head};
use tidewire::client::Step;
use tidewire::dial::Target;
use tidewire::proto::deflate::DeflateConfig;
use tidewire::proto::handshake::HeadLimits;
use tidewire::{Client, ConnectError, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// What a client makes of an answer.
async fn judge(
    client: &Client,
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> Result<tidewire::WebSocket, ConnectError> {
    client.connect(&Answering::start(answer).await.url()).await
}

fn head_with_accept(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{line}\r\n\r\n").into_bytes()
}

/// edge 1: the accept value is exact. The servers that get it wrong, with the words that name the fault.
#[tokio::test]
async fn accept_values() {
    type Line = fn(&str) -> String;
    let good: [Line; 2] = [
        |value| format!("Sec-WebSocket-Accept: {value}"),
        // White space around a value is no part of it (RFC 9110 §5.5).
        |value| format!("sec-websocket-accept:\t{value} "),
    ];
    for line in good {
        assert!(judge(&client(), move |head| head_with_accept(&line(&accept(head)))).await.is_ok());
    }
    let bad: [(Line, &str); 9] = [
        (|_| "X: y".to_owned(), "lacks Sec-WebSocket-Accept"),
        (|value| format!("Sec-WebSocket-Accept: {value}\r\nSec-WebSocket-Accept: {value}"), "stands twice"),
        (|value| format!("Sec-WebSocket-Accept: {value}\n"), "a stray line feed behind Sec-WebSocket-Accept"),
        (|value| format!("Sec-WebSocket-Accept: {value}\r"), "carriage return"),
        (|value| format!("Sec-WebSocket-Accept: {value}AAAA"), "not base64"),
        (|value| format!("Sec-WebSocket-Accept: {}", value.to_lowercase()), "wrong"),
        (|value| format!("Sec-WebSocket-Accept: {}", &value[1..]), "not base64"),
        (|_| "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(), "answers another key"),
        (|value| format!("Sec-WebSocket-Accept: {} {}", &value[..9], &value[9..]), "not base64"),
    ];
    for (line, says) in bad {
        let error = judge(&client(), move |head| head_with_accept(&line(&accept(head)))).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{says}: {error}");
        let received = &error.rejected().unwrap().received;
        assert!(received.starts_with(b"HTTP/1.1 101 x\r\n"), "the bytes are kept to be shown");
    }
}

/// edge 11: frames behind the 101, in its segment, are the first to be received.
#[tokio::test]
async fn frames_behind_the_head() {
    let (mut ws, _server) =
        pair_with(&client(), |_| b"\x81\x05Hello\x82\x01\xff\x89\x00\x81\x03\xe2\x82".to_vec()).await;
    assert_eq!(ws.recv().await.unwrap(), Some(Message::from("Hello")));
    assert_eq!(ws.recv().await.unwrap().unwrap().as_bytes(), b"\xff");
}

/// edge 13: a head that comes byte by byte, with frames behind it.
#[tokio::test]
async fn a_head_byte_by_byte() {
    let (listener, address) = listen("127.0.0.1").await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream).await;
        let mut bytes = switching(&head, "").into_bytes();
        bytes.extend(b"\x81\x02hi");
        for byte in bytes {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream
    });
    let mut ws = client().connect(&format!("ws://{address}")).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::from("hi")));
    drop(server);
}

/// Interim responses are skipped, in one segment with the final one too (RFC 9110 §15.2).
#[tokio::test]
async fn interim_responses() {
    let client = client();
    let ws = judge(&client, |head| {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        format!("{interim}{}", switching(head, "")).into_bytes()
    });
    let ws = ws.await.unwrap();
    assert_eq!(ws.handshake().unwrap().response().status(), 101);
}

/// edge 13: heads past the limits, interim ones counted in.
#[tokio::test]
async fn head_limits() {
    let limits = HeadLimits { bytes: 1000, headers: 8 };
    let client = client().head_limits(limits);
    let says = [
        ("X: y\r\n".repeat(8), "more than 8 header lines"),
        (format!("X: {}\r\n", "y".repeat(1000)), "larger than 1000 bytes"),
    ];
    for (more, says) in says {
        let error = judge(&client, move |head| switching(head, &more).into()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = judge(&client, |_| "HTTP/1.1 102 x\r\n\r\n".repeat(100).into()).await.unwrap_err();
    assert!(error.to_string().contains("larger than 1000 bytes"), "{error}");
}

/// edge 16: what was not offered can't be chosen.
#[tokio::test]
async fn choices_that_were_not_offered() {
    let plain = client().deflate(DeflateConfig::disabled()).subprotocol("chat");
    for (more, says) in [
        ("Sec-WebSocket-Protocol: Chat\r\n", "\"Chat\", which was not offered"),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "\"permessage-deflate\", which was not offered"),
        ("Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n", "which was not offered"),
    ] {
        let error = judge(&plain, move |head| switching(head, more).into()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let chosen =
        judge(&plain, |head| switching(head, "Sec-WebSocket-Protocol: chat\r\n").into()).await.unwrap();
    assert_eq!(chosen.subprotocol(), Some("chat"));
}

/// permessage-deflate is offered by default, and what the server makes of it is told.
#[tokio::test]
async fn deflate_is_offered() {
    let server = Answering::start(|head| {
        let reply = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10";
        let mut bytes = switching(head, &format!("Sec-WebSocket-Extensions: {reply}\r\n")).into_bytes();
        // RFC 7692 §7.2.3.1.
        bytes.extend(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
        bytes
    })
    .await;
    let mut ws = client().connect(&server.url()).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some(Message::from("Hello")));
    let agreed = ws.deflate().unwrap();
    assert!(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
    assert_eq!(agreed.client_max_window_bits, 10);
    assert!(ws.handshake().unwrap().extensions().ends_with("client_max_window_bits=10"));
    let offer = server.heads()[0].clone();
    assert_eq!(
        header(&offer, "Sec-WebSocket-Extensions"),
        Some(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
        )
    );
}

/// edge 17: what can't stand in a header is refused before anything is sent; bytes above 127 pass.
#[tokio::test]
async fn headers_that_cannot_be_sent() {
    let server = Answering::start(|head| switching(head, "X-Name: caf\u{e9}\r\n").into()).await;
    let bad: [(Client, &str); 8] = [
        (client().header("X", "a\r\nEvil: 1"), "X holds byte 0x0d"),
        (client().header("X", "a\nb"), "X holds byte 0x0a"),
        (client().header("X", "a\0"), "X holds byte 0x00"),
        (client().header("X Y", "a"), "\"X Y\" is no name"),
        (client().header("Upgrade", "h2c"), "written by the handshake itself"),
        (client().bearer("a\r\nb"), "Authorization holds byte 0x0d"),
        (client().subprotocol("a b"), "no token"),
        (client().basic_auth("a:b", "c"), "holds a colon"),
    ];
    for (client, says) in bad {
        let error = client.connect(&server.url()).await.unwrap_err();
        assert!(matches!(error, ConnectError::Setup(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    assert!(server.heads().is_empty());
    let ws = client().header("X-Name", "caf\u{e9}").connect(&server.url()).await.unwrap();
    assert!(server.heads()[0].contains("X-Name: caf\u{e9}\r\n"));
    let name = ws.handshake().unwrap().response().headers().iter().last().unwrap();
    assert_eq!(name, ("X-Name", "caf\u{e9}".as_bytes()));
}

/// edge 10: the default port is left out of Host, IPv6 has brackets.
#[tokio::test]
async fn hosts() {
    let server = Answering::start(|head| switching(head, "").into()).await;
    let target: Target = server.address.to_string().parse().unwrap();
    let client = client().target(target);
    for (url, host, path) in [
        ("ws://example.test", "example.test", "/"),
        ("ws://example.test:80/a?b", "example.test", "/a?b"),
        ("http://example.test:8080?x", "example.test:8080", "/?x"),
        ("ws://[::1]/", "[::1]", "/"),
        ("ws://[::1]:443/", "[::1]:443", "/"),
    ] {
        let ws = client.connect(url).await.unwrap();
        let head = server.heads().pop().unwrap();
        assert_eq!(header(&head, "Host"), Some(host), "{url}");
        assert!(head.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{head}");
        assert_eq!(ws.handshake().unwrap().request(), head.as_bytes());
    }
}

/// Each request has a key of its own.
#[tokio::test]
async fn keys_are_fresh() {
    let server = Answering::start(|head| switching(head, "").into()).await;
    let client = client();
    for _ in 0..3 {
        client.connect(&server.url()).await.unwrap();
    }
    let heads = server.heads();
    let keys: std::collections::HashSet<_> =
        heads.iter().map(|head| header(head, "Sec-WebSocket-Key")).collect();
    assert_eq!(keys.len(), 3);
}

/// A refusal tells its status and what its body says; one that does not end is not waited for.
#[tokio::test]
async fn refusals() {
    let error =
        judge(&client(), |_| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\nnot you!".to_vec()).await;
    let error = error.unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert_eq!(error.rejected().unwrap().body(), b"not you!");
    assert!(error.to_string().contains("403 (Forbidden)"), "{error}");

    let begin = Instant::now();
    let endless = format!("HTTP/1.1 500 x\r\n\r\n{}", "z".repeat(10_000));
    let error = judge(&client(), move |_| endless.clone().into()).await.unwrap_err();
    assert_eq!((error.status(), error.rejected().unwrap().body().len()), (Some(500), 4096));
    let error = judge(&client(), |_| b"HTTP/1.1 200 OK\r\n\r\n<html>".to_vec()).await.unwrap_err();
    assert_eq!(error.rejected().unwrap().body(), b"<html>");
    assert!(error.to_string().contains("Is the path right?"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));

    let answer = b"HTTP/1.1 426 x\r\nSec-WebSocket-Version: 8, 7\r\nContent-Length: 0\r\n\r\n";
    let error = judge(&client(), |_| answer.to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("version 8, 7 of the protocol, and this client 13"), "{error}");
}

/// A server that is silent, slow, or hangs up; one that is none of HTTP; one that speaks TLS.
#[tokio::test]
async fn servers_that_do_not_answer() {
    let hasty = client().handshake_timeout(Duration::from_millis(100));
    let error = judge(&hasty, |_| Vec::new()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Step::Response, .. }), "{error:?}");
    let error = judge(&hasty, |_| b"HTTP/1.1 101 x\r\n".to_vec()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Step::Head, .. }), "{error:?}");
    assert!(error.is_timeout() && error.to_string().contains("within 100ms"), "{error}");

    for sent in [&b""[..], b"HTTP/1.1 101 x\r\n"] {
        let (listener, address) = listen("127.0.0.1").await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(sent).await.unwrap();
        });
        let error = client().connect(&format!("ws://{address}")).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Ended { received } if received == sent), "{error:?}");
    }

    let error = judge(&client(), |_| b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("is none of HTTP/1.1"), "{error}");
    let error = judge(&client(), |_| b"\x15\x03\x01\x00\x02\x02\x16".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("the beginning of TLS"), "{error}");
}

/// A request that the server does not read is given up too.
#[tokio::test]
async fn a_request_that_is_not_read() {
    let (near, _far) = tokio::io::duplex(16);
    let client = client().handshake_timeout(Duration::from_millis(50));
    let error = client.connect_over(near, "ws://x/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Step::Request, .. }), "{error:?}");
}

/// edge 54: the future is dropped at each point where it waits: no socket stays open, and the next attempt works.
#[tokio::test]
async fn connect_is_dropped_at_every_await() {
    let (listener, address) = listen("127.0.0.1").await;
    let url = format!("ws://{address}/");
    let client = client();
    let mut ended = 0;
    for polls in 1.. {
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            let bytes = switching(&String::from_utf8(head).unwrap(), "");
            for part in bytes.as_bytes().chunks(40) {
                if stream.write_all(part).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(2)).await;
            }
            // The end of a client that was dropped, or the close frame of the one that was not.
            let _end = stream.read(&mut [0; 64]).await;
        };
        let server = async { timeout(Duration::from_secs(5), server).await.expect("no socket stays open") };
        let connecting = async {
            let mut connecting = Box::pin(client.connect(&url));
            let mut left = polls;
            let whole = std::future::poll_fn(|task| {
                if left == 0 {
                    return std::task::Poll::Ready(None);
                }
                left -= 1;
                connecting.as_mut().poll(task).map(Some)
            })
            .await;
            whole.map(Result::unwrap).is_some()
        };
        // A dial that was given up may never be accepted; one made anew is, behind it.
        let (done, ()) = if polls == 1 {
            let _given_up = connecting.await;
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            drop(stream);
            (false, drain(&listener).await)
        } else {
            tokio::join!(connecting, server)
        };
        if done {
            ended = polls;
            break;
        }
    }
    assert!(ended > 5, "{ended} polls: the answer came in parts");
}

/// Takes the connections that wait, and expects each to be closed.
async fn drain(listener: &tokio::net::TcpListener) {
    while let Ok(Ok((mut stream, _))) = timeout(Duration::from_millis(100), listener.accept()).await {
        let reading = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(reading.is_ok(), "no socket stays open");
    }
}
