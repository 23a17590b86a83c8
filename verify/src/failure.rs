//! A failing job in words: everything that is needed to follow it and to repeat it.

use std::fmt;
use std::path::Path;

use quaver_contract::CoreConfig;
use quaver_cosim::RtlEngine;

use crate::core::Setting;
use crate::stimulus::owned::OwnedJob;
use crate::{Divergence, SuiteContext, describe};

/// What is wrong with the answer to a job.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// Elements differ.
    Bits(Divergence),
    /// The core hung, or broke a rule of its interfaces.
    Fault(String),
}

impl Finding {
    /// Mismatches to count.
    pub(crate) fn elements(&self) -> u64 {
        match self {
            Self::Bits(divergence) => divergence.elements as u64,
            Self::Fault(_) => 1,
        }
    }

    /// The clock in which the first wrong element came.
    pub(crate) fn cycle(&self, engine: &RtlEngine) -> Option<u64> {
        match self {
            Self::Bits(divergence) => engine.result_cycle(divergence.row, divergence.col),
            Self::Fault(_) => None,
        }
    }
}

/// A mismatch and its surroundings.
pub(crate) struct Failure<'a> {
    pub(crate) context: &'a SuiteContext<'a>,
    pub(crate) config: &'a CoreConfig,
    pub(crate) setting: &'a Setting,
    /// The job as it was drawn, and what was found.
    pub(crate) job: &'a OwnedJob,
    pub(crate) found: Finding,
    /// The job of the waveform.
    pub(crate) smallest: &'a OwnedJob,
    /// Whether the waveform begins with the job before, without which this one does not fail.
    pub(crate) after: bool,
    /// What was found in the waveform, and in which clock.
    pub(crate) shown: Option<Finding>,
    pub(crate) cycle: Option<u64>,
    pub(crate) waveform: &'a Path,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        writeln!(f, "mismatch in suite {}", self.context.suite)?;
        writeln!(
            f,
            "  configuration  {}: {}, {} x {}, pe_latency {}, tile_rows {}, {}",
            config.name,
            config.dataflow.name(),
            config.rows,
            config.cols,
            config.pe_latency,
            config.tile_rows,
            config.accumulator_name
        )?;
        writeln!(
            f,
            "  simulator      {}",
            self.context.options.simulator.name()
        )?;
        writeln!(f, "  seed           {}", self.context.options.seed)?;
        writeln!(f, "  stalls         {:?}", self.setting.stalls)?;
        writeln!(f, "  job            {}", self.job.describe())?;
        finding(f, &self.found, self.job)?;
        if self.after {
            writeln!(
                f,
                "  not alone      fails only after the job before, which the waveform begins with"
            )?;
        }
        writeln!(f, "  shrunk to      {}", self.smallest.describe())?;
        match &self.shown {
            Some(shown) => finding(f, shown, self.smallest)?,
            None => writeln!(f, "  not repeated   no mismatch in the run of the waveform")?,
        }
        if let Some(cycle) = self.cycle {
            writeln!(
                f,
                "  cycle          {cycle} (time {} of the waveform)",
                2 * cycle
            )?;
        }
        if let Some(Finding::Bits(divergence)) = &self.shown {
            writeln!(f, "  operands of D[{}, {}]", divergence.row, divergence.col)?;
            f.write_str(&describe::element(
                self.smallest,
                divergence.row,
                divergence.col,
            ))?;
        }
        writeln!(f, "  waveform       {}", self.waveform.display())?;
        writeln!(f, "  repeat with    {}", self.context.rerun())
    }
}

fn finding(f: &mut fmt::Formatter<'_>, finding: &Finding, job: &OwnedJob) -> fmt::Result {
    match finding {
        Finding::Fault(fault) => writeln!(f, "  found          {fault}"),
        Finding::Bits(divergence) => {
            let format = job.output.format;
            writeln!(
                f,
                "  found          D[{}, {}]: expected {}, actual {}; {} elements differ",
                divergence.row,
                divergence.col,
                describe::code(divergence.expected, format),
                describe::code(divergence.actual, format),
                divergence.elements
            )
        }
    }
}
