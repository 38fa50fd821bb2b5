//! Who waits is woken for what it waits for, and always at the end.

mod peer;

use futures_core::Stream;
use peer::{Count, Echo, LONG, Peer, bind, client, echo, serve};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    time::Duration,
};
use tidewire::{Client, CloseCode, Context, Error, Handler, Kind, MessageRef, Outcome};

/// Counts how often a future is polled.
async fn counted<F: Future>(count: Count, future: F) -> F::Output {
    let mut future = Box::pin(future);
    poll_fn(move |task| {
        count.raise();
        future.as_mut().poll(task)
    })
    .await
}

/// edge 39: waiting for a peer that neither answers a close nor reads costs no polls.
#[tokio::test]
async fn waiting_is_idle() {
    for flush in [false, true] {
        let polls = Count::default();
        let seen = polls.clone();
        let server = bind().await.config(|config| {
            config.timing.close_timeout = Duration::from_millis(300);
            config.limits.outbox = 64 * 1024;
        });
        let running = serve(server, move |mut ws| {
            counted(polls.clone(), async move {
                if flush {
                    ws.send(vec![0; 8 << 20]).await?;
                    let _gave_up = tokio::time::timeout(Duration::from_millis(300), ws.flush()).await;
                    return Ok(());
                }
                ws.close(CloseCode::NORMAL, "").await
            })
        });
        let peer = Peer::narrow(running.address).await;
        let mut peer = Peer::on(peer.stream);
        peer.upgrade("").await;
        running.until(|count| count == 0).await;
        assert!(seen.get() < 200, "{} polls", seen.get());
    }
}

/// edge 55: what was kept back while the outbox was full goes on as soon as it is empty, without another event.
#[tokio::test]
async fn what_was_kept_back_goes_on() {
    let running = serve(bind().await.config(|config| config.limits.outbox = 4096), echo);
    let mut peer = Peer::open(running.address).await;
    let mut wire = client();
    for _ in 0..40 {
        wire = wire.ping([7; 120]);
    }
    peer.send(wire.text("go").bytes).await;
    loop {
        let (opcode, payload) = peer.next().await;
        if opcode == 1 {
            break assert_eq!(payload, b"go");
        }
    }
}

/// edges 42, 43: a peer that is gone is noticed though its messages are not received, and nothing is sent.
#[tokio::test]
async fn a_gone_peer_is_noticed_while_reading_is_paused() {
    let server = bind().await.config(|config| {
        config.timing.ping_interval = Some(Duration::from_millis(50));
        config.timing.pong_timeout = Duration::from_millis(50);
    });
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let running = serve(server, move |ws| {
        let ended = ended.clone();
        async move {
            while ws.outcome().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let _nobody_listens = ended.send(());
            Ok(())
        }
    });
    let mut peer = Peer::open(running.address).await;
    for _ in 0..8 {
        peer.send(client().binary(vec![1; 64 * 1024]).bytes).await;
    }
    // The first ping shows that reading has come to its pause.
    assert_eq!(peer.next().await.0, 9);
    peer.reset();
    tokio::time::timeout(LONG, end.recv()).await.expect("the end is noticed");
}

/// edge 44: a close is answered though more lies unread than the inbox holds.
#[tokio::test]
async fn a_close_behind_unread_messages_is_answered() {
    let (closed, mut done) = tokio::sync::mpsc::unbounded_channel();
    let running =
        serve(bind().await.config(|config| config.timing.close_timeout = LONG * 2), move |mut ws| {
            let closed = closed.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                ws.close(CloseCode::NORMAL, "").await?;
                let _nobody_listens = closed.send(ws.close_reason());
                Ok(())
            }
        });
    let mut peer = Peer::open(running.address).await;
    for _ in 0..8 {
        peer.send(client().binary(vec![1; 64 * 1024]).bytes).await;
    }
    assert_eq!(peer.close_code().await, 1000);
    peer.send(client().close(CloseCode(4001), "").bytes).await;
    let reason = tokio::time::timeout(LONG, done.recv()).await.expect("it closes").flatten();
    assert_eq!(reason.expect("a reason").code, CloseCode(4001));
}

/// A piece that can't follow is refused where it is given, and the connection goes on.
#[tokio::test]
async fn pieces_are_judged_at_once() {
    let running = serve(bind().await, |ws| async move {
        let sender = ws.sender();
        sender.send_piece(Kind::Text, "a", false).await?;
        assert!(matches!(sender.send_piece(Kind::Text, &b"\xFF"[..], true).await, Err(Error::Usage(_))));
        assert!(matches!(sender.send("another").await, Err(Error::Usage(_))));
        assert!(matches!(sender.send_piece(Kind::Binary, "b", true).await, Err(Error::Usage(_))));
        sender.send_piece(Kind::Text, "b", true).await?;
        sender.send("whole").await
    });
    let mut peer = Peer::open(running.address).await;
    let texts: Vec<_> = [peer.frame().await, peer.frame().await, peer.frame().await]
        .map(|frame| String::from_utf8(frame.expect("a frame").payload).expect("text"))
        .into();
    assert_eq!(texts, ["a", "b", "whole"]);
    assert_eq!(peer.close_code().await, 1000);
}

/// A stream gives its error once, and is over.
#[tokio::test]
async fn a_stream_ends_behind_its_error() {
    let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let running = serve(bind().await, move |mut ws| {
        let told = told.clone();
        async move {
            for _ in 0..3 {
                let item = poll_fn(|task| Pin::new(&mut ws).poll_next(task)).await;
                let _nobody_listens = told.send(item.map(|item| item.is_ok()));
            }
            Ok(())
        }
    });
    drop(Peer::open(running.address).await);
    assert_eq!(
        [seen.recv().await, seen.recv().await, seen.recv().await],
        [Some(Some(false)), Some(None), Some(None)]
    );
}

/// Tells when it ends.
struct Ends(Count);

impl Handler for Ends {
    fn on_message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}

    fn on_end(&mut self, outcome: &Outcome) {
        assert!(matches!(outcome.error, Some(Error::Cut)), "{outcome:?}");
        self.0.raise();
    }
}

/// An aborted client: its handler learns the end, and nobody waits for ever.
#[tokio::test]
async fn an_aborted_client_is_over() {
    let running = peer::handle(bind().await, |_| Echo);
    let ends = Count::default();
    let url = format!("ws://{}/", running.address);
    let mut client = Client::new().handle(&url, Ends(ends.clone())).await.expect("a connection");
    let sender = client.sender();
    client.abort();
    assert!(client.ended().await.is_none());
    assert_eq!(ends.get(), 1);
    let waited = async {
        assert!(sender.send("x").await.is_err());
        sender.close(CloseCode::NORMAL, "").await.expect("closed is as good");
    };
    tokio::time::timeout(LONG, waited).await.expect("nobody waits for ever");
}
