//! Matrix products on the fast engine against the machine's own sgemm.

use ndarray::Array2;
use quaver_contract::accumulator::{Groups, TABLE};
use quaver_contract::formats::FP32;
use quaver_contract::{Accumulator, Conversion, Engine, Format, Formats, Job, Scale};
use quaver_fast::encode::Encoder;
use quaver_fast::{Fast, Isa};

use crate::{BenchError, Measurement, Options, pairs, seconds, start_peer};

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

fn against_sgemm(
    options: &Options,
    shape: (usize, usize, usize),
    format: &'static Format,
    (accumulator_name, accumulator): (&str, Accumulator),
    threads: usize,
) -> Result<Measurement, BenchError> {
    let (m, n, k) = shape;
    let operands = Operands::new(shape, format);
    let job = operands.job(accumulator);
    let mut fast = engine(threads)?;
    let (mut peer, python) = start_peer(options, threads)?;
    let peer_name = format!("sgemm of {}", peer.numpy);
    pairs(
        options,
        format!(
            "gemm {accumulator_name} {} {m}x{n}x{k} threads={threads}",
            format.name
        ),
        ((m * n * k) as f64 / 1e9, "GMAC/s"),
        &peer_name,
        || seconds(|| Ok(fast.run(&job)?)),
        || peer.seconds(python, &format!("sgemm {m} {n} {k}")),
    )
}

/// The `fp32` accumulator over shapes and threads.
pub(crate) fn shapes(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let format = Formats::default().get("e4m3fn")?;
    for &shape in SHAPES {
        for threads in [1, 2] {
            report(against_sgemm(
                options,
                shape,
                format,
                ("fp32", Accumulator::Fp32),
                threads,
            )?);
        }
    }
    Ok(())
}

/// The accumulators that have vector kernels, on one thread.
pub(crate) fn accumulators(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let formats = Formats::default();
    let vectorised = |accumulator: &Accumulator| match accumulator {
        Accumulator::Exact | Accumulator::Chunked { .. } => true,
        Accumulator::Dot(dot) => dot.groups == Groups::One,
        Accumulator::Fp32 | Accumulator::Fp32TowardZero | Accumulator::Tree { .. } => false,
    };
    for row in TABLE.iter().filter(|row| vectorised(&row.accumulator)) {
        for format in ["e4m3fn", "e5m2"] {
            let format = formats.get(format)?;
            report(against_sgemm(
                options,
                CUBE,
                format,
                (row.name, row.accumulator),
                1,
            )?);
        }
    }
    Ok(())
}

/// FP32 operands quantised and multiplied, against the multiplication alone.
pub(crate) fn quantise(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let (m, n, k) = CUBE;
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
        format!("quantise then gemm fp32 e4m3fn {m}x{n}x{k} threads=1"),
        ((m * n * k) as f64 / 1e9, "GMAC/s"),
        "the same product of codes, alone",
        || {
            seconds(|| {
                let (a, b) = (encode(&a), encode(&b));
                let quantised = Operands { a, b, format };
                let job = quantised.job(Accumulator::Fp32);
                Ok(fast.run(&job)?)
            })
        },
        || seconds(|| Ok(alone.run(&job)?)),
    )?);
    Ok(())
}
