//! Random jobs of every kind.

use ndarray::{Array1, Array2, ArrayView2, s};
use quaver_contract::accumulator::AccumulatorRow;
use quaver_contract::formats::{E8M0FNU, FP32};
use quaver_contract::{Accumulator, BlockScale, BlockScales, Conversion, Format, Formats, Job};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough for stimulus.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What codes an operand is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values {
    /// Any code, NaN and infinity included.
    Any,
    /// Finite codes.
    Finite,
    /// Small magnitudes and zeros.
    Subnormal,
    /// Mostly small, now and then the largest.
    OneHuge,
    /// Finite, and about one code of 500 that may be NaN or infinity.
    RareSpecial,
    /// Finite; every second product is the negative of the one before.
    Cancelling,
    /// Zeros of both signs, now and then a small number.
    Zeros,
}

pub(crate) const VALUES: &[Values] = &[
    Values::Any,
    Values::Finite,
    Values::Subnormal,
    Values::OneHuge,
    Values::RareSpecial,
    Values::Cancelling,
    Values::Zeros,
];

pub(crate) fn code(random: &mut Random, format: &Format, values: Values) -> u8 {
    let any = |random: &mut Random| random.next() as u32 & format.code_mask();
    let finite = |random: &mut Random| loop {
        let code = any(random);
        if f32::from_bits(quaver_golden::to_fp32(code, format)).is_finite() {
            return code;
        }
    };
    let small = |random: &mut Random, limit: usize| {
        let sign = random.next() as u32 & format.sign_mask();
        let code = random.below(limit) as u32 | sign;
        if Some(code) == format.nan_code() {
            0
        } else {
            code
        }
    };
    let subnormals = 1 << format.fraction_bits.min(3);
    let code = match values {
        Values::Any => any(random),
        Values::RareSpecial if random.below(500) == 0 => any(random),
        Values::Finite | Values::RareSpecial | Values::Cancelling => finite(random),
        Values::OneHuge if random.below(16) == 0 => format.max_code(),
        Values::Subnormal | Values::OneHuge => small(random, subnormals),
        Values::Zeros if random.below(16) == 0 => small(random, subnormals),
        Values::Zeros => small(random, 1),
    };
    code as u8
}

fn fp32(random: &mut Random) -> u32 {
    match random.below(12) {
        0 => 0,
        1 => 0x8000_0000,
        2 => random.next() as u32,
        3 => random.next() as u32 & 0x807f_ffff,
        _ => (random.next() as f32 / u64::MAX as f32 - 0.5).to_bits(),
    }
}

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    Rows,
    Transposed,
    Strided,
    Reversed,
}

pub(crate) const LAYOUTS: &[Layout] = &[
    Layout::Rows,
    Layout::Transposed,
    Layout::Strided,
    Layout::Reversed,
];

/// An operand that owns its codes.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    format: &'static Format,
    layout: Layout,
    /// As they lie in memory.
    stored: Array2<u8>,
}

impl Operand {
    fn new(format: &'static Format, layout: Layout, codes: &ArrayView2<'_, u8>) -> Self {
        let (rows, cols) = codes.dim();
        let shape = match layout {
            Layout::Rows | Layout::Reversed => (rows, cols),
            Layout::Transposed => (cols, rows),
            Layout::Strided => (2 * rows, 3 * cols),
        };
        // What lies between the codes must not matter.
        let mut stored = Array2::from_elem(shape, 0xff);
        match layout {
            Layout::Rows => stored.assign(codes),
            Layout::Transposed => stored.assign(&codes.t()),
            Layout::Strided => stored.slice_mut(s![..;2, ..;3]).assign(codes),
            Layout::Reversed => stored.slice_mut(s![..;-1, ..;-1]).assign(codes),
        }
        Self {
            format,
            layout,
            stored,
        }
    }

    pub(crate) fn view(&self) -> ArrayView2<'_, u8> {
        match self.layout {
            Layout::Rows => self.stored.view(),
            Layout::Transposed => self.stored.t(),
            Layout::Strided => self.stored.slice(s![..;2, ..;3]),
            Layout::Reversed => self.stored.slice(s![..;-1, ..;-1]),
        }
    }

    fn with(&self, codes: &ArrayView2<'_, u8>) -> Self {
        Self::new(self.format, self.layout, codes)
    }
}

/// Scales of blocks that own their codes.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    pub(crate) format: &'static Format,
    pub(crate) length: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    a: Array2<u32>,
    b: Array2<u32>,
}

/// Which elements share a scale, and in which format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocking {
    pub(crate) scale: BlockScale,
    pub(crate) length: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

impl Blocks {
    pub(crate) fn new(
        random: &mut Random,
        blocking: Blocking,
        (m, n, k): (usize, usize, usize),
    ) -> Self {
        let Blocking {
            scale,
            length,
            rows,
            cols,
        } = blocking;
        let format = scale.format();
        let any = random.below(3) == 0;
        let mut code = |_| match () {
            () if format == FP32 => fp32(random),
            () if any => random.next() as u32 & format.code_mask(),
            // Powers of two that quantisers choose; the least is that of a block of zeros.
            () if format == E8M0FNU && random.below(40) == 0 => 0,
            () if format == E8M0FNU => 117 + random.below(20) as u32,
            () => random.below(0x7f) as u32,
        };
        let blocks = k.div_ceil(length);
        let a = Array2::from_shape_fn((m.div_ceil(rows), blocks), |_| code(()));
        let b = Array2::from_shape_fn((blocks, n.div_ceil(cols)), |_| code(()));
        Self {
            format,
            length,
            rows,
            cols,
            a,
            b,
        }
    }

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
}

#[derive(Clone, Debug)]
pub(crate) enum Scale {
    None,
    Tensor(u32),
    PerColumn(Array1<u32>),
}

/// A job that owns its operands.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) a: Operand,
    pub(crate) b: Operand,
    pub(crate) accumulator: Accumulator,
    pub(crate) init: Option<Array2<u32>>,
    pub(crate) blocks: Option<Blocks>,
    pub(crate) scale: Scale,
    pub(crate) bias: Option<Array1<u32>>,
    pub(crate) relu: bool,
    pub(crate) output: Conversion,
}

/// One of the three dimensions of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dimension {
    M,
    N,
    K,
}

impl Case {
    /// Random operands and a random epilogue; no scales of blocks.
    pub(crate) fn new(
        random: &mut Random,
        (m, n, k): (usize, usize, usize),
        formats: (&'static Format, &'static Format),
        values: Values,
        row: &AccumulatorRow,
        output: Conversion,
    ) -> Self {
        let mut a = Array2::from_shape_fn((m, k), |_| code(random, formats.0, values));
        let mut b = Array2::from_shape_fn((k, n), |_| code(random, formats.1, values));
        if matches!(values, Values::Cancelling) {
            for odd in (1..k).step_by(2) {
                let sign = formats.0.sign_mask() as u8;
                for m in 0..m {
                    a[(m, odd)] = a[(m, odd - 1)] ^ sign;
                }
                for n in 0..n {
                    b[(odd, n)] = b[(odd - 1, n)];
                }
            }
        }
        Self {
            a: Operand::new(formats.0, Layout::Rows, &a.view()),
            b: Operand::new(formats.1, Layout::Rows, &b.view()),
            accumulator: row.accumulator,
            init: (random.below(2) == 0).then(|| Array2::from_shape_fn((m, n), |_| fp32(random))),
            blocks: None,
            scale: match random.below(3) {
                0 => Scale::None,
                1 => Scale::Tensor(fp32(random)),
                _ => Scale::PerColumn(Array1::from_shape_fn(n, |_| fp32(random))),
            },
            bias: (random.below(2) == 0).then(|| Array1::from_shape_fn(n, |_| fp32(random))),
            relu: random.below(4) == 0,
            output,
        }
    }

    /// The same numbers, lying otherwise in memory.
    pub(crate) fn laid_out(mut self, a: Layout, b: Layout) -> Self {
        self.a = Operand::new(self.a.format, a, &self.a.view());
        self.b = Operand::new(self.b.format, b, &self.b.view());
        self
    }

    /// The same with scales of blocks.
    pub(crate) fn scaled(mut self, random: &mut Random, blocking: Blocking) -> Self {
        let (m, n, k) = self.shape();
        self.blocks = Some(Blocks::new(random, blocking, (m, n, k)));
        self
    }

    /// M, N and K.
    pub(crate) fn shape(&self) -> (usize, usize, usize) {
        let (a, b) = (self.a.view(), self.b.view());
        (a.nrows(), b.ncols(), a.ncols())
    }

    pub(crate) fn job(&self) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.a.format,
            format_b: self.b.format,
            accumulator: self.accumulator,
            init: self.init.as_ref().map(|init| init.view()),
            blocks: self.blocks.as_ref().map(Blocks::view),
            scale: match &self.scale {
                Scale::None => quaver_contract::Scale::None,
                Scale::Tensor(scale) => quaver_contract::Scale::Tensor(*scale),
                Scale::PerColumn(scales) => quaver_contract::Scale::PerColumn(scales.view()),
            },
            bias: self.bias.as_ref().map(|bias| bias.view()),
            relu: self.relu,
            output: self.output,
        }
    }

    /// The part of the job from `first`, or a little before where blocks begin there, to `last`.
    pub(crate) fn cut(&self, dimension: Dimension, first: usize, last: usize) -> Self {
        let mut case = self.clone();
        let group = self.blocks.as_ref().map_or(1, |blocks| match dimension {
            Dimension::M => blocks.rows,
            Dimension::N => blocks.cols,
            Dimension::K => blocks.length,
        });
        let range = first / group * group..last;
        let groups = first / group..last.div_ceil(group);
        let (a, b) = (self.a.view(), self.b.view());
        match dimension {
            Dimension::M => {
                case.a = self.a.with(&a.slice(s![range.clone(), ..]));
                if let Some(blocks) = &mut case.blocks {
                    blocks.a = blocks.a.slice(s![groups, ..]).to_owned();
                }
            }
            Dimension::K => {
                case.a = self.a.with(&a.slice(s![.., range.clone()]));
                case.b = self.b.with(&b.slice(s![range.clone(), ..]));
                if let Some(blocks) = &mut case.blocks {
                    blocks.a = blocks.a.slice(s![.., groups.clone()]).to_owned();
                    blocks.b = blocks.b.slice(s![groups, ..]).to_owned();
                }
            }
            Dimension::N => {
                case.b = self.b.with(&b.slice(s![.., range.clone()]));
                if let Some(blocks) = &mut case.blocks {
                    blocks.b = blocks.b.slice(s![.., groups]).to_owned();
                }
                let cut = |values: &Array1<u32>| values.slice(s![range.clone()]).to_owned();
                case.bias = case.bias.as_ref().map(cut);
                if let Scale::PerColumn(scales) = &case.scale {
                    case.scale = Scale::PerColumn(cut(scales));
                }
            }
        }
        case.init = self.init.as_ref().map(|init| match dimension {
            Dimension::M => init.slice(s![range.clone(), ..]).to_owned(),
            Dimension::N => init.slice(s![.., range.clone()]).to_owned(),
            Dimension::K => init.clone(),
        });
        case
    }
}

pub(crate) fn operand_formats() -> Vec<&'static Format> {
    let formats = Formats::default();
    formats
        .iter()
        .filter(|format| format.is_operand())
        .collect()
}
