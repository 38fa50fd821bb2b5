//! Futures that are given up at every await point, halves on two tasks, pings, and slow peers, in the owned tier.

mod peer;

use futures_core::Stream;
use futures_sink::Sink;
use peer::{LONG, Peer, Running, bind, client, eventually, serve};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tidewire::{CloseCode, Incoming, Message, Prepared, Result, Server, TrySendError, WebSocket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

const COUNT: usize = 60;

/// Polls a future so many times, then drops it; `None` where it was not done. Whoever asks again lets others run first.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut left = times;
    let result = {
        let mut future = pin!(future);
        poll_fn(|task| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match future.as_mut().poll(task) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    };
    if result.is_none() {
        tokio::task::yield_now().await;
    }
    result
}

/// Gives futures up after 0, 1, 2, 0, 1 … polls until one is done.
macro_rules! stubborn {
    ($($future:tt)*) => {{
        let mut times = 0;
        loop {
            if let Some(result) = polled(times, $($future)*).await {
                break result;
            }
            times = (times + 1) % 3;
        }
    }};
}

/// The message of a number: every length of the header, and more than the outbox holds.
fn message(index: usize) -> Message {
    Message::from(format!("{index} {}", "x".repeat([1, 130, 3_000, 20_000, 70_000][index % 5])))
}

/// A server whose outbox holds next to nothing.
async fn tight() -> Server {
    bind().await.config(|config| config.limits.outbox = 4096)
}

/// Sends all messages, slowly reads the echoes, and holds that each comes once and in order; then closes.
async fn converse(running: &Running) {
    let mut peer = Peer::narrow(running.address).await;
    peer.upgrade("").await;
    let mut wire = client();
    for index in 0..COUNT {
        wire = wire.text(message(index).as_bytes());
    }
    let bytes = wire.close(CloseCode::NORMAL, "").bytes;
    let (mut reader, mut writer) = peer.stream.into_split();
    // The close goes when all echoes are there.
    let (last, close) = bytes.split_at(bytes.len() - 8);
    let (last, close) = (last.to_vec(), close.to_vec());
    let (go, gone) = tokio::sync::oneshot::channel();
    let sending = tokio::spawn(async move {
        writer.write_all(&last).await.expect("the connection stands");
        gone.await.expect("all echoes");
        writer.write_all(&close).await.expect("the connection stands");
        writer
    });
    let mut received = Vec::new();
    let expected: usize = (0..COUNT).map(|index| message(index).as_bytes().len()).map(framed).sum();
    while received.len() < expected {
        let read = tokio::time::timeout(LONG, reader.read_buf(&mut received)).await;
        assert_ne!(read.expect("an echo").expect("the connection stands"), 0, "the end came too early");
    }
    let (frames, left) = testkit::wire::parse(&received);
    assert_eq!((frames.len(), left), (COUNT, 0));
    for (index, frame) in frames.iter().enumerate() {
        assert!(frame.payload == message(index).as_bytes(), "message {index} came twice, late or not at all");
    }
    go.send(()).expect("the sender waits");
    reader.read_to_end(&mut received).await.expect("an end");
    assert_eq!(received[expected..], [0x88, 2, 3, 232], "nothing but a close follows");
    drop(sending.await.expect("no panic"));
}

fn framed(length: usize) -> usize {
    length
        + if length > 0xFFFF {
            10
        } else if length > 125 {
            4
        } else {
            2
        }
}

/// edge 54: `recv`, `send`, `flush` given up at every await point.
#[tokio::test]
async fn given_up_recv_send_flush() {
    let running = serve(tight().await, |mut ws| async move {
        while let Some(message) = stubborn!(ws.recv())? {
            stubborn!(ws.send(message.clone()))?;
            stubborn!(ws.flush())?;
        }
        Ok(())
    });
    converse(&running).await;
}

/// edge 54: the same with `recv_any` and prepared messages, without a flush.
#[tokio::test]
async fn given_up_recv_any_send_prepared() {
    let running = serve(tight().await, |mut ws| async move {
        while let Some(incoming) = stubborn!(ws.recv_any())? {
            if let Incoming::Message(message) = incoming {
                let prepared = Prepared::new(message);
                stubborn!(ws.send_prepared(&prepared))?;
            }
        }
        Ok(())
    });
    converse(&running).await;
}

/// edge 54: `Stream` and `Sink`, their polls given up.
#[tokio::test]
async fn given_up_stream_and_sink() {
    let running = serve(tight().await, |mut ws| async move {
        while let Some(message) = stubborn!(poll_fn(|task| Pin::new(&mut ws).poll_next(task))) {
            let message = message?;
            stubborn!(poll_fn(|task| Pin::new(&mut ws).poll_ready(task)))?;
            Pin::new(&mut ws).start_send(message)?;
            stubborn!(poll_fn(|task| Sink::<Message>::poll_flush(Pin::new(&mut ws), task)))?;
        }
        stubborn!(poll_fn(|task| Sink::<Message>::poll_close(Pin::new(&mut ws), task)))
    });
    converse(&running).await;
}

/// edges 54, 55: halves on two other tasks, each giving its futures up.
#[tokio::test]
async fn given_up_halves_on_two_tasks() {
    let running = serve(tight().await, |ws| async move {
        let (writer, mut reader) = ws.split();
        let (sender, mut messages) = mpsc::channel(1);
        let reading = tokio::spawn(async move {
            while let Some(message) = stubborn!(reader.recv())? {
                sender.send(message).await.expect("the other half");
            }
            Result::<()>::Ok(())
        });
        let writing = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                stubborn!(writer.send(message.clone()))?;
            }
            Result::<()>::Ok(())
        });
        reading.await.expect("no panic")?;
        writing.await.expect("no panic")
    });
    converse(&running).await;
}

/// edge 54: a ping given up is sent once or not at all, and a close given up closes once.
#[tokio::test]
async fn given_up_ping_and_close() {
    let running = serve(bind().await, |mut ws| async move {
        for payload in ["one", "two", "three"] {
            stubborn!(ws.ping(payload))?;
        }
        stubborn!(ws.close(CloseCode(4000), "done"))?;
        assert_eq!(ws.close_reason().expect("it is closed").code, CloseCode(4000));
        Ok(())
    });
    let mut peer = Peer::open(running.address).await;
    for payload in ["one", "two", "three"] {
        assert_eq!(peer.next().await, (9, payload.as_bytes().to_vec()));
    }
    assert_eq!(peer.close_code().await, 4000);
    peer.send(client().close(CloseCode(4000), "").bytes).await;
    peer.end().await;
}

/// edge 55: pings are answered for a user who only reads, only writes, or does neither.
#[tokio::test]
async fn pings_are_answered_for_everyone() {
    async fn check(
        handler: impl Fn(WebSocket) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync + 'static,
    ) {
        let running = serve(bind().await, handler);
        let mut peer = Peer::open(running.address).await;
        for index in 0..20u8 {
            peer.send(client().text("to be read, or not").ping([index]).bytes).await;
            loop {
                match peer.next().await {
                    (10, payload) => break assert_eq!(payload, [index]),
                    (opcode, _) => assert_eq!(opcode, 1),
                }
            }
        }
    }
    check(|mut ws| {
        Box::pin(async move {
            while ws.recv().await?.is_some() {}
            Ok(())
        })
    })
    .await;
    check(|mut ws| {
        Box::pin(async move {
            loop {
                ws.send("tick").await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    })
    .await;
    check(|ws| {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(ws);
            Ok(())
        })
    })
    .await;
}

/// edge 55: a receiver that waits is woken though another task took and dropped its place before.
#[tokio::test]
async fn no_wake_up_is_lost() {
    let running = serve(bind().await, |ws| async move {
        let (writer, mut reader) = ws.split();
        let writer = Arc::new(writer);
        loop {
            // Each message is awaited on a task of its own, behind one that gave up.
            let given_up = polled(1, reader.recv()).await;
            let message = if let Some(message) = given_up {
                message
            } else {
                let waiting = tokio::spawn(async move { (reader.recv().await, reader) });
                let (message, back) = waiting.await.expect("no panic");
                reader = back;
                message
            };
            let Some(message) = message? else { return Ok(()) };
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.send(message).await }).await.expect("no panic")?;
        }
    });
    let mut peer = Peer::open(running.address).await;
    for index in 0..200 {
        peer.send(client().text(format!("{index}")).bytes).await;
        assert_eq!(peer.next().await.1, format!("{index}").into_bytes());
    }
}

/// edge 58: both ends send with full buffers, and all arrives.
#[tokio::test]
async fn both_send_with_full_buffers() {
    const MESSAGES: usize = 100;
    const SIZE: usize = 64 * 1024;
    let running = serve(tight().await, |ws| async move {
        let (writer, mut reader) = ws.split();
        let writing = tokio::spawn(async move {
            for _ in 0..MESSAGES {
                writer.send(vec![1; SIZE]).await?;
            }
            writer.flush().await?;
            Result::Ok(writer)
        });
        for _ in 0..MESSAGES {
            assert_eq!(reader.recv().await?.expect("a message").as_bytes().len(), SIZE);
        }
        writing.await.expect("no panic").map(drop)
    });
    let mut peer = Peer::open(running.address).await;
    let frame = client().binary(vec![2; SIZE]).bytes;
    let mut received = peer.take();
    let (mut reader, mut writer) = peer.stream.split();
    let sent = async {
        for _ in 0..MESSAGES {
            writer.write_all(&frame).await.expect("the connection stands");
        }
    };
    let all = async {
        let take = async {
            // A close is two bytes of head and two of code.
            while received.len() < MESSAGES * (SIZE + 10) + 4 {
                assert_ne!(reader.read_buf(&mut received).await.expect("the connection stands"), 0);
            }
        };
        tokio::join!(sent, take)
    };
    let done = tokio::time::timeout(LONG / 4, all).await.is_ok();
    let (frames, left) = testkit::wire::parse(&received);
    assert_eq!((frames.len(), left), (MESSAGES + 1, 0), "done: {done}");
    assert!(
        frames[..MESSAGES]
            .iter()
            .all(|frame| frame.payload.len() == SIZE && frame.payload.iter().all(|byte| *byte == 1))
    );
}

/// edge 58: a slow consumer: `try_send` says so, `send` waits, `flush` waits, and what was taken in arrives.
#[tokio::test]
async fn a_slow_consumer() {
    let (told, mut taken) = mpsc::unbounded_channel();
    let running = serve(tight().await, move |mut ws| {
        let told = told.clone();
        async move {
            let sender = ws.sender();
            let mut count = 0u32;
            // Until the socket's buffers are full, and the outbox: nothing goes for a while.
            let mut quiet = 0;
            while quiet < 40 {
                match sender.try_send(vec![7; 1000]) {
                    Ok(()) => (count, quiet) = (count + 1, 0),
                    Err(TrySendError::Full(message)) => {
                        assert_eq!(message.as_bytes(), [7; 1000], "the message comes back");
                        quiet += 1;
                        tokio::task::yield_now().await;
                        if quiet > 20 {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                    Err(TrySendError::Closed(error)) => return Err(error),
                }
            }
            let waits = Duration::from_millis(30);
            assert!(tokio::time::timeout(waits, sender.send("never")).await.is_err());
            assert!(tokio::time::timeout(waits, sender.flush()).await.is_err());
            assert!(!sender.try_send_prepared(&Prepared::new("never"))?);
            told.send(count).expect("the test waits");
            sender.send("room again").await?;
            sender.flush().await?;
            assert_eq!(ws.recv().await?.expect("a word").as_bytes(), b"enough");
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    let count = tokio::time::timeout(LONG, taken.recv()).await.expect("it is full").expect("a count");
    for _ in 0..count {
        assert_eq!(peer.next().await, (2, vec![7; 1000]));
    }
    assert_eq!(peer.next().await, (1, b"room again".to_vec()));
    peer.send(client().text("enough").bytes).await;
    assert_eq!(peer.close_code().await, 1000);
}

/// A flush tells of what was sent before it, not of what others go on sending; where what was sent is lost, it says so.
#[tokio::test]
async fn flush_is_about_what_was_sent() {
    let (told, mut ends) = mpsc::unbounded_channel();
    let running = serve(bind().await, move |ws| {
        let told = told.clone();
        async move {
            let sender = ws.sender();
            let noise = tokio::spawn(async move { while sender.send(vec![0; 10_000]).await.is_ok() {} });
            let other = ws.sender();
            tokio::time::sleep(Duration::from_millis(20)).await;
            for _ in 0..3 {
                let result = tokio::time::timeout(LONG / 2, other.flush()).await;
                let _test_is_over = told.send(result.map(|flushed| flushed.is_ok()));
            }
            noise.abort();
            drop(ws);
            Ok(())
        }
    });
    let peer = Peer::open(running.address).await;
    let (mut reader, writer) = peer.stream.into_split();
    let slowly = tokio::spawn(async move {
        let mut sink = vec![0; 20_000];
        while reader.read(&mut sink).await.is_ok_and(|count| count > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for _ in 0..3 {
        assert_eq!(ends.recv().await, Some(Ok(true)), "a flush never ends while others send");
    }
    slowly.abort();
    drop(writer);
}

/// Each connection has state of its own, and a message that is prepared once reaches many.
#[tokio::test]
async fn prepared_for_many() {
    let (joined, mut members) = mpsc::unbounded_channel();
    let running = serve(bind().await.workers(2), move |mut ws| {
        let joined = joined.clone();
        async move {
            joined.send(ws.sender()).expect("the room is open");
            let mut count = 0;
            while ws.recv().await?.is_some() {
                count += 1;
                ws.send(format!("{count}")).await?;
            }
            Ok(())
        }
    });
    let mut peers = Vec::new();
    for index in 0..20 {
        let mut peer = Peer::tcp(running.address).await;
        peer.upgrade(if index % 2 == 0 { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" })
            .await;
        peers.push(peer);
    }
    let mut senders = Vec::new();
    while senders.len() < peers.len() {
        senders.push(members.recv().await.expect("a member"));
    }
    let text = "to all of you ".repeat(200);
    let prepared = Prepared::compressed(text.as_str(), 0, &mut testkit::workspace());
    for sender in &senders {
        sender.send_prepared(&prepared).await.expect("the connection stands");
    }
    for (index, peer) in peers.iter_mut().enumerate() {
        let frame = peer.frame().await.expect("a frame");
        assert_eq!(frame.rsv, if index % 2 == 0 { 4 } else { 0 });
        assert!(index % 2 == 0 || frame.payload == text.as_bytes());
        for count in 0..=index {
            peer.send(client().text("mine").bytes).await;
            let frame = peer.frame().await.expect("a frame");
            assert_eq!((frame.rsv, frame.payload), (0, (count + 1).to_string().into_bytes()));
        }
    }
    drop(peers);
    running.until(|count| count == 0).await;
    eventually("senders of closed connections", || {
        senders.iter().all(|sender| matches!(sender.try_send("late"), Err(TrySendError::Closed(_))))
    })
    .await;
}

/// The round trip of the server's own pings is known in the owned tier, without a word about pings from the user.
#[tokio::test]
async fn latency_is_measured() {
    let server = bind().await.config(|config| config.timing.ping_interval = Some(Duration::from_millis(20)));
    let running = serve(server, |mut ws| async move {
        while ws.recv().await?.is_some() {
            let known = ws.latency().is_some();
            ws.send(format!("{known}")).await?;
        }
        Ok(())
    });
    let mut peer = Peer::open(running.address).await;
    let (opcode, payload) = peer.next().await;
    assert_eq!(opcode, 9);
    peer.send(client().pong(&payload).text("well?").bytes).await;
    loop {
        let (opcode, payload) = peer.next().await;
        if opcode == 1 {
            break assert_eq!(payload, b"true");
        }
    }
}
