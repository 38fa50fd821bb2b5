//! What a peer may send, exactly, and one more.

use testkit::{NO_TAKEOVER, Seen, Setup, drive::Driver, wire::Wire};
use tidewire_proto::{
    CloseCode, Error, Opcode, Role,
    close::Phase,
    config::Delivery,
    deflate::{Budget, Compressor},
    error::{Limit, Violation},
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const DELIVERIES: [Delivery; 2] = [Delivery::Whole, Delivery::Streaming];

fn setups(change: impl Fn(&mut tidewire_proto::Config)) -> impl Iterator<Item = Setup> {
    ROLES.into_iter().flat_map(|role| DELIVERIES.map(|delivery| (role, delivery))).map(
        move |(role, delivery)| {
            Setup::new(role).config(|config| {
                change(config);
                config.delivery = delivery;
            })
        },
    )
}

fn wire(setup: &Setup) -> Wire {
    Wire::from(setup.peer())
}

/// The code of the close frame that was sent, behind which nothing follows and nothing is read.
fn close_code(driver: &mut Driver) -> CloseCode {
    assert_eq!(driver.connection.phase(), Phase::Failed);
    let (frames, rest) = testkit::wire::parse(&driver.written());
    let last = frames.last().expect("a close frame");
    assert_eq!((last.opcode, rest), (8, 0));
    CloseCode(u16::from_be_bytes([last.payload[0], last.payload[1]]))
}

fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    Compressor::new(15, 6, 8).compress_message(payload, &mut out, false);
    out.to_vec()
}

/// edge 30: a frame of the limit, and of one byte more, which fails on its header.
#[test]
fn frames_are_limited() {
    for setup in setups(|config| config.limits.frame = 1000) {
        let mut driver = Driver::new(&setup);
        let exact = wire(&setup).binary([1; 1000]).part(Opcode::Text, [b'a'; 1000]);
        let exact = exact.frame(Opcode::Continuation, [b'b'; 1000]).bytes;
        assert_eq!(driver.take(exact).len(), 2);
        let header = wire(&setup).shaped(Opcode::Binary, "", |frame| frame.announce(1001)).bytes;
        assert_eq!(driver.fail(&header), Error::Limit(Limit::Frame));
        assert_eq!(close_code(&mut driver), CloseCode::TOO_BIG);
        assert_eq!(driver.take(wire(&setup).text("after").bytes), []);
    }
}

/// edge 30, 23: a message of the limit, and of one byte more; control frames between its fragments get round nothing.
#[test]
fn messages_are_limited() {
    for setup in setups(|config| config.limits.message = 1000) {
        let mut driver = Driver::new(&setup);
        assert_eq!(driver.take(wire(&setup).binary([1; 1000]).bytes).len(), 1);
        let fragments = || wire(&setup).part(Opcode::Binary, [1; 400]).ping([0; 125]).pong([0; 125]);
        let exact = fragments().frame(Opcode::Continuation, [1; 600]).bytes;
        assert_eq!(driver.take(exact).last(), Some(&Seen::binary([1; 1000])));
        let more = fragments().shaped(Opcode::Continuation, "", |frame| frame.announce(601)).bytes;
        assert_eq!(driver.fail(more), Error::Limit(Limit::Message));
        assert_eq!(close_code(&mut driver), CloseCode::TOO_BIG);
        let mut driver = Driver::new(&setup);
        let more = wire(&setup).shaped(Opcode::Text, "", |frame| frame.announce(1001)).bytes;
        assert_eq!(driver.fail(more), Error::Limit(Limit::Message));
    }
}

/// edge 23: lengths whose sum goes past every integer.
#[test]
fn lengths_do_not_overflow() {
    for setup in setups(|config| (config.limits.frame, config.limits.message) = (usize::MAX, usize::MAX)) {
        let mut driver = Driver::new(&setup);
        let huge = |opcode, fin| {
            let wire = wire(&setup).shaped(opcode, "", |frame| frame.fin(fin).announce(u64::MAX >> 1));
            wire.raw("some").bytes
        };
        driver.feed(&wire(&setup).part(Opcode::Binary, "x").bytes, &mut Vec::new()).unwrap();
        driver.feed(&huge(Opcode::Continuation, true), &mut Vec::new()).unwrap();
    }
}

/// edge 24: what is announced is not allocated; what came is, and three times more at the most.
#[test]
fn room_grows_with_the_bytes_that_came() {
    let setup = Setup::new(Role::Server);
    let mut driver = Driver::new(&setup);
    driver.take(wire(&setup).shaped(Opcode::Binary, "", |frame| frame.announce(16 << 20)).bytes);
    let mut came = 0;
    for size in (0..2000).map(|step| 1 + step * 7 % 9001) {
        if let Some(room) = driver.connection.direct() {
            let room = bytes::BufMut::remaining_mut(&room);
            assert!((4096..=3 * came).contains(&room), "{came} came, room for {room}");
        } else {
            assert!(came < 4096);
        }
        driver.feed_direct(&vec![0; size], &mut Vec::new()).unwrap();
        came += size;
    }
}

/// edge 29, 30: fragments up to the limit, and one more; empty ones count.
#[test]
fn fragments_are_limited() {
    for setup in setups(|config| config.limits.fragments = 100) {
        let parts = |count: usize| {
            let first = wire(&setup).part(Opcode::Binary, "");
            (1..count).fold(first, |wire, _| wire.part(Opcode::Continuation, "")).ping("")
        };
        let mut driver = Driver::new(&setup);
        let exact = parts(99).frame(Opcode::Continuation, "").bytes;
        assert_eq!(driver.take(exact), [Seen::Ping(vec![]), Seen::binary("")]);
        assert_eq!(driver.fail(parts(100).part(Opcode::Continuation, "").bytes), Limit::Fragments.into());
        assert_eq!(close_code(&mut driver), CloseCode::TOO_BIG);
    }
}

/// edge 49, 30: a message that inflates to the limit, and to one byte more, in one frame or many.
#[test]
fn inflated_messages_are_limited() {
    const MIB: usize = 1 << 20;
    let bombs = [(MIB, true), (MIB + 1, false), (16 * MIB, false)];
    let bombs = bombs.map(|(length, fits)| (deflated(&vec![0; length]), fits));
    for setup in setups(|config| config.limits.message = MIB) {
        let setup = setup.deflate(NO_TAKEOVER);
        for (bomb, fits) in &bombs {
            let (head, tail) = bomb.split_at(bomb.len() / 2);
            let head = wire(&setup).shaped(Opcode::Binary, head, |frame| frame.rsv(4).fin(false));
            let fragments = head.ping("").frame(Opcode::Continuation, tail);
            for stream in [fragments, wire(&setup).deflated(Opcode::Binary, bomb)] {
                let mut driver = Driver::new(&setup);
                let mut seen = Vec::new();
                let result = driver.feed(&stream.bytes, &mut seen);
                assert_eq!(result, if *fits { Ok(()) } else { Err(Limit::Message.into()) });
                let whole = seen.iter().filter(|seen| matches!(seen, Seen::Binary(_))).count();
                assert_eq!(whole, usize::from(*fits));
                if !fits {
                    assert_eq!(close_code(&mut driver), CloseCode::TOO_BIG);
                }
            }
        }
    }
}

/// edge 28: continuations without a start, a new message inside one, and a final empty continuation, which is allowed.
#[test]
fn messages_have_an_order() {
    for setup in setups(|_| {}) {
        for (stream, verdict) in [
            (wire(&setup).frame(Opcode::Continuation, ""), Err(Violation::UnexpectedContinuation)),
            (wire(&setup).text("a").part(Opcode::Continuation, "b"), Err(Violation::UnexpectedContinuation)),
            (wire(&setup).part(Opcode::Text, "a").text("b"), Err(Violation::ExpectedContinuation)),
            (
                wire(&setup).part(Opcode::Text, "").part(Opcode::Binary, ""),
                Err(Violation::ExpectedContinuation),
            ),
            (wire(&setup).part(Opcode::Text, "a").frame(Opcode::Continuation, ""), Ok(())),
        ] {
            let mut driver = Driver::new(&setup);
            let result = driver.feed(&stream.bytes, &mut Vec::new());
            assert_eq!(result, verdict.map_err(Error::Protocol));
            if result.is_err() {
                assert_eq!(close_code(&mut driver), CloseCode::PROTOCOL_ERROR);
            }
        }
    }
}

/// What fails on its header is known before it is read, also where the header's first byte was: asking changes nothing.
#[test]
fn headers_are_rejected_beforehand() {
    for setup in setups(|_| {}) {
        for (stream, rejected) in [
            (wire(&setup).text("a"), false),
            (wire(&setup).frame(Opcode::Continuation, ""), true),
            (wire(&setup).shaped(Opcode::Ping, "", |frame| frame.rsv(2)), true),
        ] {
            let mut driver = Driver::new(&setup);
            assert_eq!(driver.connection.rejects(&stream.bytes), rejected);
            assert!(!driver.connection.rejects(&[]));
            let (first, rest) = stream.bytes.split_at(1);
            if driver.connection.rejects(first) {
                assert!(rejected && driver.feed(first, &mut Vec::new()).is_err());
                continue;
            }
            driver.feed(first, &mut Vec::new()).expect("it is not rejected");
            assert_eq!(driver.connection.rejects(rest), rejected);
            assert_eq!(driver.feed(rest, &mut Vec::new()).is_err(), rejected);
        }
    }
}

/// edge 26, 27: bits and opcodes that are reserved, on the connection, between the fragments of a compressed message.
#[test]
fn reserved_bits_fail_inside_a_message_too() {
    for setup in setups(|_| {}) {
        for deflate in [None, Some(NO_TAKEOVER)] {
            let setup = setup.clone().deflate(deflate);
            let start = || {
                wire(&setup).shaped(Opcode::Binary, "", |frame| {
                    frame.rsv(if deflate.is_some() { 4 } else { 0 }).fin(false)
                })
            };
            for (opcode, bits) in
                [(Opcode::Continuation, 4), (Opcode::Ping, 4), (Opcode::Pong, 2), (Opcode::Close, 1)]
            {
                let mut driver = Driver::new(&setup);
                let wrong = start().shaped(opcode, "", |frame| frame.rsv(bits)).bytes;
                assert_eq!(driver.fail(wrong), Violation::ReservedBits.into(), "{opcode:?} {bits}");
            }
        }
    }
}

/// edge 34, 35, 33: text that is wrong, in whatever wrapping, is 1007; in mid-message before the message ends.
#[test]
fn text_is_utf8() {
    for setup in setups(|_| {}) {
        let setup = setup.deflate(NO_TAKEOVER);
        for wrong in [&b"\xC0\xAF"[..], b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\xE2\x82", b"ok\xFF"] {
            let bomb = deflated(wrong);
            for stream in [
                wire(&setup).text(wrong),
                wire(&setup).deflated(Opcode::Text, &bomb),
                wire(&setup).part(Opcode::Text, wrong).frame(Opcode::Continuation, ""),
                wire(&setup).part(Opcode::Text, "a").ping("").frame(Opcode::Continuation, wrong),
            ] {
                let mut driver = Driver::new(&setup);
                assert_eq!(driver.fail(stream.bytes), Violation::InvalidUtf8.into(), "{wrong:x?}");
                assert_eq!(close_code(&mut driver), CloseCode::INVALID_PAYLOAD);
            }
        }
        let mut driver = Driver::new(&setup);
        let early = wire(&setup).part(Opcode::Text, "κόσμε").part(Opcode::Continuation, b"\xF4\x90").bytes;
        assert_eq!(driver.fail(early), Violation::InvalidUtf8.into());
        let mut driver = Driver::new(&setup);
        for text in ["", "\u{FFFE}\u{FFFF}\u{10FFFF}\0"] {
            let stream = wire(&setup).text(text).deflated(Opcode::Text, deflated(text.as_bytes()));
            assert_eq!(driver.take(stream.bytes), [Seen::text(text), Seen::text(text)]);
        }
    }
}

/// Unfinished messages share a budget by what they hold, fragment by fragment, and give it back.
#[test]
fn the_memory_of_unfinished_messages_is_counted_and_given_back() {
    const FRAGMENT: usize = 64;
    let budget = Budget::new(256 * 1024);
    let setup = Setup::new(Role::Server).config(|config| config.budget = Some(budget.clone()));
    let mut one = Driver::new(&setup);
    one.take(wire(&setup).part(Opcode::Binary, [0; FRAGMENT]).bytes);
    let more = wire(&setup).part(Opcode::Continuation, [0; FRAGMENT]).bytes;
    for count in 1..1024 {
        assert!(budget.left() <= 256 * 1024 - count * FRAGMENT, "{count} fragments");
        one.take(&more);
    }
    // Another connection gets what is left, and no more.
    let mut other = Driver::new(&setup);
    other.take(wire(&setup).part(Opcode::Binary, [0; FRAGMENT]).bytes);
    let failed = (0..4096).find_map(|_| other.feed(&more, &mut Vec::new()).err());
    assert_eq!(failed, Some(Limit::Memory.into()));
    assert_eq!(close_code(&mut other), CloseCode::TRY_AGAIN_LATER);
    // The failed message is given back at once, the finished one when it is handed over, the rest at the drop.
    assert!(budget.left() >= 64 * 1024);
    let whole = one.take(wire(&setup).frame(Opcode::Continuation, "").bytes);
    assert_eq!(whole, [Seen::binary(vec![0; 1024 * FRAGMENT])]);
    assert_eq!(budget.left(), 256 * 1024);
    one.take(wire(&setup).part(Opcode::Binary, [0; FRAGMENT]).bytes);
    assert!(budget.left() < 256 * 1024);
    drop(one);
    assert_eq!(budget.left(), 256 * 1024);
}

/// A large frame is counted too when it is read directly; without room it is refused where its bytes come.
#[test]
fn a_large_frame_is_held_to_the_budget() {
    let budget = Budget::new(100 * 1024);
    let setup = Setup::new(Role::Server).config(|config| config.budget = Some(budget.clone()));
    let stream = wire(&setup).binary(vec![0; 300_000]).bytes;
    let mut driver = Driver::new(&setup);
    let failed = stream.chunks(1000).find_map(|chunk| driver.feed_direct(chunk, &mut Vec::new()).err());
    assert_eq!(failed, Some(Limit::Memory.into()));
    drop(driver);
    assert_eq!(budget.left(), 100 * 1024);
}

/// Windows and compressors of a connection's own are counted, and given back.
#[test]
fn dedicated_codecs_are_counted_and_given_back() {
    let budget = Budget::new(1 << 20);
    let setup = Setup::new(Role::Server)
        .config(|config| config.budget = Some(budget.clone()))
        .deflate(testkit::TAKEOVER);
    let first = setup.connect();
    let left = budget.left();
    assert!(left < (1 << 20) - 64 * 1024);
    let second = setup.connect();
    assert!(budget.left() < left);
    drop((first, second));
    assert_eq!(budget.left(), 1 << 20);
}
