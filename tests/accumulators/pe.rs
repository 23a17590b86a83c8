//! One PE in the simulator, and around it what a core does with its sums: they come back for the
//! next block, chunks are promoted, exact sums are rounded.

use std::collections::HashMap;

use quaver_contract::{Accumulator, CoreConfig};
use quaver_cosim::{Batch, Cache, PortId, Simulation, Simulator, Step};
use quaver_golden::chain::sum;
use quaver_golden::dot::Operand;
use quaver_golden::{Number, decode};
use quaver_hdl::{OperandShape, core_parameters, unit};
use quaver_tests::cache;

use crate::format;

/// One sum: an initial value and the terms that are added to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The operands' formats, by their place in the configuration.
    pub(crate) formats: [usize; 2],
    /// As binary32.
    pub(crate) init: u32,
    /// Codes of A and B.
    pub(crate) terms: Vec<[u8; 2]>,
}

impl Case {
    /// Blocks that the accumulator cuts the sum into.
    pub(crate) fn blocks(&self, config: &CoreConfig) -> usize {
        self.terms.len().div_ceil(config.lanes())
    }
}

/// What the golden model makes of a case.
pub(crate) fn golden(config: &CoreConfig, case: &Case) -> u32 {
    let operand = |which: usize, code: u8| {
        let format = format(config, case.formats[which]);
        let number = decode(code.into(), format);
        let field_exponent = match number {
            Number::Finite { exponent, .. } => exponent + format.fraction_bits.cast_signed(),
            _ => 0,
        };
        Operand {
            number,
            field_exponent,
        }
    };
    let terms: Vec<_> = case
        .terms
        .iter()
        .map(|&[a, b]| (operand(0, a), operand(1, b)))
        .collect();
    sum(&config.accumulator, case.init, &terms)
}

/// A unit in its simulator, one case a clock.
pub(crate) struct Clocked {
    simulation: Box<dyn Simulation>,
    inputs: Vec<PortId>,
    output: PortId,
    latency: usize,
}

impl Clocked {
    pub(crate) fn open(
        cache: &Cache,
        name: &str,
        parameters: &[(&str, String)],
        inputs: &[&str],
        output: &str,
        latency: usize,
    ) -> Self {
        let design = unit(name, parameters).unwrap();
        let mut simulation = Simulator::Verilator.open(&design, cache, false).unwrap();
        let port = |name: &str| simulation.port(name).unwrap();
        let ports = inputs.iter().map(|name| port(name)).collect();
        let (output, reset) = (port(output), port("rst_ni"));
        let enable = simulation.port("enable_i").ok();
        simulation.set(reset, &[0]);
        simulation.tick().unwrap();
        simulation.set(reset, &[1]);
        if let Some(enable) = enable {
            simulation.set(enable, &[1]);
        }
        Self {
            simulation,
            inputs: ports,
            output,
            latency,
        }
    }

    /// Rows of inputs to rows of outputs. A row is the words of all inputs, in their order.
    pub(crate) fn run(&mut self, rows: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let idle = rows[0].clone();
        let words: Vec<u32> = rows
            .iter()
            .chain(std::iter::repeat_n(&idle, self.latency))
            .flatten()
            .copied()
            .collect();
        let batch = Batch {
            step: Step::Tick,
            count: rows.len() + self.latency,
            inputs: &self.inputs,
            words: &words,
            outputs: &[self.output],
        };
        let mut results = vec![0; batch.output_words(self.simulation.signals())];
        self.simulation.batch(&batch, &mut results).unwrap();
        let width = self.simulation.signals().words(self.output);
        results
            .chunks(width)
            .skip(self.latency)
            .map(<[u32]>::to_vec)
            .collect()
    }
}

/// Bits put together from the lowest.
struct Packer {
    words: Vec<u32>,
    length: usize,
}

impl Packer {
    fn new(bits: usize) -> Self {
        Self {
            words: vec![0; bits.div_ceil(32)],
            length: 0,
        }
    }

    fn push(&mut self, value: u32, bits: usize) {
        let (word, offset) = (self.length / 32, self.length % 32);
        let wide = u64::from(value) << offset;
        self.words[word] |= wide as u32;
        if offset + bits > 32 {
            self.words[word + 1] |= (wide >> 32) as u32;
        }
        self.length += bits;
    }
}

/// A PE, and the units that its sums go through.
pub(crate) struct Rig {
    config: CoreConfig,
    pe: Clocked,
    promote: Option<Clocked>,
    finish: Option<Clocked>,
    /// Operands as the core's own decoder makes them, by format and code.
    operands: HashMap<(usize, u8), u32>,
    operand_bits: usize,
    psum_words: usize,
}

/// The parameters of the PE.
const PE_PARAMETERS: &[&str] = &[
    "EXP_W",
    "SIG_W",
    "LANES",
    "PE_LATENCY",
    "PSUM_W",
    "NORMALISE",
    "EXP_FLOOR",
    "EXP_BASE",
    "ACCUMULATOR",
];

/// Clocks of the exact accumulator's rounding, and of promotion.
const FINISH_LATENCY: usize = 4;
const PROMOTE_LATENCY: usize = 1;

impl Rig {
    /// Builds the units for a configuration.
    pub(crate) fn open(config: &CoreConfig) -> Self {
        let cache = cache();
        let all = core_parameters(config).unwrap();
        let value = |name: &str| {
            let found = all.iter().find(|(parameter, _)| *parameter == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let parameters: Vec<_> = PE_PARAMETERS
            .iter()
            .map(|&name| (name, value(name)))
            .collect();
        let shape = OperandShape::of(config);
        let operand_bits = (3 + shape.exponent_bits + shape.significand_bits) as usize;
        // The weights of a case go in two clocks before its operands.
        let pe = Clocked::open(
            &cache,
            "quaver_pe",
            &parameters,
            &["shift_i", "swap_i", "weight_i", "operand_i", "psum_i"],
            "psum_o",
            2 + config.pe_latency,
        );
        let promote = matches!(config.accumulator, Accumulator::Chunked { .. }).then(|| {
            let parameters = [("LATENCY", PROMOTE_LATENCY.to_string())];
            let inputs = ["psum_i", "promote_i"];
            Clocked::open(
                &cache,
                "quaver_promote",
                &parameters,
                &inputs,
                "psum_o",
                PROMOTE_LATENCY,
            )
        });
        let finish = (config.accumulator == Accumulator::Exact).then(|| {
            let parameters = [("PSUM_W", value("PSUM_W")), ("FIELD", value("EXACT_FIELD"))];
            let inputs = ["psum_i", "init_i"];
            Clocked::open(
                &cache,
                "quaver_exact_finish",
                &parameters,
                &inputs,
                "code_o",
                FINISH_LATENCY,
            )
        });
        let psum_words = value("PSUM_W").parse::<usize>().unwrap().div_ceil(32);
        Self {
            operands: decode_all(config, &cache),
            config: config.clone(),
            pe,
            promote,
            finish,
            operand_bits,
            psum_words,
        }
    }

    /// The sum of every case.
    pub(crate) fn run(&mut self, cases: &[Case]) -> Vec<u32> {
        match self.config.accumulator {
            Accumulator::Exact => {
                let zero = vec![vec![0; self.psum_words]; cases.len()];
                let sums = self.chain(cases, 0..usize::MAX, zero);
                let rows: Vec<_> = sums
                    .into_iter()
                    .zip(cases)
                    .map(|(sum, case)| [sum, vec![case.init]].concat())
                    .collect();
                self.finish
                    .as_mut()
                    .unwrap()
                    .run(&rows)
                    .into_iter()
                    .map(|row| row[0])
                    .collect()
            }
            Accumulator::Chunked { every, .. } => {
                let mut outer: Vec<u32> = cases.iter().map(|case| case.init).collect();
                let longest = cases.iter().map(|case| case.terms.len()).max().unwrap();
                for start in (0..longest).step_by(every) {
                    let zero = vec![vec![0]; cases.len()];
                    let inner = self.chain(cases, start..start + every, zero);
                    let rows: Vec<_> = (inner.iter().zip(&outer).zip(cases))
                        .map(|((inner, outer), case)| {
                            vec![inner[0], *outer, u32::from(case.terms.len() > start)]
                        })
                        .collect();
                    let words = self.promote.as_mut().unwrap().run(&rows);
                    outer = words.iter().map(|word| word[1]).collect();
                }
                outer
            }
            _ => {
                let init = cases.iter().map(|case| vec![case.init]).collect();
                let sums = self.chain(cases, 0..usize::MAX, init);
                sums.into_iter().map(|sum| sum[0]).collect()
            }
        }
    }

    /// The blocks of these terms, each with the sum of the one before. A sum without a term left
    /// goes through the PE unchanged.
    fn chain(
        &mut self,
        cases: &[Case],
        terms: std::ops::Range<usize>,
        mut psums: Vec<Vec<u32>>,
    ) -> Vec<Vec<u32>> {
        let lanes = self.config.lanes();
        let end = |case: &Case| case.terms.len().min(terms.end);
        let longest = cases.iter().map(end).max().unwrap();
        for start in (terms.start..longest.max(terms.start + 1)).step_by(lanes) {
            let block = |case: &Case| {
                let end = end(case).min(start + lanes);
                case.terms.get(start..end).unwrap_or_default().to_vec()
            };
            let row = |i: usize| self.row(cases, i, &block, &psums);
            let rows: Vec<_> = (0..cases.len() + 2).map(row).collect();
            psums = self.pe.run(&rows);
            psums.truncate(cases.len());
        }
        psums
    }

    /// The PE's inputs at clock `i`: the weights of case `i` are shifted in, those of the case
    /// before become active, and the case before that is computed.
    fn row(
        &self,
        cases: &[Case],
        i: usize,
        block: &dyn Fn(&Case) -> Vec<[u8; 2]>,
        psums: &[Vec<u32>],
    ) -> Vec<u32> {
        let lanes = self.config.lanes();
        let mut row = vec![1, 1];
        let mut weights = Packer::new(lanes * (1 + self.operand_bits));
        if let Some(case) = cases.get(i) {
            for [_, b] in block(case) {
                weights.push(self.operands[&(case.formats[1], b)], self.operand_bits);
                weights.push(1, 1);
            }
        }
        row.extend(weights.words);
        let mut operands = Packer::new(lanes * self.operand_bits);
        let computed = i.checked_sub(2);
        if let Some(computed) = computed {
            let case = &cases[computed];
            let block = block(case);
            for lane in 0..lanes {
                // Lanes without a term still carry an operand, which must not count.
                let a = block.get(lane).map_or(!case.init as u8, |[a, _]| *a);
                let operand = self
                    .operands
                    .get(&(case.formats[0], a))
                    .copied()
                    .unwrap_or_default();
                operands.push(operand, self.operand_bits);
            }
        }
        row.extend(operands.words);
        match computed {
            Some(computed) => row.extend(&psums[computed]),
            None => row.extend(vec![0; self.psum_words]),
        }
        row
    }
}

/// Every code of every format through the decoder of the core.
fn decode_all(config: &CoreConfig, cache: &Cache) -> HashMap<(usize, u8), u32> {
    let wanted = [
        "FORMAT_COUNT",
        "FORMAT_TABLE",
        "EXP_W",
        "SIG_W",
        "NORMALISE",
        "EXP_FLOOR",
        "EXP_BASE",
    ];
    let all = core_parameters(config).unwrap();
    let parameters: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| wanted.contains(name))
        .collect();
    let design = unit("quaver_decode_select", &parameters).unwrap();
    let mut simulation = Simulator::Verilator.open(&design, cache, false).unwrap();
    let port = |name: &str| simulation.port(name).unwrap();
    let (inputs, output) = ([port("format_i"), port("code_i")], port("operand_o"));
    let codes = || {
        let formats = config.operand_formats.iter().enumerate();
        formats.flat_map(|(i, f)| (0..=f.code_mask()).map(move |code| (i, code as u8)))
    };
    let words: Vec<u32> = codes()
        .flat_map(|(i, code)| [i as u32, code.into()])
        .collect();
    let mut results = vec![0; words.len() / 2];
    let batch = Batch {
        step: Step::Eval,
        count: results.len(),
        inputs: &inputs,
        words: &words,
        outputs: &[output],
    };
    simulation.batch(&batch, &mut results).unwrap();
    codes().zip(results).collect()
}
