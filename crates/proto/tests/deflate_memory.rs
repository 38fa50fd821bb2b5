//! What the codecs of permessage-deflate allocate, counted by the allocator.
#![expect(unsafe_code, reason = "a global allocator cannot be written without")]

use bytes::BytesMut;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tidewire_proto::deflate::{Compressor, Inflater, Window};

static HELD: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator with what the caller gave.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.load(Relaxed);
    let value = make();
    (HELD.load(Relaxed) - before, value)
}

/// The footprints cover what is allocated and are at most 8 KiB above; and no message allocates beyond its output.
/// One test, because the allocator counts for the whole process.
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
        let before = CALLS.load(Relaxed);
        (0..40).for_each(|_| round());
        assert_eq!(CALLS.load(Relaxed), before, "level {level}, takeover {takeover}");
    }
}
