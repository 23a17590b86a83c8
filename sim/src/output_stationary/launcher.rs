//! `quaver_os_launcher`: sends the operands of A, and says when sums are loaded and unloaded.

use super::array::{LOAD, PROMOTE, RESTART, STEP, UNLOAD, VALID};
use crate::breakdown::Breakdown;
use crate::line::Line;
use crate::loader::tile_shape;
use crate::shape::{Shape, clog2, index_bits};
use crate::tile_iterator::TileIterator;
use crate::trace::{Visitor, VisitorExt as _};

/// From the decision to unload to the clock before the first row leaves the chain.
const WRITE_CLOCKS: usize = 2;

/// What happens in a clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wires {
    pub(super) ready: bool,
    pub(super) stall: bool,
    pub(super) launch: bool,
    /// The operands of the beat enter, else zeros.
    pub(super) takes_beat: bool,
    pub(super) take: bool,
    pub(super) load: bool,
    turn: bool,
    end_step: bool,
    end_tile: bool,
    unload: bool,
    load_waits: bool,
    load_begins: bool,
    restart: bool,
    promote: bool,
    chunk_ends: bool,
    sums_ready: bool,
}

/// Everything but what goes to the array, which begins its delay lines.
#[derive(Clone, Debug)]
pub(super) struct Launcher {
    steps: TileIterator,
    phase_q: u32,
    slot_q: u32,
    step_q: bool,
    sums_q: bool,
    load_wait_q: u32,
    complete_q: bool,
    init_busy_q: u32,
    result_busy_q: u32,
    pub(super) claim_bank_q: usize,
    write_bank_q: usize,
    loading_q: bool,
    unloading_q: bool,
    chunk_step_q: u32,
    /// `{begin, bank}`; none where a read begins with its decision.
    read: Option<Line<(bool, bool)>>,
    write: Line<(bool, bool)>,
    rows: u32,
    slots: u32,
    read_rotations: u32,
    chunk_steps: u32,
    /// The step of this rotation is complete; no register, for the breakdown alone.
    step_ended: bool,
}

impl Launcher {
    pub(super) fn new(shape: &Shape, slots: usize) -> Self {
        let rows = shape.rows;
        let read_rotations = (rows + slots - 2) / slots;
        let read_clocks = read_rotations * slots + 1 - rows;
        Self {
            steps: TileIterator::new(tile_shape(shape)),
            phase_q: 0,
            slot_q: 0,
            step_q: false,
            sums_q: false,
            load_wait_q: 0,
            complete_q: false,
            init_busy_q: 0,
            result_busy_q: 0,
            claim_bank_q: 0,
            write_bank_q: 0,
            loading_q: false,
            unloading_q: false,
            chunk_step_q: 0,
            read: (read_clocks > 0).then(|| Line::new(read_clocks)),
            write: Line::new(WRITE_CLOCKS),
            rows: rows as u32,
            slots: slots as u32,
            read_rotations: read_rotations as u32,
            chunk_steps: shape.chunk_tiles as u32,
            step_ended: false,
        }
    }

    pub(super) fn reset(&mut self) {
        self.steps.reset();
        (self.phase_q, self.slot_q) = (0, 0);
        (self.step_q, self.sums_q, self.complete_q) = (false, false, false);
        (self.load_wait_q, self.init_busy_q, self.result_busy_q) = (0, 0, 0);
        (self.claim_bank_q, self.write_bank_q) = (0, 0);
        (self.loading_q, self.unloading_q) = (false, false);
        self.chunk_step_q = 0;
        if let Some(read) = &mut self.read {
            read.clear();
        }
        self.write.clear();
        self.step_ended = false;
    }

    pub(super) fn wires(&self, loaded: bool, preloaded: bool, init: bool, tvalid: bool) -> Wires {
        let step = &self.steps.tile;
        let turn = self.phase_q == self.slots - 1;
        let sums_ready = self.sums_q && self.load_wait_q == 0;
        let may_launch = step.valid && self.step_q && sums_ready && self.slot_q == self.phase_q;
        let needs_beat = step.terms != 0;
        let launch = may_launch && (!needs_beat || tvalid);
        let last_slot = step.last_row < (self.slot_q + 1) * self.rows;
        let end_step = launch && last_slot;
        let end_tile = end_step && step.last_k;

        let complete = self.complete_q || end_tile;
        let unload = turn && complete && self.result_busy_q == 0;
        let wants_load = match end_tile {
            true => !step.last,
            false => step.valid && !self.sums_q,
        };
        let unloaded = unload || !complete;
        let load = turn && wants_load && unloaded && preloaded && self.init_busy_q == 0;
        let load_waits = init && self.read_rotations != 0;
        let load_begins = turn
            && match load {
                true => !load_waits,
                false => self.load_wait_q == 1,
            };
        let chunked = self.chunk_steps > 0;
        let chunk_ends = chunked && (step.last_k || self.chunk_step_q + 1 == self.chunk_steps);
        let ready = may_launch && needs_beat;
        Wires {
            ready,
            stall: ready && !tvalid,
            launch,
            takes_beat: launch && needs_beat,
            take: turn && loaded && (!self.step_q || end_step),
            load,
            turn,
            end_step,
            end_tile,
            unload,
            load_waits,
            load_begins,
            restart: chunked && launch && self.chunk_step_q == 0,
            promote: launch && chunk_ends && needs_beat,
            chunk_ends,
            sums_ready,
        }
    }

    /// The flags that the array's edge takes at the end of this clock.
    pub(super) fn flags(&self, wires: &Wires) -> u8 {
        let flags = [
            (wires.promote, PROMOTE),
            (wires.restart, RESTART),
            (self.unloading_q, UNLOAD),
            (self.loading_q, LOAD),
            (wires.take, STEP),
            (wires.launch, VALID),
        ];
        let set = flags.into_iter().filter(|&(is_set, _)| is_set);
        set.fold(0, |all, (_, flag)| all | flag)
    }

    /// `read_o`: the bank whose initial values are read from the next clock on.
    pub(super) fn read(&self, wires: &Wires, init: bool) -> Option<usize> {
        let (begins, bank) = match &self.read {
            Some(line) => line.oldest(),
            None => (wires.load && init, self.claim_bank_q != 0),
        };
        begins.then_some(bank.into())
    }

    /// `write_o`: the bank to which results are written from the next clock on.
    pub(super) fn write(&self) -> Option<usize> {
        let (begins, bank) = self.write.oldest();
        begins.then_some(bank.into())
    }

    /// Counts what the launcher does in this clock.
    pub(super) fn count(&self, wires: &Wires, breakdown: &mut Breakdown) {
        let part = match () {
            () if !self.steps.tile.valid => return,
            () if wires.launch => &mut breakdown.rows,
            () if self.step_ended => &mut breakdown.sums,
            () if !self.step_q => &mut breakdown.weights,
            () if wires.sums_ready => &mut breakdown.a,
            () => &mut breakdown.bank,
        };
        *part += 1;
    }

    pub(super) fn clock(&mut self, wires: &Wires, start: bool, sizes: [u32; 3], init: bool) {
        if let Some(read) = &mut self.read {
            read.push((wires.load && init, self.claim_bank_q != 0));
        }
        self.write.push((wires.unload, self.write_bank_q != 0));
        if wires.end_step && self.chunk_steps > 0 {
            self.chunk_step_q = match wires.chunk_ends {
                true => 0,
                false => self.chunk_step_q + 1,
            };
        }
        self.steps.clock(start, sizes, wires.end_step);
        self.phase_q = match () {
            // The first step of a job may begin three clocks later.
            () if start => (2 * self.slots - 3) % self.slots,
            () if wires.turn => 0,
            () => self.phase_q + 1,
        };
        self.slot_q = match wires.end_step {
            true => 0,
            false => self.slot_q + u32::from(wires.launch),
        };
        self.step_q = wires.take || self.step_q && !wires.end_step;
        self.sums_q = wires.load || self.sums_q && !wires.end_tile;
        self.complete_q = !wires.unload && (self.complete_q || wires.end_tile);
        let counts_down = |count: u32| count.saturating_sub(u32::from(wires.turn));
        self.load_wait_q = match (wires.load, wires.load_waits) {
            (false, _) => counts_down(self.load_wait_q),
            (true, waits) => u32::from(waits) * self.read_rotations,
        };
        let chain = self.rows - 1;
        self.init_busy_q = match wires.load && init {
            true => chain,
            false => counts_down(self.init_busy_q),
        };
        self.result_busy_q = match wires.unload {
            true => chain,
            false => counts_down(self.result_busy_q),
        };
        self.claim_bank_q ^= usize::from(wires.load);
        self.write_bank_q ^= usize::from(wires.unload);
        if wires.turn {
            self.loading_q = wires.load_begins;
            self.unloading_q = wires.unload;
        }
        self.step_ended = !wires.turn && (self.step_ended || wires.end_step);
    }

    /// Everything but `operand_q` and the flags.
    pub(super) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        let slot_bits = clog2(self.slots as usize);
        let rotation_bits = clog2(shape.rows + 1);
        v.bits("phase_q", slot_bits, self.phase_q);
        v.bits("slot_q", slot_bits, self.slot_q);
        v.flag("step_q", self.step_q);
        v.flag("sums_q", self.sums_q);
        v.bits("load_wait_q", rotation_bits, self.load_wait_q);
        v.flag("complete_q", self.complete_q);
        v.bits("init_busy_q", rotation_bits, self.init_busy_q);
        v.bits("result_busy_q", rotation_bits, self.result_busy_q);
        v.bits("claim_bank_q", 1, self.claim_bank_q as u32);
        v.bits("write_bank_q", 1, self.write_bank_q as u32);
        v.flag("loading_q", self.loading_q);
        v.flag("unloading_q", self.unloading_q);
        if self.chunk_steps > 0 {
            let width = index_bits(shape.chunk_tiles);
            v.scope("gen_chunks", None, |v| {
                v.bits("chunk_step_q", width, self.chunk_step_q);
            });
        }
        let fields = |&(begins, bank): &(bool, bool)| [(bank.into(), 1), (begins.into(), 1)];
        let lines = [
            ("u_read", self.read.as_ref()),
            ("u_write", Some(&self.write)),
        ];
        for (name, line) in lines {
            if let Some(line) = line {
                let window = line.window().iter();
                v.line(name, window.flat_map(fields));
            }
        }
        self.steps.visit(v, "u_steps");
    }
}
