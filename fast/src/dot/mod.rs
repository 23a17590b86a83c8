//! The `dot` accumulators (numerics.md 4.3): blocks of products aligned to their largest exponent.
//!
//! [`scalar`] follows the rule for one element, special values and all. [`avx512`] does 32 columns
//! at once for finite operands, and [`coarse`] where few bits are kept; elements that meet a NaN or an
//! infinity go to the scalar code.

/// The same for every number of a list, as a constant: what only constants index stays in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! unrolled {
    ($index:ident in [$($number:literal)*] => $body:expr) => {
        $({
            let $index: usize = $number;
            $body;
        })*
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod coarse;
#[cfg(target_arch = "x86_64")]
mod finish;
pub(crate) mod scalar;

use ndarray::ArrayView2;
use quaver_contract::accumulator::{Dot, ProductExponent};
use quaver_contract::{Encoding, Format};

use crate::Isa;
use crate::decode::decode;
use crate::finite;
#[cfg(target_arch = "x86_64")]
use crate::scaled::Rows;

/// A decoded operand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Operand {
    /// Its value; exact in binary64.
    pub(crate) value: f64,
    /// The exponent that it gives to its products; [`ZERO`] for zero.
    pub(crate) exponent: i32,
}

/// The exponent of zero, below every sum of two others.
pub(crate) const ZERO: i32 = -1024;

/// An exponent in 8 bits, and what stands for zero's there: added to another with saturation, it stays below
/// all sums of others.
#[cfg(target_arch = "x86_64")]
fn narrow(exponent: i32) -> i8 {
    match exponent {
        ZERO => i8::MIN,
        exponent => exponent as i8,
    }
}

/// All 256 bytes read as operands of a format, for one rule of alignment.
pub(crate) fn operands(format: &Format, rule: ProductExponent) -> [Operand; 256] {
    std::array::from_fn(|code| {
        let value = f64::from(f32::from_bits(decode(format, code as u32)));
        // Every value of a format is a normal binary64 number.
        let normalised = ((value.to_bits() >> 52 & 0x7ff) as i32) - 1023;
        let exponent = match rule {
            _ if value == 0.0 || !value.is_finite() => ZERO,
            ProductExponent::Field if format.encoding == Encoding::Float => {
                normalised.max(format.min_exponent())
            }
            // Integers have one binade: the exponent of their highest magnitude bit.
            ProductExponent::Field => format.fraction_bits.cast_signed() - format.bias,
            ProductExponent::Normalised => normalised,
            ProductExponent::NormalisedAbove(floor) => normalised.max(floor),
        };
        Operand { value, exponent }
    })
}

/// The operands of a slab of the result, decoded by table.
pub(crate) struct Slab<'a> {
    pub(crate) a: ArrayView2<'a, u8>,
    pub(crate) b: ArrayView2<'a, u8>,
    pub(crate) table_a: &'a [Operand; 256],
    pub(crate) table_b: &'a [Operand; 256],
}

/// Columns that are summed at once.
#[cfg(target_arch = "x86_64")]
const COLS: usize = 32;

/// Copies some columns' codes, term by term. Columns that are not there hold code 0, and their sums are never
/// stored.
#[cfg(target_arch = "x86_64")]
fn gather(codes: ArrayView2<'_, u8>, block: &mut Vec<[u8; COLS]>) {
    block.clear();
    block.resize(codes.nrows(), [0; COLS]);
    for (to, row) in block.iter_mut().zip(codes.rows()) {
        let to = &mut to[..row.len()];
        match row.as_slice() {
            Some(row) => to.copy_from_slice(row),
            None => to.iter_mut().zip(row).for_each(|(to, &code)| *to = code),
        }
    }
}

/// Copies some columns' sums to lie side by side while they are added to: a result's rows may be a power of two
/// apart, for which caches have few places.
#[cfg(target_arch = "x86_64")]
fn read(columns: &Rows, width: usize, tile: &mut [[f32; COLS]]) {
    for (row, sums) in tile.iter_mut().enumerate() {
        sums[..width].copy_from_slice(columns.row(row, width));
    }
}

/// Copies them back.
#[cfg(target_arch = "x86_64")]
fn write(columns: &Rows, width: usize, tile: &[[f32; COLS]]) {
    for (row, sums) in tile.iter().enumerate() {
        columns.row(row, width).copy_from_slice(&sums[..width]);
    }
}

/// Adds all products of the slab to `sums` (binary32, `stride` apart a row), block by block.
///
/// # Safety
/// `sums` is valid for the slab and nothing else touches it.
pub(crate) unsafe fn run(isa: Isa, dot: &Dot, slab: &Slab<'_>, sums: *mut f32, stride: usize) {
    let [of_a, of_b] = [slab.table_a, slab.table_b].map(|table| table.map(|o| o.value.is_finite()));
    let (rows, cols) = (finite::rows(&of_a, slab.a), finite::columns(&of_b, slab.b));
    // SAFETY: inside the slab.
    let start = |m: usize, n: usize| unsafe { *sums.add(m * stride + n) };
    let mut special = Vec::new();
    for (m, &finite_row) in rows.iter().enumerate() {
        for (n, &finite_col) in cols.iter().enumerate() {
            if !(finite_row && finite_col && start(m, n).is_finite()) {
                special.push((m, n, start(m, n)));
            }
        }
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; the engine has seen the instructions.
    let vectorised = isa == Isa::Avx512
        && unsafe { coarse::run(dot, slab, sums, stride) || avx512::run(dot, slab, sums, stride) };
    #[cfg(not(target_arch = "x86_64"))]
    let vectorised = false;
    if !vectorised {
        special.clear();
        let every = (0..rows.len()).flat_map(|m| (0..cols.len()).map(move |n| (m, n)));
        special.extend(every.map(|(m, n)| (m, n, start(m, n))));
    }
    let mut terms = Vec::with_capacity(slab.a.ncols());
    for (m, n, init) in special {
        terms.clear();
        terms.extend(
            slab.a
                .row(m)
                .iter()
                .zip(slab.b.column(n))
                .map(|(&a, &b)| (slab.table_a[usize::from(a)], slab.table_b[usize::from(b)])),
        );
        let sum = terms
            .chunks(dot.lanes)
            .fold(init, |sum, block| scalar::block(dot, sum, block));
        // SAFETY: inside the slab.
        unsafe { *sums.add(m * stride + n) = sum };
    }
}
