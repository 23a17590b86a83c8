//! Jobs of the fuzzer's choice on the golden model and on the fast engine of every instruction set:
//! the same bits, or both refuse.

use std::cell::RefCell;

use arbitrary::{Result, Unstructured};
use ndarray::{Array1, Array2};
use quaver_contract::accumulator::TABLE as ACCUMULATORS;
use quaver_contract::{
    BlockScale, BlockScales, Conversion, Engine as _, Format, Formats, Job, Rounding, Scale,
};
use quaver_fast::{Fast, Isa};
use quaver_golden::Golden;

thread_local! {
    static ENGINES: RefCell<Vec<Fast>> = RefCell::new({
        let available = Isa::ALL.iter().copied().filter(|isa| isa.is_available());
        available.map(|isa| Fast::with_isa(isa, 1).expect("a thread starts")).collect()
    });
}

pub(crate) fn run(bytes: &[u8]) -> bool {
    let Some((&form, bytes)) = bytes.split_last() else {
        return false;
    };
    job(&mut Unstructured::new(bytes), form).unwrap_or(false)
}

/// The same numbers, stored by columns.
fn by_columns(codes: Array2<u8>) -> Array2<u8> {
    codes.t().as_standard_layout().into_owned().reversed_axes()
}

/// Words of a few that the fuzzer gives, over and over.
fn words(input: &mut Unstructured<'_>, shape: (usize, usize), mask: u32) -> Result<Array2<u32>> {
    let few = input.int_in_range(1..=24)?;
    let few: Vec<u32> = (0..few)
        .map(|_| Ok(input.arbitrary::<u32>()? & mask))
        .collect::<Result<_>>()?;
    let step = input.int_in_range(1..=7)?;
    let mut place = 0;
    Ok(Array2::from_shape_simple_fn(shape, || {
        place += step;
        few[place % few.len()]
    }))
}

fn line(input: &mut Unstructured<'_>, length: usize) -> Result<Array1<u32>> {
    Ok(words(input, (1, length), u32::MAX)?.row(0).to_owned())
}

/// Runs a job; bits of `form` say how tall it is, and how operands are stored.
fn job(input: &mut Unstructured<'_>, form: u8) -> Result<bool> {
    let formats = Formats::default();
    let all: Vec<&'static Format> = formats.iter().collect();
    let (format_a, format_b) = (*input.choose(&all)?, *input.choose(&all)?);
    let accumulator = input.choose(ACCUMULATORS)?.accumulator;
    let tallest = if form & 7 == 7 { 30 } else { 4 };
    let (m, n) = (
        input.int_in_range(0..=tallest)?,
        input.int_in_range(0..=40)?,
    );
    let k = input.int_in_range(0..=140)?;
    // Codes that a format does not have, now and then.
    let loose = if input.ratio(1, 16)? { 0xff } else { 0 };
    let codes = |input: &mut Unstructured<'_>, shape, format: &Format| {
        let codes = words(input, shape, (format.code_mask() | loose) & 0xff)?;
        Ok::<_, arbitrary::Error>(codes.mapv(|code| code as u8))
    };
    let (mut a, mut b) = (
        codes(input, (m, k), format_a)?,
        codes(input, (k, n), format_b)?,
    );
    if form & 8 != 0 {
        a = by_columns(a);
    }
    if form & 16 != 0 {
        b = by_columns(b);
    }
    let init = match input.arbitrary()? {
        true => Some(words(input, (m, n), u32::MAX)?),
        false => None,
    };
    let bias = match input.arbitrary()? {
        true => Some(line(input, n)?),
        false => None,
    };
    let scales = line(input, n)?;
    let scale = match input.int_in_range(0..=2)? {
        0 => Scale::None,
        1 => Scale::Tensor(input.arbitrary()?),
        _ => Scale::PerColumn(scales.view()),
    };
    let length = input.int_in_range(0..=70)?;
    let (rows, cols) = (input.int_in_range(1..=3)?, input.int_in_range(1..=9)?);
    let format = input.choose(&BlockScale::ALL)?.format();
    let blocks = k.div_ceil(length.max(1));
    let scales_a = words(input, (m.div_ceil(rows), blocks), format.code_mask())?;
    let scales_b = words(input, (blocks, n.div_ceil(cols)), format.code_mask())?;
    let blocks = input.arbitrary::<bool>()?.then(|| BlockScales {
        length,
        format,
        rows,
        cols,
        a: scales_a.view(),
        b: scales_b.view(),
    });
    let rounding = *input.choose(Rounding::ALL)?;
    let mut output = Conversion::native(input.choose(&all)?);
    if rounding != Rounding::Stochastic {
        output = output.with_rounding(rounding);
    }
    Ok(same(&Job {
        a: a.view(),
        b: b.view(),
        format_a,
        format_b,
        accumulator,
        init: init.as_ref().map(|init| init.view()),
        blocks,
        scale,
        bias: bias.as_ref().map(|bias| bias.view()),
        relu: input.arbitrary()?,
        output,
    }))
}

/// Whether the engines ran the job; all do, and give the same bits, or none does.
fn same(job: &Job<'_>) -> bool {
    let golden = Golden.run(job).map(|result| result.values);
    assert_eq!(
        golden.is_ok(),
        job.validate().is_ok(),
        "{golden:?}: {job:?}"
    );
    ENGINES.with_borrow_mut(|engines| {
        for engine in engines {
            match (&golden, engine.run(job)) {
                (Ok(golden), Ok(fast)) => assert_eq!(*golden, fast.values, "{job:?}"),
                (Err(_), Err(_)) => {}
                (golden, fast) => panic!("golden {golden:?}, fast {fast:?}: {job:?}"),
            }
        }
    });
    golden.is_ok()
}
