//! The weight-stationary part of `quaver_core`: loader and launcher, skew and array, what is in
//! flight, and the two levels of a sum.

use crate::array::Array;
use crate::bank_status::BankStatus;
use crate::breakdown::Breakdown;
use crate::flow::{Given, Wires};
use crate::launcher::{self, Launcher};
use crate::levels::{Flags, Levels};
use crate::line::Line;
use crate::loader::{self, Loader};
use crate::psum_memory::{Access, PsumMemory, RowOf};
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// A row from its launch to its write-back: `u_flight`.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    launch: bool,
    last: bool,
    bank: u8,
    row: u16,
}

#[derive(Clone)]
pub(crate) struct WeightStationary {
    loader: Loader,
    launcher: Launcher,
    array: Array,
    flight: Line<Flight>,
    levels: Option<Levels>,
    /// What loader and launcher do in the clock at hand.
    loads: loader::Wires,
    launches: launcher::Wires,
    /// The partial sums that enter the array in the clock at hand, and the words that the memory
    /// may write.
    psum_in: Vec<u32>,
    word_in: Vec<u32>,
}

impl WeightStationary {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            loader: Loader::new(shape),
            launcher: Launcher::new(shape),
            array: Array::new(shape),
            flight: Line::new(shape.flight()),
            levels: Levels::new(shape),
            loads: loader::Wires::default(),
            launches: launcher::Wires::default(),
            psum_in: vec![0; shape.cols * shape.psum_words()],
            word_in: vec![0; shape.cols * shape.memory_words()],
        }
    }

    pub(crate) fn reset(&mut self) {
        self.loader.reset();
        self.launcher.reset();
        self.array.reset();
        self.flight.clear();
        if let Some(levels) = &mut self.levels {
            levels.reset();
        }
    }

    pub(crate) fn ready(&self, banks: &BankStatus, init: bool) -> [bool; 2] {
        let preloaded = banks.preloaded(self.launcher.bank_q);
        let launcher = self.launcher.wires(false, preloaded, init, false);
        [launcher.ready, self.loader.wires(false).wants_beat]
    }

    /// The row that is written back in column 0 now.
    fn retire(&self) -> Access {
        let retired = self.flight.oldest();
        Access {
            valid: retired.launch,
            last: retired.last,
            bank: retired.bank,
            row: retired.row,
        }
    }

    pub(crate) fn wires(&mut self, given: &Given<'_>, memory: &PsumMemory) -> Wires {
        let inputs = given.inputs;
        let preloaded = given.banks.preloaded(self.launcher.bank_q);
        self.loads = self.loader.wires(inputs.s_axis_b.tvalid);
        self.launches = self.launcher.wires(
            self.loader.loaded_q,
            preloaded,
            given.init,
            inputs.s_axis_a.tvalid,
        );
        let launches = &self.launches;
        Wires {
            launch: launches.launch,
            stall_a: launches.stall,
            stall_b: self.loads.stall,
            claim: launches.claim.then_some(self.launcher.bank_q),
            computed: memory.computed(&self.retire()),
        }
    }

    pub(crate) fn count(&self, breakdown: &mut Breakdown) {
        self.launcher.count(&self.launches, breakdown);
    }

    pub(crate) fn clock(
        &mut self,
        shape: &Shape,
        given: &Given<'_>,
        memory: &mut PsumMemory,
        preload: Option<(RowOf, &[u32])>,
        drain: Option<RowOf>,
    ) {
        let inputs = given.inputs;
        let launches = self.launches;
        let flight = Flight {
            launch: launches.launch,
            last: launches.last,
            bank: self.launcher.bank_q as u8,
            row: self.launcher.row_q as u16,
        };
        let retire = self.retire();
        // The array takes the partial sums before the memory changes them, and gives its own
        // before it changes those.
        let launched = Access {
            valid: launches.read,
            last: false,
            bank: flight.bank,
            row: flight.row,
        };
        let (words, sums) = (memory.psum_o(), self.array.psum_o());
        match &mut self.levels {
            None => {
                self.psum_in.copy_from_slice(words);
                self.word_in.copy_from_slice(sums);
            }
            Some(levels) => {
                levels.psum_o(words, &mut self.psum_in);
                levels.word_o(&mut self.word_in);
                let flags = Flags {
                    restart: launches.restart,
                    promote: launches.promote,
                    swap: launches.swap,
                    scale_a: inputs.s_axis_a.tuser.first().copied().unwrap_or(0)
                        & shape.scale_mask(),
                };
                let beat = &inputs.s_axis_b;
                let taken = beat.tvalid && self.loads.wants_beat;
                let loaded = taken.then_some(beat.tuser.as_slice());
                levels.clock(flags, loaded, words, sums);
            }
        }
        memory.clock(launched, retire, &self.word_in, preload, drain);
        let [table_a, table_b] = given.tables;
        let codes = inputs.s_axis_a.codes().chain(std::iter::repeat(0));
        let operand = codes.map(|code| {
            if launches.takes_beat {
                table_a[usize::from(code)]
            } else {
                0
            }
        });
        let (shift, weight) = (self.loader.shift_q, &self.loader.weight_q);
        self.array
            .clock(shape, operand, launches.swap, shift, weight, &self.psum_in);
        self.flight.push(flight);
        self.launcher
            .clock(&launches, given.start, given.sizes, retire.valid);
        self.loader.clock(
            &self.loads,
            given.start,
            given.sizes,
            launches.swap,
            &inputs.s_axis_b,
            table_b,
        );
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.scope("u_loader", None, |v| self.loader.visit(v, shape));
        v.scope("u_launcher", None, |v| {
            self.launcher.visit(v, shape);
            self.array.visit_launcher(v, shape);
        });
        v.scope("u_skew", None, |v| self.array.visit_skew(v, shape));
        v.scope("u_array", None, |v| self.array.visit(v, shape));
        v.scope("u_flight", None, |v| {
            v.scope("gen_line", None, |v| {
                let fields = |f: &Flight| {
                    let row = (f.row.into(), shape.row_bits);
                    [
                        row,
                        (f.bank.into(), 1),
                        (f.last.into(), 1),
                        (f.launch.into(), 1),
                    ]
                };
                v.packed("line_q", self.flight.window().iter().flat_map(fields));
            });
        });
        if let Some(levels) = &self.levels {
            levels.visit(v);
        }
    }
}
