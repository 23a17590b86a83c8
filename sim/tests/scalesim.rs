//! The compatible formulas against SCALE-Sim's own reports, and what the core does otherwise.

use std::collections::BTreeMap;

use quaver_contract::{CoreConfig, Formats};
use quaver_sim::scalesim::{ASSUMPTIONS, Dataflow, Layer};
use quaver_sim::timing::JobShape;

const BASELINE: &str = include_str!("../../tests/vectors/scalesim/scalesim_baseline.csv");

/// The file's rows by the names of its columns.
fn baseline() -> impl Iterator<Item = BTreeMap<&'static str, &'static str>> {
    let mut lines = BASELINE.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines.map(move |line| names.iter().copied().zip(line.split(',')).collect())
}

#[test]
fn every_row_vs_scalesim_3_0_0() {
    let mut rows = 0;
    for row in baseline() {
        let number = |name: &str| -> u64 { row[name].parse().unwrap() };
        let dataflow = Dataflow::ALL.iter().find(|d| d.name() == row["dataflow"]);
        let dataflow = *dataflow.unwrap();
        let layer = Layer {
            m: number("M"),
            n: number("N"),
            k: number("K"),
            rows: number("rows"),
            cols: number("cols"),
        };
        let report = layer.report(dataflow);
        assert_eq!(report.folds, number("folds"), "{row:?}");
        assert_eq!(report.cycles, number("cycles_formula"), "{row:?}");
        assert_eq!(
            report.cycles - 1,
            number("total_cycles_reported"),
            "{row:?}"
        );
        assert_eq!(report.ifmap_reads, number("sram_ifmap_reads"), "{row:?}");
        assert_eq!(report.filter_reads, number("sram_filter_reads"), "{row:?}");
        assert_eq!(report.ofmap_writes, number("sram_ofmap_writes"), "{row:?}");
        let utilisation: f64 = row["overall_util_pct"].parse().unwrap();
        assert_eq!(layer.utilisation_percent(dataflow), utilisation, "{row:?}");
        rows += 1;
    }
    assert_eq!(rows, BASELINE.lines().count() - 1);
    assert!(rows > 300, "{rows}");
    for dataflow in Dataflow::ALL {
        assert!(baseline().any(|row| row["dataflow"] == dataflow.name()));
    }
}

#[test]
fn assumptions_that_the_core_does_not_share_change_its_cycles() {
    let config = CoreConfig::load("large", &Formats::default()).unwrap();
    let shape = JobShape {
        m: 200,
        n: 64,
        k: 64,
        init: false,
        parameters: 0,
    };
    assert!(!ASSUMPTIONS.is_empty());
    for assumption in ASSUMPTIONS {
        let effect = assumption.effect(&config, &shape);
        println!("{effect:?}: {} / {}", assumption.scalesim, assumption.core);
        assert_ne!(effect.scalesim, effect.core, "{}", assumption.scalesim);
    }
}
