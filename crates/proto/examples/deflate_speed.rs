//! Times permessage-deflate on a JSON message of 1 KiB: `cargo run --release -p tidewire-proto --example deflate_speed`.

use bytes::BytesMut;
use std::{hint::black_box, time::Instant};
use testkit::samples::json;
use tidewire_proto::deflate::{Compressor, Inflater, Window};

fn main() {
    let json = json(1024).into_bytes();
    println!("JSON of {} bytes; the median of 31 rounds, each 2,000 messages", json.len());
    let mut out = BytesMut::with_capacity(4096);
    for (mem_level, takeover) in [(1, true), (1, false), (6, false), (8, false)] {
        let mut compressor = Compressor::new(15, 1, mem_level);
        report(&format!("compress 1 byte, memory {mem_level}, takeover {takeover}"), || {
            out.clear();
            compressor.compress_message(black_box(b"x"), &mut out, takeover);
        });
    }
    for level in [1, 3, 6] {
        for takeover in [false, true] {
            let mut compressor = Compressor::new(15, level, Compressor::MEM_LEVEL);
            let mut size = 0;
            report(&format!("compress, level {level}, takeover {takeover}"), || {
                out.clear();
                compressor.compress_message(black_box(&json), &mut out, takeover);
                size = out.len();
            });
            println!("{size:>52} bytes");
        }
    }
    for level in [1, 3] {
        let mut compressed = BytesMut::new();
        Compressor::new(15, level, 8).compress_message(&json, &mut compressed, false);
        let mut inflater = Inflater::new();
        report(&format!("inflate what level {level} made"), || {
            out.clear();
            inflater
                .inflate_message(black_box(&compressed), &mut out, 1 << 20, None)
                .expect("our own message");
        });
        let mut window = Window::new(15);
        report(&format!("inflate what level {level} made, with a window"), || {
            out.clear();
            let window = Some(&mut window);
            inflater
                .inflate_message(black_box(&compressed), &mut out, 1 << 20, window)
                .expect("our own message");
        });
        assert_eq!(out, json);
    }
}

fn report(what: &str, mut one: impl FnMut()) {
    let mut rounds: Vec<f64> = (0..31)
        .map(|_| {
            let start = Instant::now();
            (0..2000).for_each(|_| one());
            start.elapsed().as_secs_f64() * 1e6 / 2000.0
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{what:45} {:6.2} µs", rounds[15]);
}
