//! Whole runs against servers that do something wrong on purpose.

use super::*;
use crate::args::{Cli, Command};
use clap::Parser as _;
use std::sync::atomic::AtomicBool;
use std::thread;
use tidewire::proto::deflate::DeflateConfig;
use tidewire::{CloseCode, Context, Handler, Message, MessageRef, Opening, Sender as Remote, Server};

/// A server on a thread of its own, until it is dropped.
struct Running {
    url: String,
    stop: tidewire::server::Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new<H: Handler>(handler: impl Fn() -> H + Send + Sync + 'static) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind("127.0.0.1:0").await.unwrap().workers(1);
                let server = server.config(|config| config.deflate = DeflateConfig::default());
                tell.send((server.local_addr().unwrap(), server.stop_handle())).unwrap();
                server.handle(move |_| handler()).await.unwrap();
            });
        });
        let (address, stop) = told.recv().unwrap();
        Self { url: format!("ws://{address}/"), stop, thread: Some(thread) }
    }

    fn bench(&self, options: &str) -> Result<Report, Failure> {
        bench(&self.url, options)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop(Duration::ZERO);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[derive(Default)]
struct Notes {
    opening: Vec<(u64, u64)>,
    samples: usize,
}

impl Watch for Notes {
    fn opening(&mut self, opened: u64, wanted: u64) {
        self.opening.push((opened, wanted));
    }

    fn sample(&mut self, _sample: &super::super::report::Sample) {
        self.samples += 1;
    }
}

fn bench(url: &str, options: &str) -> Result<Report, Failure> {
    let words = ["tidewire", "bench", url].into_iter().chain(options.split_whitespace());
    let Command::Bench(args) = Cli::try_parse_from(words).unwrap().command else { panic!("another command") };
    let mut notes = Notes::default();
    let report = run(&Plan::new(&args)?, &mut notes)?;
    assert_eq!(notes.samples, report.series.len());
    Ok(report)
}

/// Echoes as `how` decides: it is given the number of the message on its connection.
struct Echo<F> {
    count: u64,
    held: Option<Message>,
    how: F,
}

enum Reply {
    Right,
    Nothing,
    Twice,
    Bent,
    /// Behind the next.
    Later,
    Close,
}

fn echo(how: impl Fn(u64) -> Reply + Clone + Send + Sync + Unpin + 'static) -> Running {
    Running::new(move || Echo { count: 0, held: None, how: how.clone() })
}

impl<F: Fn(u64) -> Reply + Send + Unpin + 'static> Handler for Echo<F> {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        let number = self.count;
        self.count += 1;
        match (self.how)(number) {
            Reply::Right => ws.send(message),
            Reply::Nothing => {}
            Reply::Twice => {
                let message = message.into_owned();
                ws.send(&message);
                ws.send(&message);
            }
            Reply::Bent => {
                let mut text = message.as_text().unwrap().to_owned();
                let last = if text.pop() == Some('x') { 'y' } else { 'x' };
                text.push(last);
                ws.send(&text);
            }
            Reply::Later => {
                self.held = Some(message.into_owned());
                return;
            }
            Reply::Close => ws.close(CloseCode(4002), "enough").unwrap(),
        }
        if let Some(held) = self.held.take() {
            ws.send(held);
        }
    }
}

#[test]
fn replies_that_are_right_are_all_counted() {
    let server = echo(|_| Reply::Right);
    for options in [
        "",
        "-b --size 4",
        "--size 20000 --payload utf8",
        "-b --size 300000",
        "--payload json --size 1k --deflate",
        "--rate 20000",
    ] {
        let depth = if options.contains("rate") { "" } else { "--depth 5" };
        let report = server.bench(&format!("-c 7 {depth} --threads 2 --count 1003 {options}")).unwrap();
        assert_eq!(report.faults, super::super::report::Faults::default(), "{options}");
        assert_eq!((report.sent.messages, report.received), (1003, report.sent), "{options}");
        assert_eq!(report.latency.as_ref().unwrap().count, 1003, "{options}");
        assert_eq!(report.service.is_some(), options.contains("rate"));
        assert_eq!((report.connections.opened, report.connections.peak), (7, 7));
        assert_eq!(report.target.extension.is_some(), options.contains("deflate"));
        assert_eq!((report.cut_short, report.closes.len(), report.errors.len()), (None, 0, 0));
    }
}

#[test]
fn what_is_lost_duplicated_reordered_or_corrupted_is_told_apart() {
    for (how, [lost, duplicated, reordered, corrupted]) in [
        (
            (|number| if number % 100 == 50 { Reply::Nothing } else { Reply::Right }) as fn(u64) -> Reply,
            [10, 0, 0, 0],
        ),
        (|number| if number % 100 == 50 { Reply::Twice } else { Reply::Right }, [0, 10, 0, 0]),
        (|number| if number % 100 == 50 { Reply::Later } else { Reply::Right }, [0, 0, 10, 0]),
        (|number| if number % 100 == 50 { Reply::Bent } else { Reply::Right }, [0, 0, 0, 10]),
    ] {
        let report = echo(how).bench("--depth 8 --count 1000").unwrap();
        let faults = report.faults;
        assert_eq!(
            [faults.lost, faults.duplicated, faults.reordered, faults.corrupted],
            [lost, duplicated, reordered, corrupted]
        );
        assert_eq!((report.sent.messages, report.cut_short), (1000, None));
    }
}

#[test]
fn a_reply_that_never_comes_ends_a_count_and_is_lost() {
    let server = echo(|number| if number == 9 { Reply::Nothing } else { Reply::Right });
    let report = server.bench("-c 2 --count 10000").unwrap();
    assert!(report.cut_short.unwrap().starts_with("no reply for "));
    assert_eq!((report.faults.lost, report.received.messages), (2, 18));
}

#[test]
fn a_server_that_closes_ends_the_run_with_its_code() {
    let server = echo(|number| if number == 20 { Reply::Close } else { Reply::Right });
    let report = server.bench("-c 3 --duration 20s --warm-up 0").unwrap();
    assert_eq!(report.closes.into_iter().collect::<Vec<_>>(), [(4002, 3)]);
    assert_eq!(report.cut_short.as_deref(), Some("every connection has ended"));
    assert!(report.elapsed_s < 10.0);
}

/// Stands still once, 400 ms after the first message.
fn stalling() -> Running {
    let stalled = Arc::new(AtomicBool::default());
    let first = Arc::new(Mutex::new(None));
    echo(move |_| {
        let began = *first.lock().unwrap().get_or_insert_with(Instant::now);
        if began.elapsed() > Duration::from_millis(400) && !stalled.swap(true, Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(300));
        }
        Reply::Right
    })
}

#[test]
fn a_stall_shows_in_an_open_loop_where_a_closed_one_hides_it() {
    let open = stalling().bench("-c 2 --rate 1000 --duration 1500ms --warm-up 0").unwrap();
    let latency = open.latency.unwrap();
    assert!(latency.p99_ns > 200_000_000, "{} of {}", latency.p99_ns, latency.count);
    assert!((1400..=1600).contains(&latency.count), "{}", latency.count);
    let closed = stalling().bench("-c 2 --duration 1500ms --warm-up 0").unwrap();
    let latency = closed.latency.unwrap();
    assert!(latency.max_ns > 250_000_000 && latency.p99_ns < 100_000_000, "{}", latency.p99_ns);
}

/// Sends everything to everyone, but for some to the last that came.
#[derive(Clone, Default)]
struct Hall {
    all: Arc<Mutex<Vec<Remote>>>,
    skip: Option<u64>,
    count: u64,
}

impl Handler for Hall {
    fn on_open(&mut self, _ws: &mut Context<'_>, opening: &Opening) {
        self.all.lock().unwrap().push(opening.sender());
    }

    fn on_message(&mut self, _ws: &mut Context<'_>, message: MessageRef<'_>) {
        let message = message.into_owned();
        self.count += 1;
        let all = self.all.lock().unwrap();
        let left_out = usize::from(self.skip.is_some_and(|skip| self.count.is_multiple_of(skip)));
        for remote in &all[..all.len() - left_out] {
            remote.try_send(message.clone()).unwrap();
        }
    }
}

#[test]
fn a_broadcast_is_expected_by_every_receiver() {
    for options in ["", "--depth 4", "--rate 2000", "--publishers 3", "--threads 3"] {
        let hall = Hall::default();
        let server = Running::new(move || hall.clone());
        let report = server.bench(&format!("--mode broadcast -c 9 --count 300 {options}")).unwrap();
        let receivers = if options.contains("publishers") { 6 } else { 8 };
        assert_eq!((report.sent.messages, report.received.messages), (300, 300 * receivers), "{options}");
        assert_eq!(report.faults, super::super::report::Faults::default(), "{options}");
        assert_eq!(report.latency.unwrap().count, 300 * receivers, "{options}");
    }
}

#[test]
fn a_delivery_that_does_not_come_is_lost() {
    let hall = Hall { skip: Some(50), ..Hall::default() };
    let server = Running::new(move || hall.clone());
    let report = server.bench("--mode broadcast -c 5 --rate 2000 --count 1010").unwrap();
    assert_eq!((report.faults.lost, report.received.messages), (20, 4 * 1010 - 20));
}

#[test]
fn handshakes_are_counted_and_timed_apart() {
    let server = echo(|_| Reply::Right);
    let report = server.bench("--mode connect -c 4 --count 50 --threads 2").unwrap();
    let opened = &report.connections;
    assert_eq!((opened.opened, opened.failed, opened.total.as_ref().unwrap().count), (50, 0, 50));
    assert!(opened.dial.is_some() && opened.upgrade.is_some() && opened.tls.is_none());
    assert!(opened.peak <= 4 && report.closes.is_empty() && report.errors.is_empty(), "{report:?}");
    let report = server.bench("--mode connect -c 2 --rate 100 --duration 1s --warm-up 0").unwrap();
    assert!((90..=110).contains(&report.connections.opened), "{}", report.connections.opened);
}

#[test]
fn handshakes_that_fail_one_after_the_other_end_a_storm() {
    let server = echo(|_| Reply::Right);
    let stop = server.stop.clone();
    let stopping = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        stop.stop(Duration::ZERO);
    });
    let report = server.bench("--mode connect -c 4 --duration 20s --warm-up 0").unwrap();
    assert_eq!(report.cut_short.as_deref(), Some("one handshake after the other failed"));
    assert!(report.connections.opened > 10 && report.connections.failed >= 64 && report.elapsed_s < 10.0);
    assert!(report.errors.contains_key("connection refused"), "{:?}", report.errors);
    stopping.join().unwrap();
}

#[test]
fn idle_connections_are_held_and_their_pongs_timed() {
    let server = echo(|_| Reply::Right);
    let report = server.bench("--mode idle -c 20 --duration 1s --ping-interval 200ms --ramp 200ms").unwrap();
    assert_eq!(report.series.last().unwrap().connections, 20);
    assert!(report.latency.unwrap().count >= 40);
    assert!((0.1..0.9).contains(&report.connections.ramp_s), "{}", report.connections.ramp_s);
}

#[test]
fn where_nothing_connects_the_first_reason_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    for mode in ["echo", "connect"] {
        let failure = bench(&url, &format!("--mode {mode} -c 8 --duration 2s")).unwrap_err();
        assert!(failure.status == 3 && failure.text.contains("refused"), "{failure:?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (url, options, says) in [
        ("ws://localhost", "--mode broadcast -c 1", "nobody is left to receive"),
        ("ws://localhost", "--mode broadcast -c 5 --size 8", "--size has to be 16 or more"),
        ("tcp://127.0.0.1:1", "--mode idle", "tcp:// goes with --mode echo"),
        ("ws://localhost", "--mode idle --count 5", "give a --duration"),
        ("ws://localhost", "--source 1.2.3", "--source 1.2.3"),
        ("ws://localhost", "--pid 4294967295", "no such process"),
        ("ws://localhost", "-c 900000", "open files"),
    ] {
        let failure = bench(url, options).unwrap_err();
        assert!(failure.status == 1 && failure.text.contains(says), "{failure:?}");
    }
}

#[test]
fn a_bare_echo_is_measured_with_the_same_bytes() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let echo = thread::spawn(move || {
        let mut total = 0;
        let serving: Vec<_> = listener
            .incoming()
            .take(2)
            .map(|stream| {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let (mut bytes, mut total) = ([0; 1000], 0);
                    while let Ok(count @ 1..) = stream.read(&mut bytes) {
                        stream.write_all(&bytes[..count]).unwrap();
                        total += count;
                    }
                    total
                })
            })
            .collect();
        for thread in serving {
            total += thread.join().unwrap();
        }
        total
    });
    let report = bench(&url, "-c 2 --depth 3 --count 1000 --size 200").unwrap();
    assert_eq!((report.sent.messages, report.received.messages), (1000, 1000));
    assert_eq!(report.faults, super::super::report::Faults::default());
    // RFC 6455 §5.2: 2 bytes, 2 of an extended length, 4 of the key.
    assert_eq!(echo.join().unwrap(), 1000 * 208);
}

#[path = "engine_end_tests.rs"]
mod end;
