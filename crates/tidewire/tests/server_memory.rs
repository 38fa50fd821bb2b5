//! What connections cost a server in memory, counted on its one worker thread by an allocator.

#![cfg(feature = "http")]

mod peer;

use http::{Request, Response};
use peer::{Peer, Running, bind, client, handle, request};
use std::{
    convert::Infallible,
    fmt::Write as _,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};
use testkit::counting::{self, Counting};
use tidewire::{
    CloseCode, Context, Handler, MessageRef, Server,
    http::Body,
    proto::{
        Opcode,
        deflate::{Budget, Compressor},
    },
};
use tokio::io::AsyncWriteExt;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: isize = 1024;
const MIB: isize = 1024 * KIB;
/// What a worker reads at once.
const READ: isize = 64 * KIB;
/// Tasks, wakers, buffers of the opening handshake.
const SMALL: isize = 64 * KIB;

/// Echoes; on `/meter` tells what the thread holds; keeps the most that waited on any connection.
struct Metered {
    meter: bool,
    pending: Arc<AtomicUsize>,
}

impl Handler for Metered {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        if self.meter {
            let calls = counting::calls();
            let (held, peak) = counting::held();
            let mut text = String::with_capacity(80);
            write!(text, "{calls} {held} {peak}").expect("a String takes all");
            ws.send(&text);
        } else {
            ws.send(message);
            self.pending.fetch_max(ws.pending(), Ordering::Relaxed);
        }
    }

    fn on_ping(&mut self, ws: &mut Context<'_>, _: &[u8]) {
        self.pending.fetch_max(ws.pending(), Ordering::Relaxed);
    }
}

/// A page of 64 KiB that is no memory of its own.
#[derive(Clone)]
struct Page;

impl tower_service::Service<Request<Body>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        static PAGE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
        ready(Ok(Response::new(PAGE.as_slice().into())))
    }
}

struct Measured {
    running: Running,
    pending: Arc<AtomicUsize>,
    meter: Peer,
}

impl Measured {
    async fn start(server: Server) -> Self {
        let pending = Arc::<AtomicUsize>::default();
        let most = Arc::clone(&pending);
        let running = handle(server.fallback(Page), move |opened| Metered {
            meter: opened.request.path() == "/meter",
            pending: Arc::clone(&most),
        });
        let mut meter = Peer::tcp(running.address).await;
        let asked = String::from_utf8(request("")).expect("ASCII").replacen("/ ", "/meter ", 1);
        meter.send(asked).await;
        assert!(meter.head().await.starts_with("HTTP/1.1 101 "));
        let mut measured = Self { running, pending, meter };
        // The meter's own first use.
        measured.read().await;
        measured
    }

    /// Allocations so far, bytes held, and the most since the last reading.
    async fn read(&mut self) -> (usize, isize, isize) {
        self.meter.send(client().text("?").bytes).await;
        let (_, text) = self.meter.next().await;
        let text = String::from_utf8(text).expect("text");
        let numbers: Vec<isize> = text.split(' ').map(|number| number.parse().expect("a number")).collect();
        (numbers[0].unsigned_abs(), numbers[1], numbers[2])
    }

    /// Sends until the server takes no more for a while; how much it took.
    async fn flood(&self, peer: &mut Peer, bytes: &[u8]) -> usize {
        let mut sent = 0;
        let mut rest = bytes;
        loop {
            match tokio::time::timeout(Duration::from_millis(150), peer.stream.write(rest)).await {
                Err(_) => return sent,
                Ok(count) => {
                    let count = count.expect("the connection stands");
                    sent += count;
                    rest = if count == rest.len() { bytes } else { &rest[count..] };
                }
            }
            assert!(sent < 1 << 30, "the server takes all there is");
        }
    }
}

/// No path of a whole, uncompressed message allocates in the fast tier: an echo of 1,000 messages, of each size.
#[tokio::test]
async fn an_echo_allocates_nothing() {
    let mut measured = Measured::start(bind().await).await;
    let mut peer = Peer::open(measured.running.address).await;
    for size in [0, 16, 125, 126, 1000, 8000] {
        let frame = client().binary(vec![3; size]).bytes;
        for round in 0..2 {
            let (before, ..) = measured.read().await;
            for _ in 0..1000 {
                peer.send(&frame).await;
                assert_eq!(peer.next().await.1.len(), size);
            }
            let (after, ..) = measured.read().await;
            // The one is the meter's text.
            assert!(round == 0 || after - before <= 1, "{} allocations for {size} bytes", after - before);
        }
    }
    // Many in one read, with control frames between them.
    let mut wire = client();
    for index in 0..200u8 {
        wire = wire.text("a message like most").ping([index]);
    }
    for round in 0..3 {
        let (before, ..) = measured.read().await;
        for _ in 0..5 {
            peer.send(&wire.bytes).await;
            peer.exactly(200 * (2 + 19 + 2 + 1)).await;
        }
        let (after, ..) = measured.read().await;
        assert!(round == 0 || after - before <= 1, "{} allocations for many", after - before);
    }
}

/// A peer that never reads costs at most the outbox's limit, one message and one read buffer.
#[tokio::test]
async fn a_peer_that_never_reads() {
    const LIMIT: isize = 256 * KIB;
    for size in [100, 10_000, 100_000] {
        let server = bind().await.config(|config| config.limits.outbox = LIMIT.unsigned_abs());
        let mut measured = Measured::start(server).await;
        let (_, before, _) = measured.read().await;
        let mut peer = Peer::narrow(measured.running.address).await;
        peer.upgrade("").await;
        let frame = client().binary(vec![3; size]).bytes;
        measured.flood(&mut peer, &frame.repeat(1 + 100_000 / size)).await;
        let (_, held, peak) = measured.read().await;
        let bound = LIMIT + size.cast_signed() + READ + SMALL;
        assert!(held - before <= bound, "{size}: {} held", held - before);
        // A buffer that grows is two for a moment.
        assert!(peak - before <= 3 * bound, "{size}: {} at the most", peak - before);
        let pending = measured.pending.load(Ordering::Relaxed).cast_signed();
        assert!(pending <= LIMIT + size.cast_signed() + 14, "{size}: {pending} pending");
        drop(peer);
        measured.running.until(|count| count == 1).await;
        let (_, after, _) = measured.read().await;
        assert!(after - before < SMALL, "{size}: {} left behind", after - before);
    }
}

/// edge 56: a flood of pings by a peer that does not read.
#[tokio::test]
async fn a_ping_flood() {
    const LIMIT: isize = 64 * KIB;
    let server = bind().await.config(|config| config.limits.outbox = LIMIT.unsigned_abs());
    let mut measured = Measured::start(server).await;
    let (_, before, _) = measured.read().await;
    let mut peer = Peer::narrow(measured.running.address).await;
    peer.upgrade("").await;
    let pings = client().ping([9; 125]).bytes.repeat(1000);
    let sent = measured.flood(&mut peer, &pings).await;
    assert!(sent > 1 << 20, "a flood");
    let (_, held, peak) = measured.read().await;
    let bound = LIMIT + READ + SMALL;
    assert!(held - before <= bound, "{} held", held - before);
    assert!(peak - before <= 3 * bound, "{} at the most", peak - before);
    assert!(measured.pending.load(Ordering::Relaxed).cast_signed() <= LIMIT + 127);
}

/// 100 requests of 64 KiB each, pipelined by a peer that does not read.
#[tokio::test]
async fn pipelined_gets() {
    let mut measured = Measured::start(bind().await).await;
    let (_, before, _) = measured.read().await;
    let mut peer = Peer::narrow(measured.running.address).await;
    peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (_, held, peak) = measured.read().await;
    assert!(held - before <= 256 * KIB, "{} held", held - before);
    assert!(peak - before <= 512 * KIB, "{} at the most", peak - before);
    // They are all answered once it does.
    for _ in 0..100 {
        let answer = peer.head().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(peer.exactly(64 * 1024).await.len(), 64 * 1024);
    }
}

/// 20 deflate bombs at once: each is stopped at the message limit, and no more than one is in memory on a thread.
#[tokio::test]
async fn deflate_bombs() {
    let server = bind().await.config(|config| config.limits.message = 4 << 20);
    let mut measured = Measured::start(server).await;
    let mut compressed = bytes::BytesMut::new();
    Compressor::new(15, 6, 8).compress_message(&vec![0; 32 << 20], &mut compressed, false);
    assert!(compressed.len() < 64_000, "a bomb: {}", compressed.len());
    let bomb = client().deflated(Opcode::Binary, &compressed).bytes;
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Peer::tcp(measured.running.address).await;
        peer.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n").await;
        peers.push(peer);
    }
    let (_, before, _) = measured.read().await;
    for peer in &mut peers {
        peer.send(&bomb).await;
    }
    for peer in &mut peers {
        assert_eq!(peer.close_code().await, 1009);
    }
    let (_, _, peak) = measured.read().await;
    let arriving = 20 * 4 * compressed.len().cast_signed();
    assert!(peak - before <= 2 * 4 * MIB + arriving + MIB, "{} at the most", peak - before);
}

/// Unfinished messages of all connections stay within the budget of the process; who goes past it is refused.
#[tokio::test]
async fn a_budget_for_all() {
    const BUDGET: usize = 1 << 20;
    let server = bind().await.config(|config| config.budget = Some(Budget::new(BUDGET)));
    let mut measured = Measured::start(server).await;
    let (_, before, _) = measured.read().await;
    let part = client().part(Opcode::Binary, vec![0; 200_000]).bytes;
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Peer::open(measured.running.address).await;
        peer.send(&part).await;
        peer.send(client().ping("all of it is read").bytes).await;
        let (opcode, payload) = peer.next().await;
        assert!(
            opcode == 10 || opcode == 8 && payload[..2] == CloseCode::TRY_AGAIN_LATER.0.to_be_bytes(),
            "{opcode} {payload:?}"
        );
        peers.push((peer, opcode == 8));
    }
    let (_, held, _) = measured.read().await;
    let budget = BUDGET.cast_signed();
    assert!(held - before <= budget + 20 * 16 * KIB, "{} held", held - before);
    let refused = peers.iter().filter(|(_, refused)| *refused).count();
    assert!((14..20).contains(&refused), "{refused} were refused");
    // The budget is given back.
    drop(peers);
    measured.running.until(|count| count == 1).await;
    let mut peer = Peer::open(measured.running.address).await;
    peer.send(client().part(Opcode::Binary, vec![0; 200_000]).frame(Opcode::Continuation, "").bytes).await;
    assert_eq!(peer.next().await.1.len(), 200_000);
}
