//! Classes of binary32 additions: what makes an adder take another path.

use quaver_golden::Number;
use quaver_golden::accumulate::add_narrow;
use quaver_golden::number::Magnitude;

use super::values::top_exponent;
use crate::coverage::{Class, Coverage};

/// Exponent differences with a class of their own reach this far on both sides.
const FAR: i32 = 45;
/// Significand bits of binary32.
const PRECISION: i32 = 24;
/// Weight of the lowest bit of a subnormal.
const LOWEST: i32 = -149;
/// Exponent of the largest binade.
const HIGHEST: i32 = 127;

/// The classes of one adder's cases.
pub(super) struct SumClasses {
    differences: Vec<Class>,
    nearer: Class,
    farther: Class,
    cancellations: Vec<Class>,
    zeros: [Class; 4],
    cancelled: Class,
    one_zero: Class,
    carry: Class,
    exact: Class,
    below_half: Class,
    tie_down: Class,
    tie_up: Class,
    above_half: Class,
    rounds_to_next_binade: Class,
    subnormal_base: Class,
    subnormal_addend: Option<Class>,
    subnormal_result: Class,
    overflow: Option<Class>,
    nan: Class,
    infinity: Class,
    opposite_infinities: Option<Class>,
}

/// What the addends of an adder can be; classes beyond that are not declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addends {
    /// Whether a sum can be too large for binary32.
    pub overflow: bool,
    /// Whether an addend can be subnormal in binary32.
    pub subnormal: bool,
    /// Whether an addend can be infinite.
    pub infinite: bool,
}

impl SumClasses {
    /// Declares the classes of the adder `unit`.
    pub(super) fn declare(unit: &str, addends: Addends, coverage: &mut Coverage) -> Self {
        let mut class = |name: &str| coverage.declare(format!("{unit}: {name}"));
        Self {
            differences: (-FAR..=FAR)
                .map(|difference| class(&format!("exponent difference {difference}")))
                .collect(),
            nearer: class(&format!("exponent difference below -{FAR}")),
            farther: class(&format!("exponent difference above {FAR}")),
            cancellations: (1..=PRECISION)
                .map(|bits| class(&format!("cancellation of {bits} bits")))
                .collect(),
            zeros: [
                class("+0 + +0"),
                class("-0 + +0"),
                class("+0 + -0"),
                class("-0 + -0"),
            ],
            cancelled: class("exact cancellation to zero"),
            one_zero: class("one zero"),
            carry: class("carry out"),
            exact: class("exact"),
            below_half: class("rounded down from below half"),
            tie_down: class("tie rounded down"),
            tie_up: class("tie rounded up"),
            above_half: class("rounded up from above half"),
            rounds_to_next_binade: class("rounded up to the next binade"),
            subnormal_base: class("subnormal base"),
            subnormal_addend: addends.subnormal.then(|| class("subnormal addend")),
            subnormal_result: class("subnormal result"),
            overflow: addends.overflow.then(|| class("overflow")),
            nan: class("nan"),
            infinity: class("infinity"),
            opposite_infinities: addends.infinite.then(|| class("inf - inf")),
        }
    }

    /// Counts the classes of `base + addend`.
    pub(super) fn count(&self, base: Number, addend: Number, coverage: &mut Coverage) {
        let mut count = |class: Class| coverage.count(class);
        let (negative_base, negative_addend) = match (base, addend) {
            (Number::Nan, _) | (_, Number::Nan) => return count(self.nan),
            (Number::Infinity { negative: a }, Number::Infinity { negative: b }) if a != b => {
                return self.opposite_infinities.into_iter().for_each(count);
            }
            (Number::Infinity { .. }, _) | (_, Number::Infinity { .. }) => {
                return count(self.infinity);
            }
            (Number::Finite { negative: a, .. }, Number::Finite { negative: b, .. }) => (a, b),
        };
        let is_subnormal = |top: i32| top < LOWEST + PRECISION - 1;
        let (top_base, top_addend) = (top_exponent(&base), top_exponent(&addend));
        if top_base.is_some_and(is_subnormal) {
            count(self.subnormal_base);
        }
        if top_addend.is_some_and(is_subnormal) {
            self.subnormal_addend.into_iter().for_each(&mut count);
        }
        let top_operands = match (top_base, top_addend) {
            (None, None) => {
                let index = usize::from(negative_base) + 2 * usize::from(negative_addend);
                return count(self.zeros[index]);
            }
            (Some(top), None) | (None, Some(top)) => {
                count(self.one_zero);
                top
            }
            (Some(base), Some(addend)) => {
                let difference = base - addend;
                count(if difference < -FAR {
                    self.nearer
                } else if difference > FAR {
                    self.farther
                } else {
                    self.differences[(difference + FAR) as usize]
                });
                base.max(addend)
            }
        };
        // Terms too far apart for 128 bits neither cancel nor tie.
        let Some(
            sum @ Number::Finite {
                significand,
                exponent,
                ..
            },
        ) = add_narrow(base, addend)
        else {
            return;
        };
        let Some(top) = top_exponent(&sum) else {
            return count(self.cancelled);
        };
        if top > top_operands {
            count(self.carry);
        } else if top < top_operands {
            let bits = (top_operands - top).min(PRECISION);
            count(self.cancellations[bits as usize - 1]);
        }
        let quantum = (top - PRECISION + 1).max(LOWEST);
        let discarded = quantum - exponent;
        let (kept, up) = if discarded <= 0 {
            count(self.exact);
            // Only its length is asked for below.
            (0, false)
        } else {
            let rest = significand & ((1u128 << discarded) - 1);
            let half = 1u128 << (discarded - 1);
            let kept = significand >> discarded;
            let (class, up) = match (rest.cmp(&half), rest == 0, kept % 2 == 1) {
                (_, true, _) => (self.exact, false),
                (std::cmp::Ordering::Less, ..) => (self.below_half, false),
                (std::cmp::Ordering::Equal, _, false) => (self.tie_down, false),
                (std::cmp::Ordering::Equal, _, true) => (self.tie_up, true),
                (std::cmp::Ordering::Greater, ..) => (self.above_half, true),
            };
            count(class);
            (kept, up)
        };
        let carries = up && (kept + 1).bit_length() > kept.bit_length();
        if carries && kept.bit_length().cast_signed() == PRECISION {
            count(self.rounds_to_next_binade);
        }
        if is_subnormal(top) {
            count(self.subnormal_result);
        }
        if top + i32::from(carries) > HIGHEST {
            self.overflow.into_iter().for_each(count);
        }
    }
}
