//! Operands whose blocks along K have scales of their own, for jobs.

use ndarray::{Array2, ArrayView2, Axis};
use quaver_contract::BlockScales;

use super::products::Codes;
use super::scales::Lines;
use crate::Error;
use crate::plan::{Quantiser, ScalePlan};
use crate::scale::blocks::{Blocks, quantise};

/// The blocks of a quantiser that has them.
pub(super) const fn of(quantiser: &Quantiser) -> Option<Blocks> {
    match quantiser.scale {
        ScalePlan::Blocks(blocks) => Some(blocks),
        _ => None,
    }
}

/// Codes of a matrix in blocks along K: along the rows of A, and the columns of B.
pub(super) fn codes(
    values: ArrayView2<'_, f32>,
    quantiser: &Quantiser,
    blocks: Blocks,
    lines: Lines,
) -> Result<Codes, Error> {
    let along = |values| quantise(values, blocks, &quantiser.conversion).map_err(Error::scale);
    let blocked = match lines {
        Lines::Rows => along(values)?,
        Lines::Columns => {
            let mut turned = along(values.reversed_axes())?;
            turned.codes = turned
                .codes
                .reversed_axes()
                .as_standard_layout()
                .into_owned();
            turned.scales = turned.scales.reversed_axes();
            turned
        }
    };
    Ok(Codes {
        codes: blocked.codes,
        scales: vec![blocked.tensor],
        blocks: Some(blocked.scales),
    })
}

/// Scales of A and of B for a job.
pub(super) struct Pair {
    blocks: Blocks,
    a: Array2<u32>,
    b: Array2<u32>,
}

impl Pair {
    /// Of two operands; an operand without blocks has scales of 1. `None` where neither has blocks.
    pub(super) fn of(
        (a, input): (&Codes, &Quantiser),
        (b, weight): (&Codes, &Quantiser),
    ) -> Result<Option<Self>, Error> {
        let blocks = match (of(input), of(weight)) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) if (a.kind.format(), a.length) != (b.kind.format(), b.length) => {
                let text = |blocks: Blocks| format!("{}:{}", blocks.kind.name(), blocks.length);
                let found = format!("{} and {}", text(a), text(b));
                let allowed =
                    "blocks of one length, whose scales have one format, in both operands";
                return Err(Error::illegal("blocks", found, allowed));
            }
            (Some(blocks), _) | (None, Some(blocks)) => blocks,
        };
        let count = a.codes.ncols().div_ceil(blocks.length);
        let ones = |shape| Array2::from_elem(shape, blocks.kind.one());
        let (rows, columns) = (a.codes.len_of(Axis(0)), b.codes.len_of(Axis(1)));
        Ok(Some(Self {
            blocks,
            a: a.blocks.clone().unwrap_or_else(|| ones((rows, count))),
            b: b.blocks.clone().unwrap_or_else(|| ones((count, columns))),
        }))
    }

    /// As a job has them.
    pub(super) fn scales(&self) -> BlockScales<'_> {
        BlockScales {
            length: self.blocks.length,
            format: self.blocks.kind.format(),
            rows: 1,
            cols: 1,
            a: self.a.view(),
            b: self.b.view(),
        }
    }
}
