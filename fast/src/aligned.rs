//! Buffers whose first element starts a cache line, so that no vector of a panel straddles two.

use std::cell::RefCell;

thread_local! {
    /// Memory that buffers of this thread have given back: jobs come in thousands, and what the
    /// system hands out anew costs a fault for every page.
    static SPARE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers that a thread keeps.
const MOST: usize = 6;

/// A cache line, and the widest vector register.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// A buffer of plain numbers.
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

/// Numbers that may have any bits.
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
    /// `len` numbers of any value: whoever reads one has written it.
    pub(crate) fn any(len: usize) -> Self {
        let wanted = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        let spare = |spare: &RefCell<Vec<Vec<Line>>>| {
            let mut spare = spare.borrow_mut();
            let place = spare.iter().position(|lines| lines.len() >= wanted)?;
            Some(spare.swap_remove(place))
        };
        let lines = match wanted {
            0 => None,
            _ => SPARE.try_with(spare).ok().flatten(),
        };
        Self {
            lines: lines.unwrap_or_else(|| vec![Line([0; 8]); wanted]),
            len,
            element: std::marker::PhantomData,
        }
    }
}

impl<T> Drop for Aligned<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        // A thread that ends keeps nothing.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            spare.push(lines);
            if spare.len() > MOST {
                let smallest = (0..MOST).min_by_key(|&i| spare[i].len());
                spare.swap_remove(smallest.unwrap_or(0));
            }
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_again_where_it_fits() {
        let first = Aligned::<f32>::any(1000);
        let memory = first.as_ptr();
        drop(first);
        assert!(Aligned::<f64>::any(0).is_empty());
        let larger = Aligned::<f32>::any(2000);
        assert_ne!(larger.as_ptr(), memory);
        let again = Aligned::<f64>::any(500);
        assert_eq!((again.as_ptr().cast(), again.len()), (memory, 500));
        let many: Vec<_> = (1..20).map(Aligned::<i32>::any).collect();
        assert!(many.iter().all(|buffer| buffer.as_ptr().cast() != memory));
        drop(many);
        SPARE.with_borrow(|spare| assert_eq!(spare.len(), MOST));
    }
}
