use super::*;
use crate::connect::display::{Display, DisplayOptions};
use crate::connect::framing::{BinaryOutput, Encoder, Framing, Newlines, OutFraming};
use crate::connect::input::{Decoding, NoInput, PipeInput};
use crate::connect::output::PipeOutput;
use crate::connect::scripted::{Frame, Peer, Scripted, Scripts, Typed, pair};
use crate::connect::session::{CloseCode, CloseReason, DialError, DialErrorKind, Event, FailureKind};
use crate::ui::style::Palette;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);

fn options() -> Options {
    Options {
        execute: Vec::new(),
        linger: Some(3 * SECOND),
        send_limit: None,
        count: None,
        reconnect: false,
        max_attempts: None,
        close_timeout: 5 * SECOND,
    }
}

/// A run and what it wrote.
struct Ran {
    outcome: Outcome,
    stdout: String,
    stderr: String,
}

fn encoder() -> Encoder {
    Encoder { framing: OutFraming::Lines, binary: BinaryOutput::Base64, newlines: Newlines::Keep }
}

fn output<W: AsyncWrite + Unpin>(stdout: W, stderr: &mut Vec<u8>) -> PipeOutput<W, &mut Vec<u8>> {
    PipeOutput::new(
        stdout,
        stderr,
        encoder(),
        Display::new(DisplayOptions::default(), Palette::plain()),
        false,
    )
}

fn lines<R: AsyncRead + Unpin>(stdin: R) -> PipeInput<R> {
    PipeInput::new(stdin, Framing::Separated(b'\n'), Decoding::Text, false)
}

async fn go(mut dial: Scripts, mut input: impl Input, options: &Options, stops: &[(Duration, Stop)]) -> Ran {
    let (stop, mut rx) = mpsc::unbounded_channel();
    for (after, what) in stops.iter().cloned() {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = stop.send(what);
        });
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let outcome =
        run(&mut dial, &mut input, &mut output(&mut stdout, &mut stderr), options, (stop, &mut rx)).await;
    Ran { outcome, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

fn once(scripted: Scripted) -> Scripts {
    Scripts([Ok(scripted)].into())
}

/// One connection whose peer is played by `play`; what it returns comes back too.
async fn with<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    stdin: &'static str,
    options: Options,
    play: impl FnOnce(Peer) -> F,
) -> (Ran, T) {
    let (scripted, peer) = pair(16);
    let played = tokio::spawn(play(peer));
    let ran = go(once(scripted), lines(stdin.as_bytes()), &options, &[]).await;
    (ran, played.await.unwrap())
}

fn closed(code: u16) -> Outcome {
    Outcome::ClosedByServer(CloseReason::new(CloseCode(code), ""))
}

fn closed_by_us() -> Outcome {
    Outcome::ClosedByUs(CloseReason::new(CloseCode::NORMAL, ""))
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_after_the_end_of_stdin_is_printed() {
    let began = Instant::now();
    let (ran, said) = with("hi\n", options(), async |mut peer| {
        let said = peer.text().await;
        for late in ["late", "later"] {
            tokio::time::sleep(Duration::from_millis(2900)).await;
            peer.say(late);
        }
        peer.answer_close().await;
        said
    })
    .await;
    assert_eq!(said, "hi");
    assert_eq!(ran.stdout, "late\nlater\n");
    assert_eq!(ran.outcome, closed_by_us());
    // Silence is counted from the last message.
    assert_eq!(began.elapsed().as_millis(), 2 * 2900 + 3000);
}

#[tokio::test(start_paused = true)]
async fn without_a_linger_the_server_decides() {
    let forever = Options { linger: None, ..options() };
    let (ran, ()) = with("", forever, async |peer| {
        tokio::time::sleep(86_400 * SECOND).await;
        peer.say("tomorrow");
        peer.close(1001);
    })
    .await;
    assert_eq!((ran.stdout.as_str(), ran.outcome), ("tomorrow\n", closed(1001)));
}

#[tokio::test(start_paused = true)]
async fn closing_at_the_end_of_stdin_sends_and_writes_everything_first() {
    let at_once = Options { linger: Some(Duration::ZERO), ..options() };
    let (ran, before) = with("a\nb\nc", at_once, async |mut peer| {
        let mut before = Vec::new();
        let reason = loop {
            match peer.recv().await {
                Frame::Close(reason) => break reason,
                frame => before.push(frame),
            }
        };
        peer.say("on the way");
        peer.close(reason.code.0);
        before
    })
    .await;
    let sent = ["a", "b", "c"].map(|text| Frame::Message(Message::Text(text.into())));
    assert_eq!(before, sent);
    assert_eq!((ran.stdout.as_str(), ran.outcome), ("on the way\n", closed_by_us()));
}

#[tokio::test(start_paused = true)]
async fn one_sends_one_and_waits_for_one() {
    let one = Options { linger: None, send_limit: Some(1), count: Some(1), ..options() };
    let (ran, before) = with("a\nb\n", one, async |mut peer| {
        assert_eq!(peer.text().await, "a");
        tokio::time::sleep(100 * SECOND).await;
        peer.say("answer");
        peer.say("too many");
        peer.answer_close().await.0
    })
    .await;
    assert_eq!((ran.stdout.as_str(), ran.outcome, before), ("answer\n", closed_by_us(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn fewer_messages_than_asked_for_is_not_success() {
    let two = Options { count: Some(2), ..options() };
    let (ran, ()) = with("", two.clone(), async |peer| {
        peer.say("one");
        peer.close(1000);
    })
    .await;
    assert_eq!(ran.outcome, Outcome::Short { wanted: 2, got: 1, silent: false });
    let (ran, ()) = with("", two.clone(), async |mut peer| {
        peer.say("one");
        peer.answer_close().await;
    })
    .await;
    assert_eq!(
        (ran.stdout.as_str(), ran.outcome),
        ("one\n", Outcome::Short { wanted: 2, got: 1, silent: true })
    );
    // A close that says more than "short" is told.
    let (ran, ()) = with("", two, async |peer| peer.close(1011)).await;
    assert_eq!(ran.outcome, closed(1011));
}

/// edge 41: the last message, a close, and a connection that takes nothing more: the message is written.
#[tokio::test(start_paused = true)]
async fn a_message_before_the_end_is_written_though_sending_fails() {
    let (scripted, peer) = pair(1);
    peer.say("last");
    peer.close(1008);
    drop(peer);
    let ran = go(once(scripted), lines(&b"a\nb\n"[..]), &options(), &[]).await;
    assert_eq!((ran.stdout.as_str(), ran.outcome), ("last\n", closed(1008)));
}

/// edge 42: a connection that ends without a close frame is no success.
#[tokio::test(start_paused = true)]
async fn an_end_without_a_close_is_told() {
    let (ran, ()) = with("", options(), async |peer| peer.say("half")).await;
    assert_eq!(ran.stdout, "half\n");
    assert!(matches!(ran.outcome, Outcome::Failed { kind: FailureKind::Lost, .. }), "{:?}", ran.outcome);
}

/// edge 39: a server that never answers the close ends the run in time, and traffic does not put that off.
#[tokio::test(start_paused = true)]
async fn an_unanswered_close_is_bounded() {
    let at_once = Options { linger: Some(Duration::ZERO), ..options() };
    let began = Instant::now();
    let (scripted, mut peer) = pair(16);
    let flood = tokio::spawn(async move {
        assert!(matches!(peer.recv().await, Frame::Close(_)));
        for _ in 0..100 {
            tokio::time::sleep(SECOND / 10).await;
            peer.say("x");
        }
    });
    let ran = go(once(scripted), NoInput, &at_once, &[]).await;
    flood.abort();
    assert_eq!(ran.outcome, Outcome::CloseUnanswered);
    assert_eq!(began.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn interrupts_close_and_the_second_leaves_at_once() {
    for (stop, outcome) in [(Stop::Key, closed_by_us()), (Stop::Signal(2), Outcome::Signalled(2))] {
        let (scripted, mut peer) = pair(16);
        let played = tokio::spawn(async move { peer.answer_close().await.1.code });
        let forever = Options { linger: None, ..options() };
        let ran = go(once(scripted), NoInput, &forever, &[(SECOND, stop)]).await;
        assert_eq!(ran.outcome, outcome);
        assert_eq!(played.await.unwrap(), CloseCode::NORMAL);
    }
    let began = Instant::now();
    let (scripted, _peer) = pair(16);
    let stops = [(SECOND, Stop::Key), (2 * SECOND, Stop::Key)];
    let ran = go(once(scripted), NoInput, &Options { linger: None, ..options() }, &stops).await;
    assert_eq!((ran.outcome, began.elapsed()), (Outcome::Signalled(2), 2 * SECOND));
}

/// edge 40: an interrupt while a write is blocked still ends the run.
#[tokio::test(start_paused = true)]
async fn an_interrupt_does_not_wait_for_a_server_that_never_reads() {
    let (scripted, _peer) = pair(1);
    let stdin = tokio::io::repeat(b'\n');
    let ran = go(once(scripted), lines(stdin), &options(), &[(SECOND, Stop::Signal(15))]).await;
    assert_eq!(ran.outcome.status(), 143);
}

#[tokio::test(start_paused = true)]
async fn input_that_is_no_text_ends_the_run() {
    let (scripted, mut peer) = pair(16);
    let played = tokio::spawn(async move { peer.answer_close().await });
    let ran = go(once(scripted), lines(&b"ok\n\xff\n"[..]), &options(), &[]).await;
    let (before, reason) = played.await.unwrap();
    assert_eq!(ran.outcome.status(), 1, "{}", ran.outcome);
    assert_eq!((before.len(), reason.code), (1, CloseCode::GOING_AWAY));
}

struct Counted<R>(R, Arc<AtomicUsize>);

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

/// edge 58: a server that does not read holds back stdin, and what it says is written all the same.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_holds_back_stdin_only() {
    let (scripted, mut peer) = pair(1);
    let reads = Arc::new(AtomicUsize::new(0));
    let line = ["x".repeat(65_535).as_bytes(), b"\n"].concat();
    let stdin = line.repeat(1000);
    let input = lines(Counted(std::io::Cursor::new(stdin), reads.clone()));
    let played = tokio::spawn(async move {
        for _ in 0..50 {
            peer.say("still talking");
        }
        tokio::time::sleep(SECOND).await;
        let before = reads.load(Ordering::Relaxed);
        let (frames, _) = peer.answer_close().await;
        (before, frames.len())
    });
    let ran = go(once(scripted), input, &options(), &[]).await;
    let (reads, frames) = played.await.unwrap();
    assert!(reads < 10, "{reads} reads of stdin while the server read nothing");
    assert_eq!(frames, 1000);
    assert_eq!(ran.stdout.lines().count(), 50);
}

/// A reader of stdout that is slow holds back the server, and in the end has everything.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_back_the_server_and_misses_nothing() {
    const MESSAGES: usize = 200;
    let (scripted, peer) = pair(16);
    let big = "x".repeat(64 * 1024);
    for _ in 0..MESSAGES {
        peer.say(&big);
    }
    peer.close(1000);
    let (stdout, mut reader) = tokio::io::duplex(1024);
    let read = tokio::spawn(async move {
        // Longer than every deadline of the run.
        tokio::time::sleep(60 * SECOND).await;
        let mut all = String::new();
        reader.read_to_string(&mut all).await.unwrap();
        all.lines().count()
    });
    let (stop, mut stops) = mpsc::unbounded_channel();
    let mut stderr = Vec::new();
    let mut out = output(stdout, &mut stderr);
    let outcome = run(&mut once(scripted), &mut NoInput, &mut out, &options(), (stop, &mut stops)).await;
    drop(out);
    assert_eq!((outcome, read.await.unwrap()), (closed(1000), MESSAGES));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_does_not_keep_the_run_from_a_signal() {
    let (scripted, peer) = pair(16);
    for _ in 0..100 {
        peer.say(&"x".repeat(64 * 1024));
    }
    let (stdout, _reader) = tokio::io::duplex(1024);
    let (stop, mut stops) = mpsc::unbounded_channel();
    stop.send(Stop::Signal(15)).unwrap();
    let (began, mut stderr) = (Instant::now(), Vec::new());
    let mut out = output(stdout, &mut stderr);
    let outcome = run(&mut once(scripted), &mut NoInput, &mut out, &options(), (stop, &mut stops)).await;
    assert_eq!(outcome, Outcome::Signalled(15));
    assert!(began.elapsed() <= 6 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_of_stdin_was_not_sent_is_told() {
    let (scripted, peer) = pair(1);
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        peer.close(1009);
    });
    let ran = go(once(scripted), lines(&b"a\nb\nc\nd\ne\n"[..]), &options(), &[]).await;
    assert_eq!(ran.outcome, closed(1009));
    assert!(ran.stderr.contains("the rest of stdin was not sent"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a message was not sent"), "{}", ran.stderr);
    assert!(ran.stderr.contains("it may not have arrived"), "{}", ran.stderr);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_ends_the_run_quietly() {
    let (scripted, mut peer) = pair(16);
    let played = tokio::spawn(async move {
        peer.say("one");
        peer.answer_close().await.1.code
    });
    let (stdout, reader) = tokio::io::duplex(1024);
    drop(reader);
    let (stop, mut stops) = mpsc::unbounded_channel();
    let forever = Options { linger: None, ..options() };
    let mut stderr = Vec::new();
    let mut out = output(stdout, &mut stderr);
    let outcome = run(&mut once(scripted), &mut NoInput, &mut out, &forever, (stop, &mut stops)).await;
    assert_eq!((outcome, played.await.unwrap()), (Outcome::OutputClosed, CloseCode::NORMAL));
    assert!(stderr.is_empty());
}

fn refused(status: u16) -> Result<Scripted, DialError> {
    Err(DialError {
        kind: DialErrorKind::Refused,
        passing: status == 503,
        text: format!("refused with {status}"),
        answer: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_again_and_the_preamble_sent_again() {
    let (first, mut one) = pair(16);
    let (second, mut two) = pair(16);
    let scripts = Scripts([Ok(first), refused(503), Ok(second)].into());
    let (keys, typed) = mpsc::unbounded_channel();
    let played = tokio::spawn(async move {
        assert_eq!(one.text().await, "subscribe");
        keys.send(Action::Send(Message::Text("before".into()))).unwrap();
        assert_eq!(one.text().await, "before");
        drop(one);
        tokio::time::sleep(SECOND / 10).await;
        for text in ["kept 1", "kept 2"] {
            keys.send(Action::Send(Message::Text(text.into()))).unwrap();
        }
        for expected in ["subscribe", "kept 1", "kept 2"] {
            assert_eq!(two.text().await, expected);
        }
        two.say("back");
        two.close(1000);
    });
    let again = Options { reconnect: true, execute: vec![Message::Text("subscribe".into())], ..options() };
    let ran = go(scripts, Typed(typed), &again, &[]).await;
    played.await.unwrap();
    assert_eq!((ran.stdout.as_str(), ran.outcome), ("back\n", closed(1000)));
    assert!(ran.stderr.contains("kept and sent later (2 waiting)"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("connecting again in").count(), 2, "{}", ran.stderr);
}

#[tokio::test(start_paused = true)]
async fn what_a_pipe_says_while_away_waits_in_the_pipe() {
    let (first, one) = pair(1);
    let (second, mut two) = pair(1);
    drop(one);
    let played = tokio::spawn(async move { two.answer_close().await.0.len() });
    let again = Options { reconnect: true, ..options() };
    let stdin = "x\n".repeat(100);
    let ran = go(Scripts([Ok(first), Ok(second)].into()), lines(stdin.as_bytes()), &again, &[]).await;
    assert_eq!(ran.outcome, closed_by_us());
    let lost = ran.stderr.matches("may not have arrived").count();
    assert_eq!(played.await.unwrap(), 100 - lost, "{}", ran.stderr);
    assert!(lost <= 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_end_where_they_can_not_help_or_are_spent() {
    let again = Options { reconnect: true, max_attempts: Some(2), ..options() };
    let ran = go(Scripts([refused(401)].into()), NoInput, &again, &[]).await;
    assert_eq!(ran.outcome.status(), 4);
    let ran = go(Scripts([refused(503), refused(503), refused(503)].into()), NoInput, &again, &[]).await;
    assert_eq!((ran.outcome.status(), ran.stderr.matches("connecting again").count()), (4, 2));
    let ran =
        go(Scripts([refused(503), refused(503)].into()), NoInput, &again, &[(SECOND / 10, Stop::Signal(2))])
            .await;
    assert_eq!(ran.outcome.status(), 130);
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_server_and_their_answers_the_user() {
    let (scripted, mut peer) = pair(16);
    let (keys, typed) = mpsc::unbounded_channel();
    let played = tokio::spawn(async move {
        for line in [
            "/ping",
            "/ping abc",
            "/nonsense",
            "/file /nonexistent/x",
            "/help",
            "/headers",
            "/close 4000 done",
        ] {
            keys.send(command::parse(line)).unwrap();
        }
        let (before, reason) = peer.answer_close().await;
        assert_eq!(before, [Frame::Ping("1".into()), Frame::Ping("abc".into())]);
        reason
    });
    let ran = go(once(scripted), Typed(typed), &options(), &[]).await;
    assert_eq!(played.await.unwrap(), CloseReason::new(CloseCode(4000), "done"));
    for told in
        ["there is no /nonsense", "/nonexistent/x can't be read", "/base64", "handshake with ws://test/"]
    {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert_eq!(ran.outcome.status(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ping_tells_its_round_trip() {
    let (scripted, mut peer) = pair(16);
    let (keys, typed) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        keys.send(command::parse("/ping a")).unwrap();
        assert_eq!(peer.recv().await, Frame::Ping("a".into()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        peer.event(Event::Pong("unasked".into(), None));
        peer.event(Event::Pong("a".into(), None));
        peer.close(1000);
    });
    let ran = go(once(scripted), Typed(typed), &options(), &[]).await;
    assert_eq!(ran.stderr, "tidewire: pong from the server \"a\", round trip 20.0 ms\n");
}

#[tokio::test(start_paused = true)]
async fn a_newline_inside_is_told_once() {
    let (ran, ()) = with("", options(), async |peer| {
        peer.say("a\nb");
        peer.say("c\nd");
        peer.close(1000);
    })
    .await;
    assert_eq!(ran.stdout, "a\nb\nc\nd\n");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("--null"));
}
