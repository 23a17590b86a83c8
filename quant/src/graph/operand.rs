//! Operands on their way into products: numbers, or codes where one scale is for all of them.

use std::sync::Arc;

use ndarray::{
    Array2, ArrayD, ArrayView, ArrayView1, ArrayView2, ArrayViewD, Axis, Dimension, Ix2, IxDyn,
};

use super::blocks;
use super::scales::{Lines, is_by_columns, scales, single};
use super::spread;
use crate::Error;
use crate::plan::Quantiser;
use crate::scale::Codec;

/// Codes of a whole tensor, in C order, which one scale is for.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) codes: ArrayD<u8>,
    pub(crate) scale: f32,
}

impl Whole {
    /// Of a tensor by a quantiser; `None` where parts of it have scales of their own.
    pub(super) fn new(
        values: &ArrayD<f32>,
        quantiser: &Quantiser,
    ) -> Result<Option<Arc<Self>>, Error> {
        let values = values.as_standard_layout();
        let numbers = values.as_slice().expect("standard layout");
        let Some(scale) = single(numbers, quantiser)? else {
            return Ok(None);
        };
        let codec = Codec::with(&quantiser.conversion)?;
        let mut codes = vec![0; numbers.len()];
        spread::chunks(numbers, &mut codes, |numbers, codes| {
            codec.encode(numbers, scale, codes);
        });
        let codes = ArrayD::from_shape_vec(values.raw_dim(), codes).expect("a code a number");
        Ok(Some(Arc::new(Self { codes, scale })))
    }
}

/// A view of numbers, or of codes with their scale.
#[derive(Clone)]
pub(crate) enum Operand<'a, D: Dimension> {
    Numbers(ArrayView<'a, f32, D>),
    Codes(ArrayView<'a, u8, D>, f32),
}

impl<'a> From<ArrayView2<'a, f32>> for Operand<'a, Ix2> {
    fn from(numbers: ArrayView2<'a, f32>) -> Self {
        Self::Numbers(numbers)
    }
}

/// The same done to a view of either kind.
macro_rules! either {
    ($operand:expr, $view:ident => $result:expr) => {
        match $operand {
            Operand::Numbers($view) => Operand::Numbers($result),
            Operand::Codes($view, scale) => Operand::Codes($result, scale.to_owned()),
        }
    };
}

impl<'a> Operand<'a, IxDyn> {
    /// A tensor: its codes, if there are some.
    pub(crate) fn of(numbers: ArrayViewD<'a, f32>, whole: Option<&'a Arc<Whole>>) -> Self {
        match whole {
            None => Self::Numbers(numbers),
            Some(whole) => Self::Codes(whole.codes.view(), whole.scale),
        }
    }

    /// With an axis of length 1 at that place.
    pub(crate) fn with_axis(self, axis: usize) -> Self {
        either!(self, view => view.insert_axis(Axis(axis)))
    }

    /// Elements repeated along axes of length 1 and new axes before the first.
    ///
    /// # Panics
    /// When the shape is not one to which it broadcasts.
    pub(crate) fn broadcast<'b>(&'b self, shape: &[usize]) -> Operand<'b, IxDyn> {
        const WHY: &str = "the caller saw that the shapes broadcast";
        either!(self, view => view.broadcast(shape).expect(WHY))
    }

    /// The matrix of the last two axes at that place of those before.
    ///
    /// # Panics
    /// When the place is not there, or other than two axes are left.
    pub(crate) fn matrix(&self, place: &[usize]) -> Operand<'_, Ix2> {
        fn at<'a, T>(mut view: ArrayViewD<'a, T>, place: &[usize]) -> ArrayView2<'a, T> {
            for &i in place {
                view.index_axis_inplace(Axis(0), i);
            }
            view.into_dimensionality().expect("two axes are left")
        }
        either!(self, view => at(view.view(), place))
    }

    /// The same elements as a matrix; they have to be in C order, as codes are.
    ///
    /// # Panics
    /// When they are not, or do not fill it.
    pub(crate) fn rows(self, rows: usize, length: usize) -> Operand<'a, Ix2> {
        const WHY: &str = "rows of elements in C order";
        either!(self, view => view.into_shape_with_order((rows, length)).expect(WHY))
    }
}

impl<'a> Operand<'a, Ix2> {
    /// With rows as columns.
    pub(crate) fn transposed(self) -> Self {
        either!(self, view => view.reversed_axes())
    }

    /// Whether it is stored column by column, and not row by row.
    pub(super) fn is_by_columns(&self) -> bool {
        match self {
            Self::Numbers(view) => is_by_columns(view),
            Self::Codes(view, _) => is_by_columns(view),
        }
    }

    /// Some of the rows.
    pub(crate) fn some_rows(&self, range: std::ops::Range<usize>) -> Operand<'_, Ix2> {
        either!(self, view => view.slice(ndarray::s![range, ..]))
    }

    /// The numbers.
    ///
    /// # Panics
    /// For codes, which a layer on the host has none of.
    pub(super) fn numbers(&self) -> ArrayView2<'_, f32> {
        match self {
            Self::Numbers(view) => view.view(),
            Self::Codes(..) => unreachable!("a layer on the host has no codes"),
        }
    }

    /// Codes for a job. `channel` is the first of a weight's columns among those of a static plan.
    pub(super) fn codes(
        &self,
        quantiser: &Quantiser,
        lines: Lines,
        channel: usize,
    ) -> Result<JobCodes<'_>, Error> {
        match self {
            Self::Numbers(view) => {
                quantise(view.view(), quantiser, lines, channel).map(JobCodes::Made)
            }
            Self::Codes(view, scale) => Ok(JobCodes::Part(view.view(), *scale)),
        }
    }
}

/// A product of a node: `D[M,N] = A[M,K] * B[K,N] + bias[N]`.
pub(crate) struct Operands<'a> {
    pub(crate) a: Operand<'a, Ix2>,
    pub(crate) b: Operand<'a, Ix2>,
    pub(crate) bias: Option<ArrayView1<'a, f32>>,
    /// Its place among the node's products.
    pub(crate) index: usize,
    /// The first of B's columns among the node's output channels.
    pub(crate) channel: usize,
    /// Whether B is a constant of the model.
    pub(crate) constant: bool,
}

/// Codes of a matrix, and what each line of it was divided by: one scale, or one a line.
pub(super) struct Codes {
    pub(super) codes: Array2<u8>,
    pub(super) scales: Vec<f32>,
    /// Codes of the scales of its blocks.
    pub(super) blocks: Option<Array2<u32>>,
}

/// Codes that a job borrows, or that were made for it.
pub(super) enum JobCodes<'a> {
    /// A part of a tensor with one scale.
    Part(ArrayView2<'a, u8>, f32),
    /// Those that were kept.
    Kept(&'a Codes),
    /// Made for the job.
    Made(Codes),
}

impl JobCodes<'_> {
    pub(super) fn view(&self) -> ArrayView2<'_, u8> {
        match self {
            Self::Part(codes, _) => codes.view(),
            Self::Kept(codes) => codes.codes.view(),
            Self::Made(codes) => codes.codes.view(),
        }
    }

    pub(super) fn scales(&self) -> &[f32] {
        match self {
            Self::Part(_, scale) => std::slice::from_ref(scale),
            Self::Kept(codes) => &codes.scales,
            Self::Made(codes) => &codes.scales,
        }
    }

    pub(super) fn blocks(&self) -> Option<&Array2<u32>> {
        match self {
            Self::Part(..) => None,
            Self::Kept(codes) => codes.blocks.as_ref(),
            Self::Made(codes) => codes.blocks.as_ref(),
        }
    }

    /// With memory of their own: stored by rows, or as they are.
    pub(super) fn own(self, by_rows: bool) -> Codes {
        match self {
            Self::Made(codes) => codes,
            other => Codes {
                codes: match by_rows {
                    true => other.view().as_standard_layout().into_owned(),
                    false => other.view().to_owned(),
                },
                scales: other.scales().to_vec(),
                blocks: other.blocks().cloned(),
            },
        }
    }
}

fn quantise(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    lines: Lines,
    channel: usize,
) -> Result<Codes, Error> {
    if let Some(blocks) = blocks::of(quantiser) {
        return blocks::codes(values, quantiser, blocks, lines);
    }
    let codec = Codec::with(&quantiser.conversion)?;
    let scales = scales(values, quantiser, lines, channel)?;
    let codes = match is_by_columns(&values) {
        true => encode(values.reversed_axes(), &codec, &scales, lines.turned()).reversed_axes(),
        false => encode(values, &codec, &scales, lines),
    };
    Ok(Codes {
        codes,
        scales,
        blocks: None,
    })
}

/// Codes of numbers, stored by rows.
fn encode(values: ArrayView2<'_, f32>, codec: &Codec, scales: &[f32], lines: Lines) -> Array2<u8> {
    let (rows, columns) = values.dim();
    let values = values.as_standard_layout();
    let numbers = values.as_slice().expect("standard layout");
    let mut codes = vec![0; numbers.len()];
    let length = columns.max(1);
    match (scales, lines) {
        (&[scale], _) => spread::chunks(numbers, &mut codes, |numbers, codes| {
            codec.encode(numbers, scale, codes);
        }),
        (each, lines) => {
            let rows = numbers
                .chunks_exact(length)
                .zip(codes.chunks_exact_mut(length));
            for (row, (numbers, codes)) in rows.enumerate() {
                match lines {
                    Lines::Rows => codec.encode(numbers, each[row], codes),
                    Lines::Columns => codec.encode_each(numbers, each, codes),
                }
            }
        }
    }
    Array2::from_shape_vec((rows, columns), codes).expect("a code a number")
}
