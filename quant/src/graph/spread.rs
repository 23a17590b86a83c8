//! Loops over many numbers, spread over threads. Which thread does what changes no bit.

use std::sync::LazyLock;

use quaver_fast::{Isa, Loop};
use rayon::prelude::*;

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 13;

static ISA: LazyLock<Isa> = LazyLock::new(Isa::best);

/// The loop of [`map`].
struct Map<'s, A, B, F> {
    from: &'s [A],
    to: &'s mut [B],
    function: &'s F,
}

impl<A: Copy, B, F: Fn(A) -> B> Loop for Map<'_, A, B, F> {
    #[inline(always)]
    fn run(self) {
        for (to, &from) in self.to.iter_mut().zip(self.from) {
            *to = (self.function)(from);
        }
    }
}

/// The loop of [`combine`], over slices of one length.
struct Combine<'s, A, B, T, F> {
    a: &'s [A],
    b: &'s [B],
    to: &'s mut [T],
    function: &'s F,
}

impl<A: Copy, B: Copy, T, F: Fn(A, B) -> T> Loop for Combine<'_, A, B, T, F> {
    #[inline(always)]
    fn run(self) {
        for ((to, &a), &b) in self.to.iter_mut().zip(self.a).zip(self.b) {
            *to = (self.function)(a, b);
        }
    }
}

/// Bits of a number's magnitude, 0 where it is not finite.
#[inline(always)]
fn finite_magnitude(value: f32) -> i32 {
    let bits = (value.to_bits() & 0x7fff_ffff).cast_signed();
    if bits < 0x7f80_0000 { bits } else { 0 }
}

/// The loop of [`largest`].
struct Largest<'s> {
    values: &'s [f32],
    largest: &'s mut i32,
}

impl Loop for Largest<'_> {
    #[inline(always)]
    fn run(self) {
        // Lanes of their own, so that the loop is vectorised wherever it is inlined.
        let mut lanes = [0i32; 64];
        let (whole, rest) = self.values.as_chunks::<64>();
        for values in whole {
            for (lane, value) in lanes.iter_mut().zip(values) {
                *lane = (*lane).max(finite_magnitude(*value));
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *lane = (*lane).max(finite_magnitude(*value));
        }
        *self.largest = lanes.into_iter().max().unwrap_or(0);
    }
}

/// `function` of parts of both slices, which are of one length.
pub(crate) fn chunks<A: Sync, B: Send>(
    from: &[A],
    to: &mut [B],
    function: impl Fn(&[A], &mut [B]) + Sync,
) {
    match to.len() < 2 * CHUNK {
        true => function(from, to),
        false => to
            .par_chunks_mut(CHUNK)
            .zip(from.par_chunks(CHUNK))
            .for_each(|(to, from)| function(from, to)),
    }
}

/// `to[i] = function(from[i])`.
pub(crate) fn map<A, B>(from: &[A], to: &mut [B], function: impl Fn(A) -> B + Sync)
where
    A: Copy + Sync,
    B: Send,
{
    chunks(from, to, |from, to| {
        ISA.vectorise(Map {
            from,
            to,
            function: &function,
        });
    });
}

/// `to[i] = function(a[i], b[i mod b.len()])`; `b` is not empty.
pub(crate) fn combine<A, B, T>(a: &[A], b: &[B], to: &mut [T], function: impl Fn(A, B) -> T + Sync)
where
    A: Copy + Sync,
    B: Copy + Sync,
    T: Send,
{
    if let &[b] = b {
        return map(a, to, |a| function(a, b));
    }
    // Parts of the only period, or whole periods.
    let once = b.len() == a.len();
    let chunk = if once {
        CHUNK
    } else {
        (CHUNK / b.len()).max(1) * b.len()
    };
    let part = |(index, (to, a)): (usize, (&mut [T], &[A]))| {
        let b = &b[if once { index * chunk } else { 0 }..];
        for (to, a) in to.chunks_mut(b.len()).zip(a.chunks(b.len())) {
            ISA.vectorise(Combine {
                a,
                b: &b[..a.len()],
                to,
                function: &function,
            });
        }
    };
    match to.len() < 2 * CHUNK {
        true => part((0, (to, a))),
        false => to
            .par_chunks_mut(chunk)
            .zip(a.par_chunks(chunk))
            .enumerate()
            .for_each(part),
    }
}

/// Does something with every line of so many numbers, and its place.
pub(crate) fn lines(values: &mut [f32], length: usize, line: impl Fn(usize, &mut [f32]) + Sync) {
    let length = length.max(1);
    let many = (CHUNK / length).max(1);
    values
        .par_chunks_mut(many * length)
        .enumerate()
        .for_each(|(index, part)| {
            for (place, values) in part.chunks_mut(length).enumerate() {
                line(index * many + place, values);
            }
        });
}

/// The largest finite magnitude; 0 where there is none.
pub(crate) fn largest(values: &[f32]) -> f32 {
    // Magnitudes have the order of their bits.
    let part = |values: &[f32]| {
        let mut largest = 0;
        ISA.vectorise(Largest {
            values,
            largest: &mut largest,
        });
        largest
    };
    let bits = match values.len() < 2 * CHUNK {
        true => part(values),
        false => values.par_chunks(CHUNK).map(part).max().unwrap_or(0),
    };
    f32::from_bits(bits as u32)
}

/// Runs a loop over one line, compiled for the machine's instructions.
pub(crate) fn vectorised(work: impl Loop) {
    ISA.vectorise(work);
}

/// A sum in binary64 of eight interleaved ones, so that additions need not wait for each other.
#[inline(always)]
pub(crate) fn sum(values: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let (whole, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for values in whole {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += term(value);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += term(value);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_see_every_number_once() {
        for length in [0, 1, 7, 8, CHUNK - 1, 2 * CHUNK, 5 * CHUNK + 3] {
            let from: Vec<u32> = (0..length as u32).collect();
            let mut to = vec![0; length];
            map(&from, &mut to, |x| 3 * x);
            assert!(to.iter().zip(&from).all(|(to, from)| *to == 3 * from));
            let numbers: Vec<f32> = from.iter().map(|&x| x as f32).collect();
            let exact = length as f64 * (length as f64 - 1.0) / 2.0;
            assert_eq!(
                sum(&numbers, f64::from),
                if length == 0 { 0.0 } else { exact }
            );
            for period in [1, 2, 5, CHUNK / 2 + 1, CHUNK + 1, length] {
                if period == 0 || length % period != 0 {
                    continue;
                }
                let b: Vec<u32> = (0..period as u32).map(|i| 10 * i).collect();
                combine(&from, &b, &mut to, |a, b| a + b);
                let expected = |i: usize| i as u32 + 10 * (i % period) as u32;
                assert!(to.iter().enumerate().all(|(i, &x)| x == expected(i)));
            }
        }
        let mut values = vec![0.0; 3 * CHUNK];
        lines(&mut values, 3, |place, line| line.fill(place as f32));
        assert!(values.iter().enumerate().all(|(i, &x)| x == (i / 3) as f32));
    }

    #[test]
    fn the_largest_magnitude_is_finite() {
        let mut values = vec![1.0; 3 * CHUNK];
        values[2 * CHUNK + 1] = -7.5;
        values[5] = f32::NEG_INFINITY;
        values[9] = f32::NAN;
        assert_eq!(largest(&values), 7.5);
        assert_eq!(largest(&[f32::NAN]), 0.0);
        assert_eq!(largest(&[]), 0.0);
    }
}
