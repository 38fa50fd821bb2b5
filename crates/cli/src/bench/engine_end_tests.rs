//! What is counted at the beginning and at the end of a run, and when connections end before it.

use super::*;
use crate::bench::report::Faults;

const NO_FAULTS: Faults = Faults { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 };

/// Stands still for 600 ms, `after` the first message.
fn stalling_at(after: Duration) -> Running {
    let stalled = Arc::new(AtomicBool::default());
    let first = Arc::new(Mutex::new(None));
    echo(move |_| {
        let began = *first.lock().unwrap().get_or_insert_with(Instant::now);
        if began.elapsed() > after && !stalled.swap(true, Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(600));
        }
        Reply::Right
    })
}

#[test]
fn a_stall_at_the_end_is_part_of_the_latency() {
    let stalling = || stalling_at(Duration::from_millis(700));
    let report = stalling().bench("-c 2 --rate 1000 --duration 1s --warm-up 0").unwrap();
    let latency = report.latency.unwrap();
    // The last may leave just behind the end.
    assert!((0..10).contains(&(latency.count - report.sent.messages)), "{}", latency.count);
    assert_eq!((report.faults, report.service.unwrap().count), (NO_FAULTS, latency.count));
    // Due evenly over the 300 ms that the run had left.
    assert!((400_000_000..560_000_000).contains(&latency.p90_ns), "{}", latency.p90_ns);
    let report = stalling().bench("-c 2 --duration 1s --warm-up 0").unwrap();
    let latency = report.latency.unwrap();
    assert!(latency.count == report.sent.messages && latency.max_ns > 500_000_000, "{}", latency.max_ns);
}

#[test]
fn what_was_due_and_found_no_room_has_waited() {
    // Nothing is taken in any more from 300 ms on.
    let server = stalling_at(Duration::from_millis(300));
    let report = server.bench("-c 2 --rate 400 --size 1M -b --duration 600ms --warm-up 0").unwrap();
    let (latency, unsent) = (report.latency.unwrap(), report.errors.values().sum::<u64>());
    assert_eq!(report.errors.keys().collect::<Vec<_>>(), ["due, but the connection took no more"]);
    // Sent behind the end is what was released and not yet looked at.
    assert!((235..=280).contains(&latency.count) && latency.count >= report.sent.messages + unsent);
    assert!(unsent > 20 && latency.p90_ns > 200_000_000, "{unsent} {}", latency.p90_ns);
}

#[test]
fn what_goes_wrong_behind_the_measured_time_is_told() {
    let first = Arc::new(Mutex::new(None));
    let server = echo(move |_| {
        let began = *first.lock().unwrap().get_or_insert_with(Instant::now);
        let elapsed: Duration = Instant::elapsed(&began);
        if elapsed < Duration::from_millis(400) {
            return Reply::Right;
        }
        thread::sleep(Duration::from_millis(700).saturating_sub(elapsed));
        Reply::Bent
    });
    let report = server.bench("--rate 100 --duration 500ms --warm-up 0").unwrap();
    assert!((5..=15).contains(&report.faults.corrupted), "{:?}", report.faults);
}

#[test]
fn replies_that_come_twice_without_a_number_are_no_replies_to_others() {
    let server = echo(|number| if number % 100 == 99 { Reply::Twice } else { Reply::Right });
    for options in ["--size 5", "-b --size 15 --rate 20000"] {
        let report = server.bench(&format!("--count 1000 {options}")).unwrap();
        assert_eq!((report.sent.messages, report.received.messages), (1000, 1000), "{options}");
        assert_eq!(
            (report.faults.lost, report.faults.corrupted, report.cut_short),
            (0, 0, None),
            "{options}"
        );
    }
}

/// The first of all connections ends at its message 5, without a reply to it; the others go on.
fn losing_one() -> Running {
    let accepted = Arc::new(std::sync::atomic::AtomicU64::default());
    Running::new(move || {
        let is_first = accepted.fetch_add(1, Ordering::Relaxed) == 0;
        let how = move |number| if is_first && number == 5 { Reply::Close } else { Reply::Right };
        super::Echo { count: 0, held: None, how }
    })
}

#[test]
fn a_message_whose_connection_ended_is_lost() {
    let report = losing_one().bench("-c 3 --threads 1 --count 500").unwrap();
    assert_eq!((report.sent.messages, report.received.messages), (500, 499));
    assert_eq!((report.faults, report.cut_short), (Faults { lost: 1, ..NO_FAULTS }, None));
    assert_eq!(report.closes.into_iter().collect::<Vec<_>>(), [(4002, 1)]);
}

#[test]
fn a_count_ends_where_a_thread_has_no_connection_left() {
    let report = losing_one().bench("-c 2 --threads 2 --count 1000").unwrap();
    assert_eq!((report.sent.messages, report.faults.lost), (506, 1));
    assert!(report.cut_short.unwrap().contains("before their part of the count was sent"));
}

#[test]
fn a_count_is_shared_by_the_connections_that_came_about() {
    let server = echo(|_| Reply::Right);
    // Nothing connects from an address that is not this machine's: thread 0 has none but those.
    let options = "-c 4 --threads 2 --count 1001 --source 192.0.2.1,127.0.0.1";
    let report = server.bench(options).unwrap();
    assert_eq!((report.connections.opened, report.connections.failed), (2, 2));
    assert_eq!((report.sent.messages, report.received.messages, report.cut_short), (1001, 1001, None));
}

#[test]
fn a_count_is_exact_behind_a_warm_up() {
    let server = echo(|_| Reply::Right);
    let hall = Hall::default();
    let room = Running::new(move || hall.clone());
    for options in ["--depth 7", "--rate 5000", "-c 5 --mode connect"] {
        let line = format!("-c 7 --threads 2 --warm-up 100ms --count 1003 {options}");
        let line = if options.starts_with("-c") { line.replacen("-c 7 ", "", 1) } else { line };
        let report = server.bench(&line).unwrap();
        if options.contains("connect") {
            let opened = &report.connections;
            assert_eq!((opened.opened, opened.total.as_ref().unwrap().count), (1003, 1003));
            continue;
        }
        assert_eq!((report.sent.messages, report.received), (1003, report.sent), "{options}");
        assert_eq!(report.latency.unwrap().count, 1003, "{options}");
    }
    let report =
        room.bench("--mode broadcast --depth 4 -c 5 --threads 2 --warm-up 100ms --count 303").unwrap();
    assert_eq!((report.sent.messages, report.received.messages), (303, 4 * 303));
    assert_eq!((report.latency.unwrap().count, report.faults), (4 * 303, NO_FAULTS));
}

#[test]
fn one_line_that_goes_wrong_does_not_make_the_others_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    std::fs::write(&path, "one\n\ntwo\nthree\nfour\nfive\nsix\n").unwrap();
    for (how, faults) in [
        (
            (|number| if number % 100 == 50 { Reply::Nothing } else { Reply::Right }) as fn(u64) -> Reply,
            Faults { lost: 10, ..NO_FAULTS },
        ),
        (
            |number| if number % 100 == 50 { Reply::Twice } else { Reply::Right },
            Faults { duplicated: 10, ..NO_FAULTS },
        ),
        (
            |number| if number % 100 == 50 { Reply::Later } else { Reply::Right },
            Faults { reordered: 10, ..NO_FAULTS },
        ),
    ] {
        let options = format!("--file {} --lines -b --depth 4 --count 1000", path.display());
        let report = echo(how).bench(&options).unwrap();
        assert_eq!((report.faults, report.cut_short), (faults, None));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_watched_process_that_is_gone_is_told() {
    let server = echo(|_| Reply::Right);
    let mut child = std::process::Command::new("sleep").arg("20").spawn().unwrap();
    let pid = child.id();
    let ending = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let report = server.bench(&format!("--duration 500ms --warm-up 0 --pid {pid}")).unwrap();
    ending.join().unwrap();
    assert!(report.server.is_none());
    assert_eq!(report.errors.into_iter().collect::<Vec<_>>(), [("the process of --pid is gone".into(), 1)]);
}
