//! What a run is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use quaver_contract::CoreConfig;
use quaver_cosim::{Cache, Simulator};

use crate::{Designs, Generated, SUITES, Suite, VerifyError};

/// How much a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A few thousand cases a suite, for slow simulators; rare classes are not asked for.
    Smoke,
    /// Minutes: every class, every product, millions of unit cases.
    Quick,
    /// Also every binary32 input of the conversions to formats of up to 8 bits.
    Exhaustive,
    /// Every latency of every unit, every combination of shape, latency and tiling, and ten times
    /// the random cases.
    Extensive,
}

impl Tier {
    /// Every tier.
    pub const ALL: &'static [Self] = &[Self::Smoke, Self::Quick, Self::Exhaustive, Self::Extensive];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Exhaustive => "exhaustive",
            Self::Extensive => "extensive",
        }
    }

    /// The tier of that name.
    ///
    /// # Errors
    /// [`VerifyError::Unknown`] with the known names.
    pub fn get(name: &str) -> Result<Self, VerifyError> {
        let found = Self::ALL.iter().copied().find(|tier| tier.name() == name);
        found.ok_or_else(|| {
            VerifyError::unknown("tier", name, Self::ALL.iter().map(|tier| tier.name()))
        })
    }
}

/// One run of suites.
#[derive(Clone)]
pub struct Options {
    /// The core.
    pub config: CoreConfig,
    /// What the user called the core: a configuration's name or a file. For the command that
    /// repeats a failure.
    pub config_argument: String,
    /// What runs the RTL.
    pub simulator: Simulator,
    /// The suites, in the order in which they run.
    pub suites: Vec<&'static Suite>,
    /// The seed of all stimulus.
    pub seed: u64,
    /// How much is covered.
    pub tier: Tier,
    /// Folder for waveforms and texts of failures; made when there is a failure.
    pub artifacts: PathBuf,
    /// Folder for built simulations.
    pub cache: Cache,
    /// Where the Verilog comes from.
    pub designs: Arc<dyn Designs>,
}

impl Options {
    /// Every suite on a configuration with Verilator: seed 1, quick.
    pub fn new(config: CoreConfig, artifacts: PathBuf, cache: Cache) -> Self {
        Self {
            config_argument: config.name.clone(),
            config,
            simulator: Simulator::Verilator,
            suites: SUITES.iter().collect(),
            seed: 1,
            tier: Tier::Quick,
            artifacts,
            cache,
            designs: Arc::new(Generated),
        }
    }
}
