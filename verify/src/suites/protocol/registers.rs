//! Registers, addresses without one, and jobs that the core cannot run.

use quaver_contract::csr::{Access, MAP, Register, offset};
use quaver_contract::{CoreConfig, Format};
use quaver_cosim::{Response, RtlEngine};

use super::{Check, field, status};
use crate::stimulus::jobs::job_roundings;
use crate::{Random, VerifyError};

/// The bits of a register that hold what is written.
fn writable(register: &Register) -> u32 {
    let fields = register.fields.iter();
    let fields = fields.filter(|field| field.access == Access::ReadWrite);
    fields.fold(0, |mask, field| {
        mask | (u32::MAX >> (32 - field.width)) << field.lsb
    })
}

/// Every register keeps what its fields can hold, and nothing else; constants stay.
pub(super) fn registers(
    check: &mut Check<'_>,
    engine: &mut RtlEngine,
    random: &mut Random,
) -> Result<(), VerifyError> {
    let fixed = constants(engine.config());
    for (name, expected) in fixed {
        let (response, value) = engine.read(offset(name))?;
        check.equal(
            "constants",
            name,
            (response, value),
            (Response::Okay, expected),
        );
    }
    for register in MAP {
        let mask = writable(register);
        if mask == 0 {
            continue;
        }
        for value in [u32::MAX, 0, random.bits32(), random.bits32()] {
            let response = engine.write(register.offset, value)?;
            check.equal("read and write", register.name, response, Response::Okay);
            let read = engine.read(register.offset)?;
            let expected = (Response::Okay, value & mask);
            check.equal("read and write", register.name, read, expected);
        }
    }
    for register in MAP.iter().filter(|register| writable(register) == 0) {
        if register
            .fields
            .iter()
            .any(|field| field.access == Access::Pulse)
        {
            continue;
        }
        let before = engine.read(register.offset)?;
        engine.write(register.offset, random.bits32())?;
        let after = engine.read(register.offset)?;
        check.equal("read only", register.name, after, before);
    }
    Ok(())
}

/// Registers whose values follow from the configuration.
fn constants(config: &CoreConfig) -> [(&'static str, u32); 4] {
    let word = |value: usize| u32::try_from(value).expect("dimensions are small");
    let shape = word(config.rows)
        | word(config.cols) << 8
        | word(config.lanes()) << 16
        | word(config.pe_latency) << 24;
    [
        ("ID", quaver_contract::csr::ID),
        ("VERSION", quaver_contract::csr::VERSION),
        ("SHAPE", shape),
        ("DEPTH", word(config.tile_rows)),
    ]
}

/// Addresses between and behind the registers are refused, reads and writes, and so are writes of
/// registers without a field that could be written.
pub(super) fn unmapped(check: &mut Check<'_>, engine: &mut RtlEngine) -> Result<(), VerifyError> {
    let mapped = |address: u32| MAP.iter().any(|register| register.offset == address);
    let last = MAP
        .iter()
        .map(|register| register.offset)
        .max()
        .unwrap_or(0);
    let addresses = (0..last).step_by(4).chain([last + 4, 0x800, 0xffc]);
    for address in addresses.filter(|&address| !mapped(address)) {
        let what = format!("{address:#05x}");
        let (response, _) = engine.read(address)?;
        check.equal("unknown address", &what, response, Response::SlaveError);
        let response = engine.write(address, u32::MAX)?;
        check.equal("unknown address", &what, response, Response::SlaveError);
    }
    Ok(())
}

/// A start with a format, rounding, policy or scale mode that the core does not have runs nothing
/// and says so; abort clears it.
pub(super) fn bad_jobs(check: &mut Check<'_>, engine: &mut RtlEngine) -> Result<(), VerifyError> {
    let config = engine.config().clone();
    let ids = |formats: &[&'static Format]| -> Vec<u32> {
        let ids = formats.iter().filter_map(|format| config.format_id(format));
        ids.map(u32::from).collect()
    };
    let (operands, outputs) = (ids(&config.operand_formats), ids(&config.output_formats));
    let good = [
        ("OPERANDS", "format_a", operands[0]),
        ("OPERANDS", "format_b", operands[0]),
        ("OUTPUT", "format", outputs[0]),
    ];
    let mut bad = Vec::new();
    for id in 0..=255 {
        if !operands.contains(&id) {
            bad.push(vec![("OPERANDS", "format_a", id)]);
            bad.push(vec![("OPERANDS", "format_b", id)]);
        }
        if !outputs.contains(&id) {
            bad.push(vec![("OUTPUT", "format", id)]);
        }
    }
    for rounding in (0..8).filter(|&r| job_roundings().iter().all(|known| known.number() != r)) {
        bad.push(vec![("OUTPUT", "rounding", rounding)]);
    }
    for (format, id) in config.output_formats.iter().zip(&outputs) {
        for policy in 0..4 {
            let legal = match policy {
                0 => true,
                1 => format.infinity_code().is_some(),
                2 => format.nan_code().is_some(),
                _ => false,
            };
            if !legal {
                bad.push(vec![
                    ("OUTPUT", "format", *id),
                    ("OUTPUT", "overflow", policy),
                ]);
                bad.push(vec![
                    ("OUTPUT", "format", *id),
                    ("OUTPUT", "infinity", policy),
                ]);
            }
        }
    }
    bad.push(vec![("EPILOGUE", "scale_mode", 3)]);

    for name in ["M", "N", "K"] {
        engine.write(offset(name), 1)?;
    }
    let bad_job = field("STATUS", "bad_job", 1);
    for fields in bad {
        for register in ["OPERANDS", "OUTPUT", "EPILOGUE"] {
            // A field that is wrong stands in for the same field that is right.
            let is_wrong = |name| fields.iter().any(|&(r, n, _)| (r, n) == (register, name));
            let right = good
                .iter()
                .filter(|(r, name, _)| *r == register && !is_wrong(*name));
            let wrong = fields.iter().filter(|(r, ..)| *r == register);
            let word = right
                .chain(wrong)
                .fold(0, |word, &(r, n, v)| word | field(r, n, v));
            engine.write(offset(register), word)?;
        }
        engine.write(offset("CONTROL"), field("CONTROL", "start", 1))?;
        let what = format!("{fields:?}");
        check.equal("bad job", &what, status(engine)?, (Response::Okay, bad_job));
        engine.write(offset("CONTROL"), field("CONTROL", "abort", 1))?;
        check.equal("bad job", &what, status(engine)?, (Response::Okay, 0));
    }
    Ok(())
}
