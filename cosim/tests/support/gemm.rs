//! Random jobs and an obvious reference for them: FP8 products are exact in binary32, so the
//! host's own f32 multiply and add are the `fp32` accumulator, up to the NaN's payload.

use ndarray::{Array1, Array2};
use quaver_contract::{Accumulator, Conversion, Format, Formats, Job, Scale};
use quaver_cosim::Random;

/// What a job owns.
pub(crate) struct OwnedJob {
    pub(crate) a: Array2<u8>,
    pub(crate) b: Array2<u8>,
    pub(crate) format_a: &'static Format,
    pub(crate) format_b: &'static Format,
    pub(crate) init: Option<Array2<u32>>,
    pub(crate) scale: OwnedScale,
    pub(crate) bias: Option<Array1<u32>>,
    pub(crate) relu: bool,
    pub(crate) output: Conversion,
}

pub(crate) enum OwnedScale {
    None,
    Tensor(u32),
    PerColumn(Array1<u32>),
}

pub(crate) fn format(name: &str) -> &'static Format {
    Formats::default().get(name).unwrap()
}

impl OwnedJob {
    /// A job of that shape with everything else at random.
    pub(crate) fn random(m: usize, n: usize, k: usize, random: &mut Random) -> Self {
        let names = ["e4m3fn", "e5m2"];
        let mut operand = || format(names[random.below(2) as usize]);
        let (format_a, format_b) = (operand(), operand());
        let mut codes = |rows, cols, format: &Format| {
            let mut code = || loop {
                let code = random.next_u32() as u8;
                // One special in about two thousand, so that most sums are numbers.
                if decode(code, format).is_finite() || random.below(64) == 0 {
                    return code;
                }
            };
            Array2::from_shape_simple_fn((rows, cols), &mut code)
        };
        let (a, b) = (codes(m, k, format_a), codes(k, n, format_b));
        let mut float = || (random.below(2000) as f32 - 999.5) / 64.0;
        let init = Array2::from_shape_simple_fn((m, n), || float().to_bits());
        let scales = Array1::from_shape_simple_fn(n, || float().to_bits());
        let bias = Array1::from_shape_simple_fn(n, || float().to_bits());
        let tensor = float().to_bits();
        let mut coin = || random.below(2) == 0;
        Self {
            a,
            b,
            format_a,
            format_b,
            init: coin().then_some(init),
            bias: coin().then_some(bias),
            relu: coin(),
            scale: match random.below(3) {
                0 => OwnedScale::None,
                1 => OwnedScale::Tensor(tensor),
                _ => OwnedScale::PerColumn(scales),
            },
            output: Conversion::native(format("fp32")),
        }
    }

    pub(crate) fn job(&self) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.format_a,
            format_b: self.format_b,
            accumulator: Accumulator::Fp32,
            init: self.init.as_ref().map(|x| x.view()),
            blocks: None,
            scale: match &self.scale {
                OwnedScale::None => Scale::None,
                OwnedScale::Tensor(scale) => Scale::Tensor(*scale),
                OwnedScale::PerColumn(scales) => Scale::PerColumn(scales.view()),
            },
            bias: self.bias.as_ref().map(|x| x.view()),
            relu: self.relu,
            output: self.output,
        }
    }

    /// The result in FP32 bits.
    pub(crate) fn expected(&self) -> Array2<u32> {
        let (m, n) = (self.a.nrows(), self.b.ncols());
        Array2::from_shape_fn((m, n), |(row, col)| {
            let init = self.init.as_ref().map_or(0, |x| x[(row, col)]);
            let mut sum = f32::from_bits(init);
            for k in 0..self.a.ncols() {
                let a = decode(self.a[(row, k)], self.format_a);
                let b = decode(self.b[(k, col)], self.format_b);
                sum += a * b;
            }
            match &self.scale {
                OwnedScale::None => {}
                OwnedScale::Tensor(scale) => sum *= f32::from_bits(*scale),
                OwnedScale::PerColumn(scales) => sum *= f32::from_bits(scales[col]),
            }
            if let Some(bias) = &self.bias {
                sum += f32::from_bits(bias[col]);
            }
            if self.relu && sum.is_sign_negative() && !sum.is_nan() {
                sum = 0.0;
            }
            match sum.is_nan() {
                true => 0x7fc0_0000,
                false => sum.to_bits(),
            }
        })
    }

    /// Panics with the first element that differs.
    pub(crate) fn check(&self, values: &Array2<u32>, what: &str) {
        let expected = self.expected();
        assert_eq!(values.dim(), expected.dim(), "{what}");
        for ((at, &value), &expected) in values.indexed_iter().zip(&expected) {
            assert_eq!(
                value,
                expected,
                "{what}: element {at:?} is {value:#010x} ({}), expected {expected:#010x} ({})",
                f32::from_bits(value),
                f32::from_bits(expected)
            );
        }
    }
}

/// The value of a code of the two OCP FP8 formats (OCP OFP8 1.0, table 1).
fn decode(code: u8, format: &Format) -> f32 {
    let sign = if code & 0x80 != 0 { -1.0 } else { 1.0 };
    let (bits, bias, top) = match format.name {
        "e4m3fn" => (3, 7, code & 0x7f == 0x7f),
        "e5m2" => (2, 15, code & 0x7c == 0x7c),
        other => panic!("no reference for {other}"),
    };
    let fraction = f32::from(code & ((1 << bits) - 1)) / f32::from(1u8 << bits);
    let field = i32::from((code & 0x7f) >> bits);
    match (top, field) {
        (true, _) if format.name == "e5m2" && fraction == 0.0 => sign * f32::INFINITY,
        (true, _) => f32::NAN,
        (false, 0) => sign * fraction * 2f32.powi(1 - bias),
        (false, _) => sign * (1.0 + fraction) * 2f32.powi(field - bias),
    }
}
