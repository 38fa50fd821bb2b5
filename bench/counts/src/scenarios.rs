//! The eight scenarios.

use crate::{WARM_UP, endpoint::Endpoint, play};
use bytes::BytesMut;
use std::hint::black_box;
use testkit::{NO_TAKEOVER, Setup, samples, wire::Wire};
use tidewire_proto::{
    Config, MessageRef, Opcode, Role,
    deflate::Compressor,
    handshake::{self, Choice, HeadLimits, RequestHead, RequestView, ServerPolicy},
};

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) rounds: usize,
    /// What is one operation in the table, so many to a round.
    pub(crate) operations: usize,
    pub(crate) play: fn(usize),
}

#[rustfmt::skip]
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "open", rounds: 64, operations: 1, play: open },
    Scenario { name: "echo-125", rounds: 256, operations: 1, play: |rounds| echo(rounds, 1, 125) },
    Scenario { name: "echo-125-corked", rounds: 64, operations: 16, play: |rounds| echo(rounds, 16, 125) },
    Scenario { name: "echo-16k-binary", rounds: 32, operations: 1, play: echo_binary },
    Scenario { name: "echo-64k-multi-byte", rounds: 16, operations: 1, play: echo_multi_byte },
    Scenario { name: "echo-1k-deflate", rounds: 32, operations: 1, play: echo_deflate },
    Scenario { name: "echo-fragments", rounds: 64, operations: 1, play: echo_fragments },
    Scenario { name: "client-1k", rounds: 128, operations: 1, play: client },
];

/// The server's opening handshake: a browser's request, parsed, judged and answered.
fn open(rounds: usize) {
    const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
        Host: example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
        Upgrade: websocket\r\nOrigin: https://example.com\r\nSec-WebSocket-Version: 13\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    let (limits, policy, config) = (HeadLimits::default(), ServerPolicy::default(), Config::default());
    play(
        rounds,
        || REQUEST.to_vec(),
        |request| {
            let parsed = RequestHead::parse(black_box(request), &limits).expect("the request is right");
            let (head, _) = parsed.expect("it is whole");
            let view = RequestView::try_from(&head).expect("the target is right");
            let accepted = handshake::check(&view, &policy).expect("it is let in");
            let choice = Choice { deflate: Some(&config.deflate), ..Choice::default() };
            let switching = accepted.respond(&choice).expect("the choice is offered");
            black_box(switching.to_bytes());
        },
    );
}

/// A server echoes `count` texts that came in one read.
fn echo(rounds: usize, count: usize, length: usize) {
    let frame = Wire::from(Role::Client).text(samples::ascii(length)).bytes;
    echo_reads(&Setup::new(Role::Server), rounds, &[frame.repeat(count)], count);
}

/// A payload that leaves as a segment of its own.
fn echo_binary(rounds: usize) {
    let frame = Wire::from(Role::Client).binary(samples::ascii(16 * 1024)).bytes;
    echo_reads(&Setup::new(Role::Server), rounds, &[frame], 1);
}

/// A text that comes in two reads, and so goes through the assembler.
fn echo_multi_byte(rounds: usize) {
    let frame = Wire::from(Role::Client).text(samples::multi_byte(64 * 1024)).bytes;
    let (first, second) = frame.split_at(40_000);
    echo_reads(&Setup::new(Role::Server), rounds, &[first.to_vec(), second.to_vec()], 1);
}

/// JSON, inflated and deflated with the thread's codecs.
fn echo_deflate(rounds: usize) {
    let mut compressed = BytesMut::new();
    Compressor::new(15, Compressor::LEVEL, Compressor::MEM_LEVEL).compress_message(
        samples::json(1024).as_bytes(),
        &mut compressed,
        false,
    );
    let frame = Wire::from(Role::Client).deflated(Opcode::Text, &compressed).bytes;
    echo_reads(&Setup::new(Role::Server).deflate(NO_TAKEOVER), rounds, &[frame], 1);
}

/// A text in three frames with a ping between them, in one read.
fn echo_fragments(rounds: usize) {
    let text = samples::multi_byte(300);
    let (first, rest) = text.as_bytes().split_at(101);
    let (second, third) = rest.split_at(101);
    let frames = Wire::from(Role::Client)
        .part(Opcode::Text, first)
        .ping("are you there?")
        .part(Opcode::Continuation, second)
        .frame(Opcode::Continuation, third);
    echo_reads(&Setup::new(Role::Server), rounds, &[frames.bytes], 1);
}

/// A client sends a text, masked, and reads the answer.
fn client(rounds: usize) {
    let text = samples::ascii(1024);
    let mut client = Endpoint::new(&Setup::new(Role::Client));
    let answer = Wire::from(Role::Server).text(&text).bytes;
    play(
        rounds,
        || answer.clone(),
        |answer| {
            client.send(MessageRef::text(&text));
            client.read(answer, false);
        },
    );
    let all = (WARM_UP + rounds) as u64;
    assert_eq!(client.messages(), (all, all));
}

fn echo_reads(setup: &Setup, rounds: usize, reads: &[Vec<u8>], messages: usize) {
    let mut server = Endpoint::new(setup);
    play(rounds, || reads.to_vec(), |reads| reads.iter_mut().for_each(|read| server.read(read, true)));
    let all = ((WARM_UP + rounds) * messages) as u64;
    assert_eq!(server.messages(), (all, all));
}
