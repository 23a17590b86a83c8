//! An allocator that counts, for tests of how much memory an input can ask for.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes that this thread holds: what it allocated less what it freed.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most of them since [`peak`] began.
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted by thread: `#[global_allocator] static A: Counting = Counting;`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// Counts bytes that come, or go. The compiler's limit of a layout is `isize::MAX`.
fn count(bytes: usize, sign: isize) {
    let held = HELD.get() + sign * bytes.cast_signed();
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: every method hands its arguments to the system's allocator, and its answer back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may exist for a moment.
        count(size, 1);
        count(layout.size(), -1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work`: its result, and the most bytes that this thread held in it beyond what it held before.
/// Without [`Counting`] as the allocator that is 0.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let result = work();
    (result, (MOST.get() - before).cast_unsigned())
}
