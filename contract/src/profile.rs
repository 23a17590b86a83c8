//! Real chips as rows: formats, accumulator, and the evidence for both. A chip without evidence
//! has no row.

use crate::accumulator::{AccumulatorRow, TABLE as ACCUMULATORS};
use crate::{ContractError, formats};

/// What a profile's accumulator has been held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is the contract's own definition.
    Definition,
    /// Results captured from the chip, reproduced bit for bit.
    Capture(Vectors),
    /// Results of the vendor's own model of the arithmetic, reproduced bit for bit.
    VendorModel(Vectors),
    /// The same matrix unit as another profile's chip, which was captured.
    SameUnit(&'static str),
    /// Read in a public source; no result of the chip has been compared.
    SourceOnly,
    /// The accumulator is not public: formats and scales only.
    NotPublic,
}

/// A file of results under `tests/vectors/captures/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// The file's name.
    pub file: &'static str,
    /// Whether the results were taken with an accumulator input of 0 in place of the file's `c`.
    pub ignores_c: bool,
    /// Whether the sign of a zero result is to be relied on.
    pub zero_sign: bool,
}

/// One chip.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Name on the command line and in reports. It ends in `-unchecked` where no result of the
    /// chip has been compared.
    pub name: &'static str,
    /// The chip and its unit.
    pub chip: &'static str,
    /// Name of the accumulator; `None` where it is not public.
    accumulator: Option<&'static str>,
    /// Names of the operand formats.
    pub operand_formats: &'static [&'static str],
    /// What was compared.
    pub evidence: Evidence,
    /// Where the numerics are described.
    pub source: &'static str,
    /// What is not known.
    pub unknown: &'static str,
}

const fn capture(file: &'static str, ignores_c: bool) -> Evidence {
    Evidence::Capture(Vectors {
        file,
        ignores_c,
        zero_sign: true,
    })
}

const fn vendor(file: &'static str, zero_sign: bool) -> Evidence {
    Evidence::VendorModel(Vectors {
        file,
        ignores_c: false,
        zero_sign,
    })
}

const OCP: &[&str] = &["e4m3fn", "e5m2"];
const KHATTAK: &str = "Khattak and Mikaitis, Accurate Models of NVIDIA Tensor Cores, arXiv 2512.07004; captures of their repository MATLAB-tensor-core";

/// Every profile.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "fp32",
        chip: "none: IEEE binary32 chain",
        accumulator: Some("fp32"),
        operand_formats: OCP,
        evidence: Evidence::Definition,
        source: "IEEE 754-2019, 5.4.1, fusedMultiplyAdd",
        unknown: "nothing",
    },
    Profile {
        name: "ada",
        chip: "NVIDIA RTX 1000 Ada, FP8 mma",
        accumulator: Some("dot_ada"),
        operand_formats: OCP,
        evidence: capture("ada_e4m3.npz", false),
        source: KHATTAK,
        unknown: "results beyond binary32's range (infinity assumed); FP16 output",
    },
    Profile {
        name: "l40s",
        chip: "NVIDIA L40S, FP8 mma",
        accumulator: Some("dot_ada"),
        operand_formats: OCP,
        evidence: Evidence::SameUnit("ada"),
        source: KHATTAK,
        unknown: "as ada",
    },
    Profile {
        name: "h100",
        chip: "NVIDIA H100, FP8 wgmma, fast accumulation",
        accumulator: Some("dot_hopper"),
        operand_formats: OCP,
        evidence: capture("h100_e4m3.npz", true),
        source: KHATTAK,
        unknown: "how c enters (the captures have c = 0; early assumed, as on Ada); results beyond binary32's range; FP16 output",
    },
    Profile {
        name: "h100_chunk128",
        chip: "NVIDIA H100, FP8 GEMM of cuBLAS without fast accumulation",
        accumulator: Some("dot_hopper_chunk128"),
        operand_formats: OCP,
        evidence: Evidence::SameUnit("h100"),
        source: "the chain of h100, promoted to binary32 every 128 of K",
        unknown: "as h100",
    },
    Profile {
        name: "h200",
        chip: "NVIDIA H200, FP8 wgmma, fast accumulation",
        accumulator: Some("dot_hopper"),
        operand_formats: OCP,
        evidence: Evidence::SameUnit("h100"),
        source: KHATTAK,
        unknown: "as h100",
    },
    Profile {
        name: "h200_chunk128",
        chip: "NVIDIA H200, FP8 GEMM of cuBLAS without fast accumulation",
        accumulator: Some("dot_hopper_chunk128"),
        operand_formats: OCP,
        evidence: Evidence::SameUnit("h100"),
        source: "the chain of h200, promoted to binary32 every 128 of K",
        unknown: "as h100",
    },
    Profile {
        name: "b200",
        chip: "NVIDIA B200, FP8 tensor core",
        accumulator: Some("dot_blackwell"),
        operand_formats: OCP,
        evidence: capture("b200_e4m3.npz", false),
        source: KHATTAK,
        unknown: "24 or 25 fraction bits, blocks of 16 or 32: the captures do not separate them; FP16 output",
    },
    Profile {
        name: "mi300x-unchecked",
        chip: "AMD MI300X (CDNA3), FP8 MFMA",
        accumulator: Some("dot_cdna3"),
        operand_formats: &["e4m3fnuz", "e5m2fnuz"],
        evidence: Evidence::SourceOnly,
        source: "MMA-Sim, arXiv 2511.10909",
        unknown: "everything: no result of the chip has been compared",
    },
    Profile {
        name: "gaudi2",
        chip: "Intel Gaudi2, FP8 MME",
        accumulator: Some("dot_gaudi2"),
        operand_formats: &["e4m3", "e5m2", "e4m3b3", "e4m3b11", "e4m3b15"],
        evidence: vendor("gaudi2.npz", false),
        source: "HabanaAI/Intel_Gaudi3_Software, coral-sim",
        unknown: "the sign of zero results; the chain over more than 16 terms",
    },
    Profile {
        name: "gaudi3",
        chip: "Intel Gaudi3, FP8 MME",
        accumulator: Some("dot_gaudi3"),
        operand_formats: &[
            "e4m3fn",
            "e4m3",
            "e5m2",
            "e4m3b3",
            "e4m3b11",
            "e4m3b15",
            "e4m3b3fn",
            "e4m3b11fn",
            "e4m3b15fn",
        ],
        evidence: vendor("gaudi3.npz", true),
        source: "HabanaAI/Intel_Gaudi3_Software, coral-sim",
        unknown: "results beyond binary32's range; the chain over more than 8 terms",
    },
    Profile {
        name: "ipu",
        chip: "Graphcore IPU, FP8",
        accumulator: None,
        operand_formats: &["e4m3fnuz", "e5m2fnuz"],
        evidence: Evidence::NotPublic,
        source: "PopRT and popxl documentation; arXiv 2206.02915",
        unknown: "the accumulator: its partials are FP16, its width is not published",
    },
];

impl Profile {
    /// The profile of that name; `mi300x` finds its unchecked row too.
    ///
    /// # Errors
    /// [`ContractError::Unknown`] with the known names.
    pub fn get(name: &str) -> Result<&'static Self, ContractError> {
        PROFILES
            .iter()
            .find(|p| p.name == name || p.name.strip_suffix("-unchecked") == Some(name))
            .ok_or_else(|| ContractError::unknown("profile", name, PROFILES.iter().map(|p| p.name)))
    }

    /// Its accumulator's row.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] for a chip whose accumulator is not public.
    pub fn accumulator(&self) -> Result<&'static AccumulatorRow, ContractError> {
        ACCUMULATORS
            .iter()
            .find(|row| Some(row.name) == self.accumulator)
            .ok_or_else(|| {
                ContractError::illegal(
                    "profile",
                    self.name,
                    "a profile with an accumulator; this chip's is not public",
                )
            })
    }
}

// Evidence must show in the name, and every named accumulator must exist.
const _: () = {
    let mut i = 0;
    while i < PROFILES.len() {
        let profile = &PROFILES[i];
        if let Some(name) = profile.accumulator {
            let mut found = false;
            let mut j = 0;
            while j < ACCUMULATORS.len() {
                found |= formats::same(ACCUMULATORS[j].name, name);
                j += 1;
            }
            assert!(found);
        }
        i += 1;
    }
};

impl Evidence {
    /// In a few words.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Capture(_) => "captured results of the chip, all reproduced",
            Self::VendorModel(_) => "results of the vendor's model, all reproduced",
            Self::SameUnit(_) => "the same unit as a captured chip",
            Self::SourceOnly => "read in a source, no result compared",
            Self::NotPublic => "accumulator not public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accumulator, Formats};

    #[test]
    fn profiles_name_formats_accumulators_and_evidence_that_exist() {
        let formats = Formats::default();
        for profile in PROFILES {
            for name in profile.operand_formats {
                formats.get(name).unwrap();
            }
            if let Ok(row) = profile.accumulator() {
                Accumulator::validate(&row.accumulator).unwrap();
            }
            let unchecked = matches!(profile.evidence, Evidence::SourceOnly);
            assert_eq!(profile.name.ends_with("-unchecked"), unchecked);
            if let Evidence::SameUnit(other) = profile.evidence {
                assert!(matches!(
                    Profile::get(other).unwrap().evidence,
                    Evidence::Capture(_)
                ));
            }
        }
    }
}
