//! What differs between the dataflows: how operands reach the array, and sums the memory.

use crate::bank_status::BankStatus;
use crate::breakdown::Breakdown;
use crate::output_stationary::OutputStationary;
use crate::ports::Inputs;
use crate::psum_memory::{PsumMemory, RowOf};
use crate::shape::Shape;
use crate::trace::Visitor;
use crate::weight_stationary::WeightStationary;

/// What a flow is given in a clock.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) start: bool,
    /// M, N and K.
    pub(crate) sizes: [u32; 3],
    pub(crate) banks: &'a BankStatus,
    /// Initial values are in the banks.
    pub(crate) init: bool,
    /// What the codes of A and of B are in the model.
    pub(crate) tables: [&'a [u32; 256]; 2],
}

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wires {
    pub(crate) launch: bool,
    pub(crate) stall_a: bool,
    pub(crate) stall_b: bool,
    /// The bank whose sums enter the array from now on.
    pub(crate) claim: Option<usize>,
    /// The bank whose last sum is written.
    pub(crate) computed: Option<usize>,
}

/// The sequencer's walkers over A and B, the skew and the array.
#[derive(Clone)]
pub(crate) enum Flow {
    Weight(Box<WeightStationary>),
    Output(Box<OutputStationary>),
}

impl Flow {
    pub(crate) fn new(shape: &Shape) -> Self {
        match shape.slots {
            None => Self::Weight(Box::new(WeightStationary::new(shape))),
            Some(slots) => Self::Output(Box::new(OutputStationary::new(shape, slots))),
        }
    }

    /// `s_axis_a_tready` and `s_axis_b_tready`.
    pub(crate) fn ready(&self, banks: &BankStatus, init: bool) -> [bool; 2] {
        match self {
            Self::Weight(flow) => flow.ready(banks, init),
            Self::Output(flow) => flow.ready(),
        }
    }

    /// Decides what happens in this clock; [`Flow::clock`] does it.
    pub(crate) fn wires(&mut self, given: &Given<'_>, memory: &PsumMemory) -> Wires {
        match self {
            Self::Weight(flow) => flow.wires(given, memory),
            Self::Output(flow) => flow.wires(given, memory),
        }
    }

    /// One clock of the flow and of the memory.
    pub(crate) fn clock(
        &mut self,
        shape: &Shape,
        given: &Given<'_>,
        memory: &mut PsumMemory,
        preload: Option<(RowOf, &[u32])>,
        drain: Option<RowOf>,
    ) {
        match self {
            Self::Weight(flow) => flow.clock(shape, given, memory, preload, drain),
            Self::Output(flow) => flow.clock(shape, given, memory, preload, drain),
        }
    }

    /// Counts what the launcher does in this clock.
    pub(crate) fn count(&self, breakdown: &mut Breakdown) {
        match self {
            Self::Weight(flow) => flow.count(breakdown),
            Self::Output(flow) => flow.count(breakdown),
        }
    }

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Weight(flow) => flow.reset(),
            Self::Output(flow) => flow.reset(),
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        match self {
            Self::Weight(flow) => flow.visit(v, shape),
            Self::Output(flow) => flow.visit(v, shape),
        }
    }
}
