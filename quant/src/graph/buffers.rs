//! Memory of values that nothing needs any more, for those that come: what the operating system has
//! handed out once is not asked for again.

use crate::Tensor;

/// Fewer numbers than this are not worth keeping.
const SMALLEST: usize = 1 << 14;
/// Buffers that are kept.
const MOST: usize = 8;

/// Buffers of FP32 numbers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Vec<Vec<f32>>,
}

impl Buffers {
    /// So many numbers, of any value.
    pub(crate) fn take(&mut self, length: usize) -> Vec<f32> {
        let fits = |buffer: &Vec<f32>| (length..=length.saturating_mul(4)).contains(&buffer.len());
        match self.free.iter().position(fits) {
            Some(place) => {
                let mut buffer = self.free.swap_remove(place);
                buffer.truncate(length);
                buffer
            }
            None => vec![0.0; length],
        }
    }

    /// Keeps the memory of a value, if it is worth it.
    pub(crate) fn give(&mut self, tensor: Tensor) {
        let Tensor::Float(values) = tensor else {
            return;
        };
        let (buffer, _) = values.into_raw_vec_and_offset();
        if buffer.len() < SMALLEST {
            return;
        }
        self.free.push(buffer);
        if self.free.len() > MOST {
            let smallest = (0..self.free.len()).min_by_key(|&i| self.free[i].len());
            self.free.swap_remove(smallest.unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};

    #[test]
    fn memory_comes_again_where_it_fits() {
        let mut buffers = Buffers::default();
        let value = ArrayD::from_elem(IxDyn(&[2 * SMALLEST]), 1.0f32);
        let memory = value.as_ptr();
        buffers.give(Tensor::Float(value));
        assert_eq!(buffers.take(8).len(), 8);
        assert_eq!(buffers.take(4 * SMALLEST), vec![0.0; 4 * SMALLEST]);
        let again = buffers.take(SMALLEST);
        assert_eq!((again.len(), again.as_ptr()), (SMALLEST, memory));
        for length in 1..20 {
            let value = ArrayD::from_elem(IxDyn(&[length * SMALLEST]), 0.0f32);
            buffers.give(Tensor::Float(value));
        }
        assert_eq!(buffers.free.len(), MOST);
    }
}
