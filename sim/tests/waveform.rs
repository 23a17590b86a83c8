//! The model's own waveforms: complete, readable, and able to differ.

use std::path::{Path, PathBuf};

use ndarray::{Array2, array};
use quaver_contract::{Accumulator, Conversion, CoreConfig, Engine as _, Formats, Job, Scale};
use quaver_drive::StallPattern;
use quaver_sim::CycleEngine;
use quaver_sim::trace::{replay, wavediff};
use vcd::{Command, Parser, ScopeItem, VarType};

fn config() -> CoreConfig {
    CoreConfig::load("odd", &Formats::default()).unwrap()
}

/// Writes a waveform of a job: 1.5 * 2 + ... on stalled streams.
fn record(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let path = folder.join(name);
    let config = config();
    let stalls = StallPattern::random(seed, 0.3);
    let mut engine = CycleEngine::traced(&config, stalls, seed, &path).unwrap();
    let e4m3fn = Formats::default().get("e4m3fn").unwrap();
    // 0x3c is 1.5, 0x40 is 2.
    let (a, b) = (
        Array2::from_elem((7, 5), 0x3c),
        Array2::from_elem((5, 4), 0x40),
    );
    let bias = array![1f32, 2.0, 3.0, 4.0].map(|x| x.to_bits());
    let job = Job {
        a: a.view(),
        b: b.view(),
        format_a: e4m3fn,
        format_b: e4m3fn,
        accumulator: Accumulator::Fp32,
        init: None,
        blocks: None,
        scale: Scale::Tensor(0.5f32.to_bits()),
        bias: Some(bias.view()),
        relu: false,
        output: Conversion::native(Formats::default().get("fp32").unwrap()),
    };
    let result = engine.run(&job).unwrap();
    // (5 * 3) * 0.5 + bias.
    assert_eq!(f32::from_bits(result.values[(6, 3)]), 11.5);
    engine.stop_trace().unwrap();
    path
}

#[test]
fn replay_of_the_models_own_waveform_agrees_in_every_register() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), "a.vcd", 1);
    let replay = replay(&config(), &path).unwrap();
    assert_eq!(replay.divergence, None);
    assert!(replay.cycles > 100 && replay.registers > 150, "{replay:?}");
}

#[test]
fn wavediff_finds_the_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] =
        [("a", 1), ("b", 1), ("c", 2)].map(|(name, seed)| record(folder.path(), name, seed));
    let same = wavediff(&a, &b).unwrap();
    assert_eq!(same.divergence, None);
    assert!(same.common > 150 && same.cycles > 100, "{same:?}");
    let different = wavediff(&a, &c).unwrap();
    let divergence = different.divergence.unwrap();
    assert!(divergence.cycle < same.cycles && divergence.recorded != divergence.modelled);
}

#[test]
fn floating_point_registers_are_reals_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), "a.vcd", 1);
    let mut parser = Parser::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    let header = parser.parse_header().unwrap();
    let pe = [
        "quaver_odd",
        "u_core",
        "u_array",
        "gen_row[1]",
        "gen_col[2]",
        "u_pe",
    ];
    let scope = header.find_scope(&pe).unwrap();
    let active = scope.items.iter().find_map(|item| match item {
        ScopeItem::Var(var) if var.reference == "active_q_value" => Some(var),
        _ => None,
    });
    let active = active.unwrap();
    assert_eq!(active.var_type, VarType::Real);
    let values = parser.filter_map(|command| match command.unwrap() {
        Command::ChangeReal(id, value) if id == active.code => Some(value),
        _ => None,
    });
    // Absent at first, then the weight, and absent again in the last k tile, which has one term.
    let values: Vec<f64> = values.collect();
    assert_eq!(values[..3], [0.0, 2.0, 0.0], "{values:?}");
}

#[test]
fn reals_of_all_magnitudes_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.vcd");
    let mut engine = CycleEngine::traced(&config(), StallPattern::None, 0, &path).unwrap();
    let e4m3fn = Formats::default().get("e4m3fn").unwrap();
    let values = [f32::from_bits(1), f32::MAX, f32::NEG_INFINITY, f32::NAN];
    // K = 0: the initial values are the sums.
    let (a, b) = (Array2::zeros((1, 0)), Array2::zeros((0, 4)));
    let init = Array2::from_shape_fn((1, 4), |(_, column)| values[column].to_bits());
    let job = Job {
        a: a.view(),
        b: b.view(),
        format_a: e4m3fn,
        format_b: e4m3fn,
        accumulator: Accumulator::Fp32,
        init: Some(init.view()),
        blocks: None,
        scale: Scale::None,
        bias: None,
        relu: false,
        output: Conversion::native(Formats::default().get("fp32").unwrap()),
    };
    assert_eq!(engine.run(&job).unwrap().values, init);
    engine.stop_trace().unwrap();
    let mut parser = Parser::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    parser.parse_header().unwrap();
    let reals = parser.filter_map(|command| match command.unwrap() {
        Command::ChangeReal(_, value) => Some(value as f32),
        _ => None,
    });
    let reals: Vec<u32> = reals.map(f32::to_bits).collect();
    for value in values {
        assert!(reals.contains(&value.to_bits()), "{value:e}");
    }
}

/// The reader of Surfer: what it shows of a waveform.
#[test]
fn waveform_is_read_by_a_viewers_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), "a.vcd", 3);
    let mut wave = wellen::simple::read(&path).unwrap();
    let pe = [
        "quaver_odd",
        "u_core",
        "u_array",
        "gen_row[1]",
        "gen_col[2]",
        "u_pe",
    ];
    let signal = |name| {
        let hierarchy = wave.hierarchy();
        let var = hierarchy.lookup_var(&pe, name);
        hierarchy[var.unwrap_or_else(|| panic!("no {name}"))].signal_ref()
    };
    let (bits, value) = (signal("active_q"), signal("active_q_value"));
    wave.load_signals(&[bits, value]);
    let reals = wave.get_signal(value).unwrap().iter_changes();
    let reals: Vec<f64> = reals
        .map(|(_, value)| match value {
            wellen::SignalValueRef::Real(real) => real,
            other => panic!("{other:?} is no real"),
        })
        .collect();
    assert_eq!(reals[..3], [0.0, 2.0, 0.0], "{reals:?}");
    let changes = wave.get_signal(bits).unwrap().iter_changes().count();
    assert_eq!(changes, reals.len());
}
