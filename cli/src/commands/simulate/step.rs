//! Jobs on the stepping model.

use std::ops::Range;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Array2};
use quaver_contract::{Conversion, CoreConfig, Job, JobResult, Scale};
use quaver_drive::{PerStream, Random, StallPattern};
use quaver_sim::timing::{JobShape, timing};
use quaver_sim::{Breakdown, CycleEngine};

use super::{SimulateArgs, clocks};
use crate::engines::STALL_PROBABILITY;
use crate::error::CliError;

/// Operands are made up and results are kept, so jobs that are stepped have a limit: in elements.
const MAX_ELEMENTS: u64 = 1 << 28;

/// Clocks between two looks at the progress bar.
const PACE: u64 = 1 << 14;

/// How jobs are stepped.
pub(super) struct Stepping {
    stalls: StallPattern,
    cycles: Option<Range<u64>>,
    seed: u64,
    /// Parameters a column: scales, biases.
    scales: bool,
    bias: bool,
}

impl Stepping {
    /// What the arguments ask for; `None` where the closed form will do.
    pub(super) fn new(args: &SimulateArgs) -> Result<Option<Self>, CliError> {
        let asked = args.step || args.vcd.is_some() || args.stalls.is_some();
        if !asked {
            return Ok(None);
        }
        Ok(Some(Self {
            stalls: match &args.stalls {
                None => StallPattern::None,
                Some(text) => stalls(text)?,
            },
            cycles: args.cycles.as_deref().map(clocks).transpose()?,
            seed: args.seed,
            scales: args.column_scales,
            bias: args.bias,
        }))
    }

    /// Runs a job of the shape with random operands, and holds it to the closed form where nothing
    /// stalls.
    pub(super) fn run(
        &self,
        config: &CoreConfig,
        shape: &JobShape,
        vcd: Option<&Path>,
    ) -> Result<(JobResult, Breakdown), CliError> {
        let [m, n, k] = [shape.m, shape.n, shape.k];
        let elements = [m * n, m * k, k * n].into_iter().max();
        if elements > Some(MAX_ELEMENTS) {
            let found = format!("of {m} x {n} x {k}");
            return Err(CliError::option(
                "a job that is stepped",
                found,
                format!("at most {MAX_ELEMENTS} elements a matrix"),
            ));
        }
        let mut random = Random::stream(self.seed, 0);
        let mut codes = |rows: u64, cols: u64| {
            let code = || (random.next_u32() & 0xff) as u8;
            Array2::from_shape_simple_fn((rows as usize, cols as usize), code)
        };
        let format = config.operand_formats[0];
        let mask = format.code_mask() as u8;
        let (a, b) = (
            codes(m, k).mapv_into(|c| c & mask),
            codes(k, n).mapv_into(|c| c & mask),
        );
        let one = 1_f32.to_bits();
        let init = shape
            .init
            .then(|| Array2::from_elem((m as usize, n as usize), one));
        let ones = Array1::from_elem(n as usize, one);
        let job = Job {
            a: a.view(),
            b: b.view(),
            format_a: format,
            format_b: format,
            accumulator: config.accumulator,
            init: init.as_ref().map(|init| init.view()),
            blocks: None,
            scale: match self.scales {
                true => Scale::PerColumn(ones.view()),
                false => Scale::None,
            },
            bias: self.bias.then(|| ones.view()),
            relu: false,
            output: Conversion::native(config.output_formats[0]),
        };
        let expected = timing(config, shape);
        let (result, launcher) = self.step(config, &job, vcd, expected.cycles)?;
        let cycles = result.counters.unwrap_or_default().cycles;
        if self.stalls == StallPattern::None && cycles != expected.cycles {
            return Err(CliError::other(std::io::Error::other(format!(
                "the model takes {cycles} cycles and the closed form says {}: a mistake in Quaver",
                expected.cycles
            ))));
        }
        Ok((result, launcher))
    }

    fn step(
        &self,
        config: &CoreConfig,
        job: &Job<'_>,
        vcd: Option<&Path>,
        cycles: u64,
    ) -> Result<(JobResult, Breakdown), CliError> {
        let stalls = self.stalls.clone();
        let mut engine = match (vcd, &self.cycles) {
            (Some(path), None) => CycleEngine::traced(config, stalls, self.seed, path),
            _ => CycleEngine::new(config, stalls, self.seed),
        }
        .map_err(CliError::other)?;
        let template = "{bar:40} {pos}/{len} clocks {elapsed}";
        let style = ProgressStyle::with_template(template).map_err(CliError::other)?;
        let bar = ProgressBar::new(cycles).with_style(style);
        let mut run = engine.begin(job).map_err(CliError::other)?;
        let start = run.cycle();
        let mut ended = false;
        while !ended {
            let clock = run.cycle() - start;
            if let (Some(path), Some(wanted)) = (vcd, &self.cycles) {
                if clock == wanted.start {
                    let cycle = run.cycle();
                    run.device_mut()
                        .start_trace(path, cycle)
                        .map_err(CliError::other)?;
                } else if clock == wanted.end {
                    run.device_mut().stop_trace().map_err(CliError::other)?;
                }
            }
            if clock % PACE == 0 {
                bar.set_position(clock);
            }
            ended = run.step().map_err(CliError::other)?;
        }
        let result = run.finish().map_err(CliError::other)?;
        bar.finish_and_clear();
        let launcher = *engine.device().core().breakdown();
        engine.stop_trace().map_err(CliError::other)?;
        Ok((result, launcher))
    }
}

/// Stalls as given: a seed, or a pattern of each stream.
fn stalls(text: &str) -> Result<StallPattern, CliError> {
    if let Ok(seed) = text.parse() {
        return Ok(StallPattern::random(seed, STALL_PROBABILITY));
    }
    let mut patterns: PerStream<Vec<bool>> = PerStream::default();
    let mut read = |part: &str| {
        let (stream, clocks) = part.split_once('=')?;
        let pattern = match stream {
            "a" => &mut patterns.a,
            "b" => &mut patterns.b,
            "c" => &mut patterns.c,
            "p" => &mut patterns.p,
            "d" => &mut patterns.d,
            _ => return None,
        };
        let clock = |digit| match digit {
            '0' => Some(false),
            '1' => Some(true),
            _ => None,
        };
        *pattern = clocks.chars().map(clock).collect::<Option<_>>()?;
        (!pattern.iter().all(|&stalled| stalled)).then_some(())
    };
    let whole = text.split(',').try_for_each(&mut read);
    whole.ok_or_else(|| {
        let allowed = "a seed, or STREAM=PATTERN,... with streams a, b, c, p, d and patterns of 0 and 1 \
                       that have a 0";
        CliError::option("--stalls", text, allowed)
    })?;
    Ok(StallPattern::Explicit(patterns))
}
