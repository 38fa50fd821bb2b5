//! A global allocator that counts what the current thread asks for.
#![expect(unsafe_code, reason = "a global allocator is unsafe to write; it hands every call to the system's")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Declare it as `#[global_allocator]` in a test binary.
#[derive(Debug)]
pub struct Counting;

/// What a call took from the heap of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Allocations and reallocations.
    pub calls: usize,
    /// Bytes held at the most, above those held before.
    pub peak: usize,
    /// Bytes still held, above those held before; negative where more was given back.
    pub kept: isize,
}

/// Runs `work` and counts.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Count) {
    let (calls, live) = (CALLS.get(), LIVE.get());
    PEAK.set(live);
    let result = work();
    let peak = usize::try_from(PEAK.get() - live).unwrap_or(0);
    (result, Count { calls: CALLS.get() - calls, peak, kept: LIVE.get() - live })
}

/// Allocations and reallocations that the current thread has asked for so far.
pub fn calls() -> usize {
    CALLS.get()
}

/// Bytes that the current thread holds, and the most it held since the last call. What one thread takes and another
/// gives back counts for both.
pub fn held() -> (isize, isize) {
    (LIVE.get(), PEAK.replace(LIVE.get()))
}

fn note(calls: usize, bytes: isize) {
    CALLS.set(CALLS.get() + calls);
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to `System` unchanged; the counters are plain cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, -layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
