//! The ports of a simulated design as flat arrays of words, which is how they travel.

use quaver_drive::{DriveError, PortId};
use quaver_hdl::{Design, Direction, Port};

use crate::CosimError;

/// Where a port's words are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) direction: Direction,
    pub(crate) width: u32,
    /// First word, among the inputs or the outputs.
    pub(crate) start: usize,
    pub(crate) words: usize,
    /// The bits of the last word that belong to the port.
    pub(crate) top_mask: u32,
}

/// The name of the clock input.
pub(crate) const CLOCK: &str = "clk_i";

/// The values of all ports: a word of 32 bits for every started 32 bits of a port, low bits first.
#[derive(Clone, Debug)]
pub struct Signals {
    design: String,
    ports: Vec<Port>,
    slots: Vec<Slot>,
    clock: Option<PortId>,
    pub(crate) inputs: Vec<u32>,
    pub(crate) outputs: Vec<u32>,
    /// Bits of the outputs that are X or Z.
    pub(crate) unknown: Vec<u32>,
}

impl Signals {
    /// All inputs at 0.
    pub(crate) fn new(design: &Design) -> Self {
        let (mut inputs, mut outputs) = (0, 0);
        let slots = design.ports.iter().map(|port| {
            let words = port.width.div_ceil(32) as usize;
            let end = match port.direction {
                Direction::Input => &mut inputs,
                Direction::Output => &mut outputs,
            };
            let start = *end;
            *end += words;
            Slot {
                direction: port.direction,
                width: port.width,
                start,
                words,
                top_mask: u32::MAX >> ((32 - port.width % 32) % 32),
            }
        });
        let slots: Vec<Slot> = slots.collect();
        let clock = design
            .ports
            .iter()
            .position(|p| p.name == CLOCK && p.direction == Direction::Input)
            .map(PortId);
        Self {
            design: design.top.clone(),
            ports: design.ports.clone(),
            slots,
            clock,
            inputs: vec![0; inputs],
            outputs: vec![0; outputs],
            unknown: vec![0; outputs],
        }
    }

    /// Name of the top module.
    pub fn design(&self) -> &str {
        &self.design
    }

    /// The ports, in the order of their declaration.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The port of that name.
    ///
    /// # Errors
    /// [`DriveError::UnknownPort`] with the names that there are.
    pub fn port(&self, name: &str) -> Result<PortId, DriveError> {
        let position = self.ports.iter().position(|p| p.name == name);
        position.map(PortId).ok_or_else(|| DriveError::UnknownPort {
            design: self.design.clone(),
            name: name.to_owned(),
            known: self
                .ports
                .iter()
                .map(|p| p.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Width of a port in bits.
    pub fn width(&self, port: PortId) -> u32 {
        self.slots[port.0].width
    }

    /// Words of a port.
    pub fn words(&self, port: PortId) -> usize {
        self.slots[port.0].words
    }

    /// Gives an input its next value; bits beyond the port's width are dropped.
    ///
    /// # Panics
    /// When the port is an output, or `words` is not as long as the port.
    pub fn set(&mut self, port: PortId, words: &[u32]) {
        let slot = self.slots[port.0];
        assert!(
            slot.direction == Direction::Input && words.len() == slot.words,
            "{} words for port {}, an {:?} of {} bits",
            words.len(),
            self.ports[port.0].name,
            slot.direction,
            slot.width,
        );
        let target = &mut self.inputs[slot.start..slot.start + slot.words];
        target.copy_from_slice(words);
        target[slot.words - 1] &= slot.top_mask;
    }

    /// The last value of a port: what was set, or what the design drove at the last evaluation or
    /// tick. X and Z read as 0; see [`Signals::unknown`].
    pub fn get(&self, port: PortId) -> &[u32] {
        let slot = self.slots[port.0];
        let all = match slot.direction {
            Direction::Input => &self.inputs,
            Direction::Output => &self.outputs,
        };
        &all[slot.start..slot.start + slot.words]
    }

    /// The bits of a port that are X or Z. A simulator with two states has none; one with four
    /// marks whole groups of four bits.
    pub fn unknown(&self, port: PortId) -> &[u32] {
        let slot = self.slots[port.0];
        match slot.direction {
            Direction::Input => &[],
            Direction::Output => &self.unknown[slot.start..slot.start + slot.words],
        }
    }

    pub(crate) fn slot(&self, port: PortId) -> Slot {
        self.slots[port.0]
    }

    pub(crate) fn clock(&self) -> Result<PortId, CosimError> {
        self.clock.ok_or_else(|| CosimError::NoClock {
            design: self.design.clone(),
        })
    }

    /// Leaves the clock as a tick leaves it.
    pub(crate) fn raise_clock(&mut self) {
        if let Some(clock) = self.clock {
            self.inputs[self.slots[clock.0].start] = 1;
        }
    }
}
