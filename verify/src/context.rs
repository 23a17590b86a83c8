//! What every suite is given.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use quaver_contract::CoreConfig;
use quaver_cosim::Simulator;
use quaver_hdl::core_parameters;

use crate::{Options, Random, Tier, VerifyError};

/// One suite's view of a run.
pub struct SuiteContext<'a> {
    /// Name of the suite.
    pub suite: &'static str,
    /// The core.
    pub config: &'a CoreConfig,
    /// How much is covered.
    pub tier: Tier,
    /// All of what was asked for.
    pub options: &'a Options,
}

/// In the smoke tier one case of this many is left.
const SMOKE: u64 = 500;
/// In the smoke tier one job of this many is left.
const SMOKE_JOBS: u64 = 3;
/// The cases that are left of any number.
const SMOKE_LEAST: u64 = 20;

impl<'a> SuiteContext<'a> {
    /// The context of the suite of that name.
    pub fn new(suite: &'static str, options: &'a Options) -> Self {
        Self {
            suite,
            config: &options.config,
            tier: options.tier,
            options,
        }
    }

    /// The number of random cases, of `quick` in the quick tier.
    pub fn cases(&self, quick: u64) -> u64 {
        match self.tier {
            Tier::Smoke => (quick / SMOKE).max(SMOKE_LEAST),
            Tier::Quick | Tier::Exhaustive => quick,
            Tier::Extensive => 10 * quick,
        }
    }

    /// The number of random jobs, of `quick` in the quick tier: a job is many cases.
    pub fn jobs(&self, quick: u64) -> u64 {
        match self.tier {
            Tier::Smoke => quick / SMOKE_JOBS,
            _ => self.cases(quick),
        }
    }

    /// Directed cases: all of them, in the smoke tier a random sample.
    pub fn thin<T: Copy>(&self, cases: Vec<T>, random: &mut Random) -> Vec<T> {
        match self.tier {
            Tier::Smoke if cases.len() as u64 > SMOKE_LEAST => (0..self.cases(cases.len() as u64))
                .map(|_| random.pick(&cases))
                .collect(),
            _ => cases,
        }
    }

    /// The latencies at which a unit is run: the usual one, in the extensive tier all.
    pub fn latencies(&self, usual: usize, all: RangeInclusive<usize>) -> Vec<usize> {
        match self.tier {
            Tier::Extensive => all.collect(),
            _ => vec![usual],
        }
    }

    /// The random generator for one purpose of this suite.
    pub fn random(&self, purpose: &str) -> Random {
        Random::new(self.options.seed, &format!("{} {purpose}", self.suite))
    }

    /// The configuration's values of these parameters of the core.
    ///
    /// # Errors
    /// [`VerifyError::Parameter`] for a name that the core does not have.
    pub fn parameters(
        &self,
        names: &[&'static str],
    ) -> Result<Vec<(&'static str, String)>, VerifyError> {
        let all = core_parameters(self.config)?;
        let find = |&name: &&'static str| {
            let found = all.iter().find(|(parameter, _)| *parameter == name);
            found.cloned().ok_or_else(|| VerifyError::Parameter {
                config: self.config.name.clone(),
                name,
            })
        };
        names.iter().map(find).collect()
    }

    /// A file for a failure, in the folder of the run, which is made.
    ///
    /// # Errors
    /// [`VerifyError::Write`].
    pub fn artifact(&self, name: &str) -> Result<PathBuf, VerifyError> {
        let folder = &self.options.artifacts;
        std::fs::create_dir_all(folder).map_err(|source| VerifyError::Write {
            path: folder.clone(),
            source,
        })?;
        let seed = self.options.seed;
        Ok(folder.join(format!("{}-seed{seed}-{name}", self.suite)))
    }

    /// The command that repeats the suite.
    pub fn rerun(&self) -> String {
        let options = self.options;
        let mut command = format!(
            "quaver verify {} --config {} --seed {}",
            self.suite, options.config_argument, options.seed
        );
        if options.simulator != Simulator::Verilator {
            command += &format!(" --simulator {}", options.simulator.name());
        }
        if options.tier != Tier::Quick {
            command += &format!(" --tier {}", options.tier.name());
        }
        command
    }
}
