//! The closing handshake: every order of events, every code, every reason.

use std::time::Duration;
use testkit::{Seen, Setup, drive::Driver, pair::Pair, wire, wire::Wire};
use tidewire_proto::{
    CloseCode, CloseReason, Error, Kind, Opcode, Role,
    close::{Phase, truncate},
    connection::Closing,
    error::{Misuse, Violation},
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn peer(role: Role) -> Wire {
    Wire::from(Setup::new(role).peer())
}

/// The frames that were written: opcode and payload.
fn frames(driver: &mut Driver) -> Vec<(u8, Vec<u8>)> {
    let (frames, rest) = wire::parse(&driver.written());
    assert_eq!(rest, 0);
    frames.into_iter().map(|frame| (frame.opcode, frame.payload)).collect()
}

fn close(driver: &mut Driver, code: u16, reason: &str) -> Result<(), Misuse> {
    driver.connection.close(CloseCode(code), reason, &mut driver.workspace, driver.now)
}

/// The codes that may be sent.
fn sendable(code: u16) -> bool {
    (1000..=4999).contains(&code) && !(1015..=2999).contains(&code) && !(1004..=1006).contains(&code)
}

/// edge 36: every one of the 65,536 codes, received.
#[test]
fn every_code_received() {
    for code in 0..=u16::MAX {
        let mut driver = Driver::new(&Setup::new(Role::Client));
        let mut seen = Vec::new();
        let result = driver.feed(&peer(Role::Client).close(CloseCode(code), "x").bytes, &mut seen);
        if sendable(code) {
            let reason = CloseReason::new(CloseCode(code), "x");
            assert_eq!((result, seen), (Ok(()), vec![Seen::Close(reason)]), "{code}");
            assert_eq!(frames(&mut driver), [(8, [&code.to_be_bytes()[..], b"x"].concat())]);
        } else {
            assert_eq!(result, Err(Violation::CloseCode(CloseCode(code)).into()), "{code}");
            assert_eq!(frames(&mut driver)[0].1[..2], 1002u16.to_be_bytes());
        }
    }
}

/// edge 36, 37: every one of the 65,536 codes, sent; 1005 is an empty close frame, and the others that are none are
/// refused while the connection stays open.
#[test]
fn every_code_sent() {
    for code in 0..=u16::MAX {
        let mut driver = Driver::new(&Setup::new(Role::Server));
        let result = close(&mut driver, code, "");
        if code == 1005 {
            assert_eq!((result, frames(&mut driver)), (Ok(()), vec![(8, vec![])]));
        } else if sendable(code) {
            assert_eq!((result, frames(&mut driver)), (Ok(()), vec![(8, code.to_be_bytes().to_vec())]));
        } else {
            assert_eq!(result, Err(Misuse::CloseCode(CloseCode(code))));
            assert_eq!((frames(&mut driver), driver.connection.phase()), (vec![], Phase::Open));
        }
    }
}

/// edge 37: an empty close frame has no room for a reason, and what is recorded as sent is what was sent.
#[test]
fn a_close_without_a_code_has_no_reason() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    close(&mut driver, 1005, "unsaid").unwrap();
    assert_eq!(frames(&mut driver), [(8, vec![])]);
    assert_eq!(driver.connection.closing().sent, Some(CloseReason::empty()));
}

/// edge 38: bodies of one byte, reasons of 123 and 124 bytes, and reasons that are not UTF-8.
#[test]
fn close_bodies_received() {
    for role in ROLES {
        let body = |payload: &[u8]| peer(role).frame(Opcode::Close, payload).bytes;
        let reason = |length| [&1000u16.to_be_bytes()[..], &vec![b'r'; length]].concat();
        let mut driver = Driver::new(&Setup::new(role));
        assert_eq!(driver.take(body(&[])), [Seen::Close(CloseReason::empty())]);
        assert_eq!(frames(&mut driver), [(8, vec![])]);
        let mut driver = Driver::new(&Setup::new(role));
        let longest = CloseReason::new(CloseCode::NORMAL, &"r".repeat(123));
        assert_eq!(driver.take(body(&reason(123))), [Seen::Close(longest)]);
        for (payload, violation, code) in [
            (vec![3], Violation::ClosePayload, 1002u16),
            (reason(124), Violation::ControlTooLong, 1002),
            ([&reason(0)[..], b"\xC3"].concat(), Violation::CloseReason, 1007),
            ([&reason(0)[..], b"ok\xED\xA0\x80"].concat(), Violation::CloseReason, 1007),
        ] {
            let mut driver = Driver::new(&Setup::new(role));
            assert_eq!(driver.fail(body(&payload)), Error::Protocol(violation));
            assert_eq!(frames(&mut driver)[0].1[..2], code.to_be_bytes());
        }
    }
}

/// edge 38: a reason is cut at a character, never inside one, and never below what fits.
#[test]
fn long_reasons_are_cut_at_a_character() {
    for character in ["r", "é", "€", "😀"] {
        for shift in 0..4 {
            let reason = "x".repeat(shift) + &character.repeat(130);
            let mut driver = Driver::new(&Setup::new(Role::Client));
            close(&mut driver, 1000, &reason).unwrap();
            let sent = frames(&mut driver).remove(0).1;
            let text = core::str::from_utf8(&sent[2..]).expect("whole characters");
            assert!(reason.starts_with(text));
            assert!(
                (121 + 2 - (character.len() - 1)..=123).contains(&text.len()),
                "{character} {}",
                text.len()
            );
            assert_eq!(text, truncate(&reason));
            let recorded = driver.connection.closing().sent.unwrap();
            assert_eq!(recorded.reason, text);
        }
    }
    assert_eq!(truncate(&"r".repeat(123)).len(), 123);
}

/// edge 40: both ends close at once: one close frame each, both ends closed, no error.
#[test]
fn both_close_at_once() {
    let mut pair = Pair::new();
    pair.client.close(1000, "client").unwrap();
    pair.server.close(1001, "server").unwrap();
    pair.advance(Duration::from_secs(1));
    let client = CloseReason::new(CloseCode::NORMAL, "client");
    let server = CloseReason::new(CloseCode::GOING_AWAY, "server");
    assert_eq!(pair.client.seen, [Seen::Close(server.clone())]);
    assert_eq!(pair.server.seen, [Seen::Close(client.clone())]);
    for (end, sent, received) in [(&pair.client, &client, &server), (&pair.server, &server, &client)] {
        assert_eq!(end.phase(), Phase::Closed);
        assert_eq!(end.errors, []);
        assert!(end.gone.is_some());
        let closing = Closing { by_peer: false, sent: Some(sent.clone()), received: Some(received.clone()) };
        assert_eq!(end.driver.connection.closing(), closing);
    }
}

/// edge 40: a second close of either end changes nothing; nothing of the peer is read behind its close frame.
#[test]
fn what_follows_a_close_is_not_read() {
    for role in ROLES {
        let mut driver = Driver::new(&Setup::new(role));
        let stream = peer(role).text("before").close(CloseCode::NORMAL, "first");
        let stream =
            stream.text("after").ping("after").close(CloseCode::GOING_AWAY, "second").raw([0xFF; 40]);
        let reason = CloseReason::new(CloseCode::NORMAL, "first");
        assert_eq!(driver.take(&stream.bytes), [Seen::text("before"), Seen::Close(reason.clone())]);
        assert_eq!(driver.take(&stream.bytes), []);
        assert_eq!(close(&mut driver, 4000, "mine"), Ok(()));
        assert_eq!(frames(&mut driver), [(8, b"\x03\xE8first".to_vec())]);
        let closing = driver.connection.closing();
        assert_eq!(closing, Closing { by_peer: true, sent: Some(reason.clone()), received: Some(reason) });
        assert!(driver.connection.is_finished());
    }
}

/// edge 40, 44: behind our close frame no data goes out; the peer's messages still come, and its pings are answered until
/// its own close frame is there (RFC 6455 §5.5.2).
#[test]
fn behind_our_close_the_peer_is_still_heard() {
    for role in ROLES {
        let mut driver = Driver::new(&Setup::new(role));
        driver.connection.send_piece(Kind::Text, b"unfin", false, &mut driver.workspace).unwrap();
        close(&mut driver, 1000, "enough").unwrap();
        close(&mut driver, 1001, "again").unwrap();
        let Driver { connection, workspace, .. } = &mut driver;
        let prepared = tidewire_proto::Prepared::new("more");
        assert_eq!(connection.send("more", workspace), Err(Misuse::Closed));
        assert_eq!(connection.send_prepared(&prepared, workspace), Err(Misuse::Closed));
        assert_eq!(connection.send_piece(Kind::Text, b"ished", true, workspace), Err(Misuse::Closed));
        assert_eq!(connection.ping(b"", workspace), Err(Misuse::Closed));
        assert_eq!(connection.pong(b"", workspace), Err(Misuse::Closed));
        assert!(!connection.is_finished());
        let stream = peer(role).text("still").part(Opcode::Text, "one ").ping("there?");
        let stream = stream.frame(Opcode::Continuation, "more").close(CloseCode::NORMAL, "bye").bytes;
        let reason = CloseReason::new(CloseCode::NORMAL, "bye");
        let expected =
            [Seen::text("still"), Seen::Ping(b"there?".into()), Seen::text("one more"), Seen::Close(reason)];
        assert_eq!(driver.take(stream), expected);
        let mine = [&1000u16.to_be_bytes()[..], b"enough"].concat();
        let sent = [(1, b"unfin".to_vec()), (8, mine), (10, b"there?".to_vec())];
        assert_eq!(frames(&mut driver), sent);
        assert_eq!(driver.connection.phase(), Phase::Closed);
        assert!(driver.connection.is_finished());
    }
}

/// edge 40: our close waits behind a blocked write; it leaves whole, behind what was queued before it.
#[test]
fn a_close_behind_a_blocked_write() {
    let mut pair = Pair::new();
    pair.to_client.capacity = 1000;
    pair.to_client.chunk = 300;
    pair.server.send(vec![1; 100_000]).unwrap();
    pair.server.close(1001, "stop").unwrap();
    pair.advance(Duration::from_secs(4));
    let reason = CloseReason::new(CloseCode::GOING_AWAY, "stop");
    assert_eq!(pair.client.seen, [Seen::binary(vec![1; 100_000]), Seen::Close(reason)]);
    assert_eq!((pair.server.phase(), pair.client.phase()), (Phase::Closed, Phase::Closed));
}

/// edge 41: a message, a close frame and the end of the transport in one go: the message is there.
#[test]
fn the_last_message_is_delivered() {
    for role in ROLES {
        let mut driver = Driver::new(&Setup::new(role));
        let stream = peer(role).text("last").close(CloseCode::NORMAL, "").bytes;
        let mut seen = Vec::new();
        for byte in stream {
            driver.feed(&[byte], &mut seen).unwrap();
        }
        driver.connection.end();
        assert_eq!(seen.len(), 2);
        // What happened stays known behind the end: it was a clean close.
        assert_eq!(driver.connection.phase(), Phase::Closed);
        assert_eq!(driver.connection.closing().received, Some(CloseReason::new(CloseCode::NORMAL, "")));
    }
}

/// edge 42: the transport ends without a close frame: no reason was received, and nothing is read or kept busy any more.
#[test]
fn an_end_without_a_close_frame() {
    for role in ROLES {
        for closing in [false, true] {
            let mut driver = Driver::new(&Setup::new(role));
            driver.take(peer(role).part(Opcode::Text, "half").bytes);
            if closing {
                close(&mut driver, 1000, "").unwrap();
            }
            driver.connection.end();
            assert_eq!(driver.connection.phase(), Phase::Gone);
            assert_eq!(driver.connection.closing().received, None);
            assert!(driver.connection.is_finished());
            assert_eq!(driver.connection.deadline(), None);
            assert_eq!(driver.take(peer(role).frame(Opcode::Continuation, "late").bytes), []);
            assert_eq!(driver.connection.send("x", &mut driver.workspace), Err(Misuse::Closed));
            assert_eq!(close(&mut driver, 1000, ""), Ok(()));
        }
    }
}

/// A close frame of the peer that is wrong fails a connection that is closing, without a second close frame.
#[test]
fn a_failure_behind_our_close_sends_nothing_more() {
    for role in ROLES {
        let mut driver = Driver::new(&Setup::new(role));
        close(&mut driver, 1000, "").unwrap();
        assert_eq!(driver.fail(peer(role).frame(Opcode::Close, [1]).bytes), Violation::ClosePayload.into());
        assert_eq!(frames(&mut driver), [(8, vec![0x03, 0xE8])]);
        assert_eq!(driver.connection.phase(), Phase::Failed);
        assert_eq!(driver.connection.closing().received, None);
    }
}

/// edge 40: a late pong does not follow a close frame that answers the peer's.
#[test]
fn a_held_pong_is_dropped_at_a_close() {
    let setup = Setup::new(Role::Server).config(|config| config.limits.outbox = 100);
    let mut driver = Driver::new(&setup);
    driver.connection.send(vec![0; 200], &mut driver.workspace).unwrap();
    driver.take(peer(Role::Server).ping("held").close(CloseCode::NORMAL, "").bytes);
    let opcodes: Vec<u8> = frames(&mut driver).into_iter().map(|(opcode, _)| opcode).collect();
    assert_eq!(opcodes, [2, 8]);
}
