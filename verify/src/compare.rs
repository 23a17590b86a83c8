//! Bit-for-bit comparison of results.

use ndarray::Array2;

/// Where two results differ first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Row of the result.
    pub row: usize,
    /// Column of the result.
    pub col: usize,
    /// The code that the reference has there.
    pub expected: u32,
    /// The code that was found.
    pub actual: u32,
    /// Elements that differ in all.
    pub elements: usize,
}

/// The first difference in the order in which a core of `cols` columns returns the elements
/// (core.md, "Tiles and the order of everything"): by tile of columns, then row, then column.
///
/// # Panics
/// When the shapes differ: engines return the shape of the job.
pub fn first_divergence(
    expected: &Array2<u32>,
    actual: &Array2<u32>,
    cols: usize,
) -> Option<Divergence> {
    assert_eq!(expected.dim(), actual.dim(), "shapes of the results differ");
    let differing = || {
        let pairs = expected.indexed_iter().zip(actual);
        pairs.filter(|((_, expected), actual)| expected != actual)
    };
    let (((row, col), &expected), &actual) =
        differing().min_by_key(|(((row, col), _), _)| (col / cols, *row, *col))?;
    Some(Divergence {
        row,
        col,
        expected,
        actual,
        elements: differing().count(),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn first_is_by_column_tile_then_row() {
        let expected = Array2::zeros((4, 6));
        assert_eq!(first_divergence(&expected, &expected, 2), None);
        let mut actual = expected.clone();
        actual[(0, 5)] = 1;
        actual[(3, 1)] = 2;
        let first = first_divergence(&expected, &actual, 2).unwrap();
        assert_eq!(
            (first.row, first.col, first.actual, first.elements),
            (3, 1, 2, 2)
        );
        assert_eq!(first_divergence(&expected, &actual, 6).unwrap().row, 0);
    }
}
