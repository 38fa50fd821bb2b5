//! Messages through pipes: nothing added, nothing lost.

use crate::support::peer::opened;
use crate::support::{Serve, certificate, connect};
use std::thread::sleep;
use std::time::Duration;

/// Bytes without a pattern that deflate would find; the same in each run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let step = |state: &mut u32| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| step(&mut state)).collect()
}

#[test]
fn a_line_comes_back_as_a_line() {
    let serve = Serve::start(&[]);
    let ran = connect(&["-1", &serve.url], "hi\n");
    assert_eq!(ran.expect(0, "hi\n").stderr, "");
    assert!(serve.line(" close ").contains("in 1 (2 B) · out 1 (2 B)"));
}

#[test]
fn lines_keep_their_order_and_their_spaces() {
    let serve = Serve::start(&[]);
    let lines: String =
        (0..2000).fold(String::new(), |lines, number| lines + &format!(" {number}\t\u{1F30A} \n"));
    connect(&["--linger", "1s", &serve.url], lines.as_str()).expect(0, &lines);
    connect(&["--count", "3", &serve.url], "a\n\nb\n").expect(0, "a\n\nb\n");
}

#[test]
fn a_mebibyte_of_binary_is_exact_both_ways() {
    let serve = Serve::start(&[]);
    let bytes = noise(1 << 20);
    for options in [&["-b", "--whole", "-1"][..], &["-b", "--whole", "-1", "--no-deflate"]] {
        let ran = connect(&[options, &[serve.url.as_str()]].concat(), bytes.clone());
        assert!(ran.status == 0 && ran.stdout == bytes, "{options:?}: {} bytes", ran.stdout.len());
    }
}

#[test]
fn each_framing_gives_back_what_it_took() {
    let serve = Serve::start(&[]);
    let mut prefixed = Vec::new();
    for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
        prefixed.extend(u32::try_from(length).expect("it is small").to_be_bytes());
        prefixed.extend(noise(length));
    }
    let ran = connect(&["--length-prefixed", "-b", "--count", "7", &serve.url], prefixed.clone());
    assert!(ran.status == 0 && ran.stdout == prefixed, "{} bytes", ran.stdout.len());
    connect(&["-0", "--count", "2", &serve.url], "a\nb\0c\0").expect(0, "a\nb\0c\0");
    connect(&["--base64", "-1", &serve.url], "AP8K\n").expect(0, "AP8K\n");
    connect(&["--hex", "-1", &serve.url], "00ff0a\n").expect(0, "00ff0a\n");
}

#[test]
fn an_answer_long_after_the_end_of_stdin_is_waited_for() {
    let url = opened(|peer| {
        let first = peer.frame().expect("a message comes");
        sleep(Duration::from_millis(700));
        peer.send(|wire| wire.text([&first.payload[..], b" late"].concat()));
        sleep(Duration::from_millis(700));
        peer.send(|wire| wire.text("later"));
        peer.close(1000, "done");
    });
    let ran = connect(&[&url], "hi\n");
    ran.expect(0, "hi late\nlater\n").told(0, "closed by the server: 1000 (normal closure): done");
}

#[test]
fn what_is_executed_goes_first_and_can_be_all() {
    let serve = Serve::start(&[]);
    connect(&["-x", "one", "-x", "two", "--count", "3", &serve.url], "three\n")
        .expect(0, "one\ntwo\nthree\n");
    connect(&["-x", "one", "-1", &serve.url], "").expect(0, "one\n");
}

/// edge 11: frames in the segment of the 101.
#[test]
fn a_feed_that_speaks_first_is_streamed_to_its_end() {
    let address = crate::support::peer::scripted(|_, mut peer| {
        peer.open_with("X-Feed: 1\r\n");
        peer.send(|wire| wire.text("{\"a\":1}").ping("p").text("{\"a\":2}"));
        peer.close(1001, "");
    });
    let ran = connect(&["-n", &format!("ws://{address}/feed")], "");
    ran.expect(0, "{\"a\":1}\n{\"a\":2}\n").told(0, "1001");
}

#[test]
fn tls_is_spoken_and_its_authority_checked() {
    let (chain, key, ca) =
        (certificate("localhost.pem"), certificate("localhost.key"), certificate("ca.pem"));
    let serve = Serve::start(&["--tls-cert", &chain, "--tls-key", &key]);
    assert!(serve.url.starts_with("wss://"), "{}", serve.url);
    connect(&["-1", "--ca", &ca, &serve.url], "hi\n").expect(0, "hi\n");
    connect(&["-1", "-k", &serve.url], "hi\n").expect(0, "hi\n");
    let ran = connect(&["-1", &serve.url], "hi\n");
    assert_eq!(ran.told(3, "signed by nobody who is trusted here").stdout, b"");
    connect(&["-1", &format!("ws://{}/", serve.address())], "hi\n").told(4, "use wss://");
}

#[test]
fn a_unix_socket_is_served_and_reached() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("t.sock");
    let path = path.to_str().expect("a UTF-8 path");
    let mut serve = Serve::start(&["--unix", path]);
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
    connect(&["-1", &format!("{}:/chat", serve.url)], "hi\n").expect(0, "hi\n");
    assert!(serve.line("/chat").contains(" open "));
    assert!(serve.interrupt().success());
    connect(&["-1", &serve.url], "hi\n").told(3, "there is no socket");
}
