//! The unit of work that every engine takes, and what it gives back.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::{Accumulator, BlockScale, ContractError, Conversion, Format};

/// The factor between the accumulated sum and the bias.
#[derive(Clone, Copy, Debug)]
pub enum Scale<'a> {
    /// 1.0: the sum as it is.
    None,
    /// One FP32 factor (its bits) for the whole result.
    Tensor(u32),
    /// One FP32 factor (its bits) per column of the result, shape `(N,)`.
    PerColumn(ArrayView1<'a, u32>),
}

/// Scales of the operands' blocks along K (numerics.md, rule 7.8). All are codes of one format.
#[derive(Clone, Copy, Debug)]
pub struct BlockScales<'a> {
    /// Terms of K that share a scale; the last block may be short.
    pub length: usize,
    /// Format of the scales: that of one of the [`BlockScale`]s.
    pub format: &'static Format,
    /// Rows of A that share a scale.
    pub rows: usize,
    /// Columns of B that share a scale.
    pub cols: usize,
    /// Scales of A, shape `(ceil(M / rows), ceil(K / length))`.
    pub a: ArrayView2<'a, u32>,
    /// Scales of B, shape `(ceil(K / length), ceil(N / cols))`.
    pub b: ArrayView2<'a, u32>,
}

impl BlockScales<'_> {
    /// The scales of A and of B that the products of block `block` of `D[m, n]` have.
    pub fn of(&self, (m, n): (usize, usize), block: usize) -> (u32, u32) {
        (
            self.a[(m / self.rows, block)],
            self.b[(block, n / self.cols)],
        )
    }

    fn validate(&self, (m, n, k): (usize, usize, usize)) -> Result<(), ContractError> {
        for (what, value) in [
            ("block scales: length", self.length),
            ("block scales: rows", self.rows),
            ("block scales: cols", self.cols),
        ] {
            if value == 0 {
                return Err(ContractError::illegal(what, value, "1 or more"));
            }
        }
        let formats = BlockScale::ALL.map(BlockScale::format);
        if !formats.iter().any(|f| f.name == self.format.name) {
            return Err(ContractError::illegal(
                "block scales: format",
                self.format.name,
                formats.map(|f| f.name).join(", "),
            ));
        }
        let blocks = k.div_ceil(self.length);
        for (what, scales, shape) in [
            ("block scales of a", self.a, (m.div_ceil(self.rows), blocks)),
            ("block scales of b", self.b, (blocks, n.div_ceil(self.cols))),
        ] {
            if scales.dim() != shape {
                return Err(ContractError::illegal(
                    format!("{what}: shape"),
                    format!("{:?}", scales.dim()),
                    format!("{shape:?}"),
                ));
            }
            let mask = self.format.code_mask();
            if let Some(code) = scales.iter().find(|&&code| code > mask) {
                return Err(ContractError::illegal(
                    format!("{what}: code of {}", self.format.name),
                    code,
                    format!("0 to {mask}"),
                ));
            }
        }
        Ok(())
    }
}

/// `D[M,N] = convert(relu(scale * (init + A[M,K] * B[K,N]) + bias))`, in the order of operations
/// of numerics.md. All values are codes: FP32 quantities are their 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Codes of A, shape `(M, K)`.
    pub a: ArrayView2<'a, u8>,
    /// Codes of B, shape `(K, N)`.
    pub b: ArrayView2<'a, u8>,
    /// Format of A's codes.
    pub format_a: &'static Format,
    /// Format of B's codes.
    pub format_b: &'static Format,
    /// How products are added.
    pub accumulator: Accumulator,
    /// Initial values as FP32 bits, shape `(M, N)`; `None` starts from +0.
    pub init: Option<ArrayView2<'a, u32>>,
    /// Scales of the operands' blocks; `None` where the codes are the numbers.
    pub blocks: Option<BlockScales<'a>>,
    /// Factor of the accumulated sum.
    pub scale: Scale<'a>,
    /// FP32 bits added per column after scaling, shape `(N,)`; `None` adds nothing.
    pub bias: Option<ArrayView1<'a, u32>>,
    /// Whether negative results become +0 before conversion.
    pub relu: bool,
    /// Output format and policy.
    pub output: Conversion,
}

impl Job<'_> {
    /// Rows of the result.
    pub fn m(&self) -> usize {
        self.a.nrows()
    }

    /// Columns of the result.
    pub fn n(&self) -> usize {
        self.b.ncols()
    }

    /// Terms of each sum.
    pub fn k(&self) -> usize {
        self.a.ncols()
    }

    /// Checks shapes, operand formats, codes and the output's conversion.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] naming the operand, what it has and what it should have.
    pub fn validate(&self) -> Result<(), ContractError> {
        let (m, k, n) = (self.m(), self.k(), self.n());
        if self.b.nrows() != k {
            return Err(ContractError::illegal(
                "b rows",
                self.b.nrows(),
                format!("the columns of a: {k}"),
            ));
        }
        if let Some(init) = self.init
            && init.dim() != (m, n)
        {
            return Err(ContractError::illegal(
                "init shape",
                format!("{:?}", init.dim()),
                format!("(m, n) = ({m}, {n})"),
            ));
        }
        let per_column = [
            ("bias length", self.bias),
            (
                "scale length",
                match self.scale {
                    Scale::PerColumn(scale) => Some(scale),
                    _ => None,
                },
            ),
        ];
        for (what, values) in per_column {
            if let Some(values) = values
                && values.len() != n
            {
                return Err(ContractError::illegal(
                    what,
                    values.len(),
                    format!("n = {n}"),
                ));
            }
        }
        for (what, format, codes) in [
            ("format_a", self.format_a, self.a),
            ("format_b", self.format_b, self.b),
        ] {
            if !format.is_operand() {
                return Err(ContractError::illegal(
                    what,
                    format.name,
                    "a signed format of at most 8 bits",
                ));
            }
            let mask = format.code_mask();
            if mask != 0xff
                && let Some(code) = codes.iter().find(|&&c| u32::from(c) > mask)
            {
                return Err(ContractError::illegal(
                    format!("code of {}", format.name),
                    code,
                    format!("0 to {mask}"),
                ));
            }
        }
        if !self.format_a.products_fit_fp32(self.format_b) {
            return Err(ContractError::illegal(
                "format_a x format_b",
                format!("{} x {}", self.format_a.name, self.format_b.name),
                Format::PRODUCT_RANGE,
            ));
        }
        if let Some(blocks) = &self.blocks {
            blocks.validate((m, n, k))?;
        }
        self.accumulator.validate()?;
        self.output.validate_for_job()
    }
}

/// What a clocked engine counted while it ran a job; the names are those of the CSRs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Clocks from start to done.
    pub cycles: u64,
    /// Rows of A launched into the array.
    pub rows: u64,
    /// Clocks that waited for a beat of A.
    pub stall_a: u64,
    /// Clocks that waited for a beat of B.
    pub stall_b: u64,
    /// Clocks that waited for a beat of initial values.
    pub stall_c: u64,
    /// Clocks that waited for a beat of scales or biases.
    pub stall_p: u64,
    /// Clocks in which a result was not taken.
    pub stall_d: u64,
}

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// Codes of D in the job's output format, shape `(M, N)`, stored by rows or by columns.
    pub values: Array2<u32>,
    /// What the engine's clock counted; `None` for engines without one.
    pub counters: Option<Counters>,
}

/// Why an engine could not run a job.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The job contradicts itself or the contract.
    #[error(transparent)]
    Job(#[from] ContractError),
    /// The engine failed for a reason of its own.
    #[error(transparent)]
    Engine(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Anything that runs jobs: same job, same bits.
pub trait Engine {
    /// `golden`, `fast`, `cycle` or `rtl`.
    fn name(&self) -> &'static str;

    /// Runs a job to its end.
    ///
    /// # Errors
    /// [`EngineError`] for a job that breaks the contract, a feature that the engine's
    /// configuration does not have, or a failure of the engine itself.
    fn run(&mut self, job: &Job<'_>) -> Result<JobResult, EngineError>;

    /// Runs jobs that do not depend on one another; the results are in their order.
    ///
    /// # Errors
    /// As [`Engine::run`], of the first job that cannot be run.
    fn run_all(&mut self, jobs: &[Job<'_>]) -> Result<Vec<JobResult>, EngineError> {
        jobs.iter().map(|job| self.run(job)).collect()
    }
}
