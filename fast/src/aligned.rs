//! Buffers whose first element starts a cache line, so that no vector of a panel straddles two.

/// A cache line, and the widest vector register.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// A zeroed buffer of plain numbers.
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

/// Numbers that may have any bits and start as zeros.
///
/// # Safety
/// All bit patterns are values, and alignment and size divide those of a line.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: any bits are a number.
unsafe impl Plain for f32 {}
// SAFETY: likewise.
unsafe impl Plain for f64 {}
// SAFETY: likewise.
unsafe impl Plain for i32 {}

impl<T: Plain> Aligned<T> {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        Self {
            lines: vec![Line([0; 8]); lines],
            len,
            element: std::marker::PhantomData,
        }
    }
}

impl<T: Plain> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` elements, and any bits are an element.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> std::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: likewise, and borrowed uniquely.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
