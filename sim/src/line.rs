//! A delay line whose words do not move.

/// The last `length` values pushed, newest first. A push takes constant time: the window over the
/// values moves instead of the values.
#[derive(Clone, Debug)]
pub(crate) struct Line<T> {
    buffer: Vec<T>,
    head: usize,
    length: usize,
}

/// Pushes between two moves of the window back to the buffer's end.
const SLACK: usize = 256;

impl<T: Copy + Default> Line<T> {
    /// A line that is at least one value long, all of them the default.
    pub(crate) fn new(length: usize) -> Self {
        assert!(length > 0, "a line holds at least one value");
        Self {
            buffer: vec![T::default(); length + length.max(SLACK)],
            head: 0,
            length,
        }
    }

    /// Adds a value; the oldest one leaves.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if self.head == 0 {
            let end = self.buffer.len() - self.length;
            self.buffer.copy_within(0..self.length - 1, end + 1);
            self.head = end + 1;
        }
        self.head -= 1;
        self.buffer[self.head] = value;
    }

    /// The values, newest first.
    #[inline]
    pub(crate) fn window(&self) -> &[T] {
        &self.buffer[self.head..self.head + self.length]
    }

    /// The oldest value.
    #[inline]
    pub(crate) fn oldest(&self) -> T {
        self.buffer[self.head + self.length - 1]
    }

    /// Every value becomes the default.
    pub(crate) fn clear(&mut self) {
        self.buffer.fill(T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_vs_a_vector() {
        for length in [1, 2, 7, 300] {
            let mut line = Line::new(length);
            let mut all = vec![0u32; length];
            for value in 1..2000 {
                line.push(value);
                all.insert(0, value);
                assert_eq!(line.window(), &all[..length], "length {length}");
                assert_eq!(line.oldest(), all[length - 1]);
            }
            line.clear();
            assert!(line.window().iter().all(|&v| v == 0));
        }
    }
}
