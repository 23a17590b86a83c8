//! Makes a failing job smaller while it still fails.

use quaver_contract::Conversion;
use quaver_contract::formats::FP32;

use crate::stimulus::{Case, Dimension, Layout, Scale};

/// Attempts after which the smallest failing job so far is taken.
const MAX_ATTEMPTS: usize = 400;

/// The smallest failing job that halving M, N and K and dropping parts leads to.
pub(crate) fn shrink(case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut smallest = case;
    let mut attempts = 0;
    loop {
        let all = candidates(&smallest);
        attempts += all.len();
        match all.into_iter().find(&mut fails) {
            Some(smaller) if attempts < MAX_ATTEMPTS => smallest = smaller,
            Some(smaller) => return smaller,
            None => return smallest,
        }
    }
}

/// Smaller jobs, those that take most away first.
fn candidates(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    let (m, n, k) = case.shape();
    for (dimension, length) in [(Dimension::M, m), (Dimension::N, n), (Dimension::K, k)] {
        for (first, last) in [
            (0, length / 2),
            (length / 2, length),
            (0, length.saturating_sub(1)),
            (1.min(length), length),
        ] {
            let cut = case.cut(dimension, first, last);
            if cut.shape() != case.shape() && first < last {
                candidates.push(cut);
            }
        }
    }
    let mut edit = |applies: bool, change: fn(&mut Case)| {
        if applies {
            let mut edited = case.clone();
            change(&mut edited);
            candidates.push(edited);
        }
    };
    edit(case.init.is_some(), |case| case.init = None);
    edit(case.blocks.is_some(), |case| case.blocks = None);
    edit(!matches!(case.scale, Scale::None), |case| {
        case.scale = Scale::None;
    });
    edit(case.bias.is_some(), |case| case.bias = None);
    edit(case.relu, |case| case.relu = false);
    edit(case.output != Conversion::native(FP32), |case| {
        case.output = Conversion::native(FP32);
    });
    let plain = case.clone().laid_out(Layout::Rows, Layout::Rows);
    if plain.a.view().strides() != case.a.view().strides()
        || plain.b.view().strides() != case.b.view().strides()
    {
        candidates.push(plain);
    }
    candidates
}

#[test]
fn shrinking_leaves_what_fails() {
    use quaver_contract::accumulator::TABLE;
    use quaver_contract::{BlockScale, Formats};

    use crate::stimulus::{Blocking, Random, Values};

    let format = Formats::default().get("e4m3fn").unwrap();
    let mut random = Random(1);
    let blocking = Blocking {
        scale: BlockScale::Fp32,
        length: 4,
        rows: 3,
        cols: 2,
    };
    let output = Conversion::native(format);
    let shape = (13, 9, 29);
    let case = Case::new(
        &mut random,
        shape,
        (format, format),
        Values::Any,
        &TABLE[0],
        output,
    )
    .scaled(&mut random, blocking)
    .laid_out(Layout::Strided, Layout::Reversed);
    let wanted = case.a.view()[(7, 22)];
    let fails = |case: &Case| {
        case.job().validate().unwrap();
        case.a.view().iter().any(|&code| code == wanted)
    };
    let smallest = shrink(case, fails);
    assert_eq!(smallest.shape(), (1, 1, 1), "{smallest:?}");
    assert_eq!(smallest.a.view()[(0, 0)], wanted);
    assert!(smallest.blocks.is_none() && smallest.init.is_none() && !smallest.relu);
}
