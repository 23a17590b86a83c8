//! Which rows and columns hold finite values alone: kernels leave out the others' special values.

use ndarray::ArrayView2;

/// For each row, whether no code of it is one of a table's others.
pub(crate) fn rows(finite: &[bool; 256], codes: ArrayView2<'_, u8>) -> Vec<bool> {
    let others = (0..=u8::MAX).filter(|&code| !finite[usize::from(code)]);
    let others: Vec<u8> = others.collect();
    let mut rows = vec![true; codes.nrows()];
    // Codes that lie side by side are compared with one of the others at a time, which is vectorised.
    if codes.strides()[1] == 1 || codes.nrows() == 1 {
        for (finite, row) in rows.iter_mut().zip(codes.rows()) {
            let has = |other: &u8| match row.as_slice() {
                Some(row) => row.iter().fold(false, |has, code| has | (code == other)),
                None => row.iter().any(|code| code == other),
            };
            *finite = !others.iter().any(has);
        }
        return rows;
    }
    for column in codes.columns() {
        for other in &others {
            let see = |(finite, code): (&mut bool, &u8)| *finite &= code != other;
            match column.as_slice() {
                Some(column) => rows.iter_mut().zip(column).for_each(see),
                None => rows.iter_mut().zip(column).for_each(see),
            }
        }
    }
    rows
}

/// For each column.
pub(crate) fn columns(finite: &[bool; 256], codes: ArrayView2<'_, u8>) -> Vec<bool> {
    rows(finite, codes.reversed_axes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    #[test]
    fn rows_and_columns_with_one_code_that_is_not_finite() {
        let finite: [bool; 256] = std::array::from_fn(|code| code % 128 != 127);
        for shape in [(0, 3), (3, 0), (1, 1), (1, 70), (70, 1), (5, 67), (67, 5)] {
            let plain = Array2::from_shape_fn(shape, |(m, n)| ((m + 7 * n) % 120) as u8);
            assert!(rows(&finite, plain.view()).iter().all(|&row| row));
            for place in ndarray::indices(shape) {
                let mut codes = plain.clone();
                codes[place] = 255;
                let wide = Array2::from_shape_fn((shape.0 * 2, shape.1 * 3), |(m, n)| {
                    codes[(m / 2, n / 3)]
                });
                for codes in [
                    codes.view(),
                    codes.t().as_standard_layout().t(),
                    wide.slice(s![..;2, ..;3]),
                ] {
                    let of_rows = rows(&finite, codes);
                    let of_columns = columns(&finite, codes);
                    assert!(
                        of_rows
                            .iter()
                            .enumerate()
                            .all(|(m, &row)| row == (m != place.0))
                    );
                    assert!(
                        of_columns
                            .iter()
                            .enumerate()
                            .all(|(n, &column)| column == (n != place.1))
                    );
                }
            }
        }
    }
}
