//! Matrix products on the fast engine against the machine's own sgemm.

use ndarray::Array2;
use quaver_contract::accumulator::TABLE;
use quaver_contract::block::Blocking;
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, BlockScales, Conversion, Engine, Format, Formats, Job, Scale};
use quaver_fast::encode::Encoder;
use quaver_fast::{Fast, Isa};

use crate::{Amount, BenchError, Measurement, Options, pairs, seconds, start_peer, warmed};

const CUBE: (usize, usize, usize) = (1024, 1024, 1024);
/// M, N, K of the shapes on one and two threads.
const SHAPES: &[(usize, usize, usize)] = &[
    CUBE,
    (4096, 4096, 1024),
    (1, 4096, 4096),
    (8, 4096, 4096),
    (32, 4096, 4096),
];

/// A job's operands: finite codes, spread over the format.
struct Operands {
    a: Array2<u8>,
    b: Array2<u8>,
    format: &'static Format,
}

impl Operands {
    fn new((m, n, k): (usize, usize, usize), format: &'static Format) -> Self {
        // A linear congruential generator (Knuth, TAOCP 2, 3.3.4, line 26).
        let mut state = 1u64;
        let mut code = || loop {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let code = (state >> 33) as u32 & format.code_mask();
            if f32::from_bits(quaver_fast::decode::decode(format, code)).is_finite() {
                return code as u8;
            }
        };
        Self {
            a: Array2::from_shape_fn((m, k), |_| code()),
            b: Array2::from_shape_fn((k, n), |_| code()),
            format,
        }
    }

    fn job(&self, accumulator: Accumulator) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.format,
            format_b: self.format,
            accumulator,
            init: None,
            blocks: None,
            scale: Scale::None,
            bias: None,
            relu: false,
            output: Conversion::native(FP32),
        }
    }
}

fn engine(threads: usize) -> Result<Fast, BenchError> {
    Fast::new(threads).map_err(|error| BenchError::Threads(error.to_string()))
}

/// A job of that shape against sgemm.
fn against_sgemm(
    options: &Options,
    name: String,
    (m, n, k): (usize, usize, usize),
    threads: usize,
    job: &Job<'_>,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let mut fast = engine(threads)?;
    let (mut peer, python) = start_peer(options, threads)?;
    let peer_name = format!("sgemm of {}", peer.numpy);
    report(pairs(
        options,
        name,
        Amount::of((m * n * k) as f64 / 1e9, "GMAC/s"),
        &peer_name,
        || seconds(|| Ok(fast.run(job)?)),
        || peer.seconds(python, &format!("sgemm {m} {n} {k}")),
    )?);
    Ok(())
}

/// The `fp32` accumulator over shapes and threads.
pub(crate) fn shapes(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let format = Formats::default().get("e4m3fn")?;
    for &shape in SHAPES {
        for threads in [1, 2] {
            let (m, n, k) = shape;
            let name = format!("gemm fp32 e4m3fn {m}x{n}x{k} threads={threads}");
            if options.takes(&name) {
                let operands = Operands::new(shape, format);
                let job = operands.job(Accumulator::Fp32);
                against_sgemm(options, name, shape, threads, &job, report)?;
            }
        }
    }
    Ok(())
}

/// The other accumulators, on one thread.
pub(crate) fn accumulators(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let (m, n, k) = CUBE;
    let formats = Formats::default();
    for row in TABLE {
        for format in ["e4m3fn", "e5m2"] {
            let name = format!("gemm {} {format} {m}x{n}x{k} threads=1", row.name);
            if row.accumulator != Accumulator::Fp32 && options.takes(&name) {
                let operands = Operands::new(CUBE, formats.get(format)?);
                let job = operands.job(row.accumulator);
                against_sgemm(options, name, CUBE, 1, &job, report)?;
            }
        }
    }
    Ok(())
}

/// Operands with scales of blocks under the `fp32` accumulator, on one thread: element format, and
/// blocks of A and of B.
const BLOCKS: &[(&str, &str, &str)] = &[
    ("e4m3fn", "mx:1x32", "mx:32x1"),
    ("e2m1fn", "nvfp4:1x16", "nvfp4:16x1"),
    ("e4m3fn", "fp32:1x128", "fp32:128x128"),
];

/// [`BLOCKS`] against sgemm.
pub(crate) fn blocks(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let (m, n, k) = CUBE;
    for &(format, of_a, of_b) in BLOCKS {
        let name = format!("gemm fp32 {format} {of_a} {of_b} {m}x{n}x{k} threads=1");
        if !options.takes(&name) {
            continue;
        }
        let (of_a, of_b) = (Blocking::get(of_a)?, Blocking::get(of_b)?);
        let scale_format = of_a.scale_format();
        // Scales around 1, different ones.
        let codes: Vec<u32> = (1..=scale_format.code_mask().min(0x7f))
            .filter(|&code| {
                let value = f32::from_bits(quaver_fast::decode::decode(scale_format, code));
                (0.01..100.0).contains(&value)
            })
            .chain(scale_format.name.eq("fp32").then_some(1.25f32.to_bits()))
            .collect();
        let scales = |shape: (usize, usize)| {
            Array2::from_shape_fn(shape, |(i, j)| codes[(7 * i + j) % codes.len()])
        };
        let (a, b) = (scales(of_a.scales((m, k))), scales(of_b.scales((k, n))));
        let operands = Operands::new(CUBE, Formats::default().get(format)?);
        let job = Job {
            blocks: Some(BlockScales {
                length: of_a.cols,
                format: scale_format,
                rows: of_a.rows,
                cols: of_b.cols,
                a: a.view(),
                b: b.view(),
            }),
            ..operands.job(Accumulator::Fp32)
        };
        against_sgemm(options, name, CUBE, 1, &job, report)?;
    }
    Ok(())
}

/// FP32 operands quantised and multiplied, against the multiplication alone.
pub(crate) fn quantise(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let (m, n, k) = CUBE;
    let name = format!("quantise then gemm fp32 e4m3fn {m}x{n}x{k} threads=1");
    if !options.takes(&name) {
        return Ok(());
    }
    let format = Formats::default().get("e4m3fn")?;
    let operands = Operands::new(CUBE, format);
    let values = |codes: &Array2<u8>| {
        codes.mapv(|c| f32::from_bits(quaver_fast::decode::decode(format, c.into())) * 1.01)
    };
    let (a, b) = (values(&operands.a), values(&operands.b));
    let encoder = Encoder::new(&Conversion::native(format))?;
    let (mut fast, mut alone) = (engine(1)?, engine(1)?);
    let encode = |values: &Array2<f32>| {
        let mut codes = Array2::zeros(values.dim());
        if let (Some(values), Some(codes)) = (values.as_slice(), codes.as_slice_mut()) {
            encoder.slice(Isa::best(), values, &[], codes);
        }
        codes
    };
    let job = operands.job(Accumulator::Fp32);
    report(pairs(
        options,
        name,
        Amount::of((m * n * k) as f64 / 1e9, "GMAC/s"),
        "the same product of codes, alone",
        || {
            seconds(|| {
                let (a, b) = (encode(&a), encode(&b));
                let quantised = Operands { a, b, format };
                let job = quantised.job(Accumulator::Fp32);
                Ok(fast.run(&job)?)
            })
        },
        || warmed(|| seconds(|| Ok(alone.run(&job)?))),
    )?);
    Ok(())
}
