//! `quaver report`.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use quaver_quant::onnx::{Storage, write};
use quaver_quant::{Tensor, npz};
use serde_json::Value;

use crate::run::{model, numbers};
use crate::support::Sandbox;

/// A layer with a name that would be markup.
const HOSTILE: &str = "fc<script>alert('1')</script>&\"";

fn sandbox(fc: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut model = model();
    model.graph.nodes[3].name = fc.to_owned();
    write(&model, &sandbox.path("m.onnx"), Storage::Auto).unwrap();
    let x = Tensor::Float(numbers(&[3, 1, 4, 4], 5));
    npz::write(&sandbox.path("x.npz"), [("x", &x)]).unwrap();
    sandbox
}

/// Checks with Python's parser that every element is closed in its order, none is from outside, and every
/// reference is to a place in the page; what the elements are.
const READER: &str = r##"
import html.parser, sys
class Page(html.parser.HTMLParser):
    open, names, ids, references = [], [], set(), []
    def handle_starttag(self, name, attributes):
        self.names.append(name)
        for key, value in attributes:
            assert not key.startswith("on"), key
            if key == "id": self.ids.add(value)
            if key in {"src", "href", "xlink:href"}: self.references.append(value)
        if name not in {"meta"}: self.open.append(name)
    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)
        self.handle_endtag(name)
    def handle_endtag(self, name):
        assert self.open.pop() == name, (name, self.getpos())
page = Page()
text = sys.stdin.read()
page.feed(text)
assert page.open == [], page.open
assert all(r[0] == "#" and r[1:] in page.ids for r in page.references), page.references
assert "url(" not in text and "@import" not in text
print(*page.names)
"##;

fn elements(page: &str) -> Vec<String> {
    let mut python = Command::new(quaver_tests::python())
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(page.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "the page is not well formed");
    let names = String::from_utf8(output.stdout).unwrap();
    names.split_whitespace().map(str::to_owned).collect()
}

fn total(binades: &Value) -> u64 {
    let counts = binades["counts"].as_array().unwrap();
    let counted: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
    counted + binades["zeros"].as_u64().unwrap() + binades["others"].as_u64().unwrap()
}

#[test]
fn a_page_for_every_kind_of_plan() {
    let sandbox = sandbox("fc");
    for line in [
        "quantize poprt m.onnx --fp8-params F143,F152,-1,-2 -o poprt.json",
        "quantize poprt m.onnx --fp8-weight -o weights.json",
        "quantize intfp m.onnx --input-format e4m3fn --weight-format e4m3fn --weight-per channel \
         --output-format e5m2 --calibration x.npz -o intfp.json",
    ] {
        sandbox.line(line).ok();
    }
    sandbox.write(
        "blocks.toml",
        "input = { format = \"e4m3fn\", blocks = \"mx\" }\nweight = { format = \"e4m3fn\", blocks = \"mx\" }\n",
    );
    sandbox
        .line("quantize intfp m.onnx --config blocks.toml -o blocks.json")
        .ok();
    // The plan, how many of the two layers are jobs, and scales of the weight of the last layer.
    for (plan, jobs, scales) in [
        ("--format e4m3fn --per tensor", 2, 1),
        ("--format e4m3fn --per channel", 2, 0),
        ("--format e2m1fn --format-a e5m2 --per token", 2, 0),
        ("--format int4 --profile h100 --keep conv=bf16", 1, 0),
        ("--plan poprt.json", 2, 1),
        ("--plan weights.json", 0, 1),
        ("--plan intfp.json", 2, 5),
        ("--plan blocks.json", 2, 0),
    ] {
        let line = format!("report m.onnx --input x.npz {plan} --json -o r.html");
        let report = sandbox.line(&line).json();
        let layers = report["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2, "{plan}");
        assert_eq!(report["jobs"], jobs, "{plan}");
        for (layer, (input, weight)) in layers.iter().zip([(48, 18), (96, 160)]) {
            assert_eq!(total(&layer["input"]["values"]), input, "{plan}");
            assert_eq!(total(&layer["weight"]["values"]), weight, "{plan}");
            let computed = layer["computed"] == "array";
            assert_eq!(layer["jobs"] == 1, computed, "{plan}");
            // Jobs of the convolution have 9 numbers of each of 3 images of 16 windows.
            let codes = layer["input"]["codes"]["count"].as_u64().unwrap();
            let windows = if input == 48 { 48 * 9 } else { input };
            assert_eq!(codes, if computed { windows } else { 0 }, "{plan}");
            assert_eq!(
                layer["product_scales"].as_array().unwrap().is_empty(),
                !computed
            );
        }
        assert_eq!(
            layers[1]["weight"]["scales"].as_array().unwrap().len(),
            scales,
            "{plan}"
        );

        // The same errors as the run's own.
        let line = format!("run m.onnx --input x.npz {plan} --against-fp32 --json");
        let run = sandbox.line(&line).json();
        let outputs = [
            (&report["outputs"], &run["outputs"]),
            (&report["layers"], &run["layers"]),
        ];
        for (ours, theirs) in outputs {
            for (ours, theirs) in ours
                .as_array()
                .unwrap()
                .iter()
                .zip(theirs.as_array().unwrap())
            {
                let error = ours["snr"].as_f64().unwrap().sqrt();
                let expected = theirs["relative_error"].as_f64().unwrap();
                // Two orders of the same sums.
                assert!(
                    (error - expected).abs() <= 1e-12 * expected,
                    "{plan}: {error} {expected}"
                );
            }
        }

        let page = std::fs::read_to_string(sandbox.path("r.html")).unwrap();
        let elements = elements(&page);
        let count = |name: &str| elements.iter().filter(|element| *element == name).count();
        assert_eq!(count("details"), 2, "{plan}");
        assert!(count("svg") >= 2 + 2 * 3, "{plan}");
        let known: HashSet<&str> =
            "html head meta title style body h1 h2 dl dt dd div table tr th td figure svg \
            rect line polyline circle text figcaption p a details summary g path polygon"
                .split_whitespace()
                .collect();
        assert!(
            elements.iter().all(|name| known.contains(name.as_str())),
            "{plan}"
        );
    }
}

#[test]
fn figures_are_those_of_precision_compare() {
    let sandbox = sandbox("fc");
    sandbox
        .line("quantize poprt m.onnx --calibration x.npz --precision-compare c.log -o p.json")
        .ok();
    let line = "report m.onnx --input x.npz --plan p.json --json -o r.html";
    let report = sandbox.line(line).json();
    let log = std::fs::read_to_string(sandbox.path("c.log")).unwrap();
    let rows: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let mut layers = report["layers"].as_array().unwrap().iter();
        let layer = layers.find(|layer| layer["name"] == row["name"]).unwrap();
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(&layer[key], value, "{} {key}", row["name"]);
        }
    }
}

#[test]
fn names_are_text() {
    let sandbox = sandbox(HOSTILE);
    sandbox
        .line("report m.onnx --input x.npz --format e5m2 -o r.html")
        .ok();
    let page = std::fs::read_to_string(sandbox.path("r.html")).unwrap();
    assert!(page.contains("fc&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"));
    assert!(!elements(&page).contains(&"script".to_owned()));
}

#[test]
fn bad_input_leaves_no_page() {
    let sandbox = sandbox("fc");
    for (line, message) in [
        ("report m.onnx --input x.npz -o r.html", "--format missing"),
        (
            "report m.onnx --input y.npz --format e5m2 -o r.html",
            "y.npz",
        ),
        (
            "report n.onnx --input x.npz --format e5m2 -o r.html",
            "n.onnx",
        ),
        (
            "report m.onnx --input x.npz --format e9m9 -o r.html",
            "e9m9",
        ),
        (
            "report m.onnx --input x.npz --format e5m2 -o none/r.html",
            "none/r.html",
        ),
        (
            "report m.onnx --input x.npz --format e5m2 --keep nothing -o r.html",
            "nothing",
        ),
    ] {
        let before = sandbox.files();
        let outcome = sandbox.line(line);
        assert_eq!(outcome.code, Some(2), "{line}");
        assert!(
            outcome.stderr.contains(message),
            "{line}: {}",
            outcome.stderr
        );
        assert_eq!(
            outcome.stderr.lines().count(),
            1,
            "{line}: {}",
            outcome.stderr
        );
        assert_eq!(sandbox.files(), before, "{line}");
    }
}
