//! What is no upgrade: the fallback service, on the same connection as an upgrade.

#![cfg(feature = "http")]

mod peer;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use peer::{Echo, HEAD, Peer, Running, Saw, bind, client, handle, next, request, watch};
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};
use tidewire::{CloseCode, http::Body};

/// Answers with the method, the path and the length of the body.
#[derive(Clone)]
struct Page;

impl tower_service::Service<Request<Body>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut body = pin!(body);
            let mut length = 0;
            while let Some(Ok(frame)) = poll_fn(|task| body.as_mut().poll_frame(task)).await {
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            Ok(Response::new(format!("{} {} {length}", head.method, head.uri.path()).into()))
        })
    }
}

async fn start() -> Running {
    handle(bind().await.fallback(Page), |_| Echo)
}

/// A response's body, by its Content-Length.
async fn body(peer: &mut Peer, head: &str) -> String {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).expect("a length");
    String::from_utf8(peer.exactly(length).await).expect("text")
}

/// A GET, a POST with its body, a HEAD, and then an upgrade on the same connection, all pipelined, with frames behind.
#[tokio::test]
async fn requests_and_then_an_upgrade() {
    let running = start().await;
    for pipelined in [true, false] {
        let mut peer = Peer::tcp(running.address).await;
        let requests = [
            b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n\x81\x85abc".to_vec(),
            b"HEAD /c HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            [request(""), client().text("hello").bytes].concat(),
        ];
        if pipelined {
            peer.send(requests.concat()).await;
        }
        for (request, expected) in requests.iter().zip(["GET /a 0", "POST /b 5", "", "101"]) {
            if !pipelined {
                peer.send(request).await;
            }
            let head = peer.head().await;
            match expected {
                "101" => assert!(head.starts_with("HTTP/1.1 101 "), "{head}"),
                "" => assert!(head.starts_with("HTTP/1.1 200 "), "{head}"),
                text => assert_eq!(body(&mut peer, &head).await, text),
            }
        }
        assert_eq!(peer.next().await, (1, b"hello".to_vec()));
        peer.send(client().binary(vec![5; 100_000]).bytes).await;
        assert_eq!(peer.next().await, (2, vec![5; 100_000]));
        peer.send(client().close(CloseCode::NORMAL, "").bytes).await;
        assert_eq!(peer.close_code().await, 1000);
        peer.end().await;
    }
    running.until(|count| count == 0).await;
}

/// edge 7: the rules of the handshake are the same behind a page: a body, another method, another version.
#[tokio::test]
async fn the_same_rules_on_a_later_request() {
    let running = start().await;
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let upgrade = format!("{HEAD}\r\n");
    for (status, request) in [
        (405, upgrade.replacen("GET", "PUT", 1)),
        (505, upgrade.replacen("HTTP/1.1", "HTTP/1.0", 1)),
        (400, upgrade.replacen("\r\n\r\n", "\r\nContent-Length: 7\r\n\r\n", 1)),
        (426, upgrade.replacen("Version: 13", "Version: 7", 1)),
        (403, upgrade.replacen("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n", 1)),
        (403, upgrade.replacen("Host: localhost", "Host: evil.example", 1)),
        (403, get.replacen("Host: localhost", "Host: evil.example", 1)),
    ] {
        let mut peer = Peer::tcp(running.address).await;
        peer.send([get.as_bytes(), request.as_bytes(), &client().text("smuggled").bytes].concat()).await;
        let head = peer.head().await;
        assert_eq!(body(&mut peer, &head).await, "GET / 0");
        let head = peer.head().await;
        assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()), "{request} {head}");
        let rest = String::from_utf8_lossy(&peer.rest().await).into_owned();
        assert!(!rest.contains("smuggled") && !rest.contains("101 Switching"), "{rest}");
    }
}

/// edge 18: pages of other hosts are refused by the page too, with the same line in the log.
#[tokio::test]
async fn origins_of_pages() {
    let (observer, mut saw) = watch();
    let running = handle(bind().await.fallback(Page).observe(observer), |_| Echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(peer.head().await.starts_with("HTTP/1.1 403 "));
    let Saw::Refused { status: Some(403), why } = next(&mut saw).await else { panic!("a refusal") };
    assert!(why.contains("--origin 'evil.example'"), "{why}");
}

/// edge 60: a stop ends connections of plain HTTP, idle ones and those in mid-request.
#[tokio::test]
async fn a_stop_ends_plain_http() {
    let mut running = start().await;
    let mut idle = Peer::tcp(running.address).await;
    idle.send("GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let head = idle.head().await;
    assert_eq!(body(&mut idle, &head).await, "GET /idle 0");
    let mut posting = Peer::tcp(running.address).await;
    posting.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab").await;
    running.until(|count| count == 2).await;
    let start = std::time::Instant::now();
    running.handle.stop(Duration::from_millis(200));
    idle.end().await;
    assert!(start.elapsed() < Duration::from_millis(150), "an idle connection is not waited for");
    (&mut running.task).await.expect("no panic").expect("no error");
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    posting.end().await;
}
