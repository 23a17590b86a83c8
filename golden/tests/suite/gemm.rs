//! Whole jobs against a chain of host floats, written out as docs/numerics.md has it.

use ndarray::{Array1, Array2};
use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{
    Accumulator, Conversion, Engine, EngineError, Format, Job, JobResult, Rounding, Scale,
};
use quaver_golden::{Golden, convert, to_fp32};

use crate::random::Random;

/// Everything that a job owns; the options as the job has them.
struct Case {
    a: Array2<u8>,
    b: Array2<u8>,
    format_a: &'static Format,
    format_b: &'static Format,
    init: Option<Array2<u32>>,
    tensor_scale: Option<u32>,
    column_scales: Option<Array1<u32>>,
    bias: Option<Array1<u32>>,
    relu: bool,
    output: Conversion,
}

impl Case {
    /// Random codes, all of them when `specials`, else finite ones below the top binade.
    fn random(
        random: &mut Random,
        formats: [&'static Format; 2],
        (m, k, n): (usize, usize, usize),
    ) -> Self {
        let [format_a, format_b] = formats;
        let specials = random.below(4) == 0;
        let mut codes = |shape, format: &Format| {
            Array2::from_shape_simple_fn(shape, || {
                loop {
                    let code = random.word() & format.code_mask();
                    if specials || f32::from_bits(to_fp32(code, format)).is_finite() {
                        return code as u8;
                    }
                }
            })
        };
        let (a, b) = (codes((m, k), format_a), codes((k, n), format_b));
        let mut number = || match random.below(if specials { 12 } else { 8 }) {
            0 => random.word() & 1 << 31,
            8 => random.word(),
            9 => 0x7F80_0000 | random.word() & 1 << 31,
            10 => 0xFF80_0001,
            11 => random.word() & 0x807F_FFFF,
            _ => (random.word() & 1 << 31) | (110 + random.below(30)) << 23 | random.fraction(),
        };
        let init = Array2::from_shape_simple_fn((m, n), &mut number);
        let tensor_scale = number();
        let column_scales = Array1::from_shape_simple_fn(n, &mut number);
        let bias = Array1::from_shape_simple_fn(n, &mut number);
        let outputs: Vec<&Format> = TABLE.iter().collect();
        let rounding = Rounding::ALL[random.below(5) as usize];
        let output = match random.below(3) {
            0 => Conversion::native(outputs[random.below(outputs.len() as u32) as usize])
                .with_rounding(rounding),
            _ => Conversion::native(FP32),
        };
        let scale = random.below(3);
        Self {
            a,
            b,
            format_a,
            format_b,
            init: (random.below(2) == 0).then_some(init),
            tensor_scale: (scale == 1).then_some(tensor_scale),
            column_scales: (scale == 2).then_some(column_scales),
            bias: (random.below(2) == 0).then_some(bias),
            relu: random.below(3) == 0,
            output,
        }
    }

    fn job(&self) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.format_a,
            format_b: self.format_b,
            accumulator: Accumulator::Fp32,
            init: self.init.as_ref().map(|init| init.view()),
            scale: match (&self.column_scales, self.tensor_scale) {
                (Some(scales), _) => Scale::PerColumn(scales.view()),
                (None, Some(scale)) => Scale::Tensor(scale),
                (None, None) => Scale::None,
            },
            bias: self.bias.as_ref().map(|bias| bias.view()),
            relu: self.relu,
            output: self.output,
        }
    }

    /// The element before its conversion, by the host's own floats.
    fn host(&self, row: usize, col: usize) -> f32 {
        let fp32 = |code: u8, format| f32::from_bits(to_fp32(code.into(), format));
        let mut sum = self
            .init
            .as_ref()
            .map_or(0.0, |init| f32::from_bits(init[(row, col)]));
        for k in 0..self.a.ncols() {
            let (a, b) = (
                fp32(self.a[(row, k)], self.format_a),
                fp32(self.b[(k, col)], self.format_b),
            );
            sum = a.mul_add(b, sum);
        }
        if let Some(scales) = &self.column_scales {
            sum *= f32::from_bits(scales[col]);
        } else if let Some(scale) = self.tensor_scale {
            sum *= f32::from_bits(scale);
        }
        if let Some(bias) = &self.bias {
            sum += f32::from_bits(bias[col]);
        }
        if self.relu && !sum.is_nan() && sum.is_sign_negative() {
            sum = 0.0;
        }
        sum
    }
}

fn run(job: &Job<'_>) -> Result<JobResult, EngineError> {
    Golden.run(job)
}

#[test]
fn gemm_all_operand_pairs_vs_host_chain() {
    let mut random = Random::new(0x5EED_0040);
    let (mut pairs, mut elements) = (0, 0u64);
    let (mut nan, mut infinite, mut zero, mut narrow) = (0u64, 0u64, 0u64, 0u64);
    for format_a in TABLE.iter().filter(|format| format.is_operand()) {
        for format_b in TABLE.iter().filter(|format| format.is_operand()) {
            if !format_a.products_fit_fp32(format_b) {
                continue;
            }
            pairs += 1;
            for shape in [
                (1, 1, 1),
                (2, 3, 4),
                (3, 17, 2),
                (4, 64, 5),
                (1, 200, 3),
                (2, 0, 2),
                (3, 5, 1),
            ] {
                let case = Case::random(&mut random, [format_a, format_b], shape);
                let result = run(&case.job()).unwrap();
                assert!(result.counters.is_none());
                assert_eq!(result.values.dim(), (shape.0, shape.2));
                for ((row, col), &actual) in result.values.indexed_iter() {
                    let host = case.host(row, col);
                    let expected = convert(host.to_bits(), FP32, &case.output, 0);
                    assert_eq!(
                        actual, expected,
                        "{} x {} {shape:?} [{row}, {col}] to {}: {actual:x} for {host:e} ({expected:x})",
                        format_a.name, format_b.name, case.output.format.name
                    );
                    nan += u64::from(host.is_nan());
                    infinite += u64::from(host.is_infinite());
                    zero += u64::from(host == 0.0);
                    narrow += u64::from(case.output.format != FP32);
                    elements += 1;
                }
            }
        }
    }
    println!(
        "{pairs} pairs, {elements} elements: {nan} NaN, {infinite} infinite, {zero} zero, {narrow} narrowed"
    );
    assert!(pairs > 0 && elements > 0);
    assert!(nan > 0 && infinite > 0 && zero > 0 && narrow > 0);
}

#[test]
fn gemm_without_terms_is_the_initial_value() {
    let format = &TABLE[0];
    let mut random = Random::new(0x5EED_0041);
    let mut case = Case::random(&mut random, [format, format], (1, 0, 3));
    (case.tensor_scale, case.column_scales, case.bias, case.relu) = (None, None, None, false);
    case.output = Conversion::native(FP32);
    // -0 stays, a NaN becomes canonical, and without init it is +0 (numerics.md, 1.2, 3.3, 3.5).
    case.init = Some(ndarray::arr2(&[[0x8000_0000, 0xFF80_0001, 0x0000_0001]]));
    let values = run(&case.job()).unwrap().values;
    assert_eq!(
        values,
        ndarray::arr2(&[[0x8000_0000, 0x7FC0_0000, 0x0000_0001]])
    );
    case.init = None;
    let values = run(&case.job()).unwrap().values;
    assert_eq!(values, ndarray::arr2(&[[0, 0, 0]]));
    let empty = Case::random(&mut random, [format, format], (0, 4, 2));
    assert_eq!(run(&empty.job()).unwrap().values.dim(), (0, 2));
}

#[test]
fn gemm_illegal_jobs_are_refused() {
    let format = &TABLE[0];
    let mut random = Random::new(0x5EED_0042);
    let mut case = Case::random(&mut random, [format, format], (2, 3, 4));
    case.output = Conversion::native(format).with_rounding(Rounding::Stochastic);
    let error = run(&case.job()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "output rounding = sr is not allowed (a job carries no random bits: rne, rz, ru, rd, rna)"
    );

    case.output = Conversion::native(FP32);
    case.b = Array2::zeros((2, 4));
    let error = run(&case.job()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b rows = 2 is not allowed (the columns of a: 3)"
    );
    assert!(matches!(error, EngineError::Job(_)));
    assert_eq!(Golden.name(), "golden");
}
