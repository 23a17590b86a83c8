//! The skews, `quaver_os_array` and `quaver_os_pe`: operands, B and the sums.
//!
//! A sum goes round in a ring of `SLOTS` clocks. What the adder makes of it is computed when it
//! enters, and stays where it is: the place that enters now is the one that entered `SLOTS` clocks
//! ago.

use quaver_contract::config::PROMOTE_LATENCY;
use quaver_golden::dot::Operand;

use crate::arithmetic::{ABSENT, accumulate, add};
use crate::line::Line;
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// Flags beside the operands, in the order of the skew's words.
pub(super) const PROMOTE: u8 = 1;
pub(super) const RESTART: u8 = 2;
pub(super) const UNLOAD: u8 = 4;
pub(super) const LOAD: u8 = 8;
pub(super) const STEP: u8 = 16;
pub(super) const VALID: u8 = 32;

/// The flags' registers in a PE.
const NAMES: [(&str, u8); 6] = [
    ("promote_q", PROMOTE),
    ("restart_q", RESTART),
    ("unload_q", UNLOAD),
    ("load_q", LOAD),
    ("step_q", STEP),
    ("valid_q", VALID),
];

/// Of a chunked sum, what of it went in: the outer sum, and whether the chunk is complete.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    promote: bool,
    outer: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Array {
    rows: usize,
    cols: usize,
    lanes: usize,
    latency: usize,
    slots: usize,
    /// Words of 32 bits in a sum, on the chains and, with two levels, in the ring.
    words: usize,
    ring_words: usize,
    chunked: bool,
    /// Newest first: the launcher's registers, the skew of the last row, the PEs' registers from
    /// left to right.
    flags: Line<u8>,
    /// The same for each row and lane.
    operands: Vec<Line<u32>>,
    /// The skew of B, for each column and lane: the loader's `weight_q` in the clocks before.
    weights: Vec<Line<u32>>,
    /// Row after row; the lanes of a PE side by side.
    weight_q: Vec<u32>,
    init_q: Vec<u32>,
    result_q: Vec<u32>,
    /// For each clock of the ring the sums that entered, row after row: of two levels
    /// `[inner, outer]`.
    ring: Vec<u32>,
    past: Vec<Past>,
    /// The clock of the ring that leaves it now.
    turn: usize,
    terms: Vec<(Operand, Operand)>,
}

impl Array {
    pub(super) fn new(shape: &Shape, slots: usize) -> Self {
        let (rows, cols, lanes) = (shape.rows, shape.cols, shape.lanes);
        let chunked = shape.chunk_tiles > 0;
        let words = shape.psum_words();
        let ring_words = if chunked { 2 } else { words };
        let pes = rows * cols;
        let length = |row: usize| 1 + row * (slots - 1) + cols;
        Self {
            rows,
            cols,
            lanes,
            latency: shape.pe_latency,
            slots,
            words,
            ring_words,
            chunked,
            flags: Line::new(length(rows - 1)),
            operands: (0..rows * lanes)
                .map(|line| Line::new(length(line / lanes)))
                .collect(),
            weights: vec![absent(cols); cols * lanes],
            weight_q: vec![ABSENT; pes * lanes],
            init_q: vec![0; pes * words],
            result_q: vec![0; pes * words],
            ring: vec![0; slots * pes * ring_words],
            past: vec![Past::default(); if chunked { slots * pes } else { 0 }],
            turn: 0,
            terms: Vec::with_capacity(lanes),
        }
    }

    pub(super) fn reset(&mut self) {
        self.flags.clear();
        self.operands.iter_mut().for_each(Line::clear);
        self.weights.fill(absent(self.cols));
        self.weight_q.fill(ABSENT);
        self.init_q.fill(0);
        self.result_q.fill(0);
        self.ring.fill(0);
        self.past.fill(Past::default());
    }

    /// `result_o`: what leaves the top.
    pub(super) fn result_o(&self) -> &[u32] {
        &self.result_q[..self.cols * self.words]
    }

    /// Where the row's first PE takes its inputs from in the delay lines.
    fn place(&self, row: usize, col: usize) -> usize {
        row * (self.slots - 1) + col
    }

    /// One clock. `flags` and `operand` become the launcher's registers, `weight` are the loader's.
    pub(super) fn clock(
        &mut self,
        shape: &Shape,
        flags: u8,
        operand: impl Iterator<Item = u32>,
        weight: &[u32],
        init: &[u32],
    ) {
        for row in 0..self.rows {
            for col in 0..self.cols {
                self.clock_pe(shape, row, col, init);
            }
        }
        self.turn = (self.turn + 1) % self.slots;
        // From the bottom, for a PE takes what the one above has.
        for row in (0..self.rows).rev() {
            for col in 0..self.cols {
                if self.flags.window()[self.place(row, col)] & STEP != 0 {
                    self.take_weights(row, col, weight);
                }
            }
        }
        for (line, &weight) in self.weights.iter_mut().zip(weight) {
            line.push(weight);
        }
        self.flags.push(flags);
        for (line, value) in self.operands.iter_mut().zip(operand) {
            line.push(value);
        }
    }

    fn take_weights(&mut self, row: usize, col: usize, weight: &[u32]) {
        let lanes = self.lanes;
        let first = (row * self.cols + col) * lanes;
        if row > 0 {
            let above = first - self.cols * lanes;
            self.weight_q.copy_within(above..above + lanes, first);
            return;
        }
        for lane in 0..lanes {
            let line = col * lanes + lane;
            self.weight_q[first + lane] = match col {
                0 => weight[line],
                _ => self.weights[line].window()[col - 1],
            };
        }
    }

    /// The sum whose turn it is. Rows go from the top, for a PE takes what the one below has.
    fn clock_pe(&mut self, shape: &Shape, row: usize, col: usize, init: &[u32]) {
        let (words, ring_words) = (self.words, self.ring_words);
        let pe = row * self.cols + col;
        let flags = self.flags.window()[self.place(row, col)];
        let slot = self.turn * self.rows * self.cols + pe;
        let mut sum = [0; 4];
        let sum = &mut sum[..ring_words];
        sum.copy_from_slice(&self.ring[slot * ring_words..][..ring_words]);
        let here = pe * words..(pe + 1) * words;
        let below = here.start + self.cols * words;

        // The outer word of two levels is what leaves and what is loaded.
        if flags & UNLOAD != 0 {
            self.result_q[here.clone()].copy_from_slice(&sum[ring_words - words..]);
        } else if row + 1 < self.rows {
            self.result_q.copy_within(below..below + words, here.start);
        } else {
            self.result_q[here.clone()].fill(0);
        }
        let loaded = match row + 1 < self.rows {
            true => &self.init_q[below..below + words],
            false => &init[col * words..][..words],
        };
        if flags & LOAD != 0 {
            sum[ring_words - words..].copy_from_slice(loaded);
        }
        if row + 1 < self.rows {
            self.init_q.copy_within(below..below + words, here.start);
        } else {
            self.init_q[here].copy_from_slice(&init[col * words..][..words]);
        }

        if self.chunked {
            if flags & (LOAD | RESTART) != 0 {
                sum[0] = 0;
            }
            let promote = flags & PROMOTE != 0;
            self.past[slot] = Past {
                promote,
                outer: sum[1],
            };
            self.add_products(shape, row, col, flags, &mut sum[..1]);
            if promote {
                sum[1] = add(sum[1], sum[0]);
            }
        } else {
            self.add_products(shape, row, col, flags, sum);
        }
        self.ring[slot * ring_words..][..ring_words].copy_from_slice(sum);
    }

    /// `quaver_mac`.
    fn add_products(&mut self, shape: &Shape, row: usize, col: usize, flags: u8, sum: &mut [u32]) {
        if flags & VALID == 0 {
            return;
        }
        let (lanes, place) = (self.lanes, self.place(row, col));
        let weights = &self.weight_q[(row * self.cols + col) * lanes..][..lanes];
        let mut products = self.operands[row * lanes..][..lanes]
            .iter()
            .map(|line| line.window()[place])
            .zip(weights.iter().copied());
        match (&shape.tokens, &shape.fixed) {
            (None, _) => {
                for (a, b) in products {
                    accumulate(&[sum[0]], &[a], &[b], sum);
                }
            }
            (Some(tokens), None) => {
                sum[0] = tokens.accumulate(sum[0], products, &mut self.terms);
            }
            (Some(tokens), Some(fixed)) => {
                let (a, b) = products.next().expect("exact sums have one lane");
                tokens.accumulate_fixed(fixed, sum, a, b);
            }
        }
    }

    /// `operand_q` and the flags of the launcher.
    pub(super) fn visit_launcher(&self, v: &mut dyn Visitor, shape: &Shape) {
        let operand = |line: &Line<u32>| (shape.operand_of(line.window()[0]), shape.operand_bits());
        v.packed("operand_q", self.operands.iter().map(operand));
        let flags = self.flags.window()[0];
        for (name, flag) in NAMES {
            // The launcher's `step_q` is another register.
            let name = if flag == STEP { "take_q" } else { name };
            v.flag(name, flags & flag != 0);
        }
    }

    /// `u_skew` and `u_weight_skew`.
    pub(super) fn visit_skews(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.scope("u_skew", None, |v| {
            for row in 1..self.rows {
                let lines = &self.operands[row * self.lanes..][..self.lanes];
                let word = |i: usize| {
                    let operand = move |line: &Line<u32>| {
                        (shape.operand_of(line.window()[i]), shape.operand_bits())
                    };
                    let flags = u32::from(self.flags.window()[i]);
                    lines
                        .iter()
                        .map(operand)
                        .chain([(flags, NAMES.len() as u32)])
                };
                v.scope("gen_row", Some(row), |v| {
                    v.line("u_delay", (1..=row * (self.slots - 1)).flat_map(word));
                });
            }
        });
        v.scope("u_weight_skew", None, |v| {
            let width = 1 + shape.operand_bits();
            for col in 1..self.cols {
                let lines = &self.weights[col * self.lanes..][..self.lanes];
                let word = |i: usize| {
                    let weight = move |line: &Line<u32>| (shape.weight_of(line.window()[i]), width);
                    lines.iter().map(weight)
                };
                v.scope("gen_row", Some(col), |v| {
                    v.line("u_delay", (0..col).flat_map(word));
                });
            }
        });
    }

    pub(super) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        for row in 0..self.rows {
            v.scope("gen_row", Some(row), |v| {
                for col in 0..self.cols {
                    v.scope("gen_col", Some(col), |v| {
                        v.scope("u_pe", None, |v| self.visit_pe(v, shape, row, col));
                    });
                }
            });
        }
    }

    fn visit_pe(&self, v: &mut dyn Visitor, shape: &Shape, row: usize, col: usize) {
        let pe = row * self.cols + col;
        let place = 1 + self.place(row, col);
        let flags = self.flags.window()[place];
        for (name, flag) in NAMES {
            v.flag(name, flags & flag != 0);
        }
        let width = shape.operand_bits();
        let operands = self.operands[row * self.lanes..][..self.lanes].iter();
        let operand = |line: &Line<u32>| (shape.operand_of(line.window()[place]), width);
        v.packed("operand_q", operands.map(operand));
        let weights = self.weight_q[pe * self.lanes..][..self.lanes].iter();
        v.packed(
            "weight_q",
            weights.map(|&w| (shape.weight_of(w), 1 + width)),
        );
        for (name, words) in [("init_q", &self.init_q), ("result_q", &self.result_q)] {
            let word = &words[pe * self.words..][..self.words];
            shape.visit_psum(v, name, word);
        }
        v.scope("u_mac", None, |v| {
            let sum = &self.entered(pe, self.latency)[..self.words];
            shape.visit_psum(v, "psum_o", sum);
        });
        match self.chunked {
            false => v.scope("gen_ring", None, |v| {
                let bits = shape.psum_bits();
                let words = (self.latency + 1..=self.slots).map(|age| self.entered(pe, age));
                v.line("u_rest", words.flat_map(move |word| fields(word, bits)));
            }),
            true => v.scope("gen_chunks", None, |v| self.visit_chunks(v, pe)),
        }
    }

    fn visit_chunks(&self, v: &mut dyn Visitor, pe: usize) {
        let past = (1..=self.latency).map(|age| self.past[self.place_of(pe, age)]);
        let past = past.flat_map(|past| [(past.outer, 32), (past.promote.into(), 1)]);
        v.line("u_past", past);
        let end = self.latency + PROMOTE_LATENCY;
        v.scope("u_promote", None, |v| {
            v.scope("u_add", None, |v| {
                v.scope("u_sum", None, |v| {
                    v.scope("u_sum", None, |v| {
                        v.scope("gen_register", None, |v| {
                            v.fp32("stage_q", self.entered(pe, end)[1]);
                        });
                    });
                });
            });
            let inner = (self.latency + 1..=end).map(|age| (self.entered(pe, age)[0], 32));
            v.line("u_inner", inner);
        });
        let words = (end + 1..=self.slots).map(|age| self.entered(pe, age));
        v.line("u_rest", words.flat_map(|word| fields(word, 64)));
    }

    /// The place of what entered a PE that many clocks ago, 1 to `SLOTS`.
    fn place_of(&self, pe: usize, age: usize) -> usize {
        let clock = (self.turn + self.slots - age) % self.slots;
        clock * self.rows * self.cols + pe
    }

    fn entered(&self, pe: usize, age: usize) -> &[u32] {
        &self.ring[self.place_of(pe, age) * self.ring_words..][..self.ring_words]
    }
}

/// The skew of a column of B without anything in it.
fn absent(length: usize) -> Line<u32> {
    let mut line = Line::new(length);
    for _ in 0..length {
        line.push(ABSENT);
    }
    line
}

/// The words of a number of that many bits.
fn fields(words: &[u32], bits: u32) -> impl Iterator<Item = (u32, u32)> {
    let width = move |i: usize| (bits - 32 * i as u32).min(32);
    words
        .iter()
        .enumerate()
        .map(move |(i, &word)| (word, width(i)))
}
