//! Deadlines on a virtual clock.

use std::time::Duration;
use testkit::{Seen, Setup, drive::Driver, pair::Pair, wire::Wire};
use tidewire_proto::{
    CloseCode, Error, Opcode, Role,
    close::Phase,
    error::Timeout,
    frame::{self, Header},
};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn pongs(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| matches!(seen, Seen::Pong(_))).count()
}

/// edge 57: an hour without a message is an hour of pings and pongs, at the interval and no more often.
#[test]
fn an_idle_hour_is_pinged_through() {
    let mut pair = Pair::new();
    pair.advance(seconds(3600));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.errors, []);
        assert_eq!(end.phase(), Phase::Open);
        assert_eq!(pongs(&end.seen), 179);
        assert_eq!(end.driver.connection.latency(), Some(Duration::from_millis(2)));
    }
}

/// edge 42: the network is gone; both ends know it one interval and one timeout later, and let go.
#[test]
fn a_silent_network_is_given_up() {
    let mut pair = Pair::new();
    pair.advance(seconds(30));
    (pair.to_client.cut, pair.to_server.cut) = (true, true);
    pair.advance(seconds(31));
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.errors, [Error::Timeout(Timeout::Pong)]);
    }
}

/// edge 42: that the application keeps sending into a dead network puts nothing off.
#[test]
fn a_talkative_application_does_not_keep_a_dead_peer_alive() {
    let mut pair = Pair::new();
    (pair.to_client.cut, pair.to_server.cut) = (true, true);
    for _ in 0..60 {
        let _ = pair.server.send("tick");
        pair.advance(seconds(1));
    }
    assert_eq!(pair.server.errors, [Error::Timeout(Timeout::Pong)]);
}

/// edge 42: a message that a transport with room takes in several steps is no sign of life of the peer's.
#[test]
fn a_write_in_steps_is_no_sign_of_life() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    driver.now = driver.connection.deadline().unwrap();
    driver.connection.handle_deadline(&mut driver.workspace, driver.now).unwrap();
    driver.written();
    for _ in 0..19 {
        driver.now = driver.now.after(seconds(1));
        driver.connection.send(vec![0; 40_000], &mut driver.workspace).unwrap();
        while !driver.connection.outbox().is_empty() {
            let step = driver.connection.outbox().pending().min(16_384);
            driver.connection.wrote(step, &mut driver.workspace, driver.now);
        }
    }
    driver.now = driver.now.after(seconds(1));
    let result = driver.connection.handle_deadline(&mut driver.workspace, driver.now);
    assert_eq!(result, Err(Error::Timeout(Timeout::Pong)));
}

/// edge 42: asking a dead peer for its latency again and again puts nothing off.
#[test]
fn measuring_does_not_keep_a_dead_peer_alive() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    for second in 0..20 {
        assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()), "{second}");
        driver.connection.measure_latency(&mut driver.workspace, driver.now);
        driver.written();
        driver.now = driver.now.after(seconds(1));
    }
    let result = driver.connection.handle_deadline(&mut driver.workspace, driver.now);
    assert_eq!(result, Err(Error::Timeout(Timeout::Pong)));
}

/// The latency is that of the newest ping.
#[test]
fn the_newest_ping_measures() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    for _ in 0..3 {
        driver.connection.measure_latency(&mut driver.workspace, driver.now);
        driver.now = driver.now.after(seconds(1));
    }
    driver.take(Wire::from(Role::Client).pong([0, 0, 0, 1]).pong([0, 0, 0, 3]).bytes);
    assert_eq!(driver.connection.latency(), Some(seconds(1)));
}

/// edge 57: a peer that takes bytes only now and then, since its line is slow, is not silent.
#[test]
fn a_slow_reader_is_not_silent() {
    let mut pair = Pair::new();
    pair.to_client.capacity = 1000;
    pair.to_client.latency = seconds(15);
    pair.server.send(vec![0; 5000]).unwrap();
    pair.advance(seconds(200));
    assert_eq!(pair.server.errors, []);
    assert_eq!(pair.client.seen.iter().filter(|seen| matches!(seen, Seen::Binary(_))).count(), 1);
}

/// edge 57: while a large frame arrives, its bytes are the sign of life that the pong behind it can't be.
#[test]
fn a_large_frame_that_takes_minutes_is_no_silence() {
    for direct in [true, false] {
        let mut pair = Pair::new();
        pair.server.direct = direct;
        pair.to_server.chunk = 10_000;
        pair.to_server.capacity = 10_000;
        pair.to_server.latency = seconds(5);
        pair.client.send(vec![7; 600_000]).unwrap();
        pair.advance(seconds(400));
        assert_eq!(pair.server.errors, []);
        assert_eq!(pair.server.seen.iter().filter(|seen| matches!(seen, Seen::Binary(_))).count(), 1);
    }
}

/// edge 57: a peer that answers another ping than ours, as RFC 6455 §5.5.3 allows, is alive.
#[test]
fn a_peer_that_answers_only_the_newest_ping_is_alive() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    for round in 1..=5u64 {
        driver.now = driver.connection.deadline().expect("a ping is due");
        assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()), "{round}");
        driver.connection.ping(b"newest", &mut driver.workspace).unwrap();
        driver.written();
        driver.now = driver.now.after(seconds(1));
        driver.take(Wire::from(Role::Client).pong("newest").bytes);
    }
    assert_eq!(driver.connection.phase(), Phase::Open);
}

/// edge 57: pongs that nobody asked for, or for another ping, are events without a round trip.
#[test]
fn unasked_pongs_measure_nothing() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    let early = Wire::from(Role::Client).pong([0, 0, 0, 1]).pong("").bytes;
    assert_eq!(driver.take(early), [Seen::Pong(vec![0, 0, 0, 1]), Seen::Pong(vec![])]);
    driver.now = driver.connection.deadline().unwrap();
    driver.connection.handle_deadline(&mut driver.workspace, driver.now).unwrap();
    driver.take(Wire::from(Role::Client).pong([9, 9, 9, 9]).pong([0, 0, 0]).bytes);
    assert_eq!(driver.connection.latency(), None);
    driver.now = driver.now.after(seconds(3));
    driver.take(Wire::from(Role::Client).pong([0, 0, 0, 1]).pong([0, 0, 0, 1]).bytes);
    assert_eq!(driver.connection.latency(), Some(seconds(3)));
}

/// edge 59: the pong of a ping that was given up comes too late to do harm.
#[test]
fn a_pong_behind_its_time_changes_nothing() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    driver.now = driver.connection.deadline().unwrap();
    driver.connection.handle_deadline(&mut driver.workspace, driver.now).unwrap();
    driver.now = driver.connection.deadline().unwrap();
    let result = driver.connection.handle_deadline(&mut driver.workspace, driver.now);
    assert_eq!(result, Err(Error::Timeout(Timeout::Pong)));
    assert_eq!(driver.take(Wire::from(Role::Client).pong([0, 0, 0, 1]).bytes), []);
    assert_eq!(driver.connection.phase(), Phase::Failed);
}

/// edge 43: an application that reads nothing for an hour can't know that its peer is alive, and finds it so.
#[test]
fn paused_reading_is_not_the_peers_silence() {
    // The client would rightly give up a server that reads no ping.
    let mut pair = Pair::with(|setup| match setup.role {
        Role::Client => setup.config(|config| config.timing.ping_interval = None),
        Role::Server => setup,
    });
    pair.advance(seconds(19));
    pair.server.set_reading(false);
    pair.advance(seconds(3600));
    assert_eq!(pair.server.errors, []);
    pair.server.set_reading(true);
    // The deadline is handled before the first read: the worst order.
    let now = pair.now();
    let driver = &mut pair.server.driver;
    assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, now), Ok(()));
    pair.advance(seconds(60));
    assert_eq!(pair.server.errors, []);
    assert_eq!(pair.server.phase(), Phase::Open);
}

/// edge 43: with reading paused, the first message in an hour is not at once a timeout because it did not leave at once.
#[test]
fn the_first_message_of_a_paused_connection_has_its_time_to_leave() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    driver.now = driver.connection.deadline().unwrap();
    driver.connection.handle_deadline(&mut driver.workspace, driver.now).unwrap();
    driver.written();
    driver.connection.set_paused(true);
    // Pings go on, unanswered as they are: the write of one finds a transport that is gone.
    for _ in 0..3 {
        driver.now = driver.connection.deadline().unwrap();
        driver.connection.handle_deadline(&mut driver.workspace, driver.now).unwrap();
        assert!(!driver.connection.outbox().is_empty());
        driver.written();
    }
    driver.now = driver.now.after(seconds(3600));
    driver.connection.send("late", &mut driver.workspace).unwrap();
    assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()));
    let next = driver.connection.deadline().unwrap();
    assert!(next > driver.now);
    // It never leaves: that is the peer's silence.
    for _ in 0..3 {
        driver.now = driver.connection.deadline().unwrap();
        if driver.connection.handle_deadline(&mut driver.workspace, driver.now).is_err() {
            return;
        }
    }
    panic!("a peer that takes nothing is given up");
}

/// edge 43: the peer's close frame and its end wait behind a pause, and are found when reading goes on.
#[test]
fn a_close_waits_while_reading_is_paused() {
    let mut pair = Pair::new();
    pair.server.set_reading(false);
    pair.client.send("last").unwrap();
    pair.client.close(1000, "bye").unwrap();
    pair.advance(seconds(2));
    assert_eq!(pair.server.seen, []);
    pair.server.set_reading(true);
    pair.advance(seconds(1));
    let reason = tidewire_proto::CloseReason::new(CloseCode::NORMAL, "bye");
    assert_eq!(pair.server.seen, [Seen::text("last"), Seen::Close(reason)]);
    assert_eq!(pair.client.phase(), Phase::Closed);
}

/// edge 39: the peer never answers a close; that it keeps sending puts the end not off.
#[test]
fn a_close_is_not_put_off_by_traffic() {
    for role in [Role::Server, Role::Client] {
        let mut driver = Driver::new(&Setup::new(role));
        driver.now = driver.now.after(seconds(7));
        driver.connection.close(CloseCode::NORMAL, "", &mut driver.workspace, driver.now).unwrap();
        let end = driver.now.after(seconds(5));
        let wire = Wire::from(Setup::new(role).peer()).text("more").ping("").bytes;
        while driver.now < end {
            assert_eq!(driver.connection.deadline(), Some(end));
            assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()));
            assert_eq!(driver.take(&wire).len(), 2);
            driver.written();
            driver.connection.close(CloseCode::NORMAL, "", &mut driver.workspace, driver.now).unwrap();
            driver.now = driver.now.after(Duration::from_millis(100));
        }
        driver.now = end;
        let result = driver.connection.handle_deadline(&mut driver.workspace, driver.now);
        assert_eq!(result, Err(Error::Timeout(Timeout::Close)));
        assert_eq!(driver.connection.phase(), Phase::Gone);
        assert!(driver.connection.is_finished());
        assert_eq!(driver.connection.deadline(), None);
    }
}

/// edge 39: a failed connection whose close frame can't leave is bounded too.
#[test]
fn a_failed_connection_is_let_go() {
    let mut pair = Pair::new();
    pair.to_client.capacity = 0;
    pair.to_server.capacity = 1 << 20;
    pair.server.driver.fail([0xFF, 0xFF]);
    pair.advance(seconds(6));
    assert_eq!(pair.server.errors, [Error::Timeout(Timeout::Close)]);
    assert!(pair.server.gone.is_some());
}

fn idle() -> Setup {
    Setup::new(Role::Server).config(|config| {
        config.timing.idle_timeout = Some(seconds(60));
        config.timing.ping_interval = None;
    })
}

/// The idle time counts from the last message either way; pings are none.
#[test]
fn idle_time_counts_from_the_last_message() {
    let mut driver = Driver::new(&idle());
    for _ in 0..3 {
        driver.now = driver.now.after(seconds(59));
        assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()));
        driver.take(Wire::from(Role::Client).text("in").bytes);
    }
    for _ in 0..3 {
        driver.now = driver.now.after(seconds(59));
        assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()));
        driver.connection.send("out", &mut driver.workspace).unwrap();
        driver.written();
    }
    let end = driver.now.after(seconds(60));
    for _ in 0..3 {
        driver.now = driver.now.after(seconds(15));
        driver.take(Wire::from(Role::Client).ping("").pong("").bytes);
        driver.written();
        assert_eq!(driver.connection.deadline(), Some(end));
    }
    driver.now = end;
    let result = driver.connection.handle_deadline(&mut driver.workspace, driver.now);
    assert_eq!(result, Err(Error::Timeout(Timeout::Idle)));
}

/// A deadline that rings late, behind the end of the transport, has nothing to say.
#[test]
fn nothing_is_due_once_the_transport_is_gone() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    driver.now = driver.connection.deadline().unwrap();
    driver.connection.end();
    assert_eq!(driver.connection.handle_deadline(&mut driver.workspace, driver.now), Ok(()));
    assert!(driver.connection.outbox().is_empty());
}

/// edge 56: past the high-water mark only the newest ping is answered, once there is room.
#[test]
fn a_ping_flood_is_bounded_and_its_last_ping_answered() {
    let setup = Setup::new(Role::Server).config(|config| config.limits.outbox = 10_000);
    let mut driver = Driver::new(&setup);
    let mut flood = Wire::from(Role::Client);
    for count in 0..5000u32 {
        flood = flood.ping(count.to_be_bytes());
    }
    assert_eq!(driver.take(flood.bytes).len(), 5000);
    let pending = driver.connection.outbox().pending();
    assert!((10_000..10_200).contains(&pending), "{pending}");
    let mut written = Vec::new();
    let (first, _) = testkit::wire::parse(&driver.connection.outbox().chunks().collect::<Vec<_>>().concat());
    assert!(first.iter().zip(0u32..).all(|(pong, count)| pong.payload == count.to_be_bytes()));
    while !driver.connection.outbox().is_empty() {
        let chunk = driver.connection.outbox().chunks().next().unwrap()[..1].to_vec();
        written.extend(chunk);
        driver.connection.wrote(1, &mut driver.workspace, driver.now);
    }
    let (pongs, rest) = testkit::wire::parse(&written);
    assert_eq!((pongs.len(), rest), (first.len() + 1, 0));
    assert_eq!(pongs.last().unwrap().payload, 4999u32.to_be_bytes());
}

/// edge 24: a length that is only announced keeps nothing, and is no sign of life later.
#[test]
fn an_announced_frame_that_stalls_is_given_up() {
    let mut pair = Pair::new();
    let key = Some([0; 4]);
    let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask: key, length: 16 << 20 };
    pair.server.driver.take(&*frame::encode(&header));
    (pair.to_client.cut, pair.to_server.cut) = (true, true);
    pair.advance(seconds(41));
    assert_eq!(pair.server.errors, [Error::Timeout(Timeout::Pong)]);
}
