//! Conversions between binary32 and narrow formats against ml_dtypes, and against a copy.

use quaver_contract::{Conversion, Formats};
use quaver_fast::Isa;
use quaver_fast::decode::Decoder;
use quaver_fast::encode::Encoder;

use crate::{BenchError, Measurement, Options, pairs, seconds, start_peer};

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
    let amount = (COUNT as f64 / 1e9, "Gvalue/s");
    for &(name, dtype) in FORMATS {
        let format = formats.get(name)?;
        let encoder = Encoder::new(&Conversion::native(format))?;
        let decoder = Decoder::new(format);
        let encode = |codes: &mut [u8]| {
            seconds(|| {
                encoder.slice(isa, &values, &[], codes);
                Ok(())
            })
        };
        report(pairs(
            options,
            format!("convert fp32 -> {name} of {COUNT} values"),
            amount,
            &peer_name,
            || encode(&mut codes),
            || peer.seconds(python, &format!("encode {COUNT} {dtype}")),
        )?);
        report(pairs(
            options,
            format!("convert {name} -> fp32 of {COUNT} values"),
            amount,
            &peer_name,
            || {
                seconds(|| {
                    decoder.slice(isa, &codes, &mut back);
                    Ok(())
                })
            },
            || peer.seconds(python, &format!("decode {COUNT} {dtype}")),
        )?);
        report(pairs(
            options,
            format!("convert fp32 -> {name} against a copy of the fp32 values"),
            amount,
            "memcpy",
            || encode(&mut codes),
            || {
                seconds(|| {
                    copy.copy_from_slice(&values);
                    Ok(())
                })
            },
        )?);
    }
    Ok(())
}
