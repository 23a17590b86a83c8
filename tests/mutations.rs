//! The suites against designs with one deliberate mistake each: every one must be found, written
//! down and shown in a waveform.

use std::path::Path;
use std::sync::Arc;

use quaver_contract::CoreConfig;
use quaver_hdl::{Design, HdlError};
use quaver_tests::{artifacts, cache, config, require};
use quaver_verify::{Designs, Generated, Options, Suite, Tier, run};

/// A mistake: in one file, one text becomes another.
#[derive(Clone, Copy, Debug)]
struct Mutation {
    /// What goes wrong.
    name: &'static str,
    /// The suite that must find it.
    suite: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    /// What the first failure must say.
    says: &'static str,
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "inf_decodes_as_nan",
        suite: "decode",
        file: "rtl/quaver_decode.v",
        right: "assign nan = (NAN_KIND == 1) ? top_field && fraction != 7'd0 :",
        wrong: "assign nan = (NAN_KIND == 1) ? top_field :",
        says: "e5m2 7c (inf)",
    },
    Mutation {
        name: "sign_of_b_is_lost",
        suite: "products",
        file: "rtl/quaver_product.v",
        right: "(a_sign ^ b_sign)",
        wrong: "a_sign",
        says: "shrunk to      m=1 n=1 k=1",
    },
    Mutation {
        name: "ties_are_truncated",
        suite: "accumulate",
        file: "rtl/quaver_fp32_round.v",
        right: "round_i && (sticky_i || fraction_i[0])",
        wrong: "round_i && sticky_i",
        says: "quaver_fp32_accumulate",
    },
    Mutation {
        name: "up_is_down",
        suite: "convert",
        file: "rtl/quaver_convert.v",
        right: "(rounding_1 == ROUND_UP && !sign_1)",
        wrong: "(rounding_1 == ROUND_UP && sign_1)",
        says: " ru ",
    },
    Mutation {
        name: "relu_keeps_minus_zero",
        suite: "relu",
        file: "rtl/quaver_relu.v",
        right: "(value_i[31] && !nan)",
        wrong: "(value_i[31] && !nan && |value_i[30:0])",
        says: "80000000 (-0)",
    },
    Mutation {
        name: "later_k_tiles_start_anew",
        suite: "gemm",
        file: "rtl/quaver_launcher.v",
        right: "launch && (init_i || !tile_first_k)",
        wrong: "launch && (init_i && tile_first_k)",
        says: "shrunk to      m=1 n=1 k=2",
    },
    Mutation {
        name: "loader_does_not_wait_for_the_swap",
        suite: "invariance",
        file: "rtl/quaver_loader.v",
        right: "travel_q <= SWAP_TRAVEL[TRAVEL_W-1:0];",
        wrong: "travel_q <= {TRAVEL_W{1'b0}};",
        says: "2 x 3",
    },
    Mutation {
        name: "bad_job_runs",
        suite: "protocol",
        file: "rtl/quaver_job_control.v",
        right: "rounding_i <= LAST_ROUNDING",
        wrong: "rounding_i <= LAST_ROUNDING + 3'd1",
        says: "bad job",
    },
];

impl Mutation {
    fn apply(&self, mut design: Design) -> Design {
        for file in design
            .files
            .iter_mut()
            .filter(|file| file.path == self.file)
        {
            let found = file.contents.matches(self.right).count();
            assert_eq!(found, 1, "{} has {:?} {found} times", self.file, self.right);
            file.contents = file.contents.replace(self.right, self.wrong);
        }
        design
    }
}

impl Designs for Mutation {
    fn core(&self, config: &CoreConfig) -> Result<Design, HdlError> {
        Generated.core(config).map(|design| self.apply(design))
    }

    fn unit(&self, name: &str, parameters: &[(&str, String)]) -> Result<Design, HdlError> {
        Generated
            .unit(name, parameters)
            .map(|design| self.apply(design))
    }
}

/// The file that a failure's text names.
fn waveform(failure: &str) -> &Path {
    let line = failure
        .lines()
        .find_map(|line| line.trim().strip_prefix("waveform"));
    let rest = line.expect("a failure has a waveform").trim();
    Path::new(
        rest.split(" (until")
            .next()
            .expect("the first part is there"),
    )
}

#[test]
fn every_mutation_is_found_and_shown() {
    require(&["verilator"]);
    assert!(!MUTATIONS.is_empty());
    let config = config("single");
    for mutation in MUTATIONS {
        println!("{}: {} must find it", mutation.name, mutation.suite);
        let folder = artifacts(&format!("mutation-{}", mutation.name));
        let suite = Suite::get(mutation.suite).expect("the suite is in the table");
        let options = Options {
            suites: vec![suite],
            tier: Tier::Smoke,
            designs: Arc::new(*mutation),
            ..Options::new(config.clone(), folder.clone(), cache())
        };
        let report = run(&options);
        let suite = &report.suites[0];
        assert_eq!(suite.error, None, "{}", mutation.name);
        assert!(suite.mismatches > 0, "{} was not found", mutation.name);
        let failure = &suite.failures[0];
        println!("{failure}");
        let command = format!("quaver verify {} --config single --seed 1", mutation.suite);
        assert!(failure.contains(&command), "{failure}");
        assert!(failure.contains(mutation.says), "{failure}");
        for failure in &suite.failures {
            let waveform = waveform(failure);
            assert!(waveform.starts_with(&folder), "{failure}");
            let text = std::fs::read_to_string(waveform).expect("the failure names a waveform");
            // A header, and at least one change of time after it.
            let (_, changes) = text
                .split_once("$enddefinitions")
                .expect("a VCD has a header");
            assert!(changes.contains("\n#"), "{failure}");
        }
    }
}
