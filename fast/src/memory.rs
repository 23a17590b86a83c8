//! What is asked of the system about memory. It changes no number, and the system may not do it.

/// Asks the allocator to keep what is freed for what comes next, as far as it can be asked (glibc). A model's
/// run frees and allocates the same tens of megabytes over and over, and writing to a page that the system
/// hands out anew costs a fault. For the start of a program: it is a setting of the whole process.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The largest that glibc takes as a threshold.
        const LARGEST: i32 = 32 << 20;
        // SAFETY: settings of the allocator; one that it refuses stays as it was.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TOP_PAD, 2 * LARGEST);
        }
    }
}

/// Asks for large pages of memory that has not been written yet: writing to a page for the first time costs a
/// fault, which a page of 4 KiB has for every 1024 values.
#[cfg(target_os = "linux")]
pub(crate) fn ask_large_pages<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
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
pub(crate) fn ask_large_pages<T>(_: &mut [std::mem::MaybeUninit<T>]) {}

/// Asks for values that are read soon; they may be anywhere.
#[inline(always)]
pub(crate) fn prefetch<const COUNT: usize, T>(values: *const T) {
    #[cfg(target_arch = "x86_64")]
    for byte in (0..COUNT * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: an address that is only asked for may be any.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(values.cast::<i8>().wrapping_add(byte)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}
