//! A server's end: a graceful stop, a cut, and handlers that fail.

mod peer;

use peer::{Count, Echo, LONG, Peer, Saw, bind, client, echo, handle, next, serve, watch};
use std::time::{Duration, Instant};
use tidewire::{CloseCode, Context, Error, Handler, MessageRef, Outcome};

const GRACE: Duration = Duration::from_millis(300);

/// edge 60: every connection is closed with 1001, and the server's future ends when all have answered.
#[tokio::test]
async fn a_stop_says_1001_to_all() {
    let mut running = serve(bind().await, echo);
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(Peer::open(running.address).await);
    }
    running.until(|count| count == 20).await;
    running.handle.stop(LONG);
    for peer in &mut peers {
        assert_eq!(peer.close_code().await, 1001);
        peer.send(client().close(CloseCode::GOING_AWAY, "").bytes).await;
        peer.end().await;
    }
    drop(peers);
    tokio::time::timeout(LONG, &mut running.task)
        .await
        .expect("it ends")
        .expect("no panic")
        .expect("no error");
    assert_eq!(running.handle.connections(), 0);
    assert!(tokio::net::TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
}

/// edge 60: those who do not answer are cut at the deadline.
#[tokio::test]
async fn a_stop_has_a_deadline() {
    let mut running = handle(bind().await, |_| Echo);
    let mut silent = Peer::open(running.address).await;
    let mut shaking = Peer::tcp(running.address).await;
    shaking.send("GET / HT").await;
    running.until(|count| count == 2).await;
    let start = Instant::now();
    running.handle.stop(GRACE);
    assert_eq!(silent.close_code().await, 1001);
    shaking.end().await;
    tokio::time::timeout(LONG, &mut running.task)
        .await
        .expect("it ends")
        .expect("no panic")
        .expect("no error");
    assert!((GRACE..GRACE * 4).contains(&start.elapsed()), "{:?}", start.elapsed());
    silent.end().await;
}

/// edge 60: a stop waits for handlers that still work, also for those whose connection is gone already.
#[tokio::test]
async fn a_stop_joins_handlers() {
    let done = Count::default();
    let ended = done.clone();
    let mut running = serve(bind().await, move |mut ws| {
        let ended = ended.clone();
        async move {
            while ws.recv().await?.is_some() {}
            tokio::time::sleep(Duration::from_millis(200)).await;
            ended.raise();
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    running.handle.stop(LONG);
    assert_eq!(peer.close_code().await, 1001);
    peer.send(client().close(CloseCode::GOING_AWAY, "").bytes).await;
    drop(peer);
    tokio::time::timeout(LONG, &mut running.task)
        .await
        .expect("it ends")
        .expect("no panic")
        .expect("no error");
    assert_eq!(done.get(), 1, "the handler came to its end");
}

/// edge 60: a server whose future is dropped cuts every connection, and those in their handshake.
#[tokio::test]
async fn a_dropped_server_cuts_all() {
    let running = serve(bind().await, echo);
    let mut open = Peer::open(running.address).await;
    let mut shaking = Peer::tcp(running.address).await;
    shaking.send("GET / HT").await;
    running.until(|count| count == 2).await;
    running.task.abort();
    open.end().await;
    shaking.end().await;
    running.until(|count| count == 0).await;
}

/// A handler learns the end of its connection exactly once, also where the server's future is dropped.
#[tokio::test]
async fn on_end_is_called_however_it_ends() {
    struct Ends(Count);
    impl Handler for Ends {
        fn on_message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}
        fn on_end(&mut self, _: &Outcome) {
            self.0.raise();
        }
    }
    let ends = Count::default();
    let count = ends.clone();
    let running = handle(bind().await, move |_| Ends(count.clone()));
    let mut closed = Peer::open(running.address).await;
    closed.send(client().close(CloseCode::NORMAL, "").bytes).await;
    assert_eq!(closed.close_code().await, 1000);
    closed.end().await;
    drop(closed);
    running.until(|count| count == 0).await;
    assert_eq!(ends.get(), 1);
    Peer::open(running.address).await.reset();
    running.until(|count| count == 0).await;
    assert_eq!(ends.get(), 2);
    let mut cut = Peer::open(running.address).await;
    running.task.abort();
    cut.end().await;
    running.until(|count| count == 0).await;
    peer::eventually("the third end", || ends.get() == 3).await;
}

/// A handler that returns an error, or panics: the peer is told 1011, the log why, and the server goes on.
#[tokio::test]
async fn a_future_that_fails() {
    let (observer, mut saw) = watch();
    let running = serve(bind().await.observe(observer), |mut ws| async move {
        let message = ws.recv().await?.expect("a message");
        ws.send("last words").await?;
        match message.as_bytes() {
            b"panic" => panic!("as asked"),
            _ => Err(Error::application("the store is gone")),
        }
    });
    for (order, why) in [("panic", "a handler panicked: as asked"), ("fail", "the store is gone")] {
        let mut peer = Peer::open(running.address).await;
        peer.send(client().text(order).bytes).await;
        assert_eq!(peer.next().await.1, b"last words", "{order}");
        assert_eq!(peer.close_code().await, 1011, "{order}");
        peer.send(client().close(CloseCode::INTERNAL_ERROR, "").bytes).await;
        peer.end().await;
        drop(peer);
        let Saw::Closed { error, .. } = next(&mut saw).await else { panic!("an end") };
        assert_eq!(error.as_deref(), Some(why));
    }
}

/// A handler of the fast tier that panics in any of its calls: 1011, the reason in the log, and the server goes on.
#[tokio::test]
async fn a_handler_that_panics() {
    struct Panics(&'static str);
    impl Handler for Panics {
        fn on_open(&mut self, _: &mut Context<'_>, _: &tidewire::Opening) {
            assert_ne!(self.0, "open", "as asked");
        }
        fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
            ws.send(message);
            assert_ne!(self.0, "message", "as asked");
        }
        fn on_ping(&mut self, _: &mut Context<'_>, _: &[u8]) {
            assert_ne!(self.0, "ping", "as asked");
        }
        fn on_end(&mut self, _: &Outcome) {
            assert_ne!(self.0, "end", "as asked");
        }
    }
    let (observer, mut saw) = watch();
    let running = handle(bind().await.observe(observer), |opened| {
        Panics(match opened.request.path() {
            "/open" => "open",
            "/message" => "message",
            "/ping" => "ping",
            _ => "end",
        })
    });
    for place in ["open", "message", "ping", "end"] {
        let mut peer = Peer::tcp(running.address).await;
        let request =
            String::from_utf8(peer::request("")).expect("ASCII").replacen("/ ", &format!("/{place} "), 1);
        peer.send(request).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        peer.send(client().text("hello").ping("").bytes).await;
        if place != "open" {
            assert_eq!(peer.next().await, (1, b"hello".to_vec()), "what was sent before goes out");
        }
        if place == "end" || place == "ping" {
            assert_eq!(peer.next().await.0, 10, "{place}");
        }
        if place == "end" {
            peer.send(client().close(CloseCode::NORMAL, "").bytes).await;
        }
        let code = if place == "end" { 1000 } else { 1011 };
        assert_eq!(peer.close_code().await, code, "{place}");
        drop(peer);
        let Saw::Closed { error, .. } = next(&mut saw).await else { panic!("an end") };
        assert!(error.is_some_and(|error| error.contains("a handler panicked")), "{place}");
    }
}

/// A panic in `on_request` or while the handler is made: 500, or a cut, and the server goes on.
#[tokio::test]
async fn a_decision_that_panics() {
    let (observer, mut saw) = watch();
    let server = bind().await.observe(observer).on_request(|request| {
        assert_ne!(request.path(), "/panic", "as asked");
        tidewire::Verdict::accept()
    });
    let running = serve(server, echo);
    let mut peer = Peer::tcp(running.address).await;
    peer.send(String::from_utf8(peer::request("")).expect("ASCII").replacen("/ ", "/panic ", 1)).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 500 "));
    let Saw::Refused { status: Some(500), why } = next(&mut saw).await else { panic!("a refusal") };
    assert!(why.contains("panicked"), "{why}");
    drop(peer);
    running.until(|count| count == 0).await;
    Peer::open(running.address).await;
}
