//! Lockstep: the model gets the inputs of a recorded simulation of the RTL, and every register is
//! compared at every clock.

use std::fmt;
use std::path::Path;

use quaver_contract::CoreConfig;

use super::recording::Recording;
use super::{Visitor, VisitorExt as _};
use crate::{Core, Inputs, SimError};

/// The first register that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Clocks since the recording began.
    pub cycle: u64,
    /// The register's path below the top.
    pub register: String,
    /// Its value in the recording, as hexadecimal digits; X where a bit is unknown.
    pub recorded: String,
    /// Its value in the model.
    pub modelled: String,
    /// How many registers differ in that clock.
    pub count: usize,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cycle {}: {} is {} in the recording, not {} ({} differ)",
            self.cycle, self.register, self.recorded, self.modelled, self.count
        )
    }
}

/// What a replay compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Registers of the core.
    pub registers: usize,
    /// Their bits.
    pub bits: u64,
    /// Clocks.
    pub cycles: u64,
    /// The first difference.
    pub divergence: Option<Divergence>,
}

/// Runs the model of a configuration's core beside the waveform of a simulation of its Verilog,
/// from power-up, and compares every register just before every clock edge. It stops at the first
/// clock with a difference.
///
/// # Errors
/// [`SimError::Waveform`] when a port or register is missing, or an input is unknown; the errors
/// of [`Core::new`].
pub fn replay(config: &CoreConfig, path: &Path) -> Result<Replay, SimError> {
    let mut core = Core::new(config)?;
    let mut recording = Recording::open(path)?;
    let mut names = Names::default();
    visit_all(&core, &recording, &mut names);
    let registers = names.registers;
    let slots = registers
        .iter()
        .map(|(name, width)| recording.find(name, *width));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let ports = Ports::new(&recording, config)?;
    let mut replay = Replay {
        registers: registers.len(),
        bits: registers.iter().map(|(_, width)| u64::from(*width)).sum(),
        cycles: 0,
        divergence: None,
    };
    let mut clock_was_low = false;
    // The first time ends the header's part without changes.
    while recording.next()? {
        match recording.value(ports.clock) {
            Some([0]) => {
                clock_was_low = true;
                ports.apply(&recording, &mut core.inputs, path)?;
                let mut comparison = Comparison {
                    recording: &recording,
                    slots: &slots,
                    next: 0,
                    first: None,
                    count: 0,
                };
                visit_all(&core, &recording, &mut comparison);
                if let Some((index, modelled)) = comparison.first {
                    replay.divergence = Some(Divergence {
                        cycle: replay.cycles,
                        register: registers[index].0.clone(),
                        recorded: recording.value(slots[index]).map_or("X".to_owned(), digits),
                        modelled: digits(&modelled),
                        count: comparison.count,
                    });
                    return Ok(replay);
                }
            }
            Some([1]) if clock_was_low => {
                clock_was_low = false;
                core.clock();
                replay.cycles += 1;
            }
            _ => {}
        }
    }
    Ok(replay)
}

/// The registers, and the words of the memories as far as the recording has them.
fn visit_all(core: &Core, recording: &Recording, visitor: &mut dyn Visitor) {
    core.visit(visitor);
    if recording.has(&memory_word(0, 0, 0)) {
        visitor.scope("", None, |v| {
            for (bank, row, col, word) in core.memory_words() {
                let width = core.shape().memory_bits();
                v.register(&memory_word(bank, row, col), width, word, None);
            }
        });
    }
}

fn memory_word(bank: usize, row: usize, col: usize) -> String {
    format!("u_core.u_psum_memory.gen_column[{col}].u_column.u_bank_{bank}.memory[{row}]")
}

pub(super) fn digits(words: &[u32]) -> String {
    let digits: Vec<String> = words.iter().rev().map(|w| format!("{w:08x}")).collect();
    digits.join("_")
}

/// Collects paths and widths.
#[derive(Default)]
pub(super) struct Names {
    prefix: Vec<String>,
    pub(super) registers: Vec<(String, u32)>,
}

impl Visitor for Names {
    fn enter(&mut self, scope: &'static str, index: Option<usize>) {
        self.prefix.push(match index {
            Some(index) => format!("{scope}[{index}]."),
            None if scope.is_empty() => String::new(),
            None => format!("{scope}."),
        });
    }

    fn leave(&mut self) {
        self.prefix.pop();
    }

    fn register(&mut self, name: &str, width: u32, _: &[u32], _: Option<f64>) {
        self.registers.push((self.prefix.concat() + name, width));
    }
}

/// Compares values in the order of [`Names`].
struct Comparison<'a> {
    recording: &'a Recording,
    slots: &'a [usize],
    next: usize,
    first: Option<(usize, Vec<u32>)>,
    count: usize,
}

impl Visitor for Comparison<'_> {
    fn enter(&mut self, _: &'static str, _: Option<usize>) {}

    fn leave(&mut self) {}

    fn register(&mut self, _: &str, _: u32, words: &[u32], _: Option<f64>) {
        let recorded = self.recording.value(self.slots[self.next]);
        // Missing high words are zero.
        let word = |i: usize| recorded.map(|r| r.get(i).copied().unwrap_or(0));
        if words.iter().enumerate().any(|(i, &w)| word(i) != Some(w)) {
            self.count += 1;
            self.first
                .get_or_insert_with(|| (self.next, words.to_vec()));
        }
        self.next += 1;
    }
}

/// Places of the top's inputs.
struct Ports {
    clock: usize,
    reset: usize,
    bus: [usize; 9],
    /// Data and valid of a, b, c and p.
    streams: [(usize, usize); 4],
    /// Scales of blocks beside a and b.
    scales: Option<[usize; 2]>,
    d_tready: usize,
}

impl Ports {
    fn new(recording: &Recording, config: &CoreConfig) -> Result<Self, SimError> {
        let bus = |name: &str, width| recording.find(&format!("s_axil_{name}"), width);
        let stream = |name: &str, width: usize| {
            let data = recording.find(&format!("s_axis_{name}_tdata"), width as u32)?;
            Ok::<_, SimError>((data, recording.find(&format!("s_axis_{name}_tvalid"), 1)?))
        };
        Ok(Self {
            clock: recording.find("clk_i", 1)?,
            reset: recording.find("rst_ni", 1)?,
            bus: [
                bus("awaddr", 12)?,
                bus("awvalid", 1)?,
                bus("wdata", 32)?,
                bus("wstrb", 4)?,
                bus("wvalid", 1)?,
                bus("bready", 1)?,
                bus("araddr", 12)?,
                bus("arvalid", 1)?,
                bus("rready", 1)?,
            ],
            streams: [
                stream("a", 8 * config.rows * config.lanes())?,
                stream("b", 8 * config.cols * config.lanes())?,
                stream("c", 32 * config.cols)?,
                stream("p", 32 * config.cols)?,
            ],
            scales: match config.block_scales {
                None => None,
                Some(blocks) => {
                    let bits = blocks.format.bits();
                    let all = bits * config.cols as u32;
                    Some([
                        recording.find("s_axis_a_tuser", bits)?,
                        recording.find("s_axis_b_tuser", all)?,
                    ])
                }
            },
            d_tready: recording.find("m_axis_d_tready", 1)?,
        })
    }

    fn apply(
        &self,
        recording: &Recording,
        inputs: &mut Inputs,
        path: &Path,
    ) -> Result<(), SimError> {
        let word = |slot| match recording.value(slot) {
            Some(words) => Ok(words[0]),
            None => Err(SimError::Waveform {
                path: path.to_owned(),
                reason: "an input is unknown".to_owned(),
            }),
        };
        let flag = |slot| Ok::<_, SimError>(word(slot)? != 0);
        let [
            awaddr,
            awvalid,
            wdata,
            wstrb,
            wvalid,
            bready,
            araddr,
            arvalid,
            rready,
        ] = self.bus;
        inputs.rst_ni = flag(self.reset)?;
        let bus = &mut inputs.s_axil;
        bus.awaddr = word(awaddr)?;
        bus.awvalid = flag(awvalid)?;
        bus.wdata = word(wdata)?;
        bus.wstrb = word(wstrb)?;
        bus.wvalid = flag(wvalid)?;
        bus.bready = flag(bready)?;
        bus.araddr = word(araddr)?;
        bus.arvalid = flag(arvalid)?;
        bus.rready = flag(rready)?;
        let beats = [
            &mut inputs.s_axis_a,
            &mut inputs.s_axis_b,
            &mut inputs.s_axis_c,
            &mut inputs.s_axis_p,
        ];
        for (beat, (data, valid)) in beats.into_iter().zip(self.streams) {
            beat.tvalid = flag(valid)?;
            let words = recording.value(data).unwrap_or(&[]);
            beat.tdata.fill(0);
            for (to, &from) in beat.tdata.iter_mut().zip(words) {
                *to = from;
            }
        }
        if let Some(slots) = self.scales {
            let beats = [&mut inputs.s_axis_a, &mut inputs.s_axis_b];
            for (beat, slot) in beats.into_iter().zip(slots) {
                let words = recording.value(slot).unwrap_or(&[]);
                beat.tuser.fill(0);
                for (to, &from) in beat.tuser.iter_mut().zip(words) {
                    *to = from;
                }
            }
        }
        inputs.m_axis_d_tready = flag(self.d_tready)?;
        Ok(())
    }
}
