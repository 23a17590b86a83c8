//! Reports as JUnit XML, the shape that CI servers read.

use std::fmt::Write as _;

use crate::Report;

/// One `<testsuite>` with a `<testcase>` for each suite of the report. Properties carry the
/// configuration, the seed and the counted classes.
pub fn junit(report: &Report) -> String {
    let suites = &report.suites;
    let failures = suites
        .iter()
        .filter(|s| s.error.is_none() && !s.passed())
        .count();
    let errors = suites.iter().filter(|s| s.error.is_some()).count();
    let seconds: f64 = suites.iter().map(|s| s.seconds).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut line = |text: std::fmt::Arguments<'_>| {
        writeln!(xml, "{text}").expect("a string takes any text");
    };
    let name = escape(&format!(
        "quaver verify {} {}",
        report.config, report.simulator
    ));
    let totals = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\"",
        suites.len()
    );
    line(format_args!("<testsuites {totals}>"));
    line(format_args!("  <testsuite name=\"{name}\" {totals}>"));
    line(format_args!("    <properties>"));
    for (key, value) in [
        ("config", report.config.clone()),
        ("simulator", report.simulator.clone()),
        ("tier", report.tier.clone()),
        ("seed", report.seed.to_string()),
    ] {
        line(format_args!(
            "      <property name=\"{key}\" value=\"{}\"/>",
            escape(&value)
        ));
    }
    line(format_args!("    </properties>"));
    for suite in suites {
        line(format_args!(
            "    <testcase classname=\"{name}\" name=\"{}\" assertions=\"{}\" time=\"{:.3}\">",
            suite.name, suite.cases, suite.seconds
        ));
        if let Some(error) = &suite.error {
            line(format_args!("      <error message=\"{}\"/>", escape(error)));
        } else if !suite.passed() {
            line(format_args!(
                "      <failure message=\"{}\">{}</failure>",
                escape(&suite.verdict()),
                escape(&suite.failures.join("\n"))
            ));
        }
        let classes: Vec<String> = suite
            .classes
            .iter()
            .map(|(class, count)| format!("{class}: {count}"))
            .collect();
        line(format_args!(
            "      <system-out>{}</system-out>",
            escape(&classes.join("\n"))
        ));
        line(format_args!("    </testcase>"));
    }
    line(format_args!("  </testsuite>"));
    line(format_args!("</testsuites>"));
    xml
}

/// Text as XML 1.0 allows it in attributes and elements; characters that it forbids become `?`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push('\t'),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SuiteReport;

    #[test]
    fn failures_and_errors_are_counted_and_escaped() {
        let suite = |name, mismatches, error: Option<&str>| SuiteReport {
            name,
            cases: 3,
            mismatches,
            classes: [("a<b".to_owned(), 3)].into(),
            uncovered: Vec::new(),
            failures: vec!["x & \"y\"".to_owned(); usize::from(mismatches > 0)],
            error: error.map(str::to_owned),
            seconds: 0.5,
        };
        let report = Report {
            config: "default".into(),
            simulator: "verilator".into(),
            tier: "quick".into(),
            seed: 1,
            suites: vec![
                suite("good", 0, None),
                suite("bad", 2, None),
                suite("broken", 0, Some("no <simulator>")),
            ],
        };
        let xml = junit(&report);
        assert!(xml.contains("tests=\"3\" failures=\"1\" errors=\"1\" time=\"1.500\""));
        assert!(xml.contains(
            "<failure message=\"2 mismatches in 3 cases\">x &amp; &quot;y&quot;</failure>"
        ));
        assert!(xml.contains("<error message=\"no &lt;simulator&gt;\"/>"));
        assert!(xml.contains("a&lt;b: 3"));
        assert_eq!(
            xml.matches("<testcase ").count(),
            xml.matches("</testcase>").count()
        );
    }
}
