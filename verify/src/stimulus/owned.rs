//! A job with its arrays, so that it can be kept, shrunk and written down.

use ndarray::{Array1, Array2, Axis, Slice};
use quaver_contract::{
    Accumulator, BlockScales, Conversion, CoreBlocks, CoreConfig, Format, Job, Scale,
};

/// The scale of an [`OwnedJob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedScale {
    /// No scale.
    None,
    /// One for the whole result, as binary32 bits.
    Tensor(u32),
    /// One per column, as binary32 bits.
    PerColumn(Array1<u32>),
}

/// [`BlockScales`], owning what those borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedBlocks {
    /// Terms of K that share a scale.
    pub length: usize,
    /// Format of the scales.
    pub format: &'static Format,
    /// Rows of A that share a scale.
    pub rows: usize,
    /// Columns of B that share a scale.
    pub cols: usize,
    /// Scales of A, shape `(ceil(M / rows), ceil(K / length))`.
    pub a: Array2<u32>,
    /// Scales of B, shape `(ceil(K / length), ceil(N / cols))`.
    pub b: Array2<u32>,
}

impl OwnedBlocks {
    fn view(&self) -> BlockScales<'_> {
        BlockScales {
            length: self.length,
            format: self.format,
            rows: self.rows,
            cols: self.cols,
            a: self.a.view(),
            b: self.b.view(),
        }
    }

    /// The same blocks with scales of 1.
    #[must_use]
    pub fn ones(&self) -> Self {
        let format = self.format;
        // The field of 2^0.
        let one = format.bias.cast_unsigned() << format.fraction_bits;
        Self {
            a: self.a.mapv(|_| one),
            b: self.b.mapv(|_| one),
            ..self.clone()
        }
    }

    /// Scales for what the range leaves of an axis: as many as its blocks are, from the block on in
    /// which the range begins.
    fn cut(&self, dimension: Dimension, start: usize, end: usize) -> Self {
        let of = |scales: &Array2<u32>, axis, block: usize| {
            let first = start / block;
            let range = Slice::from(first..first + (end - start).div_ceil(block));
            scales.slice_axis(Axis(axis), range).to_owned()
        };
        let mut blocks = self.clone();
        match dimension {
            Dimension::M => blocks.a = of(&self.a, 0, self.rows),
            Dimension::N => blocks.b = of(&self.b, 1, self.cols),
            Dimension::K => {
                blocks.a = of(&self.a, 1, self.length);
                blocks.b = of(&self.b, 0, self.length);
            }
        }
        blocks
    }
}

/// [`Job`], owning what that borrows.
#[derive(Clone, Debug)]
pub struct OwnedJob {
    /// Codes of A, shape `(M, K)`.
    pub a: Array2<u8>,
    /// Codes of B, shape `(K, N)`.
    pub b: Array2<u8>,
    /// Format of A's codes.
    pub format_a: &'static Format,
    /// Format of B's codes.
    pub format_b: &'static Format,
    /// How products are added.
    pub accumulator: Accumulator,
    /// Initial values, shape `(M, N)`.
    pub init: Option<Array2<u32>>,
    /// Scales of the operands' blocks.
    pub blocks: Option<OwnedBlocks>,
    /// Factor of the sum.
    pub scale: OwnedScale,
    /// Biases, shape `(N,)`.
    pub bias: Option<Array1<u32>>,
    /// Whether negative results become +0.
    pub relu: bool,
    /// Output format and policy.
    pub output: Conversion,
}

/// An axis of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Rows of A.
    M,
    /// Columns of B.
    N,
    /// The axis that is summed over.
    K,
}

impl OwnedJob {
    /// The job without an epilogue, its sums starting from +0.
    pub fn plain(
        (format_a, a): (&'static Format, Array2<u8>),
        (format_b, b): (&'static Format, Array2<u8>),
        accumulator: Accumulator,
        output: Conversion,
    ) -> Self {
        Self {
            a,
            b,
            format_a,
            format_b,
            accumulator,
            init: None,
            blocks: None,
            scale: OwnedScale::None,
            bias: None,
            relu: false,
            output,
        }
    }

    /// The job as the core takes it: with scales of 1 where the core wants scales of blocks and
    /// the job has none.
    #[must_use]
    pub fn on(mut self, config: &CoreConfig) -> Self {
        if self.blocks.is_none()
            && let Some(CoreBlocks { format, length }) = config.block_scales
        {
            let [m, n, k] = [Dimension::M, Dimension::N, Dimension::K].map(|d| self.length(d));
            let blocks = OwnedBlocks {
                length,
                format,
                rows: 1,
                cols: 1,
                a: Array2::zeros((m, k.div_ceil(length))),
                b: Array2::zeros((k.div_ceil(length), n)),
            };
            self.blocks = Some(blocks.ones());
        }
        self
    }

    /// The view that engines take.
    pub fn job(&self) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.format_a,
            format_b: self.format_b,
            accumulator: self.accumulator,
            init: self.init.as_ref().map(|init| init.view()),
            blocks: self.blocks.as_ref().map(OwnedBlocks::view),
            scale: match &self.scale {
                OwnedScale::None => Scale::None,
                OwnedScale::Tensor(scale) => Scale::Tensor(*scale),
                OwnedScale::PerColumn(scales) => Scale::PerColumn(scales.view()),
            },
            bias: self.bias.as_ref().map(|bias| bias.view()),
            relu: self.relu,
            output: self.output,
        }
    }

    /// Length of an axis.
    pub fn length(&self, dimension: Dimension) -> usize {
        match dimension {
            Dimension::M => self.a.nrows(),
            Dimension::N => self.b.ncols(),
            Dimension::K => self.a.ncols(),
        }
    }

    /// The part of the job that an axis's range `start..end` leaves.
    #[must_use]
    pub fn cut(&self, dimension: Dimension, start: usize, end: usize) -> Self {
        let mut job = self.clone();
        let range = Slice::from(start..end);
        let blocks = self.blocks.as_ref();
        job.blocks = blocks.map(|blocks| blocks.cut(dimension, start, end));
        match dimension {
            Dimension::M => {
                job.a = self.a.slice_axis(Axis(0), range).to_owned();
                job.init = self
                    .init
                    .as_ref()
                    .map(|x| x.slice_axis(Axis(0), range).to_owned());
            }
            Dimension::N => {
                job.b = self.b.slice_axis(Axis(1), range).to_owned();
                job.init = self
                    .init
                    .as_ref()
                    .map(|x| x.slice_axis(Axis(1), range).to_owned());
                job.bias = self
                    .bias
                    .as_ref()
                    .map(|x| x.slice_axis(Axis(0), range).to_owned());
                if let OwnedScale::PerColumn(scales) = &self.scale {
                    let scales = scales.slice_axis(Axis(0), range).to_owned();
                    job.scale = OwnedScale::PerColumn(scales);
                }
            }
            Dimension::K => {
                job.a = self.a.slice_axis(Axis(1), range).to_owned();
                job.b = self.b.slice_axis(Axis(0), range).to_owned();
            }
        }
        job
    }

    /// What the job is, in a line, without its values.
    pub fn describe(&self) -> String {
        let scale = match &self.scale {
            OwnedScale::None => "none".to_owned(),
            OwnedScale::Tensor(scale) => format!("{scale:08x}"),
            OwnedScale::PerColumn(_) => "per column".to_owned(),
        };
        let present = |present| if present { "yes" } else { "none" };
        let output = &self.output;
        let blocks = match &self.blocks {
            None => "none".to_owned(),
            Some(b) => format!("{}:{} x{} x{}", b.format.name, b.length, b.rows, b.cols),
        };
        format!(
            "m={} n={} k={} a={} b={} accumulator={} init={} blocks={blocks} scale={scale} bias={} \
             relu={} \
             output={} rounding={} overflow={} infinity={}",
            self.length(Dimension::M),
            self.length(Dimension::N),
            self.length(Dimension::K),
            self.format_a.name,
            self.format_b.name,
            self.accumulator.name(),
            present(self.init.is_some()),
            present(self.bias.is_some()),
            self.relu,
            output.format.name,
            output.rounding.name(),
            output.overflow.name(),
            output.infinity.name(),
        )
    }
}
