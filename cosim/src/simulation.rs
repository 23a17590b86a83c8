//! A running simulation of a design, whichever simulator runs it.

use std::path::Path;

use quaver_drive::{Device, DriveError, PortId};
use quaver_hdl::Design;

use crate::cache::Cache;
use crate::icarus::IcarusSimulation;
use crate::verilator::VerilatorSimulation;
use crate::{CosimError, Signals};

/// What advances a simulation by one row of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// [`Simulation::eval`]: for combinational designs.
    Eval,
    /// [`Simulation::tick`]: for clocked ones. The outputs of row `i` are those just before clock
    /// edge `i`, so a unit of latency L answers row `i` in row `i + L`.
    Tick,
}

/// Many steps in one call. Inputs that are not listed keep their value.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// How to advance.
    pub step: Step,
    /// Number of rows.
    pub count: usize,
    /// The inputs that change.
    pub inputs: &'a [PortId],
    /// Their values: row by row, port by port, words low bits first.
    pub words: &'a [u32],
    /// The ports to be returned.
    pub outputs: &'a [PortId],
}

impl Batch<'_> {
    /// Words of all rows of the outputs.
    pub fn output_words(&self, signals: &Signals) -> usize {
        self.count * row_words(signals, self.outputs)
    }

    /// Checks the lengths of both sides.
    pub(crate) fn validate(&self, signals: &Signals, results: &[u32]) -> Result<(), CosimError> {
        let sides = [
            ("input", self.inputs, self.words.len()),
            ("output", self.outputs, results.len()),
        ];
        for (what, ports, found) in sides {
            let expected = self.count * row_words(signals, ports);
            if found != expected {
                return Err(CosimError::BatchShape {
                    what,
                    count: self.count,
                    expected,
                    found,
                });
            }
        }
        if self.step == Step::Tick {
            signals.clock()?;
        }
        Ok(())
    }
}

fn row_words(signals: &Signals, ports: &[PortId]) -> usize {
    ports.iter().map(|&p| signals.words(p)).sum()
}

/// A design in a simulator. Time counts evaluations: a tick takes two units, so that the clock
/// edge of cycle `n` is at time `2n + 1` when there is nothing but ticks.
pub trait Simulation: Send {
    /// The values of the ports.
    fn signals(&self) -> &Signals;

    /// The values of the ports, to set inputs.
    fn signals_mut(&mut self) -> &mut Signals;

    /// Applies the inputs, lets everything settle and reads the outputs.
    ///
    /// # Errors
    /// [`CosimError::Stopped`] when the simulator ended.
    fn eval(&mut self) -> Result<(), CosimError>;

    /// One clock of `clk_i`: lowers it, applies the inputs, lets everything settle, reads the
    /// outputs, raises it. So [`Simulation::get`] then gives what every receiver on this clock
    /// saw at its edge.
    ///
    /// # Errors
    /// [`CosimError::NoClock`]; [`CosimError::Stopped`] when the simulator ended.
    fn tick(&mut self) -> Result<(), CosimError>;

    /// Runs all rows of a batch inside the simulator and fills `results` row by row.
    ///
    /// # Errors
    /// [`CosimError::BatchShape`] for lengths that do not fit; else as a single step.
    fn batch(&mut self, batch: &Batch<'_>, results: &mut [u32]) -> Result<(), CosimError>;

    /// Starts to write a waveform of every signal of the design.
    ///
    /// # Errors
    /// [`CosimError::Trace`] when the simulation was opened without tracing, when one is being
    /// written, or when the file cannot be.
    fn start_trace(&mut self, path: &Path) -> Result<(), CosimError>;

    /// Completes the waveform; without one, does nothing.
    ///
    /// # Errors
    /// [`CosimError::Stopped`] when the simulator ended.
    fn stop_trace(&mut self) -> Result<(), CosimError>;

    /// Evaluations so far.
    fn time(&self) -> u64;

    /// The port of that name.
    ///
    /// # Errors
    /// [`DriveError::UnknownPort`] with the names that there are.
    fn port(&self, name: &str) -> Result<PortId, CosimError> {
        Ok(self.signals().port(name)?)
    }

    /// Gives an input its next value, as [`Signals::set`].
    fn set(&mut self, port: PortId, words: &[u32]) {
        self.signals_mut().set(port, words);
    }

    /// The last value of a port, as [`Signals::get`].
    fn get(&self, port: PortId) -> &[u32] {
        self.signals().get(port)
    }
}

impl Device for dyn Simulation {
    fn port(&self, name: &str) -> Result<PortId, DriveError> {
        self.signals().port(name)
    }

    fn width(&self, port: PortId) -> u32 {
        self.signals().width(port)
    }

    fn set(&mut self, port: PortId, words: &[u32]) {
        self.signals_mut().set(port, words);
    }

    fn get(&self, port: PortId) -> &[u32] {
        self.signals().get(port)
    }

    fn unknown(&self, port: PortId) -> &[u32] {
        self.signals().unknown(port)
    }

    fn tick(&mut self) -> Result<(), DriveError> {
        Simulation::tick(self).map_err(|error| DriveError::Device(Box::new(error)))
    }
}

/// The simulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Simulator {
    /// Verilator: compiled C++, two states, fast.
    Verilator,
    /// Icarus Verilog: event-driven, four states, the second opinion.
    Icarus,
}

impl Simulator {
    /// Every simulator.
    pub const ALL: &'static [Self] = &[Self::Verilator, Self::Icarus];

    /// The name used on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verilator => "verilator",
            Self::Icarus => "icarus",
        }
    }

    /// The simulator of that name.
    ///
    /// # Errors
    /// [`DriveError::Option`] with the known names.
    pub fn get(name: &str) -> Result<Self, CosimError> {
        let found = Self::ALL.iter().copied().find(|s| s.name() == name);
        let error = || DriveError::Option {
            option: "simulator".to_owned(),
            value: name.to_owned(),
            allowed: "verilator, icarus",
        };
        Ok(found.ok_or_else(error)?)
    }

    /// Builds the design, or takes it from the cache, and starts it with all inputs at 0 and the
    /// clock low. Only a simulation opened with `trace` can write waveforms; it is slower.
    ///
    /// # Errors
    /// [`CosimError::ToolMissing`], [`CosimError::ToolFailed`] with the tool's first lines, or
    /// what the operating system refused.
    pub fn open(
        self,
        design: &Design,
        cache: &Cache,
        trace: bool,
    ) -> Result<Box<dyn Simulation>, CosimError> {
        Ok(match self {
            Self::Verilator => Box::new(VerilatorSimulation::open(design, cache, trace)?),
            Self::Icarus => Box::new(IcarusSimulation::open(design, cache, trace)?),
        })
    }
}
