//! Large pages for large results: writing to a page for the first time costs a fault, which a page of
//! 4 KiB has for every 1024 values.

/// Asks the system for large pages of memory that has not been written yet. It may not have them.
#[cfg(target_os = "linux")]
pub(crate) fn ask<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
    /// The size of large pages on x86-64, and most often on AArch64.
    const SIZE: usize = 2 << 20;
    let bytes = size_of_val(memory);
    let start = memory.as_mut_ptr().cast::<u8>();
    let before = start.align_offset(SIZE);
    if let Some(whole @ 1..) = bytes.checked_sub(before).map(|rest| rest / SIZE * SIZE) {
        // SAFETY: the range is inside `memory`, and the advice changes no byte of it. When it is
        // not taken, nothing is lost.
        unsafe { libc::madvise(start.add(before).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

/// Other systems decide on their own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask<T>(_: &mut [std::mem::MaybeUninit<T>]) {}
