//! `quaver simulate` and `quaver wavediff`.

use crate::support::Sandbox;

#[test]
fn counts_of_a_layer_vs_hand() {
    let sandbox = Sandbox::new();
    // 3 x 3 filters on 8 x 8 places with padding: 64 rows, 9 * 3 terms; 5 filters.
    let report = sandbox
        .line("simulate --config odd --layer conv:1,3,8,8,5,3,3,1,1 --json")
        .json();
    assert_eq!(report["method"], "closed form");
    assert_eq!(report["macs"], 64 * 27 * 5);
    // Two n tiles of 3 columns; 14 k tiles of 2.
    assert_eq!(report["rows"], 64 * 2 * 14);
    assert_eq!(report["words"]["a"], 64 * 27 * 2);
    assert_eq!(report["words"]["d"], 64 * 5);
    assert_eq!(report["beats"]["d"], 64 * 2);
    let spatial = report["utilisation_spatial"].as_f64().unwrap();
    assert!((spatial - 8640.0 / (1792.0 * 6.0)).abs() < 1e-12);
    let stalls = report["stalls"].as_object().unwrap();
    let stalled: u64 = stalls.values().map(|clocks| clocks.as_u64().unwrap()).sum();
    let rows = report["rows"].as_u64().unwrap();
    assert_eq!(report["cycles"], stalled + rows);
}

#[test]
fn stepped_jobs_vs_closed_form() {
    let sandbox = Sandbox::new();
    let mut cases = 0;
    for config in ["odd", "single", "small"] {
        for options in [
            "--m 7 --n 5 --k 9",
            "--m 9 --n 1 --k 0 --bias",
            "--m 6 --n 7 --k 5 --init --bias --column-scales",
            "--m 6 --n 7 --k 5 --dataflow is",
            "--m 0 --n 7 --k 5",
        ] {
            let line = format!("simulate --config {config} {options} --json");
            let mut closed = sandbox.line(&line).json();
            let mut stepped = sandbox.line(&format!("{line} --step")).json();
            assert_eq!(stepped["method"], "stepped");
            for report in [&mut closed, &mut stepped] {
                let report = report.as_object_mut().unwrap();
                for key in ["seconds", "method", "stream_stalls", "layers"] {
                    report.remove(key);
                }
            }
            assert_eq!(closed, stepped, "{config} {options}");
            cases += 1;
        }
    }
    assert!(cases > 0);
}

#[test]
fn stalls_cost_clocks_and_inputs_stay() {
    let sandbox = Sandbox::new();
    let cycles = |options: &str| {
        let line = format!("simulate --config odd --k 9 {options} --json");
        sandbox.line(&line).json()["cycles"].as_u64().unwrap()
    };
    assert!(cycles("--m 7 --n 5 --stalls a=011") > cycles("--m 7 --n 5"));
    assert!(cycles("--m 7 --n 5 --stalls 3") > cycles("--m 7 --n 5"));
    assert_eq!(cycles("--m 7 --n 4 --dataflow is"), cycles("--m 4 --n 7"));
}

#[test]
fn networks_add_up() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "net.csv",
        "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, \
         Strides,\nconv1, 10, 10, 3, 3, 3, 8, 1,\nfc, 1, 1, 1, 1, 64, 10, 1,\n",
    );
    let report = sandbox
        .line("simulate --config small --layers net.csv --json")
        .json();
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    assert_eq!(layers[0]["m"], 64);
    for key in ["cycles", "macs", "rows"] {
        let sum: u64 = layers
            .iter()
            .map(|layer| layer[key].as_u64().unwrap())
            .sum();
        assert_eq!(report[key], sum, "{key}");
    }
    let both = sandbox
        .line("simulate --config small --config large --layers net.csv --json")
        .json();
    assert_eq!(both["configs"][0]["cycles"], report["cycles"]);
    assert_eq!(both["configs"][1]["config"], "large");
}

#[test]
fn waveforms_are_compared() {
    let sandbox = Sandbox::new();
    let job = "simulate --config single --m 3 --n 2 --k 2 --step";
    for (options, file) in [("", "a.vcd"), ("", "b.vcd"), ("--seed 2", "c.vcd")] {
        sandbox.line(&format!("{job} {options} --vcd {file}")).ok();
    }
    let same = sandbox.line("wavediff a.vcd b.vcd --json").json();
    assert_eq!(same["equal"], true);
    assert!(same["common"].as_u64() > Some(100) && same["cycles"].as_u64() > Some(20));
    let output = sandbox.line("wavediff a.vcd c.vcd --json");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let report: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["equal"], false);
    let signal = report["divergence"]["signal"].as_str().unwrap();
    assert!(signal.contains("tdata"), "{signal}");
    // A part of the job, at the times that it has in the whole.
    sandbox
        .line(&format!("{job} --vcd part.vcd --cycles 5..9"))
        .ok();
    let text = std::fs::read_to_string(sandbox.path("part.vcd")).unwrap();
    let times: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.parse().ok())
        .collect();
    assert!((8..=9).contains(&times.len()) && times[0] > 10, "{times:?}");
}

const BASELINE: &str = include_str!("../../../tests/vectors/scalesim/scalesim_baseline.csv");

/// ResNet18 on SCALE-Sim's own arrays, layer by layer, against its reports.
#[test]
fn resnet18_vs_scalesim() {
    let sandbox = Sandbox::new();
    let rows: Vec<Vec<&str>> = BASELINE
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    let column = |name: &str| rows[0].iter().position(|&cell| cell == name).unwrap();
    let [set, rows_at, cols_at, flow_at] = ["set", "rows", "cols", "dataflow"].map(column);
    let reported = column("total_cycles_reported");
    let mut compared = 0;
    for array in ["32", "128"] {
        let of = |flow: &str| {
            let wanted = |row: &&Vec<&str>| {
                row[set] == "resnet18"
                    && (row[rows_at], row[cols_at], row[flow_at]) == (array, array, flow)
            };
            rows.iter().filter(wanted).collect::<Vec<_>>()
        };
        let mut text = "Layer,M,N,K,\n".to_owned();
        for row in of("ws") {
            let cells = ["layer", "M", "N", "K"].map(|name| row[column(name)]);
            text += &format!("{},\n", cells.join(","));
        }
        sandbox.write("resnet18.csv", text);
        let line = format!("simulate --scalesim {array}x{array} --layers resnet18.csv --json");
        let report = sandbox.line(&line).json();
        println!("{array} x {array}: {} s", report["seconds"]);
        for flow in report["dataflows"].as_array().unwrap() {
            let expected = of(flow["dataflow"].as_str().unwrap());
            let layers = flow["layers"].as_array().unwrap();
            assert_eq!(layers.len(), expected.len());
            for (layer, row) in layers.iter().zip(expected) {
                // SCALE-Sim prints the number of the last clock.
                let cycles = layer["cycles"].as_u64().unwrap() - 1;
                assert_eq!(cycles.to_string(), row[reported], "{row:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2 * 3 * 21);
}
