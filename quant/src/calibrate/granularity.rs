//! Which elements of a tensor share a scale.

use ndarray::{ArrayViewD, Axis};

use crate::scale::ScaleError;

/// Which elements share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// All of them.
    Tensor,
    /// Those of one index of an axis; negative axes count from the last.
    Channel(isize),
    /// Those of one row along the last axis.
    Token,
}

impl Granularity {
    /// The numbers of each group, in C order of the groups and within each.
    ///
    /// # Errors
    /// [`ScaleError::Illegal`] for an axis that the tensor does not have.
    pub fn groups(self, values: &ArrayViewD<'_, f32>) -> Result<Vec<Vec<f32>>, ScaleError> {
        match self {
            Self::Tensor => Ok(vec![values.iter().copied().collect()]),
            Self::Channel(axis) => {
                let axis = Self::axis(axis, values.ndim())?;
                let lane = |part: ArrayViewD<'_, f32>| part.iter().copied().collect();
                Ok(values.axis_iter(Axis(axis)).map(lane).collect())
            }
            Self::Token if values.ndim() == 0 => Self::Tensor.groups(values),
            Self::Token => {
                let rows = values.rows();
                Ok(rows.into_iter().map(|row| row.to_vec()).collect())
            }
        }
    }

    /// The index of the axis, from the first.
    fn axis(axis: isize, rank: usize) -> Result<usize, ScaleError> {
        let wrapped = if axis < 0 {
            axis.checked_add_unsigned(rank)
        } else {
            Some(axis)
        };
        wrapped
            .and_then(|axis| usize::try_from(axis).ok())
            .filter(|&axis| axis < rank)
            .ok_or_else(|| {
                let allowed = format!("-{rank} to {rank} - 1, for a tensor of rank {rank}");
                ScaleError::illegal("axis", axis, allowed)
            })
    }
}
