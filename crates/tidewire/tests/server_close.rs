//! The end of a connection on real sockets: closes answered and not, resets, half-open peers.

mod peer;

use peer::{Count, Echo, LONG, Peer, Saw, bind, client, eventually, handle, next, serve, watch};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tidewire::{CloseCode, Error, Message, Server};
use tokio::{io::AsyncWriteExt, sync::mpsc};

/// How long a closing handshake may take in these tests.
const CLOSE: Duration = Duration::from_millis(250);

async fn quick() -> Server {
    bind().await.config(|config| config.timing.close_timeout = CLOSE)
}

/// The server's sockets that wait for their application: the state 08 of the local port.
fn close_waits(address: SocketAddr) -> usize {
    let local = format!("0100007F:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&local.as_str()) && row.get(3) == Some(&"08")).count()
}

/// edges 39, 40: a peer that never answers our close, and never stops sending, is dropped by the deadline.
#[tokio::test]
async fn a_close_is_never_answered() {
    let (observer, mut saw) = watch();
    let running = serve(quick().await.observe(observer), |mut ws| async move {
        ws.recv().await?;
        ws.close(CloseCode::GOING_AWAY, "enough").await
    });
    for busy in [false, true] {
        let mut peer = Peer::open(running.address).await;
        let start = Instant::now();
        peer.send(client().text("go").bytes).await;
        assert_eq!(peer.close_code().await, 1001);
        let chatter = client().text("on and on").ping("still here").bytes;
        let mut pongs = 0;
        while peer.stream.write_all(&chatter).await.is_ok() && busy {
            pongs += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(start.elapsed() < LONG, "traffic puts the deadline off");
        }
        assert!(!busy || pongs > 5);
        let Saw::Closed { clean, .. } = next(&mut saw).await else { panic!("an end") };
        assert!(!clean, "the handshake was never finished");
        assert!((CLOSE..CLOSE * 4).contains(&start.elapsed()), "{:?}", start.elapsed());
        running.until(|count| count == 0).await;
    }
}

/// edge 42: after the closing handshake the server closes TCP first, and does not wait for ever for the peer's end.
#[tokio::test]
async fn the_server_closes_tcp_first() {
    let (observer, mut saw) = watch();
    let running = handle(quick().await.observe(observer), |_| Echo);
    let mut peer = Peer::open(running.address).await;
    peer.send(client().close(CloseCode(3999), "bye").bytes).await;
    assert_eq!(peer.close_code().await, 3999);
    peer.end().await;
    let start = Instant::now();
    running.until(|count| count == 0).await;
    assert!(start.elapsed() < CLOSE * 4);
    assert_eq!(next(&mut saw).await, Saw::Closed { code: 3999, clean: true, error: None });
}

/// edge 40: both ends close at once, and again, and send behind their close.
#[tokio::test]
async fn closes_cross() {
    let running = serve(quick().await, |ws| async move {
        let sender = ws.sender();
        sender.start_close(CloseCode::NORMAL, "first")?;
        sender.start_close(CloseCode::GOING_AWAY, "second")?;
        assert!(matches!(sender.send("late").await, Err(Error::Closed)));
        assert!(matches!(sender.ping("late").await, Err(Error::Closed)));
        sender.close(CloseCode::GOING_AWAY, "third").await
    });
    let mut peer = Peer::open(running.address).await;
    let crossing = client().close(CloseCode::GOING_AWAY, "mine").ping("late").text("late");
    peer.send(crossing.close(CloseCode::NORMAL, "again").bytes).await;
    assert_eq!(peer.close_code().await, 1000);
    peer.end().await;
}

/// edge 40: a close while a write is blocked, by the user, by dropping the connection, and by returning.
#[tokio::test]
async fn a_close_while_a_write_is_blocked() {
    for way in 0..3 {
        let closed = Count::default();
        let done = closed.clone();
        let server = quick().await.config(|config| config.limits.outbox = 64 * 1024);
        let running = serve(server, move |mut ws| {
            let done = done.clone();
            async move {
                let sender = ws.sender();
                let filled = async { while sender.send(vec![0; 50_000]).await.is_ok() {} };
                // Until the peer's buffers are full, and the outbox.
                let _full = tokio::time::timeout(Duration::from_millis(100), filled).await;
                match way {
                    0 => ws.close(CloseCode::NORMAL, "").await?,
                    1 => {
                        drop(ws);
                        eventually("the end", || sender.start_close(CloseCode::NORMAL, "").is_ok()).await;
                    }
                    _ => {}
                }
                done.raise();
                Ok(())
            }
        });
        let mut peer = Peer::narrow(running.address).await;
        peer.upgrade("").await;
        let start = Instant::now();
        while running.handle.connections() > 0 {
            // Traffic does not put it off.
            let _gone = peer.stream.write_all(&client().ping("").bytes).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(start.elapsed() < LONG, "{way}: the close waits for a peer that does not read");
        }
        assert_eq!(closed.get(), 1, "{way}");
    }
}

/// edge 41: the last message, a close, then a reset: the message is delivered.
#[tokio::test]
async fn the_last_message_before_a_reset() {
    let (sender, mut messages) = mpsc::unbounded_channel();
    let running = serve(quick().await, move |mut ws| {
        let sender = sender.clone();
        async move {
            while let Some(message) = ws.recv().await? {
                // Work between two messages: the transport is over before the second is asked for.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let _test_is_over = sender.send(message);
            }
            let _test_is_over = sender.send(Message::from("end"));
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    peer.send(client().text("first").text("last").close(CloseCode::NORMAL, "").bytes).await;
    // The server has it all: it has answered.
    assert_eq!(peer.close_code().await, 1000);
    peer.reset();
    for expected in ["first", "last", "end"] {
        let message =
            tokio::time::timeout(LONG, messages.recv()).await.expect("a message").expect("a message");
        assert_eq!(message.as_bytes(), expected.as_bytes());
    }
}

/// edge 42: an end without a close is 1006; what came before is delivered, the handler learns it, and nothing is left.
#[tokio::test]
async fn an_end_without_a_close() {
    let (observer, mut saw) = watch();
    let running = serve(quick().await.observe(observer), |mut ws| async move {
        let message = ws.recv().await?.expect("a message");
        assert_eq!(message.as_bytes(), b"hello");
        let error = ws.recv().await.expect_err("no close frame came");
        assert_eq!(ws.close_reason().expect("an end").code, CloseCode::ABNORMAL);
        assert!(ws.send("late").await.is_err());
        assert!(ws.flush().await.is_ok(), "nothing waits");
        Err(error)
    });
    for reset in [false, true] {
        let mut peer = Peer::open(running.address).await;
        peer.send(client().text("hello").bytes).await;
        if reset {
            // Not before the message was read: a reset may take away what was not.
            tokio::time::sleep(Duration::from_millis(20)).await;
            peer.reset();
        } else {
            peer.stream.shutdown().await.expect("a socket");
            peer.end().await;
        }
        let Saw::Closed { code: 1006, clean: false, error: Some(_) } = next(&mut saw).await else {
            panic!("an abnormal end")
        };
    }
    running.until(|count| count == 0).await;
    assert_eq!(close_waits(running.address), 0);
}

/// edge 42: no socket is left in `CLOSE_WAIT`, whatever the handler does with its connection.
#[tokio::test]
async fn no_close_wait() {
    let waiting = serve(quick().await, |ws| async move {
        // Never receives; the server reads all the same.
        std::future::pending::<()>().await;
        drop(ws);
        Ok(())
    });
    let fast = handle(quick().await, |_| Echo);
    for address in [waiting.address, fast.address] {
        let mut peers = Vec::new();
        for _ in 0..10 {
            let mut peer = Peer::open(address).await;
            peer.send(client().text("unread").bytes).await;
            peers.push(peer);
        }
        drop(peers);
        eventually("no socket in CLOSE_WAIT", || close_waits(address) == 0).await;
    }
    assert_eq!(waiting.handle.connections(), 10, "their handlers still run");
}

/// edge 43: a peer that is gone while reading is paused: the next writes find out, and the handler is told.
#[tokio::test]
async fn gone_while_reading_is_paused() {
    let (told, mut ends) = mpsc::unbounded_channel();
    let running = serve(quick().await, move |ws| {
        let told = told.clone();
        async move {
            // The inbox fills; nobody receives.
            let sender = ws.sender();
            while sender.send("tick").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let _test_is_over = told.send(());
            drop(ws);
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    let flood = client().binary(vec![0; 300_000]).bytes;
    peer.send(&flood).await;
    peer.send(&flood[..200_000]).await;
    // Long enough for the server to have read what it takes.
    for _ in 0..40 {
        assert_eq!(peer.next().await, (1, b"tick".to_vec()));
    }
    peer.reset();
    let end = tokio::time::timeout(LONG, ends.recv()).await;
    assert!(end.is_ok(), "the writer is never told that its peer is gone");
}

/// edge 44: a close with unread messages is answered; the messages can still be received.
#[tokio::test]
async fn unread_messages_at_close() {
    let (sender, mut counts) = mpsc::unbounded_channel();
    let running = serve(quick().await, move |mut ws| {
        let sender = sender.clone();
        async move {
            ws.send("ready").await?;
            ws.close(CloseCode::NORMAL, "").await?;
            let mut count = 0;
            while ws.recv().await?.is_some() {
                count += 1;
            }
            let _test_is_over = sender.send(count);
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    assert_eq!(peer.next().await.1, b"ready");
    let mut wire = client();
    for _ in 0..50 {
        wire = wire.text("unread");
    }
    peer.send(wire.close(CloseCode::NORMAL, "").bytes).await;
    assert_eq!(peer.close_code().await, 1000);
    assert_eq!(tokio::time::timeout(LONG, counts.recv()).await.expect("an end"), Some(50));
}

/// edge 44: a peer that never stops sending can't keep a server from closing, nor fill its memory, when nobody receives.
#[tokio::test]
async fn a_close_against_a_flood() {
    let running = serve(quick().await, |ws| async move {
        let start = Instant::now();
        let sender = ws.sender();
        tokio::time::sleep(Duration::from_millis(20)).await;
        sender.close(CloseCode::NORMAL, "").await?;
        assert!(start.elapsed() < CLOSE * 6);
        drop(ws);
        Ok(())
    });
    let mut peer = Peer::open(running.address).await;
    let flood = client().binary(vec![0; 100_000]).bytes;
    let sent = async { while peer.stream.write_all(&flood).await.is_ok() {} };
    assert!(tokio::time::timeout(LONG, sent).await.is_ok());
    running.until(|count| count == 0).await;
}

/// A peer that breaks the protocol is told why, and gets to read it though it goes on sending.
#[tokio::test]
async fn a_failed_connection_says_why() {
    let running = handle(quick().await, |_| Echo);
    let mut peer = Peer::open(running.address).await;
    let wrong = client().text("fine").raw([0xC1, 0x00]).binary(vec![0; 200_000]).bytes;
    peer.send(wrong).await;
    assert_eq!(peer.next().await, (1, b"fine".to_vec()));
    assert_eq!(peer.close_code().await, 1002);
    peer.end().await;
}
