//! An allocator that counts for two threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose allocations are counted.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Client,
    Relay,
}

/// Counts what the calling thread allocates from now on.
pub(crate) fn on(side: Side) {
    SIDE.set(Some(side));
}

/// The allocations of client and relay so far.
pub(crate) fn both() -> [u64; 2] {
    [&COUNTS[Side::Client as usize], &COUNTS[Side::Relay as usize]].map(|count| count.load(Ordering::Relaxed))
}

struct Counting;

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(place, layout, size) }
    }
}

fn note() {
    if let Ok(Some(side)) = SIDE.try_with(Cell::get) {
        COUNTS[side as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
static COUNTS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

thread_local! {
    static SIDE: Cell<Option<Side>> = const { Cell::new(None) };
}
