//! `quaver bench`. What figures come out is not tested: machines are too different.

use serde_json::Value;

use crate::support::Sandbox;

fn python() -> String {
    quaver_tests::python().display().to_string()
}

fn figures(line: &str) -> Vec<Value> {
    let figures = Sandbox::new()
        .line(&format!("{line} --pairs 5 --json"))
        .json();
    let figures = figures.as_array().unwrap().clone();
    for figure in &figures {
        let keys: Vec<&String> = figure.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["name", "ours", "peer", "peer_name", "ratio", "unit"]);
        let number = |key: &str| figure[key].as_f64().unwrap();
        assert!(number("ours") > 0.0 && number("peer") > 0.0, "{figure}");
        let ratio = number("ratio") * number("peer") / number("ours");
        // Medians of each are of other pairs than the ratio's, not of other work.
        assert!((0.1..10.0).contains(&ratio), "{figure}");
    }
    figures
}

#[test]
fn figures_beside_themselves_and_beside_numpy() {
    let alone = figures("bench quantise");
    assert_eq!(alone.len(), 1);
    let sgemm = figures(&format!(
        "bench gemm --only 1x4096x4096 --python {}",
        python()
    ));
    let names: Vec<&str> = sgemm
        .iter()
        .map(|figure| figure["name"].as_str().unwrap())
        .collect();
    let expected =
        ["1", "2"].map(|threads| format!("gemm fp32 e4m3fn 1x4096x4096 threads={threads}"));
    assert_eq!(names, expected);
    for figure in &sgemm {
        assert_eq!(figure["unit"], "GMAC/s");
        assert!(
            figure["peer_name"]
                .as_str()
                .unwrap()
                .starts_with("sgemm of numpy "),
            "{figure}"
        );
    }
}

#[test]
fn text_has_a_line_for_each_figure() {
    let text = Sandbox::new().line("bench quantise --pairs 5").ok();
    let [line] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(
        line.starts_with("quantise then gemm fp32 e4m3fn 1024x1024x1024 threads=1 "),
        "{line}"
    );
    assert!(
        line.contains(" GMAC/s ") && line.ends_with(" of the same product of codes, alone"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_measured_is_named() {
    let cases = [
        ("bench gemm --python no/such/python", "no/such/python"),
        ("bench gemm --python /bin/false", "/bin/false"),
        ("bench quantise --only e5m2", "'e5m2'"),
        ("bench models --models none", "none/minilm.onnx"),
        ("bench models --pairs 4", "5..=1000"),
        ("bench fast", "'fast'"),
    ];
    for (line, named) in cases {
        let outcome = Sandbox::new().line(line);
        assert_eq!(outcome.code, Some(2), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(named), "{line}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{line}");
    }
}
