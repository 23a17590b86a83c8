//! What an accumulator costs: area and clock of one PE, as `scripts/synth` measured them.

use quaver_contract::Accumulator;
use quaver_contract::accumulator::TABLE;
use serde::{Deserialize, Serialize};

use crate::StudyError;

/// What `scripts/synth` wrote.
const MEASURED: &str = include_str!("../area.json");

/// One e4m3fn multiplier and accumulator on a Lattice ECP5; docs/area.md says how it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Area {
    /// LUT4s a product, with the loop closed in one clock.
    pub luts_a_mac: f64,
    /// MHz of the pipelined PE.
    pub mhz: f64,
}

#[derive(Deserialize)]
struct Measured {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "a test holds it to the Verilog")
    )]
    rtl_sha256: String,
    areas: Vec<AreaRow>,
    clocks: Vec<ClockRow>,
}

#[derive(Deserialize)]
struct AreaRow {
    name: String,
    luts_a_mac: f64,
}

#[derive(Deserialize)]
struct ClockRow {
    accumulator: String,
    mhz: f64,
}

fn measured() -> Result<Measured, StudyError> {
    serde_json::from_str(MEASURED).map_err(|error| StudyError::Area(error.to_string()))
}

/// The area of every accumulator of the table, in its order. A chunked one has the PE of its inner
/// one.
///
/// # Errors
/// [`StudyError::Area`] when the measurements lack one; a test excludes that.
pub fn areas() -> Result<Vec<Area>, StudyError> {
    let measured = measured()?;
    let of = |name: &str| {
        let area = measured.areas.iter().find(|row| row.name == name)?;
        let clock = measured.clocks.iter().find(|row| row.accumulator == name)?;
        Some(Area {
            luts_a_mac: area.luts_a_mac,
            mhz: clock.mhz,
        })
    };
    let rows = TABLE.iter().map(|row| {
        let name = match row.accumulator {
            Accumulator::Chunked { inner, .. } => inner.name(),
            _ => row.name,
        };
        of(name).ok_or_else(|| StudyError::Area(format!("{name} is not measured")))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn every_accumulator_is_measured() {
        let areas = areas().unwrap();
        assert_eq!(areas.len(), TABLE.len());
        assert!(
            areas
                .iter()
                .all(|area| area.luts_a_mac > 0.0 && area.mhz > 0.0)
        );
    }

    /// The units of a PE, by the words in their sources.
    fn units(folder: &Path) -> BTreeSet<String> {
        let (mut reached, mut left) = (BTreeSet::new(), vec!["quaver_pe".to_owned()]);
        while let Some(unit) = left.pop() {
            let Ok(source) = std::fs::read_to_string(folder.join(format!("{unit}.v"))) else {
                continue;
            };
            if reached.insert(unit) {
                let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let units = words.filter(|word| word.starts_with("quaver_"));
                left.extend(units.map(str::to_owned));
            }
        }
        reached
    }

    #[test]
    fn measurements_are_of_this_verilog() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hdl/rtl");
        let units = units(&folder);
        assert!(units.len() > 10);
        let mut hash = Sha256::new();
        for unit in units {
            hash.update(std::fs::read(folder.join(format!("{unit}.v"))).unwrap());
        }
        let digits: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            measured().unwrap().rtl_sha256,
            digits,
            "the units of a PE have changed since scripts/synth measured them; run it again"
        );
    }
}
