//! Conversions between binary32 and narrow formats against ml_dtypes, and against a copy.

use quaver_contract::{Conversion, Formats};
use quaver_fast::Isa;
use quaver_fast::decode::Decoder;
use quaver_fast::encode::Encoder;

use crate::{Amount, BenchError, Measurement, Options, pairs, seconds, start_peer, warmed};

const COUNT: usize = 1 << 24;

/// Formats of the table under ml_dtypes' names.
const FORMATS: &[(&str, &str)] = &[
    ("e4m3fn", "float8_e4m3fn"),
    ("e5m2", "float8_e5m2"),
    ("e4m3fnuz", "float8_e4m3fnuz"),
];

pub(crate) fn run(
    options: &Options,
    report: &mut impl FnMut(Measurement),
) -> Result<(), BenchError> {
    let formats = Formats::default();
    let isa = Isa::best();
    let values: Vec<f32> = (0..COUNT)
        .map(|i| (i as f32 / COUNT as f32 - 0.5) * 100.0)
        .collect();
    let mut codes = vec![0u8; COUNT];
    let mut back = vec![0f32; COUNT];
    let mut copy = vec![0f32; COUNT];
    let (mut peer, python) = start_peer(options, 1)?;
    let peer_name = peer.ml_dtypes.clone();
    let amount = Amount::of(COUNT as f64 / 1e9, "Gvalue/s");
    // A value is 4 bytes and a code is 1; a copy reads and writes 4.
    let bytes = Amount {
        ours: COUNT as f64 * 5.0 / 1e9,
        peer: COUNT as f64 * 8.0 / 1e9,
        unit: "GB/s",
    };
    for &(format_name, dtype) in FORMATS {
        let format = formats.get(format_name)?;
        let encoder = Encoder::new(&Conversion::native(format))?;
        let decoder = Decoder::new(format);
        encoder.slice(isa, &values, &[], &mut codes);
        for operation in ["encode", "decode"] {
            let name = match operation {
                "encode" => format!("convert fp32 -> {format_name} of {COUNT} values"),
                _ => format!("convert {format_name} -> fp32 of {COUNT} values"),
            };
            let mut ours = || {
                seconds(|| {
                    match operation {
                        "encode" => encoder.slice(isa, &values, &[], &mut codes),
                        _ => decoder.slice(isa, &codes, &mut back),
                    }
                    Ok(())
                })
            };
            if options.takes(&name) {
                let question = format!("{operation} {COUNT} {dtype}");
                let theirs = || peer.seconds(python, &question);
                let name = name.clone();
                report(pairs(options, name, amount, &peer_name, &mut ours, theirs)?);
            }
            let name = format!("{name}, bytes");
            if options.takes(&name) {
                let mut theirs = || {
                    seconds(|| {
                        copy.copy_from_slice(&values);
                        Ok(())
                    })
                };
                let theirs = || warmed(&mut theirs);
                report(pairs(options, name, bytes, "memcpy", ours, theirs)?);
            }
        }
    }
    Ok(())
}
