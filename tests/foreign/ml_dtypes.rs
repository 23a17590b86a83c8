//! Against `ml_dtypes`, with the policies that its bundle names, NaN included.

use quaver_contract::formats::FP32;
use quaver_contract::{Bundle, Conversion, Encoding, Format, Formats, Rounding};
use quaver_fast::Isa;
use quaver_fast::convert::Converter;
use quaver_fast::encode::Encoder;
use quaver_golden::{Number, convert, decode};
use quaver_tests::{Tier, tier};
use quaver_verify::Random;
use quaver_verify::stimulus::fp32::edge_fractions;

use crate::pipe::{Pipe, bytes, names};

const SCRIPT: &str = "ml_dtypes_cast.py";
const SEED: u64 = 1;
/// Values of each sign and exponent; 512 of those make a million values.
const PER_EXPONENT: usize = 2048;
/// Binary32 codes that are compared at once when all of them are.
const CHUNK: u32 = 1 << 22;

/// The table's formats that ml_dtypes has, with its name for each.
fn shared_formats() -> Vec<(&'static Format, String)> {
    let names = names(SCRIPT);
    let formats = Formats::default();
    let shared: Vec<_> = formats
        .iter()
        .filter_map(|format| {
            let mut all = format.aliases.iter().chain([&format.name]);
            let name = all.find(|alias| names.iter().any(|name| name == *alias))?;
            Some((format, (*name).to_owned()))
        })
        .collect();
    // Each of its types is in the table.
    for name in names {
        let known = shared.iter().any(|(_, shared)| *shared == name);
        assert!(
            known,
            "ml_dtypes has {name}, and the table has no format of that name"
        );
    }
    shared
}

/// The conversion that ml_dtypes does to a format. Its casts to integers drop the fraction and are
/// undefined beyond the range.
fn conversion(format: &'static Format) -> Conversion {
    if format.encoding == Encoding::TwosComplement {
        return Conversion::native(format).with_rounding(Rounding::TowardZero);
    }
    let bundle = Bundle::get("ml_dtypes").expect("there is such a bundle");
    bundle
        .conversion(format)
        .expect("the bundle has every format of ml_dtypes")
}

/// Whether a cast to the format is defined for a code.
fn is_defined(code: u32, source: &Format, target: &Format) -> bool {
    let rounded = match decode(code, source) {
        _ if target.encoding != Encoding::TwosComplement => return true,
        Number::Finite {
            significand,
            exponent,
            ..
        } => match u32::try_from(-exponent) {
            Ok(right) => significand.checked_shr(right).unwrap_or(0),
            Err(_) => significand
                .checked_shl(exponent.unsigned_abs())
                .unwrap_or(u128::MAX),
        },
        _ => return false,
    };
    rounded <= u128::from(target.max_code())
}

/// Casts between the wider types, among them numpy's own, keep what fits of a NaN's payload, which no
/// policy does.
fn without_payload(code: u32, format: &Format) -> u32 {
    match format.nan_code() {
        Some(nan) if format.bits() >= 16 && decode(code, format) == Number::Nan => {
            nan | code & format.sign_mask()
        }
        _ => code,
    }
}

/// Compares all three on `codes`; the number of comparisons.
fn compare(
    pipe: &mut Pipe,
    codes: &[u32],
    source: (&Format, &str),
    target: (&'static Format, &str),
) -> usize {
    let conversion = conversion(target.0);
    let defined = codes
        .iter()
        .copied()
        .filter(|&code| is_defined(code, source.0, target.0));
    let codes: Vec<u32> = defined.collect();
    pipe.send(
        &format!("{} {} {}", source.1, target.1, codes.len()),
        &bytes(&codes, source.0),
    );
    let mut fast = vec![0u32; codes.len()];
    let converter = Converter::new(source.0, &conversion).expect("the conversion is legal");
    converter.slice(Isa::best(), &codes, &[], &mut fast);
    let foreign = pipe.codes(codes.len(), target.0.storage_bytes());
    for ((&code, &fast), &foreign) in codes.iter().zip(&fast).zip(&foreign) {
        let golden = convert(code, source.0, &conversion, 0);
        let foreign = without_payload(foreign, target.0);
        assert!(
            golden == foreign && fast == foreign,
            "{code:#x} of {} to {}: golden {golden:#x}, fast {fast:#x}, ml_dtypes {foreign:#x}",
            source.0.name,
            target.0.name
        );
    }
    codes.len()
}

#[test]
fn conversion_every_exponent_vs_ml_dtypes() {
    let mut random = Random::new(SEED, "ml_dtypes");
    let edges = edge_fractions();
    let values: Vec<u32> = (0..512u32)
        .flat_map(|field| {
            let others = (edges.len()..PER_EXPONENT).map(|_| random.bits32() & 0x7f_ffff);
            let fractions: Vec<u32> = edges.iter().copied().chain(others).collect();
            fractions
                .into_iter()
                .map(move |fraction| field << 23 | fraction)
        })
        .collect();
    assert!(values.len() >= 1_000_000);
    let mut pipe = Pipe::open(SCRIPT);
    let mut cases = 0;
    // binary32 to itself would keep payloads, and is no conversion.
    for (format, name) in shared_formats()
        .iter()
        .filter(|(format, _)| *format != FP32)
    {
        cases += compare(&mut pipe, &values, (FP32, "float32"), (format, name));
    }
    println!("{cases} conversions of binary32 numbers, seed {SEED}");
    assert!(cases > 10_000_000);
}

#[test]
fn conversion_between_all_formats_vs_ml_dtypes() {
    let formats = shared_formats();
    let mut pipe = Pipe::open(SCRIPT);
    let mut cases = 0;
    let small = |format: &Format| format.bits() <= 16;
    for (source, source_name) in formats.iter().filter(|(format, _)| small(format)) {
        let codes: Vec<u32> = (0..=source.code_mask()).collect();
        for (target, name) in formats.iter().filter(|(target, _)| target != source) {
            cases += compare(&mut pipe, &codes, (source, source_name), (target, name));
        }
    }
    println!("{cases} conversions of all codes");
    assert!(cases > 1_000_000);
}

/// Golden codes of all numbers between two binary32 codes of one sign, from their ends: rounding is
/// monotone, so that equal ends have equal codes between them.
fn fill(first: u32, codes: &mut [u8], conversion: &Conversion) {
    let golden = |code| convert(code, FP32, conversion, 0) as u8;
    let last = codes.len() - 1;
    let ends = (golden(first), golden(first + last as u32));
    let (low, high) = (f32::from_bits(first), f32::from_bits(first + last as u32));
    if ends.0 == ends.1 && low.is_nan() == high.is_nan() {
        codes.fill(ends.0);
    } else if codes.len() == 2 {
        codes.copy_from_slice(&[ends.0, ends.1]);
    } else {
        let (left, right) = codes.split_at_mut(codes.len() / 2);
        fill(first, left, conversion);
        fill(first + left.len() as u32, right, conversion);
    }
}

/// Every binary32 code in the exhaustive tier, otherwise the codes of one chunk in 256: fast, golden
/// and, for the formats that it has, ml_dtypes.
#[test]
fn conversion_all_inputs_vs_ml_dtypes() {
    let step = if tier() == Tier::Exhaustive { 1 } else { 256 };
    let shared = shared_formats();
    let formats = Formats::default();
    let mut pipe = Pipe::open(SCRIPT);
    let (mut golden, mut fast, mut foreign) = (
        vec![0u8; CHUNK as usize],
        vec![0u8; CHUNK as usize],
        vec![0u8; CHUNK as usize],
    );
    let mut compared = 0;
    let bytes_wide =
        |format: &&Format| format.bits() <= 8 && format.encoding != Encoding::TwosComplement;
    for format in formats.iter().filter(bytes_wide) {
        let started = std::time::Instant::now();
        let name = shared.iter().find(|(shared, _)| *shared == format);
        let conversion = match name {
            Some(_) => conversion(format),
            None => Conversion::native(format),
        };
        let encoder = Encoder::new(&conversion).expect("the conversion is legal");
        let starts: Vec<u32> = (0..=u32::MAX / CHUNK)
            .step_by(step)
            .map(|i| i * CHUNK)
            .collect();
        let request = |pipe: &mut Pipe, start: Option<&u32>| {
            if let (Some((_, name)), Some(start)) = (name, start) {
                pipe.send(&format!("float32 {name} {CHUNK} {start}"), &[]);
            }
        };
        request(&mut pipe, starts.first());
        for (i, &start) in starts.iter().enumerate() {
            // ml_dtypes works at the next chunk while this one is compared.
            request(&mut pipe, starts.get(i + 1));
            fill(start, &mut golden, &conversion);
            let values: Vec<f32> = (start..=start + (CHUNK - 1)).map(f32::from_bits).collect();
            encoder.slice(Isa::best(), &values, &[], &mut fast);
            if name.is_some() {
                pipe.receive(&mut foreign);
            } else {
                foreign.copy_from_slice(&golden);
            }
            if golden != fast || golden != foreign {
                let at =
                    (0..golden.len()).find(|&i| golden[i] != fast[i] || golden[i] != foreign[i]);
                let at = at.expect("they differ");
                panic!(
                    "{:08x} to {}: golden {:x}, fast {:x}, ml_dtypes {:x}",
                    start + at as u32,
                    format.name,
                    golden[at],
                    fast[at],
                    foreign[at]
                );
            }
            compared += golden.len();
        }
        let with = if name.is_some() {
            "and ml_dtypes"
        } else {
            "(ml_dtypes has none)"
        };
        let seconds = started.elapsed().as_secs_f32();
        println!(
            "{}: {} chunks, fast, golden {with}, {seconds:.1} s",
            format.name,
            starts.len()
        );
    }
    println!("{compared} codes");
    assert!(compared > 0);
}
