//! The engine: a job cut into slabs for threads, blocks for the caches, tiles for the registers.

use ndarray::{Array2, ArrayView2, s};
use quaver_contract::{
    Accumulator, ContractError, Engine, EngineError, Format, Job, JobResult, Rounding,
};
use rayon::prelude::*;

use crate::Isa;
use crate::blocked::{Operands, multiply_add};
use crate::decode::Decoder;
use crate::dot;
use crate::epilogue::Epilogue;
use crate::exact;
use crate::float_environment::FloatEnvironment;
use crate::kernel::Element;
use crate::simple::{self, Rule};

/// Rows and columns whose chunks are summed at a time under a chunked accumulator.
const CHUNKED_ROWS: usize = 126;
const CHUNKED_COLS: usize = 256;

/// The fast engine. Threads, instruction set and block sizes change no bit.
pub struct Fast {
    isa: Isa,
    threads: rayon::ThreadPool,
}

impl Fast {
    /// An engine on the machine's best instructions with that many threads (0: one a core).
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        Self::with_isa(Isa::best(), threads)
    }

    /// An engine on chosen instructions.
    ///
    /// # Errors
    /// As [`Fast::new`].
    ///
    /// # Panics
    /// When the machine does not have the instructions.
    pub fn with_isa(isa: Isa, threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        assert!(isa.is_available(), "{isa:?} is not on this machine");
        Ok(Self {
            isa,
            threads: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?,
        })
    }

    fn multiply(&self, job: &Job<'_>) -> Result<Array2<u32>, ContractError> {
        job.validate()?;
        if job.output.rounding == Rounding::Stochastic {
            return Err(ContractError::illegal(
                "rounding",
                "sr",
                "a deterministic rounding: a job carries no random bits",
            ));
        }
        if let Some(blocks) = &job.blocks {
            return Err(ContractError::illegal(
                "block scales",
                blocks.format.name,
                "none, in the fast engine",
            ));
        }
        let epilogue = Epilogue::new(job)?;
        let (m, n) = (job.m(), job.n());
        let mut values = match job.init {
            Some(init) => init.as_standard_layout().into_owned(),
            None => Array2::zeros((m, n)),
        };
        if m == 0 || n == 0 {
            return Ok(values);
        }
        let threads = self.threads.current_num_threads();
        let (tile_rows, tile_cols) = <f32 as Element>::tile(self.isa);
        // Slabs of whole tiles: rows where there are enough of them, columns otherwise.
        let by_rows = m.div_ceil(tile_rows) >= 2 * threads || threads == 1;
        let output = Output {
            values: values.as_mut_ptr(),
        };
        let (extent, tile) = if by_rows {
            (m, tile_rows)
        } else {
            (n, tile_cols)
        };
        let slab = extent.div_ceil(tile).div_ceil(threads) * tile;
        let sums = Sums {
            isa: self.isa,
            formats: (job.format_a, job.format_b),
            decoders: (Decoder::new(job.format_a), Decoder::new(job.format_b)),
        };
        let run = |first: usize| {
            let last = extent.min(first + slab);
            let (rows, cols) = if by_rows {
                (first..last, 0..n)
            } else {
                (0..m, first..last)
            };
            let _environment = FloatEnvironment::enter();
            let (a, b) = (
                job.a.slice(s![rows.clone(), ..]),
                job.b.slice(s![.., cols.clone()]),
            );
            // SAFETY: slabs do not overlap and lie inside `values`, which lives until all are done.
            unsafe {
                let start = output.start(rows.start * n + cols.start);
                sums.run(&job.accumulator, a, b, start.cast::<f32>(), n);
                for row in 0..rows.len() {
                    let values = std::slice::from_raw_parts_mut(start.add(row * n), cols.len());
                    epilogue.apply(cols.start, values);
                }
            }
        };
        let firsts: Vec<usize> = (0..extent).step_by(slab).collect();
        if firsts.len() == 1 {
            run(0);
        } else {
            self.threads
                .install(|| firsts.into_par_iter().for_each(run));
        }
        Ok(values)
    }
}

/// The result's memory, shared by slabs that do not overlap.
struct Output {
    values: *mut u32,
}

impl Output {
    fn start(&self, offset: usize) -> *mut u32 {
        self.values.wrapping_add(offset)
    }
}

// SAFETY: every slab writes its own elements only.
unsafe impl Sync for Output {}

/// How a slab's products are decoded and added up.
struct Sums {
    isa: Isa,
    formats: (&'static Format, &'static Format),
    decoders: (Decoder, Decoder),
}

impl Sums {
    /// Replaces the initial values in `sums` by the sums of section 4 of the contract.
    ///
    /// # Safety
    /// `sums` is valid for the product's shape, with rows `stride` apart, and nothing else touches
    /// it meanwhile.
    unsafe fn run(
        &self,
        accumulator: &Accumulator,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        sums: *mut f32,
        stride: usize,
    ) {
        let simple = |rule| {
            let decoders = (&self.decoders.0, &self.decoders.1);
            // SAFETY: the caller's promise.
            unsafe { simple::run(&rule, a, b, decoders, sums, stride) };
        };
        match accumulator {
            Accumulator::Fp32 => {
                let operands = Operands {
                    a,
                    b,
                    decoder_a: &self.decoders.0,
                    decoder_b: &self.decoders.1,
                };
                // SAFETY: the caller's promise.
                unsafe { multiply_add(self.isa, &operands, sums, stride) };
            }
            Accumulator::Fp32TowardZero => simple(Rule::TowardZero),
            Accumulator::Tree { lanes } => simple(Rule::Tree(*lanes)),
            Accumulator::Dot(dot) => {
                let slab = dot::Slab {
                    a,
                    b,
                    table_a: &dot::operands(self.formats.0, dot.exponent),
                    table_b: &dot::operands(self.formats.1, dot.exponent),
                };
                // SAFETY: the caller's promise.
                unsafe { dot::run(self.isa, dot, &slab, sums, stride) };
            }
            Accumulator::Exact => {
                // SAFETY: the caller's promise.
                unsafe { exact::run(self.isa, a, b, self.formats, sums, stride) };
            }
            Accumulator::Chunked { inner, every } => {
                // SAFETY: the caller's promise.
                unsafe { self.chunked(inner, *every, a, b, sums, stride) };
            }
        }
    }

    /// Rule 4.5.
    ///
    /// # Safety
    /// As [`Sums::run`].
    unsafe fn chunked(
        &self,
        inner: &Accumulator,
        every: usize,
        a: ArrayView2<'_, u8>,
        b: ArrayView2<'_, u8>,
        sums: *mut f32,
        stride: usize,
    ) {
        let (rows, terms) = a.dim();
        let cols = b.ncols();
        for m in (0..rows).step_by(CHUNKED_ROWS) {
            for n in (0..cols).step_by(CHUNKED_COLS) {
                let (height, width) = (CHUNKED_ROWS.min(rows - m), CHUNKED_COLS.min(cols - n));
                let mut chunk = vec![0f32; height * width];
                for k in (0..terms).step_by(every) {
                    let end = terms.min(k + every);
                    chunk.fill(0.0);
                    let a = a.slice(s![m..m + height, k..end]);
                    let b = b.slice(s![k..end, n..n + width]);
                    // SAFETY: `chunk` has the shape; the slab's part is the caller's.
                    unsafe {
                        self.run(inner, a, b, chunk.as_mut_ptr(), width);
                        for (i, &sum) in chunk.iter().enumerate() {
                            *sums.add((m + i / width) * stride + n + i % width) += sum;
                        }
                    }
                }
            }
        }
    }
}

impl Engine for Fast {
    fn name(&self) -> &'static str {
        "fast"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(JobResult {
            values: self.multiply(job)?,
            counters: None,
        })
    }
}
