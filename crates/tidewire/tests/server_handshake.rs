//! The opening handshake as a client of raw bytes meets it.

mod peer;

use peer::{Echo, HEAD, LONG, Peer, Saw, bind, client, echo, handle, next, request, serve, watch};
use std::time::{Duration, Instant};
use tidewire::{
    CloseCode, Listener, Server, Verdict,
    proto::handshake::{HeadLimits, OriginPolicy},
};

/// The status, headers and body of the answer to `bytes`, and that the connection is closed behind it.
async fn answer(server: Server, bytes: impl AsRef<[u8]>) -> (u16, String, String) {
    let running = serve(server, echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.send(bytes).await;
    let head = peer.head().await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = String::from_utf8(peer.rest().await).expect("a body of text");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    (status, head, body)
}

fn with_head(change: impl Fn(&str) -> String) -> String {
    change(&format!("{HEAD}\r\n"))
}

/// edge 12: frames in the same segment as the request are kept, also half of one.
#[tokio::test]
async fn frames_behind_the_request() {
    let running = handle(bind().await, |_| Echo);
    let frames = client().text("one").text("two").binary([7; 300]).bytes;
    for cut in [0, 1, 5, 9, frames.len() - 1, frames.len()] {
        let mut peer = Peer::tcp(running.address).await;
        peer.send([&request("")[..], &frames[..cut]].concat()).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        peer.send(&frames[cut..]).await;
        assert_eq!(peer.next().await, (1, b"one".to_vec()), "{cut}");
        assert_eq!(peer.next().await, (1, b"two".to_vec()), "{cut}");
        assert_eq!(peer.next().await, (2, vec![7; 300]), "{cut}");
    }
}

/// edge 12: a message, a close and the end behind the request, all in one segment, to both tiers. The owned tier's
/// handler runs behind the close frame: it has the message, and can't answer it any more.
#[tokio::test]
async fn a_whole_connection_in_one_segment() {
    let fast = handle(bind().await, |_| Echo);
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let owned = serve(bind().await, move |mut ws| {
        let sender = sender.clone();
        async move {
            while let Some(message) = ws.recv().await? {
                let _test_is_over = sender.send(message);
            }
            Ok(())
        }
    });
    for address in [fast.address, owned.address] {
        let mut peer = Peer::tcp(address).await;
        peer.send([request(""), client().text("hello").close(CloseCode::NORMAL, "").bytes].concat()).await;
        tokio::io::AsyncWriteExt::shutdown(&mut peer.stream).await.expect("a socket");
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        if address == fast.address {
            assert_eq!(peer.next().await, (1, b"hello".to_vec()));
        }
        assert_eq!(peer.close_code().await, 1000);
        peer.end().await;
    }
    assert_eq!(messages.recv().await.expect("a message").as_bytes(), b"hello");
}

/// edge 13: a head that comes byte by byte. edges 1, 20: nothing stands between the accept value, the end of the head
/// and the first frame, and the head leaves without waiting for one.
#[tokio::test]
async fn byte_by_byte() {
    let running = handle(bind().await, |_| Echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.stream.set_nodelay(true).expect("a socket");
    for byte in request("") {
        peer.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(
        peer.head().await,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    for byte in client().text("hello").bytes {
        peer.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.exactly(7).await, b"\x81\x05hello");
}

/// edge 13: a head that does not come to its end is answered 408 by the deadline, however busy it is; one of nothing too.
#[tokio::test]
async fn slow_loris() {
    const DEADLINE: Duration = Duration::from_millis(200);
    let (observer, mut saw) = watch();
    let running = serve(bind().await.handshake_timeout(DEADLINE).observe(observer), echo);
    let start = Instant::now();
    let mut silent = Peer::tcp(running.address).await;
    let mut slow = Peer::tcp(running.address).await;
    slow.send("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    let (mut reader, mut writer) = tokio::io::split(slow.stream);
    let drip = tokio::spawn(async move {
        while tokio::io::AsyncWriteExt::write_all(&mut writer, b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut text = vec![0; 13];
    tokio::io::AsyncReadExt::read_exact(&mut reader, &mut text).await.expect("an answer");
    assert_eq!(text, b"HTTP/1.1 408 ");
    assert!(silent.head().await.starts_with("HTTP/1.1 408 "));
    let took = start.elapsed();
    assert!((DEADLINE..DEADLINE * 5).contains(&took), "{took:?}");
    for _ in 0..2 {
        assert!(matches!(next(&mut saw).await, Saw::Refused { status: Some(408), .. }));
    }
    drip.abort();
}

/// edge 13: limits of the head, exact and one above.
#[tokio::test]
async fn limits_of_the_head() {
    let limits = HeadLimits { bytes: 1000, headers: 8 };
    let own = request("").len();
    let exact = request(&format!("X: {}\r\n", "a".repeat(1000 - own - 5)));
    assert_eq!(exact.len(), 1000);
    let running = serve(bind().await.head_limits(limits), echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.send(&exact).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    let above = request(&format!("X: {}\r\n", "a".repeat(1001 - own - 5)));
    let (status, _, body) = answer(bind().await.head_limits(limits), above).await;
    assert_eq!(status, 431, "{body}");
    let eight = request("A: 1\r\nB: 2\r\nC: 3\r\n");
    let mut peer = Peer::tcp(running.address).await;
    peer.send(eight).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    let (status, _, body) =
        answer(bind().await.head_limits(limits), request("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n")).await;
    assert_eq!(status, 431, "{body}");
    // An answer in spite of a peer that sends far more than the limit before it reads.
    let flood = format!("GET /{} HTTP/1.1\r\n", "a".repeat(200_000));
    let (status, _, body) = answer(bind().await, flood).await;
    assert_eq!(status, 431, "{body}");
}

/// edge 7: what is not an upgrade of HTTP/1.1 is answered as such, and what follows it is never read as frames.
#[tokio::test]
async fn no_upgrade_of_this_kind() {
    let close = client().text("smuggled").close(CloseCode::NORMAL, "").bytes;
    let cases = [
        (405, with_head(|head| head.replacen("GET", "POST", 1))),
        (400, with_head(|head| head.replacen("GET / ", "CONNECT localhost:1 ", 1))),
        (505, with_head(|head| head.replacen("HTTP/1.1", "HTTP/1.0", 1))),
        (400, with_head(|head| head.replacen("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 1))),
        (400, with_head(|head| head.replacen("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1))),
        (426, with_head(|head| head.replacen("Version: 13", "Version: 8", 1))),
        (400, with_head(|head| head.replacen("dGhlIHNhbXBsZSBub25jZQ==", "short", 1))),
        (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        (426, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        (426, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc".to_owned()),
        (400, "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".to_owned()),
    ];
    for (expected, request) in cases {
        let bytes = [request.as_bytes(), &close].concat();
        let (status, head, body) = answer(bind().await, bytes).await;
        assert_eq!(status, expected, "{request:?} {body}");
        assert!(body.len() > 20 && !body.contains("smuggled"), "{body}");
        if status == 426 {
            assert!(head.contains("Upgrade: websocket\r\n"), "{head}");
        }
        if request.contains("Version: 8") {
            assert!(head.contains("Sec-WebSocket-Version: 13\r\n"), "{head}");
        }
    }
}

/// edge 7: a second request behind an upgrade is no frame: the server sees what is wrong with it as frames.
#[tokio::test]
async fn a_request_behind_an_upgrade() {
    let running = handle(bind().await, |_| Echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.send([request(""), b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()].concat()).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.close_code().await, 1002);
    peer.end().await;
}

/// edge 18: the origin of another host is refused, with a line in the log that names the option; listed, it is let in.
#[tokio::test]
async fn origins() {
    let (observer, mut saw) = watch();
    let running = serve(bind().await.observe(observer), echo);
    for origin in
        ["http://evil.example", "null", "http://localhost.evil.example", "app://x", "http://127.0.0.2"]
    {
        let mut peer = Peer::tcp(running.address).await;
        peer.send(request(&format!("Origin: {origin}\r\n"))).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 403 "), "{origin}");
        let Saw::Refused { status: Some(403), why } = next(&mut saw).await else { panic!("{origin}") };
        assert!(why.contains(&format!("--origin '{origin}'")), "{why}");
    }
    for origin in ["http://localhost", "https://localhost:8080", "HTTP://LOCALHOST:1"] {
        Peer::tcp(running.address).await.upgrade(&format!("Origin: {origin}\r\n")).await;
    }
    let policy = OriginPolicy::default().allow("https://app.example").expect("an origin");
    let running = serve(bind().await.origins(policy), echo);
    Peer::tcp(running.address).await.upgrade("Origin: https://app.example\r\n").await;
}

/// edge 18: on a loopback address the Host header must name this machine (DNS rebinding).
#[tokio::test]
async fn host_on_loopback() {
    let (observer, mut saw) = watch();
    let running = serve(bind().await.observe(observer), echo);
    for (host, status) in [
        ("evil.example", 403),
        ("localhost.evil.example:9876", 403),
        ("10.0.0.1", 403),
        ("localhost", 101),
        ("LOCALHOST:1", 101),
        ("127.0.0.1", 101),
        ("127.8.9.1:80", 101),
        ("[::1]:9876", 101),
        ("app.localhost", 101),
    ] {
        let mut peer = Peer::tcp(running.address).await;
        let head = with_head(|head| head.replacen("Host: localhost", &format!("Host: {host}"), 1));
        peer.send(head).await;
        let head = peer.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {head}");
        if status == 403 {
            let Saw::Refused { status: Some(403), why } = next(&mut saw).await else { panic!("{host}") };
            assert!(why.contains(&format!("--origin '{host}'")), "{why}");
        }
    }
}

/// What `on_request` decides: any status, headers, the subprotocol; what it may not say is the server's fault.
#[tokio::test]
async fn decisions() {
    let (observer, mut saw) = watch();
    let server = bind().await.observe(observer).on_request(|request| match request.path() {
        "/gone" => Verdict::refuse(410, "It was here.").header("X-Since", "2020").expect("a header"),
        "/wrong" => Verdict::accept().subprotocol("never.offered"),
        "/chat" => {
            assert_eq!(request.query(), Some("room=%C3%A9"));
            assert_eq!(request.header("x-room"), Some("blue"));
            assert_eq!(request.subprotocols(), ["b.chat", "a.chat"]);
            let verdict = Verdict::accept().subprotocol("a.chat").header("X-Seen", "yes");
            verdict.expect("a header")
        }
        _ => Verdict::accept(),
    });
    let running = serve(server, |mut ws| async move {
        let opened = ws.opened().expect("a server's");
        let text = format!("{} {:?}", opened.request.path(), opened.subprotocol);
        ws.send(text).await
    });
    let ask = async |target: &str, more: &str| {
        let mut peer = Peer::tcp(running.address).await;
        let request = String::from_utf8(request(more)).expect("ASCII");
        peer.send(request.replacen("GET / ", &format!("GET {target} "), 1)).await;
        let head = peer.head().await;
        (head, peer)
    };
    let (head, mut peer) = ask("/gone", "").await;
    assert!(head.starts_with("HTTP/1.1 410 Gone\r\n") && head.contains("X-Since: 2020\r\n"), "{head}");
    assert_eq!(peer.rest().await, b"It was here.\n");
    assert!(matches!(next(&mut saw).await, Saw::Refused { status: Some(410), .. }));
    let (head, mut peer) = ask("/wrong", "").await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(!String::from_utf8_lossy(&peer.rest().await).contains("never.offered"));
    let Saw::Refused { status: Some(500), why } = next(&mut saw).await else { panic!("a refusal") };
    assert!(why.contains("never.offered"), "{why}");
    let (head, mut peer) =
        ask("/chat?room=%C3%A9", "Sec-WebSocket-Protocol: b.chat, a.chat\r\nX-Room: blue\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("X-Seen: yes\r\n"), "{head}");
    assert!(head.contains("Sec-WebSocket-Protocol: a.chat\r\n"), "{head}");
    assert_eq!(peer.next().await.1, b"/chat Some(\"a.chat\")");
}

/// Above the most connections: 503, and again a place once one ends. A place is held by a handshake, too.
#[tokio::test]
async fn max_connections() {
    let running = serve(bind().await.max_connections(2), echo);
    let open = Peer::open(running.address).await;
    let shaking = Peer::tcp(running.address).await;
    running.until(|count| count == 2).await;
    for _ in 0..3 {
        let mut peer = Peer::tcp(running.address).await;
        peer.send(request("")).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 503 "));
    }
    drop(shaking);
    running.until(|count| count == 1).await;
    let again = Peer::open(running.address).await;
    drop((open, again));
    running.until(|count| count == 0).await;
}

/// A Unix socket: it works, a stale one is replaced, one in use is not, and the file goes with the server.
#[cfg(unix)]
#[tokio::test]
async fn unix_socket() {
    let folder = std::env::temp_dir().join(format!("tidewire-{}-unix", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale socket"));
    assert!(path.exists());
    let server = Server::on(Listener::unix(&path).expect("the path can be had")).workers(1);
    assert!(Listener::unix(&path).is_err(), "somebody listens there");
    let task = tokio::spawn(server.serve(echo));
    let mut peer = Peer::on(tokio::net::UnixStream::connect(&path).await.expect("it listens"));
    let head = String::from_utf8(request("")).expect("ASCII").replacen("localhost", "any.example", 1);
    peer.send(head).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    peer.send(client().text("hello").bytes).await;
    assert_eq!(peer.next().await, (1, b"hello".to_vec()));
    task.abort();
    peer.end().await;
    assert!(task.await.expect_err("it was aborted").is_cancelled());
    assert!(!path.exists());
    std::fs::write(&path, "no socket").expect("a file");
    assert!(Listener::unix(&path).is_err(), "a file is not replaced");
    assert_eq!(std::fs::read(&path).expect("the file"), b"no socket");
    std::fs::remove_dir_all(&folder).expect("the folder");
}

/// Two servers share a port; without the option they can't.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn reuse_port() {
    let first = Listener::tcp_reuse_port("127.0.0.1:0").await.expect("a free port");
    let address = first.local_addr().expect("TCP");
    let second = Listener::tcp_reuse_port(address).await.expect("the same port");
    assert!(Listener::tcp(address).await.is_err(), "the port is not shared with all");
    let first = serve(Server::on(first).workers(1), |mut ws| async move { ws.send("first").await });
    let second = serve(Server::on(second).workers(1), |mut ws| async move { ws.send("second").await });
    let mut seen = std::collections::BTreeSet::new();
    let start = Instant::now();
    while seen.len() < 2 {
        assert!(start.elapsed() < LONG, "both are reached: {seen:?}");
        seen.insert(Peer::open(address).await.next().await.1);
    }
    drop((first, second));
}

/// Bytes behind a refused request, more than any buffer, do not take the answer away.
#[tokio::test]
async fn an_answer_survives_what_follows() {
    let running = serve(bind().await.on_request(|_| Verdict::refuse(404, "Not here.")), echo);
    let mut peer = Peer::tcp(running.address).await;
    let frames = client().binary(vec![1; 1 << 20]).bytes;
    peer.send([request(""), frames].concat()).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 404 "));
    let body = peer.rest().await;
    assert_eq!(body, b"Not here.\n");
}

/// edge 18: the Host header is held against every connection to a loopback address, wherever the server listens.
#[tokio::test]
async fn a_server_on_all_addresses_checks_the_host_too() {
    let server = Server::bind("0.0.0.0:0").await.expect("a free port").workers(1);
    let running = serve(server, echo);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], running.address.port()));
    let mut peer = Peer::tcp(address).await;
    let request =
        String::from_utf8(request("")).expect("ASCII").replace("Host: localhost", "Host: evil.example");
    peer.send(request).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 403 "));
    Peer::open(address).await;
}

/// A server that ends leaves the socket file of one that took its path over.
#[tokio::test]
async fn a_socket_file_goes_with_its_owner() {
    let path = std::env::temp_dir().join(format!("tidewire-{}-owner.sock", std::process::id()));
    let first = tidewire::Listener::unix(&path).expect("a path");
    std::fs::remove_file(&path).expect("a file");
    let second = tidewire::Listener::unix(&path).expect("a path");
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}
