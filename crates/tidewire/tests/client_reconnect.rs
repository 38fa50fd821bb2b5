//! The client that keeps its connection. The clock is virtual, and the transports are in memory.

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::raw::{Answering, client, switching};
use support::{closed_port, read_head};
use tidewire::client::{Event, Reconnecting, Why};
use tidewire::dial::Backoff;
use tidewire::{Client, CloseCode, Error, Message, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

/// What the server does with one attempt.
enum Script {
    /// Answers with these bytes instead of a 101.
    Refuse(&'static str),
    /// Lives for this time, sends these bytes, and ends.
    Live(Duration, &'static [u8]),
}

/// A client of a server that follows a script; with the moments of its attempts.
fn scripted(script: impl IntoIterator<Item = Script>) -> (Reconnecting, Arc<Mutex<Vec<Instant>>>) {
    let mut script: VecDeque<Script> = script.into_iter().collect();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&attempts);
    let client = Client::new().ping_interval(None);
    let reconnecting = Reconnecting::with(move || {
        log.lock().unwrap().push(Instant::now());
        let (near, far) = duplex(4096);
        tokio::spawn(serve(far, script.pop_front().expect("no more attempts than the script has")));
        let client = client.clone();
        async move { client.connect_over(near, "ws://server.test/").await }
    });
    (reconnecting.backoff(backoff()), attempts)
}

/// Waits of up to 1, 2, 4, 8 s; anew after a minute of connection.
fn backoff() -> Backoff {
    Backoff::new(Duration::from_secs(1), Duration::from_secs(8)).stable_after(Duration::from_mins(1))
}

async fn serve(mut stream: DuplexStream, script: Script) {
    let head = read_head(&mut stream).await;
    match script {
        Script::Refuse(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Script::Live(time, bytes) => {
            stream.write_all(switching(&head, "").as_bytes()).await.unwrap();
            sleep(time).await;
            stream.write_all(bytes).await.unwrap();
        }
    }
}

const REFUSED: &str = "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n";
const NEVER: Script = Script::Live(Duration::from_secs(1 << 20), b"");
const SECOND: Duration = Duration::from_secs(1);

/// Takes a disconnection that is not the end.
async fn wait_of(client: &mut Reconnecting) -> Duration {
    match client.event().await {
        Some(Event::Disconnected { retry_in: Some(wait), .. }) => wait,
        other => panic!("{other:?}"),
    }
}

async fn connected(client: &mut Reconnecting) {
    assert!(matches!(client.event().await, Some(Event::Connected)));
    assert!(client.connection().is_some());
}

/// Attempts follow each other after exactly the waits that are told, which stay below growing ceilings.
#[tokio::test(start_paused = true)]
async fn waits_grow() {
    let script = (0..6).map(|_| Script::Refuse(REFUSED)).chain([NEVER]);
    let (mut client, attempts) = scripted(script);
    let mut waits = Vec::new();
    for ceiling in [1, 2, 4, 8, 8, 8] {
        let wait = wait_of(&mut client).await;
        assert!(wait <= SECOND * ceiling, "{wait:?} above {ceiling} s");
        waits.push(wait);
    }
    connected(&mut client).await;
    let attempts = attempts.lock().unwrap();
    for (pair, wait) in attempts.windows(2).zip(waits) {
        // Timers have the grain of a millisecond.
        let late = (pair[1] - pair[0]).checked_sub(wait).expect("not before its time");
        assert!(late <= Duration::from_millis(2), "{late:?}");
    }
}

/// Only a connection that lasted starts the waits anew: a server that accepts and drops is not hammered.
#[tokio::test(start_paused = true)]
async fn a_short_connection_does_not_count() {
    let gone = |seconds| Script::Live(Duration::from_secs(seconds), b"");
    let (mut client, _) = scripted([gone(1), gone(59), gone(1), gone(61), NEVER]);
    let mut failures = Vec::new();
    for _ in 0..4 {
        connected(&mut client).await;
        let wait = wait_of(&mut client).await;
        failures.push(format!("{client:?}").split("failures: ").nth(1).unwrap()[..1].to_owned());
        assert!(wait <= SECOND * 4);
    }
    assert_eq!(failures, ["1", "2", "3", "1"]);
}

/// Messages of several connections are one sequence, and the codes that pass are waited out.
#[tokio::test(start_paused = true)]
async fn messages_over_several_connections() {
    let live = |bytes| Script::Live(SECOND, bytes);
    let (mut client, attempts) = scripted([
        live(b"\x81\x01a\x81\x01b\x88\x02\x03\xe9"), // 1001
        Script::Refuse(REFUSED),
        live(b"\x81\x01c"),                 // no close frame
        live(b"\x81\x01d\x88\x02\x03\xf4"), // 1012
        live(b"\x81\x01e\x88\x02\x03\xe8"), // 1000
    ]);
    let mut all = String::new();
    while let Some(message) = client.recv().await.unwrap() {
        all.push_str(message.as_text().unwrap());
    }
    assert_eq!((&*all, attempts.lock().unwrap().len()), ("abcde", 5));
    assert!(client.event().await.is_none(), "the end is final");
    assert!(matches!(client.send("x").await, Err(Error::Closed)));
}

/// What would not pass is not tried again: refusals of the client, breaches of the handshake or the protocol, codes that
/// are meant.
#[tokio::test(start_paused = true)]
async fn ends_that_are_final() {
    let now = |bytes| Script::Live(Duration::ZERO, bytes);
    for (script, says) in [
        (Script::Refuse("HTTP/1.1 401 x\r\n\r\n"), "401"),
        (Script::Refuse("HTTP/1.1 403 x\r\n\r\n"), "403"),
        (Script::Refuse("HTTP/1.1 404 x\r\n\r\n"), "404"),
        (Script::Refuse("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "Accept"),
        (now(b"\x88\x02\x03\xf0"), "1008"),
        (now(b"\x88\x02\x0f\xa0"), "4000"),
        (now(b"\xc1\x00"), "broke the protocol"),
        (now(b"\x81\x7f\x00\x00\x00\x00\xff\xff\xff\xff"), "past a limit"),
    ] {
        let (mut client, attempts) = scripted([script]);
        let why = client.recv().await.expect_err(says);
        assert!(why.to_string().contains(says), "{why}");
        assert_eq!(attempts.lock().unwrap().len(), 1);
        assert_eq!(client.recv().await.unwrap(), None, "told once");
    }
}

/// What the server asks for with Retry-After is kept to, and the random wait comes on top.
#[tokio::test(start_paused = true)]
async fn retry_after() {
    let busy = Script::Refuse("HTTP/1.1 429 x\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n");
    let (mut client, attempts) = scripted([busy, NEVER]);
    let wait = wait_of(&mut client).await;
    assert!((SECOND * 120..=SECOND * 121).contains(&wait), "{wait:?}");
    connected(&mut client).await;
    let attempts = attempts.lock().unwrap();
    assert!(attempts[1] - attempts[0] >= SECOND * 120);
}

#[tokio::test(start_paused = true)]
async fn attempts_may_be_counted() {
    let (client, attempts) = scripted((0..9).map(|_| Script::Refuse(REFUSED)));
    let mut client = client.max_attempts(3);
    assert!(matches!(client.recv().await, Err(Why::Connect(error)) if error.status() == Some(503)));
    assert_eq!(attempts.lock().unwrap().len(), 4);
}

/// edge 54: each wait inside is left and taken up again; nothing is lost, nothing tried twice.
#[tokio::test(start_paused = true)]
async fn event_is_cancel_safe() {
    let (mut client, attempts) = scripted([
        Script::Refuse(REFUSED),
        Script::Live(SECOND * 3, b"\x81\x01a\x81\x01b"),
        Script::Live(SECOND, b"\x81\x01c\x88\x02\x03\xe8"),
    ]);
    let mut seen = Vec::new();
    let mut given_up = 0;
    loop {
        let Ok(event) = timeout(Duration::from_millis(20), client.event()).await else {
            given_up += 1;
            continue;
        };
        match event {
            None => break,
            Some(Event::Connected) => seen.push("connected".to_owned()),
            Some(Event::Message(message)) => seen.push(message.as_text().unwrap().to_owned()),
            Some(Event::Disconnected { retry_in, .. }) => seen.push(format!("gone {}", retry_in.is_some())),
        }
    }
    assert_eq!(seen, ["gone true", "connected", "a", "b", "gone true", "connected", "c", "gone false"]);
    assert!(given_up > 150, "{given_up}");
    assert_eq!(attempts.lock().unwrap().len(), 3);
}

/// While there is no connection `send` refuses; a sender waits for the next one, and ends with the whole.
#[tokio::test(start_paused = true)]
async fn sending_while_away() {
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let mut first = true;
    let mut client = Reconnecting::with(move || {
        let (near, mut far) = duplex(4096);
        let sent = sent.clone();
        let refuse = std::mem::take(&mut first);
        tokio::spawn(async move {
            let head = read_head(&mut far).await;
            if refuse {
                return far.write_all(REFUSED.as_bytes()).await.unwrap();
            }
            far.write_all(switching(&head, "").as_bytes()).await.unwrap();
            let mut frame = [0; 7];
            far.read_exact(&mut frame).await.unwrap();
            sent.send(char::from(frame[6] ^ frame[2])).unwrap();
            // Ends without a close frame.
        });
        async move { Client::new().connect_over(near, "ws://server.test/").await }
    });
    let sender = client.sender();
    let sending = tokio::spawn(async move {
        let mut sender = sender;
        sender.send("1").await.unwrap();
        sleep(SECOND).await;
        sender.send("2").await.unwrap();
        sleep(SECOND).await;
        sender
    });
    assert!(matches!(client.send("0").await, Err(Error::Closed)));
    let mut connections = 0;
    while connections < 3 {
        if let Some(Event::Connected) = client.event().await {
            connections += 1;
        }
    }
    let mut sender = timeout(SECOND * 60, sending).await.unwrap().unwrap();
    assert_eq!((received.recv().await, received.recv().await), (Some('1'), Some('2')));
    client.send("3").await.unwrap();
    assert_eq!(received.recv().await, Some('3'));

    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(matches!(sender.send("4").await, Err(Error::Closed)));
    drop(client);
    assert!(matches!(sender.send("5").await, Err(Error::Closed)));
}

/// `close` ends it wherever it stands: in a wait too.
#[tokio::test(start_paused = true)]
async fn close_ends_it() {
    let (mut client, attempts) = scripted([Script::Refuse(REFUSED)]);
    wait_of(&mut client).await;
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(client.event().await.is_none());
    assert_eq!(attempts.lock().unwrap().len(), 1);

    // What came before the close is received still.
    let (mut client, _) = scripted([Script::Live(Duration::ZERO, b"\x81\x01a\x88\x02\x03\xe8")]);
    connected(&mut client).await;
    sleep(SECOND).await;
    assert!(matches!(client.close(CloseCode(1006), "").await, Err(Error::Usage(_))));
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::from("a")));
    assert_eq!(client.recv().await.unwrap(), None);
}

/// Over real sockets: nobody listens, then somebody does; a URL that can't be used is final.
#[tokio::test]
async fn over_sockets() {
    let address = closed_port("127.0.0.1").await;
    let quick = Backoff::new(Duration::from_millis(20), Duration::from_millis(20));
    let mut keeper = client().reconnecting(format!("ws://{address}/")).backoff(quick.clone());
    for _ in 0..3 {
        match keeper.event().await {
            Some(Event::Disconnected { why: Why::Connect(error), retry_in: Some(_) }) => {
                assert!(error.to_string().contains("Is the server running"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }

    let server = Answering::start(|head| [switching(head, "").as_bytes(), b"\x81\x02hi"].concat()).await;
    let mut keeper = client().reconnecting(server.url()).backoff(quick);
    assert_eq!(keeper.recv().await.unwrap(), Some(Message::from("hi")));
    let url = keeper.connection().and_then(WebSocket::handshake).unwrap().url().to_string();
    assert_eq!(url, server.url());

    for url in ["nonsense", "ftp://x/", "ws://"] {
        let why = client().reconnecting(url).recv().await.unwrap_err();
        assert!(matches!(why, Why::Connect(_)) && !why.is_transient(), "{why:?}");
    }
}
