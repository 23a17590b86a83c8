//! `quaver_drain`: scale, bias, ReLU and conversion of a row of sums.

use quaver_contract::formats::FP32;
use quaver_fast::encode::Encoder;

use crate::arithmetic::{add, encoder, multiply, relu};
use crate::csr::Settings;
use crate::line::Line;
use crate::shape::Shape;
use crate::trace::{Visitor, VisitorExt as _};

/// Stages of the three units: the defaults of `quaver_core`, which decides them.
const SCALE_LATENCY: usize = 3;
const BIAS_LATENCY: usize = 4;
const CONVERT_LATENCY: usize = 2;
/// The same of the rounding of exact sums.
pub(crate) const FINISH_LATENCY: usize = 4;

/// Clocks from the multipliers to `m_axis_d`; exact sums take `FINISH_LATENCY` before them.
pub(crate) const LATENCY: usize = SCALE_LATENCY + BIAS_LATENCY + CONVERT_LATENCY;

const ONE: u32 = 0x3f80_0000;
/// x + -0 is x for every x (IEEE 754-2019, 6.3).
const NEUTRAL_BIAS: u32 = 0x8000_0000;

/// A pipelined unit of all columns: results are made where operands enter.
#[derive(Clone, Debug)]
struct Pipeline {
    cols: usize,
    latency: usize,
    /// One plane a stage.
    planes: Vec<u32>,
    /// The plane that drives the outputs now, and is filled by this advance.
    plane: usize,
    /// What entered last, to know when the same enters again.
    entered: Vec<u32>,
    fresh: bool,
}

impl Pipeline {
    fn new(cols: usize, latency: usize) -> Self {
        Self {
            cols,
            latency,
            planes: vec![0; cols * latency],
            plane: 0,
            entered: vec![0; cols],
            fresh: false,
        }
    }

    fn reset(&mut self) {
        self.planes.fill(0);
        self.fresh = false;
    }

    fn output(&self) -> &[u32] {
        &self.planes[self.plane * self.cols..][..self.cols]
    }

    /// What is computed from an input that has not changed may have.
    fn forget(&mut self) {
        self.fresh = false;
    }

    fn advance(&mut self, input: &[u32], result: impl Fn(usize, u32) -> u32) {
        let cols = self.cols;
        if self.fresh && self.entered == input {
            let last = (self.plane + self.latency - 1) % self.latency * cols;
            self.planes
                .copy_within(last..last + cols, self.plane * cols);
        } else {
            self.entered.copy_from_slice(input);
            self.fresh = true;
            let plane = &mut self.planes[self.plane * cols..][..cols];
            for (col, (slot, &value)) in plane.iter_mut().zip(input).enumerate() {
                *slot = result(col, value);
            }
        }
        self.plane = (self.plane + 1) % self.latency;
    }
}

/// What the drain is told in a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Controls<'a> {
    pub(crate) start: bool,
    pub(crate) load_scale: bool,
    pub(crate) load_bias: bool,
    pub(crate) parameters: &'a [u32],
    pub(crate) load_init: bool,
    pub(crate) init: &'a [u32],
    pub(crate) row_valid: bool,
    pub(crate) row_cols: u32,
    pub(crate) row_last: bool,
    /// FP32, or exact sums.
    pub(crate) psum: &'a [u32],
}

/// What rounds exact sums.
#[derive(Clone)]
struct Finish {
    init_q: Vec<u32>,
    /// Results for what is at its inputs now.
    sums: Vec<u32>,
    pipeline: Pipeline,
}

#[derive(Clone)]
pub(crate) struct Drain {
    scale_q: Vec<u32>,
    bias_q: Vec<u32>,
    finish: Option<Finish>,
    /// Bit i: a row entered i + 1 advances ago.
    valid_q: u32,
    latency: usize,
    /// `{last, cols}`.
    row: Line<(bool, u32)>,
    scale: Pipeline,
    bias: Pipeline,
    convert: Pipeline,
    /// What the encoder and ReLU were prepared for: the format's row, and the CSRs.
    prepared: Option<[u32; 5]>,
    encoder: Option<Encoder>,
}

impl Drain {
    pub(crate) fn new(shape: &Shape) -> Self {
        let cols = shape.cols;
        let finish = shape.fixed.as_ref().map(|_| Finish {
            init_q: vec![0; cols],
            sums: vec![0; cols],
            pipeline: Pipeline::new(cols, FINISH_LATENCY),
        });
        let latency = LATENCY + finish.as_ref().map_or(0, |_| FINISH_LATENCY);
        Self {
            scale_q: vec![0; cols],
            bias_q: vec![0; cols],
            finish,
            valid_q: 0,
            latency,
            row: Line::new(latency),
            scale: Pipeline::new(cols, SCALE_LATENCY),
            bias: Pipeline::new(cols, BIAS_LATENCY),
            convert: Pipeline::new(cols, CONVERT_LATENCY),
            prepared: None,
            encoder: None,
        }
    }

    pub(crate) fn reset(&mut self) {
        self.scale_q.fill(0);
        self.bias_q.fill(0);
        self.valid_q = 0;
        self.row.clear();
        for pipeline in [&mut self.scale, &mut self.bias, &mut self.convert] {
            pipeline.reset();
        }
        if let Some(finish) = &mut self.finish {
            finish.init_q.fill(0);
            finish.pipeline.reset();
        }
    }

    pub(crate) fn tvalid(&self) -> bool {
        self.valid_q >> (self.latency - 1) & 1 != 0
    }

    pub(crate) fn tdata(&self) -> &[u32] {
        self.convert.output()
    }

    /// `m_axis_d_tlast`, and the columns whose `tkeep` is set.
    pub(crate) fn row_o(&self) -> (bool, u32) {
        self.row.oldest()
    }

    pub(crate) fn empty(&self) -> bool {
        self.valid_q == 0
    }

    pub(crate) fn clock(
        &mut self,
        shape: &Shape,
        settings: &Settings,
        format: usize,
        controls: &Controls<'_>,
        advance: bool,
    ) {
        if advance {
            self.prepare(shape, settings, format);
            let relu_is_on = settings.relu;
            let encoder = self.encoder.as_ref().expect("it was just prepared");
            let is_fp32 = shape.output_formats[format].0.name == FP32.name;
            self.convert.advance(self.bias.output(), |_, value| {
                let is_nan = value & 0x7fff_ffff > 0x7f80_0000;
                match is_fp32 && is_nan {
                    // Rule 6.2.
                    true => shape.fp32_nan,
                    false => encoder.one(if relu_is_on { relu(value) } else { value }, 0),
                }
            });
            let (scale_q, bias_q) = (&self.scale_q, &self.bias_q);
            self.bias
                .advance(self.scale.output(), |col, value| add(value, bias_q[col]));
            let psum = match &self.finish {
                None => controls.psum,
                Some(finish) => finish.pipeline.output(),
            };
            self.scale
                .advance(psum, |col, value| multiply(value, scale_q[col]));
            if let (Some(finish), Some(fixed)) = (&mut self.finish, &shape.fixed) {
                let words = controls.psum.chunks_exact(shape.psum_words());
                for ((sum, psum), &init) in finish.sums.iter_mut().zip(words).zip(&finish.init_q) {
                    *sum = fixed.finish(psum, init);
                }
                finish.pipeline.advance(&finish.sums, |_, sum| sum);
            }
            self.valid_q =
                (self.valid_q << 1 | u32::from(controls.row_valid)) & ((1 << self.latency) - 1);
            self.row.push((controls.row_last, controls.row_cols));
        }
        if controls.start {
            let scale = if settings.scale_mode == 1 {
                settings.scale
            } else {
                ONE
            };
            self.scale_q.fill(scale);
            self.bias_q.fill(NEUTRAL_BIAS);
        }
        if let Some(finish) = &mut self.finish {
            if controls.start {
                finish.init_q.fill(0);
            } else if controls.load_init {
                finish.init_q.copy_from_slice(controls.init);
            }
        }
        if controls.load_scale {
            self.scale_q.copy_from_slice(controls.parameters);
        }
        if controls.load_bias {
            self.bias_q.copy_from_slice(controls.parameters);
        }
        if controls.start || controls.load_scale || controls.load_bias {
            self.scale.forget();
            self.bias.forget();
        }
    }

    fn prepare(&mut self, shape: &Shape, settings: &Settings, format: usize) {
        let Settings {
            rounding,
            overflow,
            infinity,
            ..
        } = *settings;
        let key = Some([
            format as u32,
            rounding,
            overflow,
            infinity,
            settings.relu.into(),
        ]);
        if self.prepared != key {
            self.prepared = key;
            let format = shape.output_formats[format].0;
            self.encoder = Some(encoder(format, rounding, overflow, infinity));
            self.convert.forget();
        }
    }

    pub(crate) fn visit(&self, v: &mut dyn Visitor, shape: &Shape) {
        v.packed("scale_q", self.scale_q.iter().map(|&s| (s, 32)));
        v.packed("bias_q", self.bias_q.iter().map(|&b| (b, 32)));
        v.bits("valid_q", self.latency as u32, self.valid_q);
        if let Some(finish) = &self.finish {
            v.scope("gen_exact", None, |v| {
                v.packed("init_q", finish.init_q.iter().map(|&init| (init, 32)));
                for (col, &sum) in finish.pipeline.output().iter().enumerate() {
                    v.scope("gen_finish", Some(col), |v| {
                        v.scope("u_finish", None, |v| v.fp32("code_o", sum));
                    });
                }
            });
        }
        v.scope("u_row", None, |v| {
            v.scope("gen_line", None, |v| {
                let fields =
                    |&(last, cols): &(bool, u32)| [(cols, shape.cols_bits), (u32::from(last), 1)];
                v.packed("line_q", self.row.window().iter().flat_map(fields));
            });
        });
        for col in 0..shape.cols {
            let register = |v: &mut dyn Visitor, value, is_binary32| {
                v.scope("gen_register", None, |v| match is_binary32 {
                    true => v.fp32("stage_q", value),
                    false => v.bits("stage_q", 32, value),
                });
            };
            v.scope("gen_column", Some(col), |v| {
                v.scope("u_scale", None, |v| {
                    v.scope("u_product", None, |v| {
                        register(v, self.scale.output()[col], true)
                    });
                });
                v.scope("u_bias", None, |v| {
                    v.scope("u_sum", None, |v| {
                        v.scope("u_sum", None, |v| {
                            register(v, self.bias.output()[col], true)
                        });
                    });
                });
                v.scope("u_convert", None, |v| {
                    v.scope("u_code", None, |v| {
                        register(v, self.convert.output()[col], false)
                    });
                });
            });
        }
    }
}
