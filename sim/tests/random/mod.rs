//! Random cores, and jobs for them.

use ndarray::{Array1, Array2};
use quaver_contract::config::Dataflow;
use quaver_contract::{Accumulator, Conversion, CoreConfig, Format, Formats, Job, Scale};
use quaver_drive::Random;
use quaver_sim::timing::JobShape;

pub(crate) fn random_config(random: &mut Random) -> CoreConfig {
    let formats = Formats::default();
    let mut draw = |low: u32, high: u32| (low + random.below(high - low + 1)) as usize;
    let dataflow = match draw(0, 1) {
        0 => Dataflow::WeightStationary,
        _ => Dataflow::OutputStationary,
    };
    let rows = draw(1, 9);
    // What has clocks of its own: a second adder, and the rounding in the drain.
    let accumulator = match draw(0, 3) {
        0 => Accumulator::Chunked {
            inner: &Accumulator::Fp32,
            every: rows * draw(1, 3),
        },
        1 => Accumulator::Exact,
        _ => Accumulator::Fp32,
    };
    let mut config = CoreConfig {
        name: "random".to_owned(),
        description: String::new(),
        rows,
        cols: draw(1, 9),
        pe_latency: draw(1, 5),
        tile_rows: draw(1, 24),
        dataflow,
        accumulator,
        accumulator_name: "random",
        operand_formats: vec![formats.get("e4m3fn").unwrap()],
        output_formats: vec![formats.get("fp32").unwrap()],
        ..CoreConfig::load("single", &formats).unwrap()
    };
    if dataflow == Dataflow::OutputStationary {
        config.tile_rows = rows * (config.least_slots() + draw(0, 3));
    }
    config
}

pub(crate) fn random_shape(config: &CoreConfig, random: &mut Random) -> JobShape {
    let mut size = |tile: usize| match random.below(12) {
        0 => 0,
        1..=3 => 1 + random.below(3),
        _ => random.below(5 * tile as u32 + 2),
    };
    let [m, n, k] = [size(config.tile_rows), size(config.cols), size(config.rows)];
    JobShape {
        m: m.into(),
        n: n.into(),
        k: k.into(),
        init: random.below(2) == 0,
        parameters: random.below(3).into(),
    }
}

/// A job of zeros: its time does not depend on values.
pub(crate) struct Zeros {
    a: Array2<u8>,
    b: Array2<u8>,
    init: Option<Array2<u32>>,
    columns: Array1<u32>,
    parameters: u64,
    accumulator: Accumulator,
    format: &'static Format,
    output: &'static Format,
}

/// A job of that shape for that core.
pub(crate) fn zeros(config: &CoreConfig, shape: &JobShape) -> Zeros {
    let [m, n, k] = [shape.m, shape.n, shape.k].map(|size| size as usize);
    Zeros {
        a: Array2::zeros((m, k)),
        b: Array2::zeros((k, n)),
        init: shape.init.then(|| Array2::zeros((m, n))),
        columns: Array1::zeros(n),
        parameters: shape.parameters,
        accumulator: config.accumulator,
        format: config.operand_formats[0],
        output: config.output_formats[0],
    }
}

impl Zeros {
    /// The job.
    pub(crate) fn job(&self) -> Job<'_> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: self.format,
            format_b: self.format,
            accumulator: self.accumulator,
            init: self.init.as_ref().map(|init| init.view()),
            blocks: None,
            scale: match self.parameters {
                2 => Scale::PerColumn(self.columns.view()),
                _ => Scale::None,
            },
            bias: (self.parameters > 0).then_some(self.columns.view()),
            relu: false,
            output: Conversion::native(self.output),
        }
    }
}
