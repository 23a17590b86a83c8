//! `quaver_chunks` and `quaver_blocks`: the two levels of a sum, between the partial-sum memory and
//! the array. A word of the memory is `[inner, outer]`, both binary32.
//!
//! Inner sums go through the array; outer ones past it, in a delay line a column. Where a chunk or a
//! block is complete the outer takes in the inner one, of a block times the block's scales.

use quaver_contract::config::PROMOTE_LATENCY;
use quaver_contract::formats::{E4M3FN, E8M0FNU};

use crate::arithmetic::{add, decode_table, multiply, scale_by_power};
use crate::line::Line;
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// `BLOCK_LATENCY` of `quaver_core`.
pub(crate) const SCALE_LATENCY: usize = 3;

/// What column 0 is told of the row that it reads, and the later columns after it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) restart: bool,
    pub(crate) promote: bool,
    /// The launcher's swap; with scales of blocks alone.
    pub(crate) swap: bool,
    /// Scale of the row's block, where it is complete.
    pub(crate) scale_a: u32,
}

/// The scales of blocks.
#[derive(Clone, Debug)]
struct Blocks {
    /// Bits of a scale, and of a factor.
    scale_bits: u32,
    factor_bits: u32,
    factor_latency: usize,
    /// Binary32 values of the scales' codes, where they are of 8 bits and no powers of two.
    values: Option<[u32; 256]>,
    loaded_q: Vec<u32>,
    scale_b_q: Vec<u32>,
    /// Of each column: the factor's pipeline, then `u_factor_past`.
    factors: Vec<Line<u32>>,
    /// `u_past` below the array, and what the unit beside it gives.
    scaled: Vec<Line<Scaled>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scaled {
    promote: bool,
    outer: u32,
    inner: u32,
    product: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Levels {
    blocks: Option<Blocks>,
    /// `u_flags` of the columns.
    flags: Line<Flags>,
    /// `u_past` of each column: `{promote, outer}`.
    past: Vec<Line<(bool, u32)>>,
    /// `u_promote` of each column: `[inner, outer]`, whose sum is made where it enters.
    promoted: Vec<Line<[u32; 2]>>,
}

impl Levels {
    /// Those of the core, where it has two.
    pub(crate) fn new(shape: &Shape) -> Option<Self> {
        let lines = shape.rows * shape.pe_latency;
        let columns = shape.cols;
        let blocks = shape.block_scales.map(|blocks| Blocks {
            scale_bits: blocks.format.bits(),
            factor_bits: if blocks.format.name == E8M0FNU.name {
                11
            } else {
                32
            },
            factor_latency: lines.min(3),
            values: (blocks.format.name == E4M3FN.name).then(|| decode_table(E4M3FN)),
            loaded_q: vec![0; columns],
            scale_b_q: vec![0; columns],
            factors: vec![Line::new(lines); columns],
            scaled: vec![Line::new(SCALE_LATENCY); columns],
        });
        (shape.chunk_tiles > 0).then(|| Self {
            blocks,
            flags: Line::new(columns),
            past: vec![Line::new(lines); columns],
            promoted: vec![Line::new(PROMOTE_LATENCY); columns],
        })
    }

    pub(crate) fn reset(&mut self) {
        self.flags.clear();
        self.past.iter_mut().for_each(Line::clear);
        self.promoted.iter_mut().for_each(Line::clear);
        if let Some(blocks) = &mut self.blocks {
            blocks.loaded_q.fill(0);
            blocks.scale_b_q.fill(0);
            blocks.factors.iter_mut().for_each(Line::clear);
            blocks.scaled.iter_mut().for_each(Line::clear);
        }
    }

    /// `psum_o`: what enters the array, of the memory's words.
    pub(crate) fn psum_o(&self, words: &[u32], psums: &mut [u32]) {
        let flags = self.flags.window();
        for ((psum, word), flags) in psums.iter_mut().zip(words.chunks_exact(2)).zip(flags) {
            *psum = if flags.restart { 0 } else { word[0] };
        }
    }

    /// What the drain takes of the memory's words: the outer sums.
    pub(crate) fn outer(words: &[u32], psums: &mut [u32]) {
        for (psum, word) in psums.iter_mut().zip(words.chunks_exact(2)) {
            *psum = word[1];
        }
    }

    /// `word_o`: what is written to the memory.
    pub(crate) fn word_o(&self, words: &mut [u32]) {
        for (word, line) in words.chunks_exact_mut(2).zip(&self.promoted) {
            word.copy_from_slice(&line.oldest());
        }
    }

    /// One clock. `words` come from the memory, `psums` from the array; `loaded` are the scales of a
    /// beat of B that is taken.
    pub(crate) fn clock(
        &mut self,
        flags: Flags,
        loaded: Option<&[u32]>,
        words: &[u32],
        psums: &[u32],
    ) {
        for (col, (&inner, word)) in psums.iter().zip(words.chunks_exact(2)).enumerate() {
            let here = self.flags.window()[col];
            let (promote, outer) = self.past[col].oldest();
            let (promote, outer, inner) = match &mut self.blocks {
                None => (promote, outer, inner),
                Some(blocks) => {
                    let factor = blocks.factors[col].oldest();
                    let late = blocks.scaled[col].oldest();
                    let scaled = Scaled {
                        promote,
                        outer,
                        inner,
                        product: blocks.product(inner, factor),
                    };
                    blocks.scaled[col].push(scaled);
                    let factor = blocks.factor(here.scale_a, blocks.scale_b_q[col]);
                    blocks.factors[col].push(factor);
                    if here.swap {
                        blocks.scale_b_q[col] = blocks.loaded_q[col];
                    }
                    let inner = if late.promote {
                        late.product
                    } else {
                        late.inner
                    };
                    (late.promote, late.outer, inner)
                }
            };
            let sum = if promote { add(outer, inner) } else { outer };
            self.promoted[col].push([inner, sum]);
            self.past[col].push((here.promote, word[1]));
        }
        if let (Some(blocks), Some(scales)) = (&mut self.blocks, loaded) {
            blocks.load(scales);
        }
        let scale_a = if flags.promote { flags.scale_a } else { 0 };
        self.flags.push(Flags { scale_a, ..flags });
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor) {
        let (scope, unit) = match self.blocks {
            Some(_) => ("gen_blocks", "u_blocks"),
            None => ("gen_chunks", "u_chunks"),
        };
        v.scope("gen_chunked", None, |v| {
            v.scope(scope, None, |v| {
                v.scope(unit, None, |v| self.visit_unit(v));
            });
        });
    }

    fn visit_unit(&self, v: &mut dyn Visitor) {
        if let Some(blocks) = &self.blocks {
            let scales = blocks.loaded_q.iter();
            v.packed("loaded_q", scales.map(|&scale| (scale, blocks.scale_bits)));
        }
        for col in 0..self.past.len() {
            v.scope("gen_column", Some(col), |v| self.visit_column(v, col));
        }
    }

    fn visit_column(&self, v: &mut dyn Visitor, col: usize) {
        let flags = self.flags.window()[col];
        let mut fields = Vec::new();
        if let Some(blocks) = &self.blocks {
            fields.push((flags.scale_a, blocks.scale_bits));
            fields.push((flags.swap.into(), 1));
        }
        fields.extend([(flags.promote.into(), 1), (flags.restart.into(), 1)]);
        v.line("u_flags", fields);
        let past = self.past[col].window().iter();
        let past = past.flat_map(|&(promote, outer)| [(outer, 32), (promote.into(), 1)]);
        v.line("u_past", past);
        let Some(blocks) = &self.blocks else {
            v.scope("u_promote", None, |v| self.visit_promoted(v, col));
            return;
        };
        v.bits("scale_b_q", blocks.scale_bits, blocks.scale_b_q[col]);
        let factors = blocks.factors[col].window();
        let (early, late) = factors.split_at(blocks.factor_latency);
        let width = blocks.factor_bits;
        let fields = |factors: &[u32]| factors.iter().map(|&f| (f, width)).collect::<Vec<_>>();
        v.scope("u_factor", None, |v| match blocks.factor_bits {
            11 => v.scope("gen_power", None, |v| v.line("u_power", fields(early))),
            _ => v.scope("gen_product", None, |v| {
                let product = early[blocks.factor_latency - 1];
                stage(v, ["u_multiply", "u_product"], product);
            }),
        });
        if !late.is_empty() {
            v.line("u_factor_past", fields(late));
        }
        v.scope("u_promote", None, |v| {
            let product = blocks.scaled[col].oldest().product;
            match blocks.factor_bits {
                11 => v.scope("gen_power", None, |v| {
                    stage(v, ["u_scale", "u_scaled"], product);
                }),
                _ => v.scope("gen_product", None, |v| {
                    stage(v, ["u_multiply", "u_product"], product);
                }),
            }
            let past = blocks.scaled[col].window().iter();
            let past = past.flat_map(|s| [(s.inner, 32), (s.outer, 32), (s.promote.into(), 1)]);
            v.line("u_past", past);
            v.scope("u_promote", None, |v| self.visit_promoted(v, col));
        });
    }

    /// `quaver_promote`.
    fn visit_promoted(&self, v: &mut dyn Visitor, col: usize) {
        v.scope("u_add", None, |v| {
            v.scope("u_sum", None, |v| {
                stage_of(v, "u_sum", self.promoted[col].oldest()[1]);
            });
        });
        let inner = self.promoted[col].window().iter();
        v.line("u_inner", inner.map(|word| (word[0], 32)));
    }
}

/// The last register of a unit.
fn stage(v: &mut dyn Visitor, [unit, place]: [&'static str; 2], value: u32) {
    v.scope(unit, None, |v| stage_of(v, place, value));
}

fn stage_of(v: &mut dyn Visitor, place: &'static str, value: u32) {
    v.scope(place, None, |v| {
        v.scope("gen_register", None, |v| v.fp32("stage_q", value));
    });
}

impl Blocks {
    /// Keeps the scales of a beat of B, which are side by side.
    fn load(&mut self, words: &[u32]) {
        let per_word = 32 / self.scale_bits as usize;
        let mask = u32::MAX >> (32 - self.scale_bits);
        for (col, scale) in self.loaded_q.iter_mut().enumerate() {
            let place = self.scale_bits * (col % per_word) as u32;
            *scale = words[col / per_word] >> place & mask;
        }
    }

    /// `quaver_block_factor`.
    fn factor(&self, a: u32, b: u32) -> u32 {
        match (self.factor_bits, &self.values) {
            (11, _) => {
                let nan = u32::from(a == 0xff || b == 0xff);
                nan << 10 | (a + b).wrapping_sub(254) & 0x3ff
            }
            (_, Some(values)) => multiply(values[a as usize], values[b as usize]),
            (_, None) => multiply(a, b),
        }
    }

    /// A block's sum times its factor.
    fn product(&self, inner: u32, factor: u32) -> u32 {
        match self.factor_bits {
            11 => {
                let exponent = ((factor << 22).cast_signed()) >> 22;
                scale_by_power(inner, exponent, factor >> 10 & 1 != 0)
            }
            _ => multiply(inner, factor),
        }
    }
}
