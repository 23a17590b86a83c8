//! The engine: a job cut into slabs for threads, blocks for the caches, tiles for the registers.

use ndarray::{Array2, ArrayView2, s};
use quaver_contract::{Accumulator, ContractError, Engine, EngineError, Job, JobResult, Rounding};
use rayon::prelude::*;

use crate::Isa;
use crate::decode::Decoder;
use crate::epilogue::Epilogue;
use crate::float_environment::FloatEnvironment;
use crate::kernel;
use crate::pack::{pack_a, pack_b, panel_stride};

/// Terms of K that a packed block holds: a panel of B (`k x 32` values) stays in the first-level
/// cache.
const BLOCK_K: usize = 256;
/// Rows of A in a packed block, which stays in the second-level cache; a multiple of every tile.
const BLOCK_M: usize = 168;
/// Columns of B in a packed block.
const BLOCK_N: usize = 1024;
/// Below this many rows a block of B is read once or twice, so it is kept small and its reads
/// sequential.
const FEW_ROWS: usize = 48;
const FEW_ROWS_BLOCK_K: usize = 32;

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
        if job.accumulator != Accumulator::Fp32 {
            return Err(ContractError::illegal(
                "accumulator",
                job.accumulator,
                "fp32",
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
        let (tile_rows, tile_cols) = kernel::tile(self.isa);
        // Slabs of whole tiles: rows where there are enough of them, columns otherwise.
        let by_rows = m.div_ceil(tile_rows) >= 2 * threads || threads == 1;
        let output = Output {
            values: values.as_mut_ptr(),
            stride: n,
        };
        let (extent, tile) = if by_rows {
            (m, tile_rows)
        } else {
            (n, tile_cols)
        };
        let slab = extent.div_ceil(tile).div_ceil(threads) * tile;
        let operands = Operands {
            a: job.a,
            b: job.b,
            decoder_a: Decoder::new(job.format_a),
            decoder_b: Decoder::new(job.format_b),
        };
        let run = |first: usize| {
            let last = extent.min(first + slab);
            let (rows, cols) = if by_rows {
                (first..last, 0..n)
            } else {
                (0..m, first..last)
            };
            // SAFETY: slabs do not overlap and lie inside `values`, which lives until all are done.
            unsafe { operands.slab(self.isa, &epilogue, rows, cols, &output) };
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
    stride: usize,
}

// SAFETY: every slab writes its own elements only.
unsafe impl Sync for Output {}

struct Operands<'a> {
    a: ArrayView2<'a, u8>,
    b: ArrayView2<'a, u8>,
    decoder_a: Decoder,
    decoder_b: Decoder,
}

impl Operands<'_> {
    /// Computes `rows x cols` of the result, from the initial values that it holds.
    ///
    /// # Safety
    /// The slab lies inside `output`, and nothing else touches it meanwhile.
    unsafe fn slab(
        &self,
        isa: Isa,
        epilogue: &Epilogue<'_>,
        rows: std::ops::Range<usize>,
        cols: std::ops::Range<usize>,
        output: &Output,
    ) {
        let _environment = FloatEnvironment::enter();
        let (tile_rows, tile_cols) = kernel::tile(isa);
        let terms = self.a.ncols();
        let few_rows = rows.len() <= FEW_ROWS;
        let block_k = if few_rows { FEW_ROWS_BLOCK_K } else { BLOCK_K };
        let block_n = cols.len().min(BLOCK_N).next_multiple_of(tile_cols);
        let block_m = rows.len().min(BLOCK_M / tile_rows * tile_rows);
        let mut packed_a = vec![0f32; block_m * block_k.min(terms)];
        let panels = block_n / tile_cols;
        let mut packed_b = vec![0f32; panels * panel_stride(tile_cols, block_k.min(terms))];
        for n0 in cols.clone().step_by(block_n) {
            let width = block_n.min(cols.end - n0);
            for k0 in (0..terms).step_by(block_k) {
                let depth = block_k.min(terms - k0);
                let b = self.b.slice(s![k0..k0 + depth, n0..n0 + width]);
                pack_b(isa, &self.decoder_b, b, tile_cols, &mut packed_b);
                for m0 in rows.clone().step_by(block_m) {
                    let height = block_m.min(rows.end - m0);
                    let a = self.a.slice(s![m0..m0 + height, k0..k0 + depth]);
                    pack_a(&self.decoder_a, a, tile_rows, &mut packed_a);
                    for n1 in (0..width).step_by(tile_cols) {
                        for m1 in (0..height).step_by(tile_rows) {
                            // SAFETY: the tile lies inside the slab, the panels inside the blocks.
                            unsafe {
                                kernel::run(
                                    isa,
                                    tile_rows.min(height - m1),
                                    tile_cols.min(width - n1),
                                    depth,
                                    packed_a.as_ptr().add(m1 * depth),
                                    packed_b
                                        .as_ptr()
                                        .add(n1 / tile_cols * panel_stride(tile_cols, depth)),
                                    output
                                        .values
                                        .add((m0 + m1) * output.stride + n0 + n1)
                                        .cast::<f32>(),
                                    output.stride,
                                );
                            }
                        }
                    }
                }
            }
        }
        for row in rows {
            // SAFETY: this row's part of the slab.
            let values = unsafe {
                std::slice::from_raw_parts_mut(
                    output.values.add(row * output.stride + cols.start),
                    cols.len(),
                )
            };
            epilogue.apply(cols.start, values, &[]);
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
