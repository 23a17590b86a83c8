//! Runs one unit of the RTL on a long list of cases.

use std::fmt::Write as _;

use quaver_cosim::{Batch, PortId, Simulation, Step};
use quaver_hdl::Design;

use crate::{Coverage, SuiteContext, Tally, VerifyError};

/// Cases that are simulated in one call.
const CHUNK: usize = 1 << 14;
/// Cases before a failing one that its waveform shows.
const LEAD: usize = 8;

/// A unit and how it is talked to. Every port is at most 32 bits wide.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Name of the module.
    pub name: &'static str,
    /// Values of its parameters.
    pub parameters: Vec<(&'static str, String)>,
    /// The inputs that a case gives values to.
    pub inputs: &'static [&'static str],
    /// The output that is compared.
    pub output: &'static str,
    /// Clocks from input to output; 0 for a unit without a clock.
    pub latency: usize,
}

/// A unit in its simulator.
pub(crate) struct Bench<'a> {
    context: &'a SuiteContext<'a>,
    unit: Unit,
    design: Design,
    rig: Rig,
}

impl<'a> Bench<'a> {
    /// Builds the unit and brings it out of reset.
    ///
    /// # Errors
    /// Whatever prevents that.
    pub(crate) fn open(context: &'a SuiteContext<'a>, unit: Unit) -> Result<Self, VerifyError> {
        let design = context.options.designs.unit(unit.name, &unit.parameters)?;
        let rig = Rig::open(context, &unit, &design, false)?;
        Ok(Self {
            context,
            unit,
            design,
            rig,
        })
    }

    /// Compares `count` cases. `next` makes a case's inputs; `expected` is the reference and counts
    /// the case's classes; `describe` puts a case in words.
    ///
    /// # Errors
    /// Whatever stops the simulation; mismatches are counted.
    pub(crate) fn check<const N: usize>(
        &mut self,
        count: u64,
        tally: &mut Tally,
        mut next: impl FnMut() -> [u64; N],
        mut expected: impl FnMut(&[u64; N], &mut Coverage) -> u64,
        describe: impl Fn(&[u64; N]) -> String,
    ) -> Result<(), VerifyError> {
        let mut rest = count;
        let mut cases = Vec::with_capacity(CHUNK);
        let mut actual = Vec::with_capacity(CHUNK);
        while rest > 0 {
            let chunk = rest.min(CHUNK as u64);
            rest -= chunk;
            cases.clear();
            cases.extend((0..chunk).map(|_| next()));
            self.rig.evaluate(&cases, &mut actual)?;
            for (index, (case, &actual)) in cases.iter().zip(&actual).enumerate() {
                tally.cases += 1;
                let expected = expected(case, &mut tally.coverage);
                if u64::from(actual) == expected {
                    continue;
                }
                tally.mismatches += 1;
                if tally.wants_failure() {
                    let number = tally.failures.len() + 1;
                    let outcome = (expected, actual);
                    let text = self.failure(number, &cases[..=index], describe(case), outcome)?;
                    tally.failures.push(text);
                }
            }
        }
        Ok(())
    }

    /// Everything about a mismatch in the last of `cases`, with a waveform of a second run.
    fn failure<const N: usize>(
        &self,
        number: usize,
        cases: &[[u64; N]],
        case: String,
        (expected, actual): (u64, u32),
    ) -> Result<String, VerifyError> {
        let context = self.context;
        let (before, shown) = cases.split_at(cases.len().saturating_sub(1 + LEAD));
        let mut rig = Rig::open(context, &self.unit, &self.design, true)?;
        let mut results = Vec::new();
        rig.evaluate(before, &mut results)?;
        let waveform = context.artifact(&format!("{number}-{}.vcd", self.unit.name))?;
        rig.simulation.start_trace(&waveform)?;
        rig.evaluate(shown, &mut results)?;
        let time = rig.simulation.time();
        rig.simulation.stop_trace()?;

        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            writeln!(text, "  {name:<14} {value}").expect("a string takes any text");
        };
        let parameters = self.unit.parameters.iter();
        let parameters: Vec<String> = parameters
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let inputs = self
            .unit
            .inputs
            .iter()
            .zip(shown.last().into_iter().flatten());
        let inputs: Vec<String> = inputs
            .map(|(name, value)| format!("{name}={value:x}"))
            .collect();
        line(
            "unit",
            format!("{} {}", self.unit.name, parameters.join(" ")),
        );
        line("configuration", context.config.name.clone());
        line("simulator", context.options.simulator.name().to_owned());
        line("seed", context.options.seed.to_string());
        line("case", case);
        line("inputs", inputs.join(" "));
        line("expected", format!("{}={expected:08x}", self.unit.output));
        line("actual", format!("{}={actual:08x}", self.unit.output));
        line(
            "waveform",
            format!("{} (until time {time})", waveform.display()),
        );
        if results.last() != Some(&actual) {
            let again = results.last().copied().unwrap_or_default();
            line(
                "second run",
                format!("{}={again:08x}: depends on earlier cases", self.unit.output),
            );
        }
        line("repeat with", context.rerun());
        Ok(format!("mismatch in suite {}\n{text}", context.suite))
    }
}

/// A simulation with the ports that are used.
struct Rig {
    simulation: Box<dyn Simulation>,
    inputs: Vec<PortId>,
    output: PortId,
    latency: usize,
    words: Vec<u32>,
    results: Vec<u32>,
}

impl Rig {
    fn open(
        context: &SuiteContext<'_>,
        unit: &Unit,
        design: &Design,
        trace: bool,
    ) -> Result<Self, VerifyError> {
        let options = context.options;
        let mut simulation = options.simulator.open(design, &options.cache, trace)?;
        let port = |name: &'static str| {
            let port = simulation.port(name)?;
            match simulation.signals().width(port) {
                1..=32 => Ok(port),
                width => Err(VerifyError::Width {
                    unit: unit.name,
                    port: name,
                    width,
                }),
            }
        };
        let inputs = unit.inputs.iter().copied().map(port);
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let output = port(unit.output)?;
        if unit.latency > 0 {
            let (reset, enable) = (simulation.port("rst_ni")?, simulation.port("enable_i")?);
            simulation.set(reset, &[0]);
            simulation.tick()?;
            simulation.tick()?;
            simulation.set(reset, &[1]);
            simulation.set(enable, &[1]);
        }
        Ok(Self {
            simulation,
            inputs,
            output,
            latency: unit.latency,
            words: Vec::new(),
            results: Vec::new(),
        })
    }

    /// The output for each case. Cases follow each other at every clock; behind the last one it is
    /// repeated until its result is there.
    fn evaluate<const N: usize>(
        &mut self,
        cases: &[[u64; N]],
        results: &mut Vec<u32>,
    ) -> Result<(), VerifyError> {
        results.clear();
        let Some(last) = cases.last() else {
            return Ok(());
        };
        self.words.clear();
        let flush = std::iter::repeat_n(last, self.latency);
        let rows = cases.iter().chain(flush);
        self.words.extend(rows.flatten().map(|&value| value as u32));
        let count = cases.len() + self.latency;
        self.results.resize(count, 0);
        let batch = Batch {
            step: if self.latency == 0 {
                Step::Eval
            } else {
                Step::Tick
            },
            count,
            inputs: &self.inputs,
            words: &self.words,
            outputs: &[self.output],
        };
        self.simulation.batch(&batch, &mut self.results)?;
        results.extend_from_slice(&self.results[self.latency..]);
        Ok(())
    }
}
