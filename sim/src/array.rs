//! `quaver_skew`, `quaver_array` and `quaver_pe`: operands, weights and partial sums.
//!
//! An operand of row r walks from the launcher's `operand_q` through the skew and the row's PEs,
//! one register a clock: one delay line. Its window at `r * PE_LATENCY` is the row's `operand_i`.
//! The swap walks beside it. A PE's sum is computed when its operands enter and waits
//! `PE_LATENCY` clocks in a ring of planes, one plane for each stage of the pipeline.

use quaver_golden::dot::Operand;

use crate::arithmetic::{ABSENT, accumulate};
use crate::fixed::FixedPoint;
use crate::line::Line;
use crate::shape::Shape;
use crate::tokens::Tokens;
use crate::trace::{Visitor, VisitorExt as _};

#[derive(Clone, Debug)]
pub(crate) struct Array {
    rows: usize,
    cols: usize,
    lanes: usize,
    latency: usize,
    /// For each row and lane, newest first: `operand_q` of the launcher, the skew's `line_q`, and
    /// `operand_q` of the PEs from left to right. Binary32 values, or tokens.
    operands: Vec<Line<u32>>,
    /// Clocks since each swap in the array was in the launcher's `swap_q`.
    swaps: Vec<usize>,
    /// The same, or [`ABSENT`]; row after row, the lanes of a PE side by side.
    shadow_q: Vec<u32>,
    active_q: Vec<u32>,
    /// Words of 32 bits in a sum.
    words: usize,
    /// `PE_LATENCY` planes of sums, row after row.
    planes: Vec<u32>,
    /// The plane that the PEs drive on `psum_o` now, and fill at this clock.
    plane: usize,
    /// Room for the products of a PE.
    terms: Vec<(Operand, Operand)>,
}

impl Array {
    pub(crate) fn new(shape: &Shape) -> Self {
        let (rows, cols, latency) = (shape.rows, shape.cols, shape.pe_latency);
        let (lanes, words) = (shape.lanes, shape.psum_words());
        Self {
            rows,
            cols,
            lanes,
            latency,
            operands: (0..rows * lanes)
                .map(|line| Line::new(1 + line / lanes * latency + cols))
                .collect(),
            swaps: Vec::new(),
            shadow_q: vec![ABSENT; rows * cols * lanes],
            active_q: vec![ABSENT; rows * cols * lanes],
            words,
            planes: vec![0; latency * rows * cols * words],
            plane: 0,
            terms: Vec::with_capacity(lanes),
        }
    }

    pub(crate) fn reset(&mut self) {
        for line in &mut self.operands {
            line.clear();
        }
        self.swaps.clear();
        self.shadow_q.fill(ABSENT);
        self.active_q.fill(ABSENT);
        self.planes.fill(0);
    }

    fn plane(&self) -> &[u32] {
        let size = self.rows * self.cols * self.words;
        &self.planes[self.plane * size..][..size]
    }

    /// What leaves the bottom row.
    pub(crate) fn psum_o(&self) -> &[u32] {
        &self.plane()[(self.rows - 1) * self.cols * self.words..]
    }

    /// One clock. `operand` and `swap` become the launcher's registers.
    pub(crate) fn clock(
        &mut self,
        shape: &Shape,
        operand: impl Iterator<Item = u32>,
        swap: bool,
        shift: bool,
        weight: &[u32],
        psum_i: &[u32],
    ) {
        match (&shape.tokens, &shape.fixed) {
            (None, _) => self.compute(psum_i),
            (Some(tokens), None) => self.compute_tokens(tokens, psum_i),
            (Some(tokens), Some(fixed)) => self.compute_fixed(tokens, fixed, psum_i),
        }
        self.swap_weights(swap);
        if shift {
            let top = self.cols * self.lanes;
            self.shadow_q.copy_within(top.., 0);
            let bottom = (self.rows - 1) * top;
            self.shadow_q[bottom..].copy_from_slice(weight);
        }
        for (line, value) in self.operands.iter_mut().zip(operand) {
            line.push(value);
        }
    }

    /// Every PE takes the sum of the PE above it, bottom row first: what it overwrites is its own
    /// sum of `PE_LATENCY` clocks ago, which the row below has taken.
    fn compute(&mut self, psum_i: &[u32]) {
        let (rows, cols) = (self.rows, self.cols);
        let plane = &mut self.planes[self.plane * rows * cols..][..rows * cols];
        for row in (0..rows).rev() {
            let (above, here) = plane.split_at_mut(row * cols);
            let psums = if row == 0 {
                psum_i
            } else {
                &above[(row - 1) * cols..]
            };
            let operands = &self.operands[row].window()[row * self.latency..][..cols];
            let weights = &self.active_q[row * cols..][..cols];
            accumulate(psums, operands, weights, &mut here[..cols]);
        }
        self.plane = (self.plane + 1) % self.latency;
    }

    /// The same with the golden model's sums.
    fn compute_tokens(&mut self, tokens: &Tokens, psum_i: &[u32]) {
        let (rows, cols, lanes) = (self.rows, self.cols, self.lanes);
        let plane = &mut self.planes[self.plane * rows * cols..][..rows * cols];
        for row in (0..rows).rev() {
            let (above, here) = plane.split_at_mut(row * cols);
            let psums = match row {
                0 => psum_i,
                _ => &above[(row - 1) * cols..],
            };
            for (col, (sum, &psum)) in here[..cols].iter_mut().zip(psums).enumerate() {
                let place = row * self.latency + col;
                let operands = self.operands[row * lanes..][..lanes].iter();
                let weights = &self.active_q[(row * cols + col) * lanes..][..lanes];
                let products = operands.map(|line| line.window()[place]);
                let products = products.zip(weights.iter().copied());
                *sum = tokens.accumulate(psum, products, &mut self.terms);
            }
        }
        self.plane = (self.plane + 1) % self.latency;
    }

    /// The same in fixed point, which has one lane.
    fn compute_fixed(&mut self, tokens: &Tokens, fixed: &FixedPoint, psum_i: &[u32]) {
        let (rows, cols, words) = (self.rows, self.cols, self.words);
        let width = cols * words;
        let plane = &mut self.planes[self.plane * rows * width..][..rows * width];
        for row in (0..rows).rev() {
            let (above, here) = plane.split_at_mut(row * width);
            let psums = match row {
                0 => psum_i,
                _ => &above[(row - 1) * width..],
            };
            here[..width].copy_from_slice(&psums[..width]);
            let operands = &self.operands[row].window()[row * self.latency..][..cols];
            let weights = &self.active_q[row * cols..][..cols];
            let sums = here.chunks_exact_mut(words).zip(operands).zip(weights);
            for ((sum, &operand), &weight) in sums {
                tokens.accumulate_fixed(fixed, sum, operand, weight);
            }
        }
        self.plane = (self.plane + 1) % self.latency;
    }

    /// Takes the weights of the PEs that see a swap, and moves the swaps on.
    fn swap_weights(&mut self, swap: bool) {
        for &age in &self.swaps {
            for row in 0..self.rows {
                let column = age.wrapping_sub(row * self.latency);
                if column < self.cols {
                    let first = (row * self.cols + column) * self.lanes;
                    let weights = first..first + self.lanes;
                    self.active_q[weights.clone()].copy_from_slice(&self.shadow_q[weights]);
                }
            }
        }
        let end = (self.rows - 1) * self.latency + self.cols;
        self.swaps.retain(|&age| age < end);
        for age in &mut self.swaps {
            *age += 1;
        }
        if swap {
            self.swaps.push(0);
        }
    }

    /// Whether a swap is that many clocks behind the launcher's `swap_q`.
    fn swap_at(&self, age: usize) -> bool {
        self.swaps.contains(&age)
    }

    /// `operand_q` and `swap_q` of the launcher.
    pub(crate) fn visit_launcher(&self, v: &mut dyn Visitor, shape: &Shape) {
        let operand = |line: &Line<u32>| (shape.operand_of(line.window()[0]), shape.operand_bits());
        v.packed("operand_q", self.operands.iter().map(operand));
        v.flag("swap_q", self.swap_at(0));
    }

    pub(crate) fn visit_skew(&self, v: &mut dyn Visitor, shape: &Shape) {
        for row in 1..self.rows {
            let lines = &self.operands[row * self.lanes..][..self.lanes];
            let word = |i: usize| {
                let operand = move |line: &Line<u32>| {
                    (shape.operand_of(line.window()[i]), shape.operand_bits())
                };
                let swap = (u32::from(self.swap_at(i)), 1);
                lines.iter().map(operand).chain([swap])
            };
            v.scope("gen_row", Some(row), |v| {
                v.scope("u_delay", None, |v| {
                    v.scope("gen_line", None, |v| {
                        v.packed("line_q", (1..=row * self.latency).flat_map(word));
                    });
                });
            });
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
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
        let place = 1 + row * self.latency + col;
        let pe = row * self.cols + col;
        let width = shape.operand_bits();
        let operands = self.operands[row * self.lanes..][..self.lanes].iter();
        let operands: Vec<u32> = operands.map(|line| line.window()[place]).collect();
        let bits = operands.iter().map(|&o| (shape.operand_of(o), width));
        numbers(v, "operand_q", bits, &operands, |o| shape.real_of(o));
        v.flag("swap_q", self.swap_at(place));
        for (name, weights) in [("shadow_q", &self.shadow_q), ("active_q", &self.active_q)] {
            let weights = &weights[pe * self.lanes..][..self.lanes];
            let bits = weights.iter().map(|&w| (shape.weight_of(w), 1 + width));
            numbers(v, name, bits, weights, |weight| match weight {
                ABSENT => 0.0,
                _ => shape.real_of(weight),
            });
        }
        if shape.tokens.is_some() {
            // Where the cuts are is the unit's own decision: the sum is compared where it leaves.
            let sum = &self.plane()[pe * self.words..][..self.words];
            shape.visit_psum(v, "psum_o", sum);
            return;
        }
        v.scope("gen_fp32", None, |v| {
            v.scope("u_accumulate", None, |v| {
                v.scope("u_sum", None, |v| {
                    v.scope("u_sum", None, |v| {
                        v.scope("gen_register", None, |v| {
                            v.fp32("stage_q", self.plane()[pe])
                        });
                    });
                });
            });
        });
    }
}

/// A register of a number a lane; one number alone is shown as such.
fn numbers(
    v: &mut dyn Visitor,
    name: &str,
    bits: impl Iterator<Item = (u32, u32)>,
    values: &[u32],
    real: impl Fn(u32) -> f64,
) {
    let fields: Vec<(u32, u32)> = bits.collect();
    match (fields.as_slice(), values) {
        (&[(bits, width)], &[value]) => v.register(name, width, &[bits], Some(real(value))),
        _ => v.packed(name, fields),
    }
}
