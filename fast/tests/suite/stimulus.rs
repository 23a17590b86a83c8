//! Jobs of every kind, and their comparison.

use ndarray::{Array1, Array2};
use quaver_contract::accumulator::AccumulatorRow;
use quaver_contract::{Conversion, Engine, Format, Formats, Job, Scale};
use quaver_fast::{Fast, Isa};
use quaver_golden::Golden;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough for stimulus.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What codes an operand is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values {
    /// Any code, NaN and infinity included.
    Any,
    /// Finite codes.
    Finite,
    /// Small magnitudes and zeros.
    Subnormal,
    /// Mostly small, now and then the largest.
    OneHuge,
}

pub(crate) const VALUES: &[Values] = &[
    Values::Any,
    Values::Finite,
    Values::Subnormal,
    Values::OneHuge,
];

pub(crate) fn code(random: &mut Random, format: &Format, values: Values) -> u8 {
    let finite = |random: &mut Random| loop {
        let code = random.next() as u32 & format.code_mask();
        if f32::from_bits(quaver_golden::to_fp32(code, format)).is_finite() {
            return code;
        }
    };
    let small = |random: &mut Random| {
        let sign = random.next() as u32 & format.sign_mask();
        let code = random.below(1 << format.fraction_bits.min(3)) as u32 | sign;
        if Some(code) == format.nan_code() {
            0
        } else {
            code
        }
    };
    let code = match values {
        Values::Any => random.next() as u32 & format.code_mask(),
        Values::Finite => finite(random),
        Values::Subnormal => small(random),
        Values::OneHuge if random.below(16) == 0 => format.max_code(),
        Values::OneHuge => small(random),
    };
    code as u8
}

fn fp32(random: &mut Random) -> u32 {
    match random.below(12) {
        0 => 0,
        1 => 0x8000_0000,
        2 => random.next() as u32,
        3 => random.next() as u32 & 0x807f_ffff,
        _ => (random.next() as f32 / u64::MAX as f32 - 0.5).to_bits(),
    }
}

pub(crate) struct Stimulus {
    a: Array2<u8>,
    b: Array2<u8>,
    init: Option<Array2<u32>>,
    scale: Array1<u32>,
    bias: Option<Array1<u32>>,
    relu: bool,
}

pub(crate) fn stimulus(
    random: &mut Random,
    (m, n, k): (usize, usize, usize),
    formats: (&'static Format, &'static Format),
    values: Values,
) -> Stimulus {
    let a = Array2::from_shape_fn((m, k), |_| code(random, formats.0, values));
    let b = Array2::from_shape_fn((k, n), |_| code(random, formats.1, values));
    let init = (random.below(2) == 0).then(|| Array2::from_shape_fn((m, n), |_| fp32(random)));
    let scale = Array1::from_shape_fn(n, |_| fp32(random));
    let bias = (random.below(2) == 0).then(|| Array1::from_shape_fn(n, |_| fp32(random)));
    let relu = random.below(4) == 0;
    Stimulus {
        a,
        b,
        init,
        scale,
        bias,
        relu,
    }
}

impl Stimulus {
    pub(crate) fn job<'a>(
        &'a self,
        random: &mut Random,
        formats: (&'static Format, &'static Format),
        row: &AccumulatorRow,
        output: Conversion,
    ) -> Job<'a> {
        Job {
            a: self.a.view(),
            b: self.b.view(),
            format_a: formats.0,
            format_b: formats.1,
            accumulator: row.accumulator,
            init: self.init.as_ref().map(|init| init.view()),
            blocks: None,
            scale: match random.below(3) {
                0 => Scale::None,
                1 => Scale::Tensor(fp32(random)),
                _ => Scale::PerColumn(self.scale.view()),
            },
            bias: self.bias.as_ref().map(|bias| bias.view()),
            relu: self.relu,
            output,
        }
    }
}

pub(crate) fn engines() -> Vec<(Isa, usize, Fast)> {
    let available = Isa::ALL.iter().copied().filter(|isa| isa.is_available());
    available
        .flat_map(|isa| [1, 3].map(|threads| (isa, threads)))
        .map(|(isa, threads)| (isa, threads, Fast::with_isa(isa, threads).unwrap()))
        .collect()
}

pub(crate) fn compare(job: &Job<'_>, engines: &mut [(Isa, usize, Fast)], what: &str) -> usize {
    let golden = Golden.run(job).unwrap().values;
    for (isa, threads, engine) in engines {
        let fast = engine.run(job).unwrap().values;
        assert_eq!(fast.dim(), golden.dim());
        for ((index, fast), golden) in fast.indexed_iter().zip(&golden) {
            assert_eq!(
                fast, golden,
                "{what}, {isa:?}, {threads} threads, element {index:?}: fast {fast:08x}, golden {golden:08x}"
            );
        }
    }
    golden.len()
}

pub(crate) fn operand_formats() -> Vec<&'static Format> {
    let formats = Formats::default();
    formats
        .iter()
        .filter(|format| format.is_operand())
        .collect()
}
