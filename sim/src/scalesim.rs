//! The cycles that SCALE-Sim reports, and what of its model this core does not share.
//!
//! SCALE-Sim (Samajdar et al., "SCALE-Sim: Systolic CNN Accelerator Simulator", arXiv 1811.02883;
//! release 3.0.0) counts the clocks of a systolic array that never waits for memory. A GEMM is cut
//! into folds of the array's shape, one after the other; its three dataflows differ in which
//! operand stays in the PEs. These are its formulas, for comparison with published results; what
//! the core needs is in [`crate::timing`].

use quaver_contract::CoreConfig;

use crate::timing::{JobShape, timing};

/// Which operand stays in the PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dataflow {
    /// The result: M along the rows, N along the columns.
    OutputStationary,
    /// B: K along the rows, N along the columns.
    WeightStationary,
    /// A: K along the rows, M along the columns.
    InputStationary,
}

impl Dataflow {
    /// Every dataflow.
    pub const ALL: &'static [Self] = &[
        Self::OutputStationary,
        Self::WeightStationary,
        Self::InputStationary,
    ];

    /// SCALE-Sim's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutputStationary => "os",
            Self::WeightStationary => "ws",
            Self::InputStationary => "is",
        }
    }
}

/// A GEMM on an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Rows of A and of the result.
    pub m: u64,
    /// Columns of B and of the result.
    pub n: u64,
    /// Terms of each sum.
    pub k: u64,
    /// Rows of the array.
    pub rows: u64,
    /// Columns of the array.
    pub cols: u64,
}

/// What SCALE-Sim says of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Array-sized pieces, computed one after the other.
    pub folds: u64,
    /// Clocks. SCALE-Sim prints the number of the last one, which is this less 1.
    pub cycles: u64,
    /// Reads of A in on-chip memory.
    pub ifmap_reads: u64,
    /// Reads of B in on-chip memory.
    pub filter_reads: u64,
    /// Writes of results and partial sums to on-chip memory.
    pub ofmap_writes: u64,
}

impl Layer {
    /// What SCALE-Sim reports for the layer, whose sizes are not 0.
    pub const fn report(&self, dataflow: Dataflow) -> Report {
        let &Self {
            m,
            n,
            k,
            rows,
            cols,
        } = self;
        match dataflow {
            Dataflow::OutputStationary => {
                let (down, across) = (m.div_ceil(rows), n.div_ceil(cols));
                let folds = down * across;
                Report {
                    folds,
                    cycles: folds * (k + rows + cols - 2),
                    ifmap_reads: m * k * across,
                    filter_reads: k * n * down,
                    ofmap_writes: m * n + folds * (rows + cols),
                }
            }
            Dataflow::WeightStationary => {
                let (down, across) = (k.div_ceil(rows), n.div_ceil(cols));
                Report {
                    folds: down * across,
                    cycles: down * across * (m + 2 * rows + cols - 2),
                    ifmap_reads: m * k * across,
                    filter_reads: k * n,
                    ofmap_writes: m * n * down,
                }
            }
            Dataflow::InputStationary => {
                let (down, across) = (k.div_ceil(rows), m.div_ceil(cols));
                Report {
                    folds: down * across,
                    cycles: down * across * (n + 2 * rows + cols - 2),
                    ifmap_reads: m * k,
                    filter_reads: k * n * across,
                    ofmap_writes: m * n * down,
                }
            }
        }
    }

    /// "Overall utilisation" in percent, as SCALE-Sim prints it: it divides by the number of the
    /// last clock.
    pub fn utilisation_percent(&self, dataflow: Dataflow) -> f64 {
        let clocks = self.report(dataflow).cycles - 1;
        let products = self.m * self.n * self.k;
        100.0 * products as f64 / (clocks * self.rows * self.cols) as f64
    }
}

/// Something that SCALE-Sim assumes of a weight-stationary array and that is not so in this core.
#[derive(Clone, Copy, Debug)]
pub struct Assumption {
    /// What SCALE-Sim assumes.
    pub scalesim: &'static str,
    /// What the core does.
    pub core: &'static str,
    /// A change of core and job that tells the two apart.
    change: fn(&mut CoreConfig, &mut JobShape),
}

/// How many clocks a change adds in each of the two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Clocks that SCALE-Sim adds.
    pub scalesim: i64,
    /// Clocks that the core adds.
    pub core: i64,
}

/// Every assumption that the core does not share.
pub const ASSUMPTIONS: &[Assumption] = &[
    Assumption {
        scalesim: "a partial sum takes one clock a row",
        core: "it takes PE_LATENCY clocks a row",
        change: |config, _| config.pe_latency += 1,
    },
    Assumption {
        scalesim: "folds follow each other: load, compute, empty the array",
        core: "weights are loaded beside the fold before, and its rows leave beside the next one's",
        change: |config, job| job.k += config.rows as u64,
    },
    Assumption {
        scalesim: "the partial sums of a later fold of K are never read back",
        core: "they re-enter at the top: a row waits until its sum has left the array",
        change: |_, job| job.m = 1,
    },
    Assumption {
        scalesim: "M is one piece, however long",
        core: "a bank holds TILE_ROWS rows; every m tile loads the weights again",
        change: |config, _| config.tile_rows = 32,
    },
    Assumption {
        scalesim: "initial values are there",
        core: "they are written to a bank, a row a clock, before its m tile starts",
        change: |_, job| job.init = true,
    },
    Assumption {
        scalesim: "a complete sum is a result",
        core: "it is scaled, biased and converted: the last bank is drained after all launches",
        change: |_, job| job.m += 50,
    },
];

impl Assumption {
    /// What the change adds to a job of that shape on that core.
    pub fn effect(&self, config: &CoreConfig, shape: &JobShape) -> Effect {
        let (mut changed_config, mut changed_shape) = (config.clone(), *shape);
        (self.change)(&mut changed_config, &mut changed_shape);
        let clocks = |config: &CoreConfig, shape: &JobShape| {
            let layer = Layer {
                m: shape.m,
                n: shape.n,
                k: shape.k,
                rows: config.rows as u64,
                cols: config.cols as u64,
            };
            let scalesim = layer.report(Dataflow::WeightStationary).cycles;
            (scalesim as i64, timing(config, shape).cycles as i64)
        };
        let before = clocks(config, shape);
        let after = clocks(&changed_config, &changed_shape);
        Effect {
            scalesim: after.0 - before.0,
            core: after.1 - before.1,
        }
    }
}
