//! FP32 sums of one order, on every machine and any number of threads.

use ndarray::{Array2, ArrayD, ArrayView2, Axis, RemoveAxis as _};
use quaver_fast::Loop;
use rayon::prelude::*;

use crate::graph::spread;

/// Rows that one thread takes at least.
const ROWS: usize = 32;

/// `sums[n] = sums[n] + row[k] * b[k][n]` for k from 0.
struct Row<'a> {
    row: &'a [f32],
    b: &'a [f32],
    sums: &'a mut [f32],
}

impl Loop for Row<'_> {
    #[inline(always)]
    fn run(self) {
        let length = self.sums.len();
        for (&factor, line) in self.row.iter().zip(self.b.chunks_exact(length)) {
            for (sum, &value) in self.sums.iter_mut().zip(line) {
                *sum += factor * value;
            }
        }
    }
}

/// `A * B`. A sum starts from +0 and takes its products, each rounded to binary32, in ascending k, each
/// addition rounded.
pub(super) fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut result = Array2::zeros((a.nrows(), b.ncols()));
    if result.is_empty() || a.ncols() == 0 {
        return result;
    }
    let (a, b) = (a.as_standard_layout(), b.as_standard_layout());
    let slices = a.as_slice().zip(b.as_slice());
    let (a_slice, b_slice) = slices.expect("standard layout");
    let lines = result.as_slice_mut().expect("C order");
    let lines = lines.par_chunks_exact_mut(b.ncols()).with_min_len(ROWS);
    let rows = a_slice.par_chunks_exact(a.ncols());
    lines.zip(rows).for_each(|(sums, row)| {
        spread::vectorised(Row {
            row,
            b: b_slice,
            sums,
        });
    });
    result
}

/// The sum along an axis, which goes, in ascending order.
pub(super) fn sum(values: &ArrayD<f32>, axis: usize) -> ArrayD<f32> {
    let axis = Axis(axis);
    let mut total = ArrayD::zeros(values.raw_dim().remove_axis(axis));
    for part in values.axis_iter(axis) {
        total += &part;
    }
    total
}

/// The gradient of a tensor of that shape from that of what it was broadcast to.
pub(super) fn reduced(gradient: &ArrayD<f32>, shape: &[usize]) -> ArrayD<f32> {
    let mut result = gradient.clone();
    while result.ndim() > shape.len() {
        result = sum(&result, 0);
    }
    for (axis, &length) in shape.iter().enumerate() {
        if length == 1 && result.shape()[axis] != 1 {
            result = sum(&result, axis).insert_axis(Axis(axis));
        }
    }
    result
}
