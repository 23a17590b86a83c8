//! Sums that are hard: cancellation, one huge term, subnormals, mixed signs, zeros of both signs,
//! NaN, infinities, and blocks that are not full.

use quaver_contract::accumulator::Addend;
use quaver_contract::{Accumulator, CoreConfig};
use quaver_golden::{Number, decode};
use quaver_verify::Random;

use crate::pe::{Case, golden};

/// The codes of one format by what they stand for.
struct Codes {
    finite: Vec<u8>,
    /// Subnormals and zeros, and the smallest numbers where there are none.
    tiny: Vec<u8>,
    /// Both zeros, NaN and infinities.
    special: Vec<u8>,
    huge: Vec<u8>,
    sign: u8,
}

/// What the terms of a sum look like.
#[derive(Clone, Copy)]
enum Terms {
    Uniform,
    Tiny,
    OneHuge,
    Cancelling,
    Close,
    Special,
}

const TERMS: &[Terms] = &[
    Terms::Uniform,
    Terms::Tiny,
    Terms::OneHuge,
    Terms::Cancelling,
    Terms::Close,
    Terms::Uniform,
    Terms::Cancelling,
    Terms::Special,
];

/// Initial values that are edges of binary32.
const EDGES: &[u32] = &[
    0,
    1,
    2,
    0x007f_ffff,
    0x0080_0000,
    0x0080_0001,
    0x3f80_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0x7f80_0001,
    0x7fc0_0000,
    0x7fff_ffff,
];

/// A source of cases for a configuration.
pub(crate) struct Stimulus<'a> {
    config: &'a CoreConfig,
    codes: Vec<Codes>,
}

impl<'a> Stimulus<'a> {
    /// Sorts the codes of the configuration's formats.
    pub(crate) fn new(config: &'a CoreConfig) -> Self {
        let codes = config.operand_formats.iter().map(|format| {
            let magnitude = |code: u8| u32::from(code) & format.magnitude_mask();
            let all = || (0..=format.code_mask()).map(|code| code as u8);
            let is_finite =
                |code: &u8| matches!(decode((*code).into(), format), Number::Finite { .. });
            let zero = |code: &u8| decode((*code).into(), format).is_zero();
            let least = 1 << format.fraction_bits.min(3);
            Codes {
                finite: all().filter(is_finite).collect(),
                tiny: all()
                    .filter(is_finite)
                    .filter(|c| magnitude(*c) < least)
                    .collect(),
                special: all()
                    .filter(|code| !is_finite(code) || zero(code))
                    .collect(),
                huge: all()
                    .filter(is_finite)
                    .filter(|c| magnitude(*c) + 9 > format.max_code())
                    .collect(),
                sign: (format.code_mask() ^ format.magnitude_mask()) as u8,
            }
        });
        Self {
            config,
            codes: codes.collect(),
        }
    }

    /// One sum.
    pub(crate) fn case(&self, random: &mut Random) -> Case {
        let formats = [(); 2].map(|()| random.below(self.codes.len()));
        let count = self.count(random);
        let mut case = Case {
            formats,
            init: 0,
            terms: self.terms(formats, count, random),
        };
        case.init = self.init(&case, random);
        case
    }

    /// Mostly one block, full or not; sometimes none, and where blocks meet in another way, more.
    fn count(&self, random: &mut Random) -> usize {
        let lanes = self.config.lanes();
        match self.config.accumulator {
            Accumulator::Chunked { every, .. } => random.below(5 * every / 2),
            Accumulator::Exact => random.below(24),
            _ => match random.below(32) {
                0 => 0,
                1 => lanes + 1 + random.below(2 * lanes),
                2..=8 => 1 + random.below(lanes),
                _ => lanes,
            },
        }
    }

    fn terms(&self, formats: [usize; 2], count: usize, random: &mut Random) -> Vec<[u8; 2]> {
        let [a, b] = formats.map(|format| &self.codes[format]);
        let class = random.pick(TERMS);
        let centre = random.bits32() as u8;
        let mut terms: Vec<[u8; 2]> = Vec::with_capacity(count);
        for index in 0..count {
            let any = |random: &mut Random| [random.pick(&a.finite), random.pick(&b.finite)];
            let close = |codes: &Codes, random: &mut Random| {
                let near = centre.wrapping_add(random.below(8) as u8);
                let sign = codes.sign & random.bits32() as u8;
                let code = (near & !codes.sign) | sign;
                if codes.finite.contains(&code) {
                    code
                } else {
                    random.pick(&codes.finite)
                }
            };
            let term = match class {
                Terms::Uniform => any(random),
                Terms::Tiny => [random.pick(&a.tiny), random.pick(&b.tiny)],
                Terms::OneHuge if index == centre as usize % count => {
                    [random.pick(&a.huge), random.pick(&b.huge)]
                }
                Terms::OneHuge if random.one_in(2) => {
                    [random.pick(&a.tiny), random.pick(&b.finite)]
                }
                Terms::OneHuge => any(random),
                Terms::Cancelling if index > 0 && !random.one_in(5) => {
                    // The negated one of before; a two's complement code is not its sign's.
                    let [left, right] = terms[random.below(index)];
                    [left ^ a.sign, right]
                }
                Terms::Cancelling => any(random),
                Terms::Close => [close(a, random), close(b, random)],
                Terms::Special if random.one_in(8) && !a.special.is_empty() => {
                    [random.pick(&a.special), random.pick(&b.finite)]
                }
                Terms::Special if random.one_in(8) && !b.special.is_empty() => {
                    [random.pick(&a.finite), random.pick(&b.special)]
                }
                Terms::Special => any(random),
            };
            terms.push(term);
        }
        terms
    }

    /// An initial value, by turns one that stresses another path.
    fn init(&self, case: &Case, random: &mut Random) -> u32 {
        let bits = random.bits32();
        let sign = bits & 0x8000_0000;
        // What the terms alone come to.
        let sum = golden(
            self.config,
            &Case {
                init: 0,
                ..case.clone()
            },
        );
        let near = |places: i32, random: &mut Random| {
            let field = (sum >> 23 & 0xff).cast_signed() + random.between(-places, places);
            field.clamp(0, 254).cast_unsigned() << 23 | bits & 0x807f_ffff
        };
        match random.below(12) {
            0 => sign,
            1 => sign | random.pick(EDGES),
            2 => bits,
            3 => sign | bits & 0x007f_ffff >> random.below(24),
            // Almost, or altogether, the negated sum.
            4 | 5 => (sum ^ 0x8000_0000).wrapping_add_signed(random.between(-2, 2)),
            6 => sum ^ 0x8000_0000,
            7 | 8 => near(3, random),
            9 | 10 => near(self.reach(), random),
            _ => near(40, random) & (0xffff_ffff << random.below(24)),
        }
    }

    /// Places between a sum and an initial value at which one of the two begins to vanish.
    fn reach(&self) -> i32 {
        match self.config.accumulator {
            Accumulator::Dot(dot) => match dot.addend {
                Addend::Early => dot.fraction_bits.cast_signed() + 4,
                _ => 34,
            },
            _ => 30,
        }
    }
}
