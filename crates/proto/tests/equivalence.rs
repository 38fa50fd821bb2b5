//! The same bytes give the same events, errors and replies, however they are cut; and those that the reference decoder
//! of the testkit finds.

use proptest::prelude::*;
use testkit::{
    NO_TAKEOVER, Seen, Setup,
    drive::{Cuts, check, run},
    script,
    wire::Wire,
};
use tidewire_proto::{CloseCode, Opcode, Role, config::Delivery, deflate::DeflateParams, error::Violation};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

fn streaming(setup: &Setup) -> Setup {
    setup.clone().config(|config| config.delivery = Delivery::Streaming)
}

/// A stream with a frame of every kind, and one that fails in the end.
fn tour(role: Role) -> Vec<u8> {
    let setup = Setup::new(role);
    let mut compressor = tidewire_proto::deflate::Compressor::new(15, 6, 8);
    let mut deflated = bytes::BytesMut::new();
    compressor.compress_message(&"compress me ".repeat(20).into_bytes(), &mut deflated, false);
    let (first, second) = deflated.split_at(deflated.len() / 2);
    Wire::from(setup.peer())
        .text("κόσμε")
        .part(Opcode::Text, b"\xF0\x9F")
        .ping("between")
        .part(Opcode::Continuation, "")
        .frame(Opcode::Continuation, b"\x98\x80!")
        .shaped(Opcode::Text, first, |frame| frame.rsv(4).fin(false))
        .pong("inside")
        .frame(Opcode::Continuation, second)
        .binary([7; 126])
        .text("")
        .ping([1; 125])
        .close(CloseCode::GOING_AWAY, "bye é")
        .bytes
}

/// edge 31, 27, 32: every single cut of a stream, and byte by byte, in both deliveries.
#[test]
fn every_single_cut_changes_nothing() {
    for role in ROLES {
        let stream = tour(role);
        let setup = Setup::new(role).deflate(NO_TAKEOVER);
        let whole = run(&setup, &stream, &Cuts::Whole);
        assert_eq!(whole.error, None);
        assert_eq!(whole.seen.len(), 9);
        for setup in [setup.clone(), streaming(&setup)] {
            for cut in 1..stream.len() {
                assert_eq!(run(&setup, &stream, &Cuts::Sizes(vec![cut, stream.len()])), whole, "{cut}");
            }
            assert_eq!(run(&setup, &stream, &Cuts::Sizes(vec![1])), whole);
            assert_eq!(run(&setup, &stream, &Cuts::Sizes(vec![0, 3])), whole);
        }
    }
}

/// edge 31, 25: a frame of 64-bit length, masked, cut everywhere around its header and in odd steps, read indirectly and
/// directly.
#[test]
fn a_large_frame_is_the_same_whichever_way_it_is_read() {
    for role in ROLES {
        let text = "aé€😀".repeat(20_000);
        let wire = Wire::from(Setup::new(role).peer());
        let stream = wire.text(&text).part(Opcode::Binary, vec![3; 70_000]).frame(Opcode::Continuation, [4]);
        let stream = stream.ping("").bytes;
        let setup = Setup::new(role);
        let whole = run(&setup, &stream, &Cuts::Whole);
        assert_eq!(whole.seen[0], Seen::Text(text));
        let setups = [setup.clone(), streaming(&setup)];
        for setup in &setups {
            for cut in (1..16).step_by(3).chain([14 + 32 * 1024, 65_536, 65_537]) {
                for cuts in [Cuts::Sizes(vec![cut, 999_983]), Cuts::Direct(vec![cut, 40_009])] {
                    assert_eq!(run(setup, &stream, &cuts), whole, "{cuts:?}");
                }
            }
            for step in [61, 1009, 4093, 65_521] {
                assert_eq!(run(setup, &stream, &Cuts::Direct(vec![step])), whole, "{step}");
            }
        }
    }
}

/// edge 33: text fails at the byte that is wrong, in the middle of a frame, however it is read.
#[test]
fn text_fails_at_its_first_wrong_byte() {
    for role in ROLES {
        let mut text = "é".repeat(40_000).into_bytes();
        text[60_001] = 0xC3;
        let stream = Wire::from(Setup::new(role).peer()).text(&text).bytes;
        let wrong = stream.len() - text.len() + 60_001;
        for setup in [Setup::new(role), streaming(&Setup::new(role))] {
            for cuts in [Cuts::Whole, Cuts::Sizes(vec![7]), Cuts::Sizes(vec![777]), Cuts::Direct(vec![1000])]
            {
                assert_eq!(run(&setup, &stream[..wrong], &cuts).error, None, "{cuts:?}");
                let at = run(&setup, &stream[..=wrong], &cuts);
                assert_eq!(at.error, Some(Violation::InvalidUtf8.into()), "{cuts:?}");
                assert!(at.seen.is_empty());
            }
        }
    }
}

fn params() -> impl Strategy<Value = Option<DeflateParams>> {
    let bits = || prop_oneof![Just(15u8), Just(9), 9u8..=15];
    prop_oneof![
        1 => Just(None),
        3 => (any::<bool>(), any::<bool>(), bits(), bits()).prop_map(|(server, client, sbits, cbits)| {
            Some(DeflateParams {
                server_no_context_takeover: server,
                client_no_context_takeover: client,
                server_max_window_bits: sbits,
                client_max_window_bits: cbits,
            })
        }),
    ]
}

fn setups() -> impl Strategy<Value = Setup> {
    let limits =
        (prop_oneof![Just(1 << 24), 0usize..5000], prop_oneof![Just(1 << 24), 0usize..5000], 2u32..9);
    (any::<bool>(), params(), limits).prop_map(|(server, deflate, (frame, message, fragments))| {
        Setup::new(if server { Role::Server } else { Role::Client }).deflate(deflate).config(|config| {
            config.limits.frame = frame;
            config.limits.message = message.max(1);
            config.limits.fragments = fragments;
        })
    })
}

/// Reads of a few sizes, one of them at least `least`.
fn cuts(least: usize) -> impl Strategy<Value = Cuts> {
    let sizes = prop::collection::vec(prop_oneof![0usize..20, 0usize..70_000], 1..8);
    let sizes = (sizes, least..20 * least).prop_map(|(mut sizes, last)| {
        sizes.push(last);
        sizes
    });
    prop_oneof![sizes.clone().prop_map(Cuts::Sizes), sizes.prop_map(Cuts::Direct), Just(Cuts::Whole)]
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) }
}

proptest! {
    #![proptest_config(cases())]

    /// edge 21–35: right and wrong streams of all kinds, in any cut, as the reference decoder reads them; pieces joined.
    #[test]
    fn any_stream_in_any_cut_is_what_the_model_says(
        setup in setups(),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        cuts in cuts(500),
    ) {
        let stream = script::stream(&setup, &bytes);
        check(&setup, &stream, &cuts);
        check(&streaming(&setup), &stream, &cuts);
    }

    /// edge 31: bytes without any plan.
    #[test]
    fn any_bytes_in_any_cut_are_what_the_model_says(
        setup in setups(),
        stream in prop::collection::vec(any::<u8>(), 0..300),
        cuts in cuts(1),
    ) {
        check(&setup, &stream, &cuts);
        check(&streaming(&setup), &stream, &cuts);
    }
}
