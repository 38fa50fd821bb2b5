//! What goes out: masks, compression, prepared messages, pieces, and an outbox written in any steps.

use proptest::prelude::*;
use std::collections::HashSet;
use testkit::{
    NO_TAKEOVER, Seen, Setup, TAKEOVER,
    drive::Driver,
    script::Script,
    wire::{self, Parsed, Wire},
};
use tidewire_proto::{
    Config, Kind, Opcode, Prepared, Role,
    config::Delivery,
    deflate::{Budget, Compressor, DeflateParams},
    error::{Error, Misuse, Violation},
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// One end that sends and the other that reads all of it.
struct Talk {
    from: Driver,
    to: Driver,
}

impl Talk {
    fn new(sender: Role, deflate: Option<DeflateParams>, change: impl Fn(&mut Config)) -> Self {
        let setup = Setup::new(sender).deflate(deflate).config(change);
        let other = Setup::new(setup.peer()).deflate(deflate);
        Self { from: Driver::new(&setup), to: Driver::new(&other) }
    }

    /// The frames that wait, and what the other end makes of them.
    fn move_all(&mut self) -> (Vec<Parsed>, Vec<Seen>) {
        let bytes = self.from.written();
        let (frames, rest) = wire::parse(&bytes);
        assert_eq!(rest, 0);
        (frames, self.to.take(bytes))
    }

    fn send(&mut self, payload: &[u8]) -> (Vec<Parsed>, Vec<Seen>) {
        self.from.connection.send(payload, &mut self.from.workspace).unwrap();
        self.move_all()
    }
}

/// All sixteen agreements on context takeover and on a small or the largest window.
fn agreements() -> impl Iterator<Item = DeflateParams> {
    (0..16u8).map(|bits| DeflateParams {
        server_no_context_takeover: bits & 1 != 0,
        client_no_context_takeover: bits & 2 != 0,
        server_max_window_bits: if bits & 4 != 0 { 9 } else { 15 },
        client_max_window_bits: if bits & 8 != 0 { 9 } else { 15 },
    })
}

/// edge 25, 59: each frame of a client has a key of its own, a server's has none.
#[test]
fn a_client_masks_each_frame_with_another_key() {
    let mut talk = Talk::new(Role::Client, None, |_| {});
    for count in 0..1000 {
        talk.from.connection.send("same", &mut talk.from.workspace).unwrap();
        if count % 10 == 0 {
            talk.from.connection.ping(b"p", &mut talk.from.workspace).unwrap();
            talk.from.connection.send(vec![1; 20_000], &mut talk.from.workspace).unwrap();
        }
    }
    let (frames, seen) = talk.move_all();
    let keys: HashSet<[u8; 4]> = frames.iter().map(|frame| frame.mask.expect("a key")).collect();
    assert_eq!((keys.len(), frames.len(), seen.len()), (1200, 1200, 1200));
    let mut talk = Talk::new(Role::Server, None, |_| {});
    assert_eq!(talk.send(b"x").0[0].mask, None);
}

/// Payloads around every length form and around what is copied, borrowed and owned, arrive as they were.
#[test]
fn payloads_of_every_form() {
    for role in ROLES {
        let mut talk = Talk::new(role, None, |_| {});
        for length in [0, 1, 125, 126, 16_383, 16_384, 65_535, 65_536, 200_000] {
            let payload: Vec<u8> = (0..length).map(|i: u32| (i % 251) as u8).collect();
            let (frames, seen) = talk.send(&payload);
            assert_eq!((frames.len(), seen), (1, vec![Seen::binary(&payload)]));
            let shared = bytes::Bytes::from(payload.clone());
            talk.from.connection.send(shared.clone(), &mut talk.from.workspace).unwrap();
            talk.from.connection.send(payload.clone(), &mut talk.from.workspace).unwrap();
            let (_, seen) = talk.move_all();
            assert_eq!(seen, [Seen::binary(&payload), Seen::binary(&payload)]);
            assert_eq!(shared, payload, "a shared payload is not masked in place");
        }
    }
}

/// edge 52, 50: in every agreement, both ways, compressed messages of all sizes with plain ones and prepared ones between.
#[test]
fn every_agreement_on_compression() {
    let text = "compress me, compress me again, and then once more. ".repeat(8);
    let mut noise = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    })
    .take(70_000)
    .collect();
    for params in agreements() {
        for role in ROLES {
            let mut talk = Talk::new(role, Some(params), |config| config.deflate.threshold = 16);
            let prepared = Prepared::compressed(text.as_str(), 16, &mut talk.from.workspace);
            let takeover = match role {
                Role::Server => !params.server_no_context_takeover,
                Role::Client => !params.client_no_context_takeover,
            };
            let mut sizes = Vec::new();
            for round in 0..6 {
                talk.from.connection.send(text.as_str(), &mut talk.from.workspace).unwrap();
                talk.from.connection.send("small", &mut talk.from.workspace).unwrap();
                talk.from.connection.send_prepared(&prepared, &mut talk.from.workspace).unwrap();
                talk.from.connection.send(&noise[round * 1000..], &mut talk.from.workspace).unwrap();
                talk.from.connection.send_piece(Kind::Text, b"pie", false, &mut talk.from.workspace).unwrap();
                talk.from.connection.ping(b"between", &mut talk.from.workspace).unwrap();
                talk.from.connection.send_piece(Kind::Text, b"ces", true, &mut talk.from.workspace).unwrap();
                let (frames, seen) = talk.move_all();
                assert_eq!(
                    seen,
                    [
                        Seen::text(&text),
                        Seen::text("small"),
                        Seen::text(&text),
                        Seen::binary(&noise[round * 1000..]),
                        Seen::Ping(b"between".into()),
                        Seen::text("pieces"),
                    ],
                    "{params:?} {role:?}"
                );
                assert_eq!((frames[0].rsv, frames[1].rsv), (4, 0));
                assert!(frames[4..].iter().all(|frame| frame.rsv == 0));
                sizes.push(frames[0].payload.len());
            }
            assert!(sizes[0] < text.len() / 2);
            if takeover && params.server_max_window_bits == 15 && params.client_max_window_bits == 15 {
                // The text is still in the window while no more than the noise lies between.
                let (frames, _) = {
                    talk.send(text.as_bytes());
                    talk.send(text.as_bytes())
                };
                assert!(frames[0].payload.len() < sizes[0] / 2, "the context has a part in it");
            } else if !takeover {
                assert!(sizes.iter().all(|&size| size == sizes[0]), "no context has a part in it");
            }
        }
    }
}

/// edge 50: the threshold, exact and one less; what is plain leaves the context as it was.
#[test]
fn the_threshold_is_exact() {
    for params in [TAKEOVER, NO_TAKEOVER] {
        for role in ROLES {
            let mut talk = Talk::new(role, Some(params), |config| config.deflate.threshold = 100);
            for _ in 0..3 {
                for (length, rsv) in [(100, 4), (99, 0), (0, 0), (5000, 4)] {
                    let (frames, seen) = talk.send(&vec![b'z'; length]);
                    assert_eq!(frames[0].rsv, rsv, "{length}");
                    assert_eq!(seen, [Seen::binary(vec![b'z'; length])]);
                }
            }
        }
    }
}

/// edge 47: a threshold of zero compresses the empty message, to one zero byte where it is compressed at all.
#[test]
fn empty_messages_are_compressed_to_one_byte() {
    for params in [TAKEOVER, NO_TAKEOVER] {
        for role in ROLES {
            let mut talk = Talk::new(role, Some(params), |config| config.deflate.threshold = 0);
            for _ in 0..3 {
                let (frames, seen) = talk.send(b"");
                assert_eq!(seen, [Seen::binary("")]);
                assert!(matches!((frames[0].rsv, &frames[0].payload[..]), (4, [0]) | (0, [])));
                assert_eq!(talk.send(b"full full full full").1, [Seen::binary("full full full full")]);
            }
        }
    }
}

/// edge 47: RSV1 without a payload is a failure, in one frame or several, whole or in pieces.
#[test]
fn a_compressed_message_without_a_byte_fails() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Streaming] {
            let setup = Setup::new(role).deflate(TAKEOVER).config(|config| config.delivery = delivery);
            let wire = || Wire::from(setup.peer());
            let parts = wire().shaped(Opcode::Text, "", |frame| frame.rsv(4).fin(false));
            for stream in [wire().deflated(Opcode::Text, ""), parts.frame(Opcode::Continuation, "")] {
                assert_eq!(Driver::new(&setup).fail(stream.bytes), Violation::Deflate.into());
            }
        }
    }
}

/// edge 45, 46: a message with a final block, the example of RFC 7692 §7.2.3.4, in every cut into two fragments; the
/// context lives on behind it.
#[test]
fn a_final_block_is_not_the_end() {
    const FINAL: [u8; 8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    // RFC 7692 §7.2.3.2: the second `Hello`, by reference to the first.
    const AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Streaming] {
            let setup = Setup::new(role).deflate(TAKEOVER).config(|config| config.delivery = delivery);
            for cut in 0..=FINAL.len() {
                let wire = Wire::from(setup.peer())
                    .shaped(Opcode::Text, &FINAL[..cut], |frame| frame.rsv(4).fin(false))
                    .ping("")
                    .frame(Opcode::Continuation, &FINAL[cut..])
                    .text("plain between")
                    .deflated(Opcode::Text, AGAIN)
                    .deflated(Opcode::Text, FINAL);
                let seen = Driver::new(&setup).take(wire.bytes);
                let hello = Seen::text("Hello");
                let plain = Seen::text("plain between");
                assert_eq!(seen, [Seen::Ping(vec![]), hello.clone(), plain, hello.clone(), hello], "{cut}");
            }
            // Without takeover the reference reaches behind the start.
            let setup = setup.clone().deflate(NO_TAKEOVER);
            let wire = Wire::from(setup.peer()).deflated(Opcode::Text, FINAL).deflated(Opcode::Text, AGAIN);
            assert_eq!(Driver::new(&setup).fail(wire.bytes), Violation::Deflate.into());
        }
    }
}

/// A prepared message on every kind of connection; it is what an ordinary message is.
#[test]
fn prepared_messages_fit_every_connection() {
    let long = "prepared once, sent to many. ".repeat(2000);
    for text in ["short", &long[..1000], &long] {
        for role in ROLES {
            for params in agreements().map(Some).chain([None]) {
                for compressed in [false, true] {
                    let mut talk = Talk::new(role, params, |_| {});
                    let workspace = &mut talk.from.workspace;
                    let prepared = if compressed {
                        Prepared::compressed(text, 64, workspace)
                    } else {
                        Prepared::new(text)
                    };
                    assert_eq!(prepared.message().as_text(), Some(text));
                    for _ in 0..2 {
                        talk.from.connection.send_prepared(&prepared, &mut talk.from.workspace).unwrap();
                        talk.from.connection.send(text, &mut talk.from.workspace).unwrap();
                        let (_, seen) = talk.move_all();
                        assert_eq!(seen, [Seen::text(text), Seen::text(text)], "{params:?} {compressed}");
                    }
                    let shares = params.is_some_and(|params| {
                        params.server_no_context_takeover && params.server_max_window_bits == 15
                    });
                    if role == Role::Server {
                        talk.from.connection.send_prepared(&prepared, &mut talk.from.workspace).unwrap();
                        let rsv = talk.move_all().0[0].rsv;
                        assert_eq!(rsv == 4, compressed && shares && text.len() >= 64);
                    }
                }
            }
        }
    }
}

/// edge 52: a budget without room for a compressor takes no context over and still compresses.
#[test]
fn without_room_for_a_compressor_the_shared_one_serves() {
    let budget = Budget::new(40 * 1024);
    let mut talk = Talk::new(Role::Server, Some(TAKEOVER), |config| config.budget = Some(budget.clone()));
    for _ in 0..3 {
        let (frames, seen) = talk.send(&[b'q'; 4000]);
        assert_eq!((frames[0].rsv, seen), (4, vec![Seen::binary([b'q'; 4000])]));
    }
}

/// A message in pieces: one frame each, a character cut between two, nothing queued by a piece that is refused.
#[test]
fn pieces_are_frames() {
    for role in ROLES {
        let mut talk = Talk::new(role, Some(NO_TAKEOVER), |_| {});
        let Driver { connection, workspace, .. } = &mut talk.from;
        connection.send_piece(Kind::Text, b"a\xF0\x9F", false, workspace).unwrap();
        let pending = connection.outbox().pending();
        assert_eq!(connection.send("whole", workspace), Err(Misuse::MessageUnfinished));
        assert_eq!(
            connection.send_prepared(&Prepared::new("whole"), workspace),
            Err(Misuse::MessageUnfinished)
        );
        assert_eq!(
            connection.send_piece(Kind::Binary, b"x", true, workspace),
            Err(Misuse::MessageUnfinished)
        );
        assert_eq!(connection.send_piece(Kind::Text, b"x", false, workspace), Err(Misuse::InvalidUtf8));
        assert_eq!(connection.send_piece(Kind::Text, b"\x98", true, workspace), Err(Misuse::InvalidUtf8));
        assert_eq!(connection.outbox().pending(), pending);
        connection.send_piece(Kind::Text, b"", false, workspace).unwrap();
        connection.send_piece(Kind::Text, b"\x98\x80", false, workspace).unwrap();
        connection.ping(b"", workspace).unwrap();
        connection.send_piece(Kind::Text, b"", true, workspace).unwrap();
        connection.send_piece(Kind::Binary, &vec![0; 30_000], true, workspace).unwrap();
        connection.send("whole", workspace).unwrap();
        let (frames, seen) = talk.move_all();
        let shapes: Vec<(bool, u8)> = frames.iter().map(|frame| (frame.fin, frame.opcode)).collect();
        assert_eq!(shapes, [(false, 1), (false, 0), (false, 0), (true, 9), (true, 0), (true, 2), (true, 1)]);
        let [ping, whole] = [Seen::Ping(vec![]), Seen::text("whole")];
        assert_eq!(seen, [ping, Seen::text("a😀"), Seen::binary(vec![0; 30_000]), whole]);
    }
}

/// Control frames of the caller's: 125 bytes and no more.
#[test]
fn own_control_frames_are_short() {
    let mut driver = Driver::new(&Setup::new(Role::Client));
    let Driver { connection, workspace, .. } = &mut driver;
    assert_eq!(connection.ping(&[0; 126], workspace), Err(Misuse::ControlTooLong));
    assert_eq!(connection.pong(&[0; 126], workspace), Err(Misuse::ControlTooLong));
    connection.ping(&[0; 125], workspace).unwrap();
    connection.pong(&[0; 125], workspace).unwrap();
    assert_eq!(wire::parse(&driver.written()).0.len(), 2);
}

/// edge 53: a compressed message behind one that fails to inflate is not looked at, and the shared inflater is sound.
#[test]
fn a_failure_to_inflate_spoils_no_other_connection() {
    for delivery in [Delivery::Whole, Delivery::Streaming] {
        let setup = Setup::new(Role::Server).deflate(NO_TAKEOVER).config(|config| config.delivery = delivery);
        let mut driver = Driver::new(&setup);
        let mut good = bytes::BytesMut::new();
        Compressor::new(15, 6, 8).compress_message(&[b'g'; 3000], &mut good, false);
        let wire = || Wire::from(Role::Client);
        for bad in [&b"\xFF\xFF"[..], b"\x07", &good[..good.len() - 3]] {
            driver.connection = setup.connect();
            let cut = wire().shaped(Opcode::Text, &good[..3], |frame| frame.rsv(4).fin(false));
            let stream = cut.frame(Opcode::Continuation, bad).bytes;
            assert!(matches!(driver.feed(&stream, &mut Vec::new()), Err(Error::Protocol(_))));
            let mut fresh = Driver::new(&setup);
            core::mem::swap(&mut fresh.workspace, &mut driver.workspace);
            assert_eq!(
                fresh.take(wire().deflated(Opcode::Binary, &good).bytes),
                [Seen::binary([b'g'; 3000])]
            );
            core::mem::swap(&mut fresh.workspace, &mut driver.workspace);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// edge 31: messages of all sizes, written in any steps, with the buffer lent and taken back between: all arrive,
    /// once and in order.
    #[test]
    fn an_outbox_in_any_steps_loses_nothing(
        server in any::<bool>(),
        params in prop_oneof![Just(None), Just(Some(TAKEOVER)), Just(Some(NO_TAKEOVER))],
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut talk = Talk::new(if server { Role::Server } else { Role::Client }, params, |_| {});
        let (mut script, mut expected, mut seen) = (Script::new(&bytes), Vec::new(), Vec::new());
        let mut lent = Some(Vec::with_capacity(4096));
        while !script.is_empty() || !talk.from.connection.outbox().is_empty() {
            let Driver { connection, workspace, now, .. } = &mut talk.from;
            match script.byte() % 5 {
                1 => {
                    let payload = vec![script.byte(); script.size()];
                    connection.send(&payload[..], workspace).unwrap();
                    expected.push(Seen::Binary(payload));
                }
                2 => {
                    let text = "tide ".repeat(script.size() / 4);
                    let prepared = Prepared::compressed(text.as_str(), 64, workspace);
                    connection.send_prepared(&prepared, workspace).unwrap();
                    expected.push(Seen::Text(text));
                }
                3 => {
                    if let Some(buffer) = lent.take() {
                        lent = connection.outbox_mut().lend(buffer);
                    } else {
                        lent = Some(connection.outbox_mut().reclaim());
                    }
                }
                _ => {
                    let pending: Vec<u8> = connection.outbox().chunks().collect::<Vec<_>>().concat();
                    let step = if script.is_empty() { usize::MAX } else { script.size() };
                    let count = step.min(pending.len());
                    connection.wrote(count, workspace, *now);
                    seen.extend(talk.to.take(&pending[..count]));
                }
            }
        }
        prop_assert_eq!(seen, expected);
    }
}
