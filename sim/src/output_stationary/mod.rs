//! The output-stationary part of `quaver_os_core`: loader and launcher, skews and array, and the walks
//! over the banks.

mod array;
mod launcher;
mod loader;
mod walk;

use array::Array;
use launcher::Launcher;
use loader::Loader;
use walk::Walk;

use crate::breakdown::Breakdown;
use crate::flow::{Given, Wires};
use crate::psum_memory::{PsumMemory, RowOf};
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

#[derive(Clone)]
pub(crate) struct OutputStationary {
    loader: Loader,
    launcher: Launcher,
    array: Array,
    read_walk: Walk,
    write_walk: Walk,
    /// What loader and launcher do in the clock at hand.
    loads: loader::Wires,
    launches: launcher::Wires,
    /// The initial values that enter the array in the clock at hand, and the results that leave it.
    init: Vec<u32>,
    result: Vec<u32>,
}

impl OutputStationary {
    pub(crate) fn new(shape: &Shape, slots: usize) -> Self {
        let words = shape.cols * shape.psum_words();
        Self {
            loader: Loader::new(shape),
            launcher: Launcher::new(shape, slots),
            array: Array::new(shape, slots),
            read_walk: Walk::new(shape),
            write_walk: Walk::new(shape),
            loads: loader::Wires::default(),
            launches: launcher::Wires::default(),
            init: vec![0; words],
            result: vec![0; words],
        }
    }

    pub(crate) fn reset(&mut self) {
        self.loader.reset();
        self.launcher.reset();
        self.array.reset();
        self.read_walk.reset();
        self.write_walk.reset();
    }

    pub(crate) fn ready(&self) -> [bool; 2] {
        let launcher = self.launcher.wires(false, false, false, false);
        [launcher.ready, self.loader.wires(false).wants_beat]
    }

    pub(crate) fn wires(&mut self, given: &Given<'_>, memory: &PsumMemory) -> Wires {
        let inputs = given.inputs;
        let bank = self.launcher.claim_bank_q;
        let preloaded = given.banks.preloaded(bank);
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
            claim: launches.load.then_some(bank),
            computed: memory.computed(&self.write_walk.access()),
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
        self.init.copy_from_slice(memory.psum_o());
        self.result.copy_from_slice(self.array.result_o());
        let (read, write) = (self.read_walk.access(), self.write_walk.access());
        memory.clock(read, write, &self.result, preload, drain);
        self.read_walk
            .clock(self.launcher.read(&launches, given.init));
        self.write_walk.clock(self.launcher.write());
        let [table_a, table_b] = given.tables;
        let codes = inputs.s_axis_a.codes().chain(std::iter::repeat(0));
        let operand = codes.map(|code| match launches.takes_beat {
            true => table_a[usize::from(code)],
            false => 0,
        });
        let flags = self.launcher.flags(&launches);
        self.array
            .clock(shape, flags, operand, &self.loader.weight_q, &self.init);
        self.launcher
            .clock(&launches, given.start, given.sizes, given.init);
        self.loader.clock(
            &self.loads,
            given.start,
            given.sizes,
            launches.take,
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
        let walks = [
            ("u_read_walk", &self.read_walk),
            ("u_write_walk", &self.write_walk),
        ];
        for (name, walk) in walks {
            v.scope(name, None, |v| walk.visit(v, shape));
        }
        self.array.visit_skews(v, shape);
        v.scope("u_array", None, |v| self.array.visit(v, shape));
    }
}
