//! Whole jobs against a chain of host floats, written out as docs/numerics.md has it.

use ndarray::{Array1, Array2};
use quaver_contract::formats::{FP32, TABLE};
use quaver_contract::{
    Accumulator, BlockScale, BlockScales, Conversion, Engine, EngineError, Format, Job, JobResult,
    Rounding, Scale,
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
    blocks: Option<CaseBlocks>,
    tensor_scale: Option<u32>,
    column_scales: Option<Array1<u32>>,
    bias: Option<Array1<u32>>,
    relu: bool,
    output: Conversion,
}

struct CaseBlocks {
    length: usize,
    format: &'static Format,
    rows: usize,
    cols: usize,
    a: Array2<u32>,
    b: Array2<u32>,
}

impl CaseBlocks {
    /// Any codes when `specials`, else finite ones.
    fn random(
        random: &mut Random,
        specials: bool,
        (m, k, n): (usize, usize, usize),
    ) -> Option<Self> {
        let format = BlockScale::ALL.get(random.below(6) as usize)?.format();
        let mut one_of = |sizes: &[usize]| sizes[random.below(sizes.len() as u32) as usize];
        let length = one_of(&[1, 3, 16, 32, 128]);
        let (rows, cols) = (one_of(&[1, 2, 128]), one_of(&[1, 3, 128]));
        let mut code = || match format.name {
            "fp32" if !specials => ((115 + random.below(24)) << 23) | random.fraction(),
            _ if specials => random.word() & format.code_mask(),
            // Powers around 1, so that sums of some blocks meet.
            "e8m0fnu" => 117 + random.below(20),
            _ => random.below(0x7F),
        };
        let blocks = k.div_ceil(length);
        let a = Array2::from_shape_simple_fn((m.div_ceil(rows), blocks), &mut code);
        let b = Array2::from_shape_simple_fn((blocks, n.div_ceil(cols)), &mut code);
        Some(Self {
            length,
            format,
            rows,
            cols,
            a,
            b,
        })
    }

    /// The factor of a block, which binary64 holds; binary32 scales are multiplied there.
    fn factor(&self, row: usize, col: usize, block: usize) -> f64 {
        let number = |code| f32::from_bits(to_fp32(code, self.format));
        let a = number(self.a[(row / self.rows, block)]);
        let b = number(self.b[(block, col / self.cols)]);
        match self.format.name {
            "fp32" => f64::from(a * b),
            _ => f64::from(a) * f64::from(b),
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
        let blocks = CaseBlocks::random(random, specials, (m, k, n));
        Self {
            a,
            b,
            format_a,
            format_b,
            init: (random.below(2) == 0).then_some(init),
            blocks,
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
            blocks: self.blocks.as_ref().map(CaseBlocks::view),
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
        let chain = |terms: std::ops::Range<usize>, init: f32| {
            terms.fold(init, |sum, k| {
                let a = fp32(self.a[(row, k)], self.format_a);
                a.mul_add(fp32(self.b[(k, col)], self.format_b), sum)
            })
        };
        let terms = self.a.ncols();
        match &self.blocks {
            None => sum = chain(0..terms, sum),
            Some(blocks) => {
                for (block, start) in (0..terms).step_by(blocks.length).enumerate() {
                    let inner = chain(start..terms.min(start + blocks.length), 0.0);
                    // A product of 24 by 24 bits is exact in binary64, so this rounds it once.
                    sum += (blocks.factor(row, col, block) * f64::from(inner)) as f32;
                }
            }
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
    let mut blocks = [0u64; BlockScale::ALL.len()];
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
                for (count, scale) in blocks.iter_mut().zip(BlockScale::ALL) {
                    let scales = case.blocks.as_ref().map(|blocks| blocks.format.name);
                    *count += u64::from(scales == Some(scale.format().name));
                }
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
    println!("jobs with block scales: {blocks:?}");
    assert!(nan > 0 && infinite > 0 && zero > 0 && narrow > 0);
    assert!(blocks.iter().all(|&jobs| jobs > 0));
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

    let mut case = Case::random(&mut random, [format, format], (2, 33, 4));
    case.output = Conversion::native(FP32);
    let ones = |shape| Array2::from_elem(shape, 127);
    let scales = |length, format, a, b| CaseBlocks {
        length,
        format,
        rows: 1,
        cols: 4,
        a: ones(a),
        b: ones(b),
    };
    let e8m0 = BlockScale::SharedExponent.format();
    for (blocks, expected) in [
        (
            scales(0, e8m0, (2, 2), (2, 1)),
            "block scales: length = 0 is not allowed (1 or more)",
        ),
        (
            scales(32, format, (2, 1), (2, 1)),
            "block scales of a: shape = (2, 1) is not allowed ((2, 2))",
        ),
        (
            scales(32, &TABLE[1], (2, 2), (2, 1)),
            "block scales: format = e5m2 is not allowed (e8m0fnu, e4m3fn, fp32)",
        ),
        (
            CaseBlocks {
                b: Array2::from_elem((2, 1), 256),
                ..scales(32, e8m0, (2, 2), (2, 1))
            },
            "block scales of b: code of e8m0fnu = 256 is not allowed (0 to 255)",
        ),
    ] {
        case.blocks = Some(blocks);
        assert_eq!(run(&case.job()).unwrap_err().to_string(), expected);
    }
    assert_eq!(Golden.name(), "golden");
}
