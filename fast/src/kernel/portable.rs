//! Plain Rust that the compiler vectorises for whatever the target has: 4 rows of 8 columns.

/// See [`super::run`]; `ROWS` at most 4, `cols` at most 8.
///
/// # Safety
/// As [`super::run`].
pub(super) unsafe fn tile<const ROWS: usize>(
    k: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    cols: usize,
) {
    // SAFETY: the caller's promise, for the packed panels.
    let (a, b) = unsafe {
        (
            std::slice::from_raw_parts(a, k * ROWS),
            std::slice::from_raw_parts(b, k * 8),
        )
    };
    let mut sums = [[0f32; 8]; ROWS];
    for (row, sum) in sums.iter_mut().enumerate() {
        for (col, sum) in sum.iter_mut().enumerate().take(cols) {
            // SAFETY: inside the caller's tile.
            *sum = unsafe { *c.add(row * stride + col) };
        }
    }
    for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(8)) {
        for (sum, &a) in sums.iter_mut().zip(a) {
            for (sum, &b) in sum.iter_mut().zip(b) {
                // The product is exact, so this rounds once.
                *sum += a * b;
            }
        }
    }
    for (row, sum) in sums.iter().enumerate() {
        for (col, &sum) in sum.iter().enumerate().take(cols) {
            // SAFETY: inside the caller's tile.
            unsafe { *c.add(row * stride + col) = sum };
        }
    }
}
