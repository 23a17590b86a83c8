//! The engine: a job cut into slabs for threads, blocks for the caches, tiles for the registers.

use ndarray::{Array2, s};
use quaver_contract::{ContractError, Engine, EngineError, Job, JobResult, Rounding};
use rayon::prelude::*;

use crate::Isa;
use crate::epilogue::Epilogue;
use crate::float_environment::FloatEnvironment;
use crate::huge_pages;
use crate::kernel::Element;
use crate::scaled::Factors;
use crate::sums::Sums;

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
        let epilogue = Epilogue::new(self.isa, job)?;
        let (m, n) = (job.m(), job.n());
        if m == 0 || n == 0 {
            return Ok(Array2::zeros((m, n)));
        }
        // Every slab writes its initial values itself: the first touch of memory's pages is then a
        // write, and shared out to the threads.
        let mut values = Array2::<u32>::uninit((m, n));
        if let Some(memory) = values.as_slice_mut() {
            huge_pages::ask(memory);
        }
        let (tile_rows, tile_cols) = <f32 as Element>::tile(self.isa);
        // Slabs of whole tiles: rows where there are enough of them, columns otherwise.
        let by_rows = m.div_ceil(tile_rows) >= 2 * threads || threads == 1;
        let output = Output {
            values: values.as_mut_ptr().cast::<u32>(),
        };
        let (extent, tile) = if by_rows {
            (m, tile_rows)
        } else {
            (n, tile_cols)
        };
        let slab = extent.div_ceil(tile).div_ceil(threads) * tile;
        let sums = Sums::new(self.isa, job.format_a, job.format_b);
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
                for (row, m) in rows.clone().enumerate() {
                    let values = start.add(row * n);
                    match job.init {
                        None => values.write_bytes(0, cols.len()),
                        Some(init) => {
                            for (col, &init) in init.slice(s![m, cols.clone()]).iter().enumerate() {
                                values.add(col).write(init);
                            }
                        }
                    }
                }
                let start_sums = start.cast::<f32>();
                match job.blocks {
                    None => sums.run(&job.accumulator, a, b, start_sums, n),
                    Some(blocks) => {
                        let factors = Factors::new(blocks, (rows.start, cols.start));
                        sums.scaled(&factors, &job.accumulator, a, b, start_sums, n);
                    }
                }
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
        // SAFETY: the slabs cover all rows and columns.
        Ok(unsafe { values.assume_init() })
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

impl Engine for Fast {
    fn name(&self) -> &'static str {
        "fast"
    }

    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError> {
        Ok(JobResult {
            values: self.multiply(job, self.threads.current_num_threads())?,
            counters: None,
        })
    }

    /// Many jobs are shared out whole: a thread each.
    fn run_all(&mut self, jobs: &[Job<'_>]) -> Result<Vec<JobResult>, EngineError> {
        if jobs.len() < self.threads.current_num_threads() {
            return jobs.iter().map(|job| self.run(job)).collect();
        }
        let run = |job| {
            Ok(JobResult {
                values: self.multiply(job, 1)?,
                counters: None,
            })
        };
        self.threads.install(|| jobs.par_iter().map(run).collect())
    }
}
