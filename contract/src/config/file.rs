//! Configurations as TOML has them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CoreBlocks, CoreConfig, Dataflow};
use crate::{Accumulator, ContractError, Formats};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    description: String,
    rows: i64,
    cols: i64,
    pe_latency: i64,
    tile_rows: i64,
    dataflow: Dataflow,
    accumulator: String,
    block_scales: String,
    operand_formats: Vec<String>,
    output_formats: Vec<String>,
}

/// A TOML error in one line: where it is and what is wrong.
pub(crate) fn syntax(path: &str, error: &toml::de::Error) -> ContractError {
    ContractError::Syntax {
        path: path.to_owned(),
        message: error.message().lines().collect::<Vec<_>>().join("; "),
    }
}

/// The configurations of a text, each legal; `path` is its name in errors.
pub(super) fn parse(
    text: &str,
    path: &str,
    formats: &Formats,
) -> Result<Vec<CoreConfig>, ContractError> {
    let tables: BTreeMap<String, toml::Table> =
        toml::from_str(text).map_err(|e| syntax(path, &e))?;
    let mut configs = Vec::new();
    for (name, table) in tables {
        let row: Row = table
            .try_into()
            .map_err(|e| syntax(&format!("{path}: [{name}]"), &e))?;
        let ranged = |key: &str, value: i64, low: i64, high: i64| {
            usize::try_from(value)
                .ok()
                .filter(|_| (low..=high).contains(&value))
                .ok_or_else(|| {
                    ContractError::illegal(
                        format!("{name}.{key}"),
                        value,
                        format!("{low} to {high}"),
                    )
                })
        };
        let list = |names: &[String]| {
            names
                .iter()
                .map(|n| formats.get(n))
                .collect::<Result<Vec<_>, _>>()
        };
        let accumulator = Accumulator::get(&row.accumulator)?;
        let config = CoreConfig {
            rows: ranged("rows", row.rows, 1, 128)?,
            cols: ranged("cols", row.cols, 1, 128)?,
            pe_latency: ranged("pe_latency", row.pe_latency, 1, 5)?,
            tile_rows: ranged("tile_rows", row.tile_rows, 1, 65536)?,
            dataflow: row.dataflow,
            accumulator,
            accumulator_name: accumulator.name(),
            block_scales: CoreBlocks::get(&format!("{name}.block_scales"), &row.block_scales)?,
            operand_formats: list(&row.operand_formats)?,
            output_formats: list(&row.output_formats)?,
            description: row.description,
            name,
        };
        config.validate()?;
        configs.push(config);
    }
    Ok(configs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NAMED;

    const KEYS: &[&str] = &[
        "description",
        "rows",
        "cols",
        "pe_latency",
        "tile_rows",
        "dataflow",
        "accumulator",
        "block_scales",
        "operand_formats",
        "output_formats",
    ];

    fn one(name: &str) -> toml::Table {
        let all: toml::Table = NAMED.parse().unwrap();
        toml::Table::from_iter([(name.to_owned(), all[name].clone())])
    }

    #[test]
    fn named_configurations_are_legal() {
        let configs = CoreConfig::named(&Formats::default()).unwrap();
        assert!(configs.iter().any(|c| c.name == "default"));
    }

    #[test]
    fn every_key_is_mandatory_and_unknown_keys_are_refused() {
        for key in KEYS {
            let mut table = one("default");
            table["default"]
                .as_table_mut()
                .unwrap()
                .remove(*key)
                .unwrap();
            let error = parse(&table.to_string(), "x.toml", &Formats::default()).unwrap_err();
            assert!(error.to_string().contains(key), "{key}: {error}");
        }
        let mut table = one("default");
        assert_eq!(table["default"].as_table().unwrap().len(), KEYS.len());
        table["default"]
            .as_table_mut()
            .unwrap()
            .insert("colour".into(), "red".into());
        let error = parse(&table.to_string(), "x.toml", &Formats::default()).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn output_stationary_tiles_hold_a_sum_for_each_clock_of_the_adder() {
        let legal = |latency: i64, tile_rows: i64, accumulator: &str| {
            let mut table = one("single");
            let row = table["single"].as_table_mut().unwrap();
            row["dataflow"] = "output_stationary".into();
            row["rows"] = 3.into();
            row["pe_latency"] = latency.into();
            row["tile_rows"] = tile_rows.into();
            row["accumulator"] = accumulator.into();
            parse(&table.to_string(), "x.toml", &Formats::default())
        };
        for (latency, accumulator, least) in [
            (1, "fp32", 6),
            (2, "fp32", 6),
            (5, "fp32", 15),
            (3, "dot_hopper", 9),
            (3, "dot_hopper_chunk128", 21),
        ] {
            let config = &legal(latency, least, accumulator).unwrap()[0];
            assert_eq!(config.slots(), least as usize / 3);
            assert_eq!(config.tile_k(), config.lanes());
            for tile_rows in [least - 3, least + 1] {
                let error = legal(latency, tile_rows, accumulator).unwrap_err();
                let expected = format!(
                    "single.tile_rows = {tile_rows} is not allowed (multiples of rows = 3, at \
                     least {least}: "
                );
                assert!(error.to_string().contains(&expected), "{error}");
            }
        }
    }

    #[test]
    fn output_stationary_cores_have_no_scales_of_blocks() {
        let mut table = one("os_4x4");
        table["os_4x4"]["block_scales"] = "e8m0fnu:32".into();
        let error = parse(&table.to_string(), "x.toml", &Formats::default()).unwrap_err();
        let expected = "os_4x4.block_scales = e8m0fnu:32 is not allowed (none, unless dataflow is";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn illegal_values_name_key_value_and_range() {
        let cases: &[(&str, toml::Value, &str)] = &[
            (
                "rows",
                0.into(),
                "default.rows = 0 is not allowed (1 to 128)",
            ),
            (
                "pe_latency",
                6.into(),
                "default.pe_latency = 6 is not allowed (1 to 5)",
            ),
            ("tile_rows", (-1).into(), "default.tile_rows = -1"),
            ("accumulator", "fp64".into(), "unknown accumulator 'fp64'"),
            ("dataflow", "sideways".into(), "sideways"),
            (
                "block_scales",
                "e8m0fnu:12".into(),
                "default.block_scales = e8m0fnu:12 is not allowed (a length that is a multiple of 8",
            ),
            (
                "block_scales",
                "e5m2:32".into(),
                "default.block_scales = e5m2:32 is not allowed (none, or FORMAT:LENGTH",
            ),
            ("block_scales", "fp32:0".into(), "default.block_scales"),
            (
                "operand_formats",
                vec!["e4m3fn", "fp16"].into(),
                "default.operand_formats = fp16",
            ),
            (
                "operand_formats",
                Vec::<String>::new().into(),
                "1 to 16 formats",
            ),
            (
                "operand_formats",
                vec!["e7m0b120finite"].into(),
                "normal binary32 numbers",
            ),
            (
                "output_formats",
                vec!["e8m0fnu"].into(),
                "default.output_formats = e8m0fnu",
            ),
        ];
        for (key, value, expected) in cases {
            let mut table = one("default");
            table["default"][*key] = value.clone();
            let error = parse(&table.to_string(), "x.toml", &Formats::default()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
