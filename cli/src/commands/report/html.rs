//! The page: one file that refers to no other.

use std::fmt::Write as _;
use std::path::Path;

use quaver_quant::report::{Codes, LayerFigures, OperandFigures};

use super::{Report, plots, relative};
use crate::error::CliError;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1.2rem}dt{opacity:.7}dd{margin:0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.8rem;width:100%}
th,td{padding:.2rem .4rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums}
details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer}
.pair{display:flex;flex-wrap:wrap;gap:.5rem}.pair figure{width:490px}figure{margin:.4rem 0;max-width:100%}
figcaption{font-size:.82rem;opacity:.8}svg{max-width:100%;height:auto}";

const RANGE: &str = "lines: the format's least number (orange), least normal one (grey) and largest one (red), \
times its scale";

/// Text of the model or the command line, as HTML text or attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Control characters have no place in HTML.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value.is_finite() => format!("{value:.3e}"),
        value => value.to_string(),
    }
}

fn percent(part: u64, codes: &Codes) -> String {
    match codes.count {
        0 => "-".to_owned(),
        count => format!("{:.2}", 100.0 * part as f64 / count as f64),
    }
}

/// Format and granularity, as `e4m3fn, a scale for each channel`.
fn quantiser(operand: &OperandFigures) -> String {
    let Some(format) = operand.format else {
        return "as it is".to_owned();
    };
    let when = if operand.dynamic { ", at run time" } else { "" };
    match operand.scales[..] {
        [scale] => format!("{format}, scale {}{when}", number(f64::from(scale))),
        _ => format!("{format}, a scale for each {}{when}", operand.per),
    }
}

/// The page of a report.
///
/// # Errors
/// [`CliError`] when a picture cannot be drawn.
pub(super) fn page(report: &Report) -> Result<String, CliError> {
    let mut page = String::new();
    let name = Path::new(&report.model).file_name().unwrap_or_default();
    let model = escape(&name.to_string_lossy());
    page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width\">\n";
    page += &format!(
        "<title>{model}: quantisation</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
    );
    page += &format!("<h1>What quantisation does to {model}</h1>\n");
    head(&mut page, report);
    let errors: Vec<f64> = report
        .layers
        .iter()
        .map(|layer| relative(&layer.precision))
        .collect();
    let scales: Vec<Vec<f32>> = report
        .layers
        .iter()
        .map(|layer| layer.product_scales.clone())
        .collect();
    page += "<h2>Layers</h2>\n";
    figure(
        &mut page,
        "Distance of each layer's result from FP32's, relative to it.",
        &plots::errors(&errors)?,
    );
    let caption = "Scales of each layer's products, least to largest, and their median (orange).";
    figure(&mut page, caption, &plots::layer_scales(&scales)?);
    table(&mut page, &report.layers);
    page += "<h2>Layer by layer</h2>\n";
    for (i, layer) in report.layers.iter().enumerate() {
        section(&mut page, i + 1, layer)?;
    }
    page += "</body>\n</html>\n";
    Ok(page)
}

fn head(page: &mut String, report: &Report) {
    let rows = [
        ("model", escape(&report.model)),
        ("input", escape(&report.input)),
        ("engine", report.engine.to_owned()),
        ("accumulator", report.accumulator.to_owned()),
        (
            "jobs",
            format!("{}, {} multiply-adds", report.jobs, report.macs),
        ),
        ("quaver", report.version.to_owned()),
    ];
    *page += "<dl>\n";
    for (key, value) in rows {
        *page += &format!("<dt>{key}</dt><dd>{value}</dd>\n");
    }
    *page += "</dl>\n<h2>Outputs</h2>\n<div class=\"wide\"><table>\n<tr><th>output</th><th>shape</th>\
        <th class=\"n\">relative error</th><th class=\"n\">cosine</th><th class=\"n\">mean squared error</th></tr>\n";
    for output in &report.outputs {
        let row = &output.precision;
        let numbers = [relative(row), row.cosine, row.mse].map(number);
        let [error, cosine, mse] = numbers.map(|text| format!("<td class=\"n\">{text}</td>"));
        *page += &format!(
            "<tr><td>{}</td><td>{:?}</td>{error}{cosine}{mse}</tr>\n",
            escape(&row.name),
            output.shape
        );
    }
    *page += "</table></div>\n";
}

fn figure(page: &mut String, caption: &str, svg: &str) {
    *page += &format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n");
}

fn table(page: &mut String, layers: &[LayerFigures]) {
    *page += "<div class=\"wide\"><table>\n<tr><th class=\"n\">#</th><th>layer</th><th>operator</th><th>computed</th>\
        <th>input</th><th>weight</th><th>output</th><th class=\"n\">jobs</th>\
        <th class=\"n\">largest codes, %</th><th class=\"n\">zero codes, %</th>\
        <th class=\"n\">relative error</th><th class=\"n\">cosine</th></tr>\n";
    for (i, layer) in layers.iter().enumerate() {
        let row = &layer.precision;
        let operands = [&layer.input, &layer.weight];
        let shares = |part: fn(&Codes) -> u64| {
            let [a, b] = operands.map(|operand| percent(part(&operand.codes), &operand.codes));
            format!("{a} / {b}")
        };
        let format = |operand: &OperandFigures| operand.format.unwrap_or("-");
        let texts = [
            format!("<a href=\"#layer{}\">{}</a>", i + 1, escape(&row.name)),
            escape(&layer.operator),
            layer.computed.to_owned(),
            format(&layer.input).to_owned(),
            format(&layer.weight).to_owned(),
            layer.output_format.unwrap_or("-").to_owned(),
        ];
        let numbers = [
            layer.jobs.to_string(),
            shares(|codes| codes.largest),
            shares(|codes| codes.zeros),
            number(relative(row)),
            number(row.cosine),
        ];
        write!(page, "<tr><td class=\"n\">{}</td>", i + 1).expect("a string takes text");
        for text in texts {
            *page += &format!("<td>{text}</td>");
        }
        for text in numbers {
            *page += &format!("<td class=\"n\">{text}</td>");
        }
        *page += "</tr>\n";
    }
    *page += "</table></div>\n<p>Codes are those of the jobs, input / weight: a convolution has an input once for each \
        window that it is in, and zeros for padding.</p>\n";
}

fn section(page: &mut String, place: usize, layer: &LayerFigures) -> Result<(), CliError> {
    let row = &layer.precision;
    // A link to what is inside opens it.
    *page += &format!(
        "<details><summary>{place}. {} ({}), relative error {}</summary>\n<dl id=\"layer{place}\">\n",
        escape(&row.name),
        escape(&layer.operator),
        number(relative(row))
    );
    let facts = [
        ("input", quantiser(&layer.input)),
        ("weight", quantiser(&layer.weight)),
        ("mean squared error", number(row.mse)),
        ("mean absolute error", number(row.mae)),
        ("noise over signal", number(row.snr)),
    ];
    for (key, value) in facts {
        *page += &format!("<dt>{key}</dt><dd>{value}</dd>\n");
    }
    *page += "</dl>\n<div class=\"pair\">\n";
    for (name, operand) in [("Input", &layer.input), ("Weight", &layer.weight)] {
        let values = &operand.values;
        let mut caption = format!(
            "{name}: {} numbers, {} of them zero",
            values.total(),
            values.zeros
        );
        if values.others > 0 {
            caption += &format!(", {} infinite or NaN", values.others);
        }
        if operand.range.is_some() {
            caption += &format!("; {RANGE}");
        }
        figure(page, &caption, &plots::binades(values, operand.range)?);
    }
    let svg = plots::histograms(&row.original.histogram, &row.quantised.histogram)?;
    figure(
        page,
        "Result: in FP32 (blue) and with the plan (orange).",
        &svg,
    );
    let lists = [
        ("Scales of the input.", "line", &layer.input.scales),
        ("Scales of the weight.", "channel", &layer.weight.scales),
        (
            "Scales of the first job's columns.",
            "column",
            &layer.product_scales,
        ),
    ];
    for (caption, of, scales) in lists {
        if scales.len() > 1 {
            figure(page, caption, &plots::scales(scales, of)?);
        }
    }
    *page += "</div></details>\n";
    Ok(())
}
