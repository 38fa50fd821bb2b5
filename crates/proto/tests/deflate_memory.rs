//! What the codecs of permessage-deflate allocate, counted by the allocator.

use bytes::BytesMut;
use testkit::counting::{Counting, calls, count};
use tidewire_proto::deflate::{Compressor, Inflater, Window};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that what `make` makes still holds.
fn held<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let (value, count) = count(make);
    (usize::try_from(count.kept).expect("no less than before"), value)
}

/// The footprints cover what is allocated and are at most 8 KiB above; and no message allocates beyond its output.
#[test]
fn footprints_and_allocations() {
    let (bytes, mut inflater) = held(Inflater::new);
    assert!((Inflater::FOOTPRINT - 8192..=Inflater::FOOTPRINT).contains(&bytes), "an inflater holds {bytes}");

    for bits in 8..=15 {
        for mem_level in 1..=9 {
            let (bytes, compressor) = held(|| Compressor::new(bits, 1, mem_level));
            let footprint = compressor.pinned();
            assert!(
                (footprint - 8192..=footprint).contains(&bytes),
                "bits {bits}, memory {mem_level}: {bytes}"
            );
        }
        let mut window = Window::new(bits);
        let (bytes, ()) = held(|| {
            let mut out = BytesMut::new();
            for length in [10, 100, 1000, 100_000, 5] {
                let mut compressed = BytesMut::new();
                Compressor::new(15, 1, 1).compress_message(&vec![b'a'; length], &mut compressed, false);
                inflater.inflate_message(&compressed, &mut out, 1 << 20, Some(&mut window)).expect("our own");
            }
        });
        assert_eq!(bytes, Window::footprint(bits), "a full window of {bits} bits");
        assert_eq!(bytes, window.pinned());
    }

    let message: Vec<u8> = (0..1024u32).map(|at| (at * at).to_le_bytes()[1] % 50).collect();
    for (level, takeover) in [(1, false), (1, true), (3, false), (9, true)] {
        let mut compressor = Compressor::new(15, level, Compressor::MEM_LEVEL);
        let (mut compressed, mut plain) = (BytesMut::with_capacity(4096), BytesMut::with_capacity(8192));
        let mut window = takeover.then(|| Window::new(15));
        let mut round = || {
            compressed.clear();
            plain.clear();
            compressor.compress_message(&message, &mut compressed, takeover);
            inflater.inflate_message(&compressed, &mut plain, 1 << 20, window.as_mut()).expect("our own");
            assert_eq!(plain, message);
        };
        (0..40).for_each(|_| round());
        let before = calls();
        (0..40).for_each(|_| round());
        assert_eq!(calls(), before, "level {level}, takeover {takeover}");
    }
}
