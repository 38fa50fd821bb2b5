//! The client against the server of this library: both tiers, TLS, Unix sockets, proxies.

mod support;

use std::sync::mpsc;
use std::time::Duration;
use support::raw::{client, pair};
use support::read_head;
use tidewire::server::Handle;
use tidewire::{
    Client, CloseCode, Context, Error, Handler, Listener, Message, MessageRef, Opened, Opening, Outcome,
    Server, Side, Verdict, WebSocket,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn echo(mut ws: WebSocket) -> tidewire::Result<()> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Starts an echo server, and gives its port.
fn start(server: Server) -> (u16, Handle) {
    let port = server.local_addr().map_or(0, |address| address.port());
    let handle = server.stop_handle();
    tokio::spawn(server.workers(1).serve(echo));
    (port, handle)
}

async fn on_tcp() -> Server {
    Server::bind("127.0.0.1:0").await.unwrap()
}

async fn exchange(ws: &mut WebSocket, message: impl Into<Message>) {
    let message = message.into();
    ws.send(message.clone()).await.unwrap();
    assert!(ws.recv().await.unwrap() == Some(message));
}

/// Messages of every length class, text and binary, with deflate by default and with context takeover.
#[tokio::test]
async fn echoes() {
    let (port, _) = start(on_tcp().await.config(|config| {
        config.deflate.server_no_context_takeover = false;
        config.deflate.client_no_context_takeover = false;
    }));
    let url = format!("ws://127.0.0.1:{port}/");
    let takeover = client().config(|config| {
        config.deflate.server_no_context_takeover = false;
        config.deflate.client_no_context_takeover = false;
    });
    for (client, kept) in [(client(), false), (takeover, true)] {
        let mut ws = client.connect(&url).await.unwrap();
        assert_eq!(ws.deflate().unwrap().client_no_context_takeover, !kept);
        for size in [0, 1, 125, 126, 65_535, 65_536, 3 << 20] {
            exchange(&mut ws, "x".repeat(size)).await;
            exchange(&mut ws, vec![0x5a; size]).await;
        }
        ws.close(CloseCode(4000), "enough").await.unwrap();
        assert!(matches!(ws.recv().await, Ok(None)));
        assert_eq!(ws.close_reason().unwrap().code, CloseCode(4000));
        assert!(matches!(ws.send("late").await, Err(Error::Closed)));
    }
}

/// What the client asks for reaches the server's look at the request, and the answer comes back.
#[tokio::test]
async fn the_request_as_the_server_sees_it() {
    let (sender, requests) = mpsc::channel();
    let server = on_tcp().await.on_request(move |request| {
        sender.send(request.clone()).unwrap();
        let Some("Bearer secret") = request.header("Authorization") else {
            return Verdict::refuse(401, "Show a token.");
        };
        Verdict::accept().subprotocol("v2").header("X-Served-By", "here").unwrap()
    });
    let (port, _) = start(server);
    let url = format!("ws://127.0.0.1:{port}/live?room=1");

    let error = client().subprotocols(["v2", "v1"]).connect(&url).await.unwrap_err();
    assert_eq!(error.status(), Some(401));
    assert_eq!(error.rejected().unwrap().body(), b"Show a token.\n");
    assert!(error.to_string().contains("log in"), "{error}");

    let good = client().subprotocols(["v2", "v1"]).bearer("secret").header("X-Trace", "7");
    let mut ws = good.connect(&url).await.unwrap();
    exchange(&mut ws, "hello").await;
    assert_eq!(ws.subprotocol(), Some("v2"));
    let request = requests.try_iter().last().unwrap();
    assert_eq!((request.path(), request.query()), ("/live", Some("room=1")));
    assert_eq!(request.subprotocols(), ["v2", "v1"]);
    assert_eq!(request.header("x-trace"), Some("7"));

    let handshake = ws.handshake().unwrap();
    let dial = handshake.dial().unwrap();
    assert_eq!(dial.peer.unwrap().port(), port);
    assert!(dial.tcp > Duration::ZERO && handshake.upgrade() > Duration::ZERO);
    assert!(handshake.total() >= dial.tcp + handshake.upgrade());
    let mut names = handshake.response().headers().iter().map(|(name, _)| name);
    assert!(names.any(|name| name == "X-Served-By"));
}

/// A handler of the client: borrowed messages, a sender from outside, and how it ended.
#[tokio::test]
async fn the_fast_tier() {
    struct Count {
        left: u32,
        ended: mpsc::Sender<CloseCode>,
    }
    impl Handler for Count {
        fn on_open(&mut self, ws: &mut Context<'_>, opening: &Opening) {
            ws.send("from the handler");
            assert!(opening.sender().try_send("from its sender").is_ok());
        }
        fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
            assert!(message.as_text().unwrap().starts_with("from "));
            self.left -= 1;
            if self.left == 0 {
                ws.close(CloseCode::NORMAL, "done").unwrap();
            }
        }
        fn on_end(&mut self, outcome: &Outcome) {
            self.ended.send(outcome.close.code).unwrap();
        }
    }
    let (port, _) = start(on_tcp().await);
    let (ended, codes) = mpsc::channel();
    let url = format!("ws://127.0.0.1:{port}/");
    let mut running = client().handle(&url, Count { left: 3, ended: ended.clone() }).await.unwrap();
    assert_eq!(running.handshake().response().status(), 101);
    running.sender().send("from outside").await.unwrap();
    let outcome = running.ended().await.unwrap();
    assert_eq!((outcome.close.code, outcome.by), (CloseCode::NORMAL, Side::Here));
    assert!(outcome.error.is_none() && outcome.stats.messages_in == 3, "{outcome:?}");
    assert_eq!(codes.recv().unwrap(), CloseCode::NORMAL);

    let mut running = client().handle(&url, Count { left: u32::MAX, ended }).await.unwrap();
    running.abort();
    assert!(running.ended().await.is_none());
}

/// A stream that the caller has already; a redirect on it is not followed.
#[tokio::test]
async fn over_a_stream() {
    let (port, _) = start(on_tcp().await);
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut ws = client().connect_over(stream, &format!("ws://localhost:{port}/")).await.unwrap();
    exchange(&mut ws, "hello").await;
    assert!(ws.handshake().unwrap().dial().is_none());

    let (near, mut far) = tokio::io::duplex(4096);
    let serve = async {
        read_head(&mut far).await;
        far.write_all(b"HTTP/1.1 302 x\r\nLocation: /b\r\n\r\n").await.unwrap();
    };
    let client = client();
    let (refused, ()) = tokio::join!(client.connect_over(near, "ws://x/"), serve);
    assert_eq!(refused.unwrap_err().status(), Some(302));
}

#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("tidewire-client-{}.sock", std::process::id()));
    let (_, handle) = start(Server::on(Listener::unix(&path).unwrap()));
    let target = format!("unix:{}", path.display());
    let client = Client::new().target(target.parse::<tidewire::dial::Target>().unwrap());
    let mut ws = client.connect("ws://localhost/live").await.unwrap();
    exchange(&mut ws, "hello").await;
    assert_eq!(ws.handshake().unwrap().dial().unwrap().peer, None);
    handle.stop(Duration::ZERO);
    std::fs::remove_file(&path).ok();
}

/// edge 19: through a CONNECT proxy to a name that only the proxy knows, with TLS behind it.
#[cfg(feature = "tls")]
#[tokio::test]
async fn through_a_proxy_and_tls() {
    use tidewire::dial::{Proxy, ProxyKind};
    use tidewire::proto::handshake::OriginPolicy;

    let authority = support::certificates::Authority::new("client");
    let identity = authority.issue(&["live.test"]);
    // A server on a loopback address answers to no other name unasked.
    let origins = OriginPolicy::default().allow("live.test").unwrap();
    let (port, _) = start(on_tcp().await.tls(identity.server()).origins(origins));
    let (listener, address) = support::listen("127.0.0.1").await;
    let asked = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let head = read_head(&mut near).await;
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
        head
    });
    let proxy = Proxy::new(ProxyKind::Http, "127.0.0.1", address.port()).unwrap();
    let client = Client::new().proxy(proxy).tls(authority.options());
    let mut ws = client.connect("wss://live.test/").await.unwrap();
    exchange(&mut ws, "hello").await;
    let dial = ws.handshake().unwrap().dial().unwrap();
    assert!(dial.proxy.is_some() && dial.tls > Duration::ZERO && dial.tunnel > Duration::ZERO);
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    drop(ws);
    assert!(asked.await.unwrap().starts_with("CONNECT live.test:443 HTTP/1.1\r\n"));
}

/// edge 41: a message, a close frame and a reset: both are received.
#[tokio::test]
async fn the_last_message_before_a_reset() {
    for with_close in [true, false] {
        let (mut ws, mut server) = pair(&client()).await;
        let mut bytes = b"\x81\x04last".to_vec();
        if with_close {
            bytes.extend(b"\x88\x02\x03\xe8");
        }
        server.write_all(&bytes).await.unwrap();
        // What the peer still sends is answered by a reset.
        #[expect(
            deprecated,
            reason = "the only way to a reset; nothing blocks: the socket is dropped right here"
        )]
        server.set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("last")));
        match ws.recv().await {
            Ok(None) => assert!(with_close && ws.close_reason().unwrap().code == CloseCode::NORMAL),
            Err(Error::Vanished | Error::Io(_)) => assert!(!with_close),
            other => panic!("{other:?}"),
        }
    }
}

/// edge 42: the end of the stream without a close frame is an error, in the middle of a frame too; a half-open
/// connection is closed from this side as well.
#[tokio::test]
async fn an_end_without_a_close_frame() {
    for sent in [&b""[..], b"\x81\x05Hel"] {
        let (mut ws, mut server) = pair(&client()).await;
        server.write_all(sent).await.unwrap();
        server.shutdown().await.unwrap();
        assert!(matches!(ws.recv().await, Err(Error::Vanished)));
        assert_eq!(ws.close_reason().unwrap().code, CloseCode::ABNORMAL);
        assert!(matches!(ws.send("x").await, Err(Error::Vanished)));
        assert_eq!(ws.outcome().unwrap().by, Side::Peer);
        let rest = timeout(Duration::from_secs(5), server.read_to_end(&mut Vec::new())).await;
        assert!(rest.is_ok(), "the client's end is closed");
    }
}

/// edge 42: after the close frames the client leaves it to the server to end the transport, and waits no longer than
/// the close timeout.
#[tokio::test]
async fn the_server_ends_the_transport_first() {
    let client = client().config(|config| config.timing.close_timeout = Duration::from_millis(300));
    for polite in [true, false] {
        let (mut ws, mut server) = pair(&client).await;
        server.write_all(b"\x88\x02\x03\xe8").await.unwrap();
        assert!(matches!(ws.recv().await, Ok(None)));
        let mut answer = [0; 8];
        server.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..2], [0x88, 0x82]);
        let early = timeout(Duration::from_millis(100), server.read(&mut answer)).await;
        assert!(early.is_err(), "the client waits for the server's end");
        if polite {
            server.shutdown().await.unwrap();
        }
        let end = timeout(Duration::from_secs(5), server.read(&mut answer)).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)));
        assert!(ws.outcome().is_none_or(|outcome| outcome.error.is_none()));
    }
}

/// A server that stops says 1001; dropping the client says 1000.
#[tokio::test]
async fn both_ends_leave_politely() {
    let (port, handle) = start(on_tcp().await);
    let url = format!("ws://127.0.0.1:{port}/");
    let mut ws = client().connect(&url).await.unwrap();
    exchange(&mut ws, "hello").await;
    handle.stop(Duration::from_secs(5));
    assert!(matches!(ws.recv().await, Ok(None)));
    assert_eq!(ws.close_reason().unwrap().code, CloseCode::GOING_AWAY);

    let (ws, mut server) = pair(&client()).await;
    drop(ws);
    let mut frame = [0; 8];
    server.read_exact(&mut frame).await.unwrap();
    let key = &frame[2..6];
    assert_eq!([frame[0], frame[1], frame[6] ^ key[0], frame[7] ^ key[1]], [0x88, 0x82, 0x03, 0xe8]);
}

/// The server's side of a connection knows the request, the client's side the handshake.
#[tokio::test]
async fn each_end_knows_what_it_is() {
    let (sender, seen) = mpsc::channel();
    let server = on_tcp().await;
    let port = server.local_addr().unwrap().port();
    let serve = server.workers(1).serve(move |ws| {
        sender
            .send((
                ws.opened().map(|Opened { subprotocol, .. }| subprotocol.clone()),
                ws.handshake().is_some(),
            ))
            .unwrap();
        async { Ok(()) }
    });
    tokio::spawn(serve);
    let ws = client().connect(&format!("ws://127.0.0.1:{port}/")).await.unwrap();
    assert!(ws.opened().is_none() && ws.handshake().is_some());
    assert_eq!(seen.recv().unwrap(), (Some(None), false));
}
