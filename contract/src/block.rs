//! Scales of blocks: which elements share one, and what it is (numerics.md, section 7).

use crate::formats::{E4M3FN, E8M0FNU, FP32};
use crate::{ContractError, Format};

/// How a block's scale is held and chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockScale {
    /// A power of two in E8M0, by OCP MX's rule of the shared exponent.
    SharedExponent,
    /// A binary32 number by which the largest magnitude becomes the format's largest number.
    Fp32,
    /// An E4M3 number times one binary32 number for the whole tensor, as NVFP4 has it.
    Fp8AndTensor,
}

impl BlockScale {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::SharedExponent, Self::Fp8AndTensor, Self::Fp32];

    /// The format of the scales' codes.
    pub const fn format(self) -> &'static Format {
        match self {
            Self::SharedExponent => E8M0FNU,
            Self::Fp32 => FP32,
            Self::Fp8AndTensor => E4M3FN,
        }
    }
}

/// Blocks of a matrix and their scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blocking {
    /// The scale.
    pub scale: BlockScale,
    /// Rows of a block; the last block may be short.
    pub rows: usize,
    /// Columns of a block; likewise.
    pub cols: usize,
}

/// A name, what it stands for, and the block that it has when none is named.
const NAMES: &[(&str, BlockScale, (usize, usize))] = &[
    ("mx", BlockScale::SharedExponent, (1, 32)),
    ("nvfp4", BlockScale::Fp8AndTensor, (1, 16)),
    ("fp32", BlockScale::Fp32, (1, 128)),
];

impl Blocking {
    /// What a name stands for: `mx` (blocks of 1x32), `nvfp4` (1x16), `fp32` (1x128); with another
    /// block `mx:32x1`; and `128x128` alone for `fp32:128x128`.
    ///
    /// # Errors
    /// [`ContractError::Illegal`] for a block without elements, [`ContractError::Unknown`] for
    /// other names.
    pub fn get(name: &str) -> Result<Self, ContractError> {
        let (kind, block) = match name.split_once(':') {
            Some((kind, block)) => (kind, Some(block)),
            None if name.starts_with(|c: char| c.is_ascii_digit()) => ("fp32", Some(name)),
            None => (name, None),
        };
        let row = NAMES.iter().find(|(known, ..)| *known == kind);
        let &(_, scale, default) = row.ok_or_else(|| {
            let known = NAMES.iter().map(|(known, ..)| *known);
            ContractError::unknown("block", name, known.chain(["<R>x<C>"]))
        })?;
        let (rows, cols) = match block {
            None => default,
            Some(block) => block
                .split_once('x')
                .and_then(|(rows, cols)| Some((rows.parse().ok()?, cols.parse().ok()?)))
                .filter(|&(rows, cols): &(usize, usize)| rows > 0 && cols > 0)
                .ok_or_else(|| ContractError::illegal("block", block, "<R>x<C>, each 1 or more"))?,
        };
        Ok(Self { scale, rows, cols })
    }

    /// The format of the scales' codes.
    pub const fn scale_format(&self) -> &'static Format {
        self.scale.format()
    }

    /// Shape of the scales of a matrix.
    pub const fn scales(&self, (rows, cols): (usize, usize)) -> (usize, usize) {
        (rows.div_ceil(self.rows), cols.div_ceil(self.cols))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let get = |name: &str| Blocking::get(name).map(|b| (b.scale, b.rows, b.cols));
        for &(name, scale, (rows, cols)) in NAMES {
            assert_eq!(get(name).unwrap(), (scale, rows, cols));
            let turned = format!("{name}:{cols}x{rows}");
            assert_eq!(get(&turned).unwrap(), (scale, cols, rows));
        }
        assert_eq!(get("128x128").unwrap(), (BlockScale::Fp32, 128, 128));
        for bad in ["", "x", "mx:", "mx:0x1", "1x", "1x0", "1xtwo", "afp:1x2"] {
            assert!(get(bad).is_err(), "{bad}");
        }
        assert_eq!(Blocking::get("mx").unwrap().scales((3, 33)), (3, 2));
    }
}
