//! The files of tests/vectors/formats: what foreign packages say that codes stand for.

use std::path::PathBuf;

use quaver_golden::Number;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/formats")
}

/// The names that there are files for.
pub(crate) fn published_names() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    names
}

/// The number of every code of a format of 8 bits or fewer, each significand odd or 0.
pub(crate) fn published(name: &str) -> Vec<Number> {
    let path = folder().join(format!("{name}.csv"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; scripts/vectors/formats.py writes it",
            path.display()
        )
    });
    let mut lines = text.lines();
    let provenance = lines.next().unwrap();
    assert!(
        provenance.starts_with(&format!("# {name}: ")),
        "{provenance}"
    );
    assert_eq!(lines.next(), Some("code,class,sign,significand,exponent"));
    lines
        .enumerate()
        .map(|(code, line)| {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(usize::from_str_radix(fields[0], 16), Ok(code), "{line}");
            let negative = fields[2] == "1";
            match fields[1] {
                "nan" => Number::Nan,
                "inf" => Number::Infinity { negative },
                "finite" => Number::Finite {
                    negative,
                    significand: fields[3].parse().unwrap(),
                    exponent: fields[4].parse().unwrap(),
                },
                class => panic!("class {class} in {line}"),
            }
        })
        .collect()
}

/// The same number with an odd significand, or exponent 0 for zero.
pub(crate) fn normalised(number: Number) -> Number {
    match number {
        Number::Finite {
            negative,
            significand,
            exponent,
        } if significand != 0 => Number::Finite {
            negative,
            significand: significand >> significand.trailing_zeros(),
            exponent: exponent + significand.trailing_zeros() as i32,
        },
        Number::Finite { negative, .. } => Number::zero(negative),
        special => special,
    }
}

/// A number as a host float; exact for every number of every format.
pub(crate) fn host(number: Number) -> f64 {
    match number {
        Number::Nan => f64::NAN,
        Number::Infinity { negative } => f64::INFINITY.copysign(if negative { -1.0 } else { 1.0 }),
        Number::Finite {
            negative,
            significand,
            exponent,
        } => {
            let magnitude = significand as f64 * 2f64.powi(exponent);
            if negative { -magnitude } else { magnitude }
        }
    }
}
