//! Runs jobs on a core and holds its results to the golden model's.

use std::path::PathBuf;

use ndarray::Array2;
use quaver_contract::formats::FP32;
use quaver_contract::{CoreConfig, Engine as _};
use quaver_cosim::{DriveError, PerStream, RtlEngine, RtlOptions, StallPattern};
use quaver_golden::Golden;
use quaver_hdl::Design;

use crate::failure::{Failure, Finding};
use crate::shrink::shrink;
use crate::stimulus::owned::OwnedJob;
use crate::{Class, Coverage, Random, SuiteContext, Tally, VerifyError, first_divergence};

/// A core in its simulator, and what its failures are described with.
pub(crate) struct CoreBench<'a> {
    context: &'a SuiteContext<'a>,
    config: CoreConfig,
    design: Design,
    engine: RtlEngine,
    setting: Setting,
    cycles: u64,
    /// The job before: a failure may need it.
    previous: Option<(OwnedJob, Setting)>,
}

/// What decides a simulation beside the job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) stalls: StallPattern,
    /// Seed of the bits that the core must ignore.
    pub(crate) seed: u64,
}

type DrawStalls = fn(&mut Random) -> StallPattern;

/// Classes of stall patterns.
const STALLS: &[(&str, DrawStalls)] = &[
    ("none", |_| StallPattern::None),
    ("rare", |random| StallPattern::random(random.bits64(), 0.05)),
    ("half of all clocks", |random| {
        StallPattern::random(random.bits64(), 0.5)
    }),
    ("sources starve", |random| StallPattern::Random {
        seed: random.bits64(),
        probability: PerStream {
            d: 0.0,
            ..PerStream::all(0.8)
        },
    }),
    ("result is not taken", |random| StallPattern::Random {
        seed: random.bits64(),
        probability: PerStream {
            d: 0.9,
            ..PerStream::default()
        },
    }),
    ("one source starves", |random| {
        let chosen = random.below(4);
        let stall = |index| if index == chosen { 0.9 } else { 0.0 };
        StallPattern::Random {
            seed: random.bits64(),
            probability: PerStream {
                a: stall(0),
                b: stall(1),
                c: stall(2),
                p: stall(3),
                d: 0.0,
            },
        }
    }),
    ("periodic", |random| {
        let mut pattern = || {
            let mut clocks: Vec<bool> =
                (0..2 + random.below(5)).map(|_| random.one_in(2)).collect();
            clocks[0] = false;
            clocks
        };
        StallPattern::Explicit(PerStream {
            a: pattern(),
            b: pattern(),
            c: pattern(),
            p: pattern(),
            d: pattern(),
        })
    }),
];

impl<'a> CoreBench<'a> {
    /// Builds the core of a configuration and resets it.
    ///
    /// # Errors
    /// Whatever prevents that.
    pub(crate) fn open(
        context: &'a SuiteContext<'a>,
        config: &CoreConfig,
    ) -> Result<Self, VerifyError> {
        let options = context.options;
        let design = options.designs.core(config)?;
        let rtl = RtlOptions::new(options.simulator, options.cache.clone());
        Ok(Self {
            context,
            config: config.clone(),
            engine: RtlEngine::from_design(config, &design, rtl)?,
            design,
            setting: Setting::default(),
            cycles: 0,
            previous: None,
        })
    }

    /// The engine, for what is not a whole job.
    pub(crate) fn engine(&mut self) -> &mut RtlEngine {
        &mut self.engine
    }

    /// The stalls and ignored bits of the jobs to come.
    pub(crate) const fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Clocks that the last job took; 0 when it did not end.
    pub(crate) fn last_cycles(&self) -> u64 {
        self.cycles
    }

    /// Declares the classes of stalls.
    pub(crate) fn declare_stalls(coverage: &mut Coverage) -> Vec<Class> {
        let names = STALLS.iter().map(|(name, _)| format!("stalls: {name}"));
        names.map(|name| coverage.declare(name)).collect()
    }

    /// Draws the stalls and the ignored bits of the jobs to come.
    ///
    /// # Errors
    /// None that a pattern drawn here can have.
    pub(crate) fn stall_randomly(
        &mut self,
        random: &mut Random,
        classes: &[Class],
        coverage: &mut Coverage,
    ) -> Result<(), VerifyError> {
        let chosen = random.below(STALLS.len());
        coverage.count(classes[chosen]);
        self.setting = Setting {
            stalls: STALLS[chosen].1(random),
            seed: random.bits64(),
        };
        Ok(self.setting.apply(&mut self.engine)?)
    }

    /// The golden result of a job.
    ///
    /// # Errors
    /// [`VerifyError::Golden`] for an illegal job.
    pub(crate) fn reference(job: &OwnedJob) -> Result<Array2<u32>, VerifyError> {
        Ok(Golden.run(&job.job())?.values)
    }

    /// Runs a job, compares every element, and returns how many there are; at least 1, since an
    /// empty job too has to end.
    ///
    /// # Errors
    /// Whatever stops the suite; what the core does wrong is counted.
    pub(crate) fn check(&mut self, job: &OwnedJob, tally: &mut Tally) -> Result<u64, VerifyError> {
        let expected = Self::reference(job)?;
        self.check_against(job, &expected, tally)
    }

    /// As [`Self::check`], with the golden result given.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn check_against(
        &mut self,
        job: &OwnedJob,
        expected: &Array2<u32>,
        tally: &mut Tally,
    ) -> Result<u64, VerifyError> {
        let (finding, cycles) = find(&mut self.engine, job, expected)?;
        self.cycles = cycles;
        let cases = (expected.len() as u64).max(1);
        tally.cases += cases;
        if let Some(finding) = finding {
            tally.mismatches += finding.elements();
            if tally.wants_failure() {
                let number = tally.failures.len() + 1;
                tally.failures.push(self.failure(number, job, finding)?);
            }
        }
        self.previous = Some((job.clone(), self.setting.clone()));
        Ok(cases)
    }

    /// A second core with the same stalls, just reset, and the waveform that it writes.
    ///
    /// # Errors
    /// Whatever prevents that.
    pub(crate) fn traced(&self, number: usize) -> Result<(RtlEngine, PathBuf), VerifyError> {
        let file = format!("{number}-{}.vcd", self.config.name);
        let waveform = self.context.artifact(&file)?;
        let options = self.context.options;
        let rtl = RtlOptions {
            vcd: Some(waveform.clone()),
            ..RtlOptions::new(options.simulator, options.cache.clone())
        };
        let mut engine = RtlEngine::from_design(&self.config, &self.design, rtl)?;
        self.setting.apply(&mut engine)?;
        Ok((engine, waveform))
    }

    /// Shrinks a failing job, repeats it with a waveform and writes it down.
    fn failure(
        &mut self,
        number: usize,
        job: &OwnedJob,
        found: Finding,
    ) -> Result<String, VerifyError> {
        let fp32_output = self
            .config
            .output_formats
            .iter()
            .any(|f| f.name == FP32.name);
        let fails_alone = |engine: &mut RtlEngine, job: &OwnedJob| {
            engine.reset()?;
            Ok::<_, VerifyError>(find(engine, job, &Self::reference(job)?)?.0.is_some())
        };
        let (mut smallest, mut before) = (job.clone(), None);
        if fails_alone(&mut self.engine, job)? {
            smallest = shrink(job, fp32_output, |job| fails_alone(&mut self.engine, job))?;
        } else {
            before = self.previous.clone();
        }

        let (mut traced, waveform) = self.traced(number)?;
        if let Some((job, setting)) = &before {
            setting.apply(&mut traced)?;
            find(&mut traced, job, &Self::reference(job)?)?;
        }
        self.setting.apply(&mut traced)?;
        let expected = Self::reference(&smallest)?;
        let (shown, _) = find(&mut traced, &smallest, &expected)?;
        let failure = Failure {
            context: self.context,
            config: &self.config,
            setting: &self.setting,
            job,
            found,
            smallest: &smallest,
            after: before.is_some(),
            cycle: shown.as_ref().and_then(|finding| finding.cycle(&traced)),
            shown,
            waveform: &waveform,
        };
        traced.stop_trace()?;
        let text = failure.to_string();
        let path = waveform.with_extension("txt");
        std::fs::write(&path, &text).map_err(|source| VerifyError::Write { path, source })?;
        // The jobs to come find the core as after a reset, whatever this one left.
        self.engine.reset()?;
        Ok(text)
    }
}

impl Setting {
    fn apply(&self, engine: &mut RtlEngine) -> Result<(), DriveError> {
        engine.set_seed(self.seed);
        engine.set_stalls(self.stalls.clone())
    }
}

/// What is wrong with the core's answer to a job, and the clocks that the job took.
///
/// # Errors
/// What is not the core's fault.
fn find(
    engine: &mut RtlEngine,
    job: &OwnedJob,
    expected: &Array2<u32>,
) -> Result<(Option<Finding>, u64), VerifyError> {
    let result = engine.begin(&job.job()).and_then(|run| run.finish());
    match result {
        Ok(result) => {
            let cols = engine.config().cols;
            let divergence = first_divergence(expected, &result.values, cols);
            let cycles = result.counters.map_or(0, |counters| counters.cycles);
            Ok((divergence.map(Finding::Bits), cycles))
        }
        Err(error) if is_fault(&error) => Ok((Some(Finding::Fault(error.to_string())), 0)),
        Err(error) => Err(error.into()),
    }
}

/// Whether an error is the core's own: a finding, not a reason to stop.
pub(crate) fn is_fault(error: &DriveError) -> bool {
    matches!(
        error,
        DriveError::Hang { .. }
            | DriveError::BadJob { .. }
            | DriveError::Bus { .. }
            | DriveError::BusTimeout { .. }
            | DriveError::Protocol { .. }
    )
}
