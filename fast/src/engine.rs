//! The engine: a job cut into slabs for threads, blocks for the caches, tiles for the registers.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use quaver_contract::{ContractError, Engine, EngineError, Job, JobResult, Rounding};
use rayon::prelude::*;

use crate::Isa;
use crate::epilogue::Epilogue;
use crate::float_environment::FloatEnvironment;
use crate::kernel::Packed;
use crate::memory;
use crate::scaled::Factors;
use crate::sums::{Place, Sums};

/// The fast engine. Threads, instruction set and block sizes change no bit.
pub struct Fast {
    isa: Isa,
    /// Threads of its own; `None` for those of the caller.
    own: Option<rayon::ThreadPool>,
}

impl Fast {
    /// An engine on the machine's best instructions with that many threads (0: as many as the rayon
    /// pool has that it is called in). A pool with as many threads is used as it is, so that the engine
    /// and whoever calls it share them.
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
            own: match threads {
                0 => None,
                _ => {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                    Some(pool.build()?)
                }
            },
        })
    }

    fn threads(&self) -> usize {
        let own = self.own.as_ref();
        own.map_or_else(
            rayon::current_num_threads,
            rayon::ThreadPool::current_num_threads,
        )
    }

    /// Does work that is shared out to threads: the caller's where they are as many.
    fn spread<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.own {
            Some(own) if own.current_num_threads() != rayon::current_num_threads() => {
                own.install(work)
            }
            _ => work(),
        }
    }

    /// The result of a job that so many threads share.
    fn multiply(&self, job: &Job<'_>, threads: usize) -> Result<Array2<u32>, ContractError> {
        job.validate()?;
        if job.output.rounding == Rounding::Stochastic {
            return Err(ContractError::illegal(
                "rounding",
                "sr",
                "a deterministic rounding: a job carries no random bits",
            ));
        }
        // With both operands stored by columns, D^T = B^T A^T has both by rows, as kernels want them;
        // products commute, and every sum keeps its order of terms.
        let turned = turns(job);
        let epilogue = Epilogue::new(self.isa, job, turned)?;
        let values = match turned {
            false => self.product(job, &epilogue, threads),
            true => {
                let job = Job {
                    a: job.b.reversed_axes(),
                    b: job.a.reversed_axes(),
                    format_a: job.format_b,
                    format_b: job.format_a,
                    init: job.init.map(ArrayView2::reversed_axes),
                    ..*job
                };
                self.product(&job, &epilogue, threads).reversed_axes()
            }
        };
        Ok(values)
    }

    /// The product of a legal job and its epilogue, in C order.
    fn product(&self, job: &Job<'_>, epilogue: &Epilogue, threads: usize) -> Array2<u32> {
        let (m, n) = (job.a.nrows(), job.b.ncols());
        if m == 0 || n == 0 {
            return Array2::zeros((m, n));
        }
        // Every slab writes its sums itself: the first touch of memory's pages is then a write, and
        // shared out to the threads.
        let mut values = Array2::<u32>::uninit((m, n));
        if let Some(values) = values.as_slice_mut() {
            memory::ask_large_pages(values);
        }
        let output = Output {
            values: values.as_mut_ptr().cast::<u32>(),
        };
        let slabs = self.slabs((m, n), threads);
        let sums = Sums::new(self.isa, job.format_a, job.format_b);
        let run = |(rows, cols): (Range<usize>, Range<usize>)| {
            let _environment = FloatEnvironment::enter();
            let (a, b) = (
                job.a.slice(s![rows.clone(), ..]),
                job.b.slice(s![.., cols.clone()]),
            );
            let start = output.start(rows.start * n + cols.start);
            let finish = |of_rows: Range<usize>, of_cols: Range<usize>| {
                for row in of_rows {
                    // SAFETY: of this slab, and written by whoever has finished them.
                    let values = unsafe {
                        let first = start.add(row * n + of_cols.start);
                        std::slice::from_raw_parts_mut(first, of_cols.len())
                    };
                    epilogue.apply((rows.start + row, cols.start + of_cols.start), values);
                }
            };
            let init = job.init;
            let place = Place {
                init: init.map(|init| init.slice_move(s![rows.clone(), cols.clone()])),
                sums: start.cast::<f32>(),
                stride: n,
                finish: &finish,
            };
            // SAFETY: slabs do not overlap and lie inside `values`, which lives until all are done.
            unsafe {
                match job.blocks {
                    None => sums.run(&job.accumulator, a, b, &place),
                    Some(blocks) => {
                        let factors = Factors::new(blocks, (rows.start, cols.start));
                        sums.scaled(&factors, &job.accumulator, a, b, &place);
                    }
                }
            }
        };
        if slabs.len() == 1 {
            slabs.into_iter().for_each(run);
        } else {
            self.spread(|| slabs.into_par_iter().for_each(run));
        }
        // SAFETY: the slabs cover all rows and columns.
        unsafe { values.assume_init() }
    }

    /// The result cut for so many threads: by rows where there are enough of them, by columns
    /// otherwise. A tile of few rows takes as much less time, one of few columns does not.
    fn slabs(&self, (m, n): (usize, usize), threads: usize) -> Vec<(Range<usize>, Range<usize>)> {
        /// Tiles of columns that leave threads about the same work.
        const TILES: usize = 8;
        let (tile_rows, tile_cols) = f32::tile(self.isa);
        // Every thread packs the whole of the other operand.
        let wide = n > 2 * m && n >= TILES * tile_cols * threads;
        let cut = |extent: usize, slab: usize| {
            let firsts = (0..extent).step_by(slab);
            firsts.map(move |first| first..extent.min(first + slab))
        };
        if threads == 1 {
            vec![(0..m, 0..n)]
        } else if m >= tile_rows * threads && !wide {
            cut(m, m.div_ceil(threads))
                .map(|rows| (rows, 0..n))
                .collect()
        } else {
            let slab = n.div_ceil(tile_cols).div_ceil(threads) * tile_cols;
            cut(n, slab).map(|cols| (0..m, cols)).collect()
        }
    }
}

/// Whether the transposed product is the better one; with few rows it is not.
fn turns(job: &Job<'_>) -> bool {
    /// Fewest rows of the product.
    const ROWS: usize = 16;
    let by_columns = |codes: ArrayView2<'_, u8>| codes.strides()[0] == 1 && codes.strides()[1] != 1;
    job.blocks.is_none() && job.m() >= ROWS && by_columns(job.a) && by_columns(job.b)
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

impl Engine for Fast {
    fn name(&self) -> &'static str {
        "fast"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(JobResult {
            values: self.multiply(job, self.threads())?,
            counters: None,
        })
    }

    /// Many jobs are shared out whole: a thread each. One thread is the caller's.
    fn run_all(&mut self, jobs: &[Job<'_>]) -> Result<Vec<JobResult>, EngineError> {
        let threads = self.threads();
        if threads == 1 || jobs.len() < threads {
            return jobs.iter().map(|job| self.run(job)).collect();
        }
        let run = |job| {
            Ok(JobResult {
                values: self.multiply(job, 1)?,
                counters: None,
            })
        };
        self.spread(|| jobs.par_iter().map(run).collect())
    }
}
