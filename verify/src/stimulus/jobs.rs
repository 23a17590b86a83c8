//! Random jobs that a configuration can run: shapes around its tiles, every epilogue, every
//! output policy, operands and initial values of every class.

use ndarray::{Array1, Array2, Axis};
use quaver_contract::{Conversion, CoreBlocks, CoreConfig, Format, Infinity, Overflow, Rounding};

use super::codes::{CodeClass, Pools};
use super::fp32::Fp32Class;
use super::owned::{OwnedBlocks, OwnedJob, OwnedScale};
use crate::coverage::{Class, Coverage};
use crate::random::Random;

/// Every legal conversion to a format with these roundings.
pub fn legal_conversions(format: &'static Format, roundings: &[Rounding]) -> Vec<Conversion> {
    let mut legal = Vec::new();
    for &rounding in roundings {
        for &overflow in Overflow::ALL {
            for &infinity in Infinity::ALL {
                let mut conversion = Conversion::native(format).with_rounding(rounding);
                conversion.overflow = overflow;
                conversion.infinity = infinity;
                if conversion.validate().is_ok() {
                    legal.push(conversion);
                }
            }
        }
    }
    legal
}

/// The roundings that a job may ask for: all that need no random bits (numerics.md, 5.4).
pub fn job_roundings() -> Vec<Rounding> {
    let all = Rounding::ALL.iter().copied();
    all.filter(|&rounding| rounding != Rounding::Stochastic)
        .collect()
}

/// Largest product of a job's three dimensions; keeps the golden model quick.
const MAX_TERMS: usize = 60_000;

/// Draws jobs for one configuration and counts what it drew.
pub struct JobSource<'a> {
    config: &'a CoreConfig,
    pools: Vec<(Pools, &'static Format)>,
    conversions: Vec<Conversion>,
    /// Longest K, M and N.
    longest: [usize; 3],
}

impl<'a> JobSource<'a> {
    /// Jobs for `config`, whose dimensions reach a few tiles where that is affordable.
    pub fn new(config: &'a CoreConfig) -> Self {
        let pools = config.operand_formats.iter().map(|&f| (Pools::new(f), f));
        let roundings = job_roundings();
        let outputs = config.output_formats.iter();
        let block = config.block_scales.map_or(0, |blocks| blocks.length);
        Self {
            config,
            pools: pools.collect(),
            conversions: outputs
                .flat_map(|f| legal_conversions(f, &roundings))
                .collect(),
            longest: [
                3 * (config.rows * config.lanes()).max(block) + 5,
                (2 * config.tile_rows + 3).min(300),
                3 * config.cols + 2,
            ],
        }
    }

    /// Declares the classes that [`Self::job`] counts.
    pub fn declare(&self, coverage: &mut Coverage) -> Vec<Class> {
        self.class_names()
            .map(|name| coverage.declare(name))
            .collect()
    }

    fn class_names(&self) -> impl Iterator<Item = String> {
        let codes = CodeClass::ALL
            .iter()
            .map(|c| format!("operands: {}", c.name()));
        let inits = std::iter::once("init: none".to_owned());
        let inits = inits.chain(Fp32Class::ALL.iter().map(|c| format!("init: {}", c.name())));
        let epilogues = (0..12).map(|i| {
            let scale = ["none", "tensor", "per column"][i / 4];
            let bias = if i & 2 != 0 { "yes" } else { "no" };
            let relu = if i & 1 != 0 { "yes" } else { "no" };
            format!("epilogue: scale {scale}, bias {bias}, relu {relu}")
        });
        let shapes = SHAPES.iter().map(|(name, _)| format!("shape: {name}"));
        let blocks = block_classes(self.config).iter();
        let blocks = blocks.map(|(name, _)| format!("scales of blocks: {name}"));
        let outputs = self.config.output_formats.iter();
        let outputs = outputs.map(|f| format!("output: {}", f.name));
        codes
            .chain(inits)
            .chain(epilogues)
            .chain(shapes)
            .chain(outputs)
            .chain(blocks)
    }

    /// A random job. `index` makes sure that every class has its turn.
    pub fn job(
        &self,
        index: usize,
        random: &mut Random,
        classes: &[Class],
        coverage: &mut Coverage,
    ) -> OwnedJob {
        let mut groups = classes;
        let mut count = |choices: usize, chosen: usize| {
            let (group, rest) = groups.split_at(choices);
            coverage.count(group[chosen]);
            groups = rest;
        };

        let code_class = index % CodeClass::ALL.len();
        count(CodeClass::ALL.len(), code_class);
        let init_class = random.below(1 + Fp32Class::ALL.len());
        count(1 + Fp32Class::ALL.len(), init_class);
        let epilogue = index % 12;
        count(12, epilogue);
        let shape_class = random.below(SHAPES.len());
        count(SHAPES.len(), shape_class);
        let output = random.pick(&self.conversions);
        let outputs = &self.config.output_formats;
        let position = outputs.iter().position(|f| f.name == output.format.name);
        count(
            outputs.len(),
            position.expect("conversions are to output formats"),
        );

        let block_classes = block_classes(self.config);
        let block_class = (!block_classes.is_empty()).then(|| {
            let chosen = random.below(block_classes.len());
            count(block_classes.len(), chosen);
            block_classes[chosen].1
        });

        let mut shape = self.shape(random);
        (SHAPES[shape_class].1)(&mut shape, self.config);
        let [k, mut m, n] = shape;
        m = m.min((MAX_TERMS / (n * k).max(1)).max(1));

        let (a, format_a) = &self.pools[random.below(self.pools.len())];
        let (b, format_b) = &self.pools[random.below(self.pools.len())];
        let class = CodeClass::ALL[code_class];
        let a = a.matrix(class, (m, k), Axis(1), random);
        let b = b.matrix(class, (k, n), Axis(0), random);
        let init = init_class.checked_sub(1).map(|class| {
            let class = Fp32Class::ALL[class];
            Array2::from_shape_simple_fn((m, n), || class.value(random))
        });
        let scale = match epilogue / 4 {
            0 => OwnedScale::None,
            1 => OwnedScale::Tensor(Fp32Class::any(random)),
            _ => OwnedScale::PerColumn(Array1::from_shape_simple_fn(n, || Fp32Class::any(random))),
        };
        let bias =
            (epilogue & 2 != 0).then(|| Array1::from_shape_simple_fn(n, || Fp32Class::any(random)));
        let scales = self.config.block_scales.zip(block_class);
        let blocks = scales.map(|(CoreBlocks { format, length }, code)| {
            let mut one_of = |sizes: [usize; 4]| sizes[random.below(sizes.len())];
            let (rows, cols) = (one_of([1, 1, 3, 128]), one_of([1, 1, 2, 128]));
            let count = k.div_ceil(length);
            let mut scales = |shape| Array2::from_shape_simple_fn(shape, || code(format, random));
            OwnedBlocks {
                length,
                format,
                rows,
                cols,
                a: scales((m.div_ceil(rows), count)),
                b: scales((count, n.div_ceil(cols))),
            }
        });
        OwnedJob {
            init,
            blocks,
            scale,
            bias,
            relu: epilogue & 1 != 0,
            ..OwnedJob::plain(
                (*format_a, a),
                (*format_b, b),
                self.config.accumulator,
                output,
            )
        }
    }

    /// `[k, m, n]`, each often short and at times a few tiles long.
    fn shape(&self, random: &mut Random) -> [usize; 3] {
        self.longest.map(|longest| {
            if random.one_in(2) {
                1 + random.below(longest.min(4))
            } else {
                1 + random.below(longest)
            }
        })
    }
}

type ScaleCode = fn(&'static Format, &mut Random) -> u32;

/// What scales of blocks look like; none on a core that takes none.
fn block_classes(config: &CoreConfig) -> &'static [(&'static str, ScaleCode)] {
    match config.block_scales {
        None => &[],
        Some(_) => &[
            ("ordinary", |format, random| match format.name {
                "fp32" => Fp32Class::Ordinary.value(random),
                // Powers around 1, so that sums of some blocks meet.
                "e8m0fnu" => 117 + random.below(20) as u32,
                _ => random.bits32() & 0x7f,
            }),
            ("any code", |format, random| match format.name {
                "fp32" => Fp32Class::any(random),
                _ => random.bits32() & format.code_mask(),
            }),
            // Where what they multiply to leaves binary32, and NaN.
            ("ends of the range", |format, random| match format.name {
                "fp32" => Fp32Class::Special.value(random),
                "e8m0fnu" if random.one_in(16) => 0xff,
                "e8m0fnu" => [0, 1, 30, 60, 190, 220, 253, 254][random.below(8)],
                _ => [0x00, 0x80, 0x01, 0x07, 0x08, 0x7e, 0xfe, 0x7f][random.below(8)],
            }),
        ],
    }
}

type Reshape = fn(&mut [usize; 3], &CoreConfig);

/// Shapes that must occur, as edits of a random `[k, m, n]`.
const SHAPES: &[(&str, Reshape)] = &[
    ("any", |_, _| {}),
    ("k = 0", |s, _| s[0] = 0),
    ("m = 0", |s, _| s[1] = 0),
    ("n = 0", |s, _| s[2] = 0),
    ("1 x 1 x 1", |s, _| *s = [1, 1, 1]),
    ("one k tile exactly", |s, c| s[0] = c.tile_k()),
    ("k one beyond a tile", |s, c| s[0] = c.tile_k() + 1),
    ("k one short of a tile", |s, c| s[0] = c.tile_k() - 1),
    ("k of several tiles", |s, c| s[0] = 5 * c.tile_k() + 1),
    ("n one beyond a tile", |s, c| s[2] = c.cols + 1),
    ("n of whole tiles", |s, c| s[2] = 2 * c.cols),
    ("m one beyond a tile", |s, c| {
        *s = [s[0].min(4), (c.tile_rows + 1).min(300), s[2].min(3)]
    }),
    ("every dimension beyond a tile", |s, c| {
        *s = [c.tile_k() + 1, (c.tile_rows + 1).min(20), c.cols + 1];
    }),
];
