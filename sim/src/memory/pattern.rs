//! Patterns of waits: tiles that repeat, multiplied instead of walked.

use super::walk::{A, CHANNEL, Clocks, END, FIELDS, FREE};
use crate::breakdown::Breakdown;

/// Walks `times` times, and multiplies once every clock is as late after the one of some walk before, or
/// has not changed, which means that the walks since do not use it.
///
/// The pattern may have a period: places that are filled in turn share a wait that they do not divide.
/// So clocks are held to those of the walk before and to those of a mark, which moves to the walks 1, 2, 4,
/// 8, ... and so is behind the pattern's beginning, and far enough apart, at last (Brent's algorithm).
pub(super) fn repeat(
    times: u64,
    clocks: &mut Clocks,
    breakdown: &mut Breakdown,
    walk: impl Fn(&mut Clocks, &mut Breakdown),
) {
    let mut left = times;
    let mut mark = (*clocks, *breakdown);
    let (mut since_mark, mut move_at) = (0, 1);
    while left > 0 {
        let before = (*clocks, *breakdown);
        walk(clocks, breakdown);
        left -= 1;
        since_mark += 1;
        let period = if repeats(clocks, &before.0) {
            Some((1, before))
        } else if repeats(clocks, &mark.0) {
            Some((since_mark, mark))
        } else {
            None
        };
        if let Some((period, (then, cost))) = period {
            let periods = left / period;
            let now = *clocks;
            let later = (now[END] - then[END]) * periods as i64;
            for i in (0..FIELDS).filter(|&i| now[i] != then[i]) {
                clocks[i] = effect(&now, i) + later;
            }
            let cost = breakdown.since(&cost);
            breakdown.add(&cost, periods);
            for _ in 0..left % period {
                walk(clocks, breakdown);
            }
            return;
        }
        if since_mark == move_at {
            mark = (*clocks, *breakdown);
            (since_mark, move_at) = (0, 2 * move_at);
        }
    }
}

/// Whether the clocks are those of then, all as much later, but for those that have not changed.
fn repeats(clocks: &Clocks, then: &Clocks) -> bool {
    let step = clocks[END] - then[END];
    (0..FIELDS).all(|i| clocks[i] == then[i] || effect(clocks, i) - effect(then, i) == step)
}

/// What later tiles have of a clock: a place that is free before the channel is keeps nobody waiting.
fn effect(clocks: &Clocks, field: usize) -> i64 {
    match field >= FREE[A] {
        true => clocks[field].max(clocks[CHANNEL]),
        false => clocks[field],
    }
}

#[cfg(test)]
mod tests {
    use quaver_drive::Random;

    use super::*;

    /// A channel that fills places, and a core that empties them, each as slow as it likes.
    #[test]
    fn repeat_random_walks_vs_every_walk() {
        let seed = 5;
        let mut random = Random::new(seed);
        let mut multiplied = 0;
        for case in 0..2_000 {
            let places = 2 + random.below(15) as usize;
            let [cost, rows, latency] = [40, 40, 300].map(|most| i64::from(1 + random.below(most)));
            let times = u64::from(random.below(400));
            let walks = std::cell::Cell::new(0u64);
            let walk = |clocks: &mut Clocks, breakdown: &mut Breakdown| {
                walks.set(walks.get() + 1);
                let free = &mut clocks[FREE[A]..][..places];
                let oldest = free[0];
                free.copy_within(1.., 0);
                clocks[CHANNEL] = clocks[CHANNEL].max(oldest) + cost;
                let start = (clocks[CHANNEL] + latency).max(clocks[END] + 1);
                breakdown.a += (start - clocks[END] - 1) as u64;
                breakdown.rows += rows as u64;
                clocks[END] = start + rows - 1;
                clocks[FREE[A] + places - 1] = clocks[END] + 1;
            };
            let begin = ([0; FIELDS], Breakdown::default());
            let (mut found, mut expected) = (begin, begin);
            repeat(times, &mut found.0, &mut found.1, walk);
            multiplied += usize::from(walks.take() < times);
            (0..times).for_each(|_| walk(&mut expected.0, &mut expected.1));
            let what = format!(
                "seed {seed}, case {case}: {places} places, {times} times {cost}, {rows}, {latency}"
            );
            assert_eq!(found.1, expected.1, "{what}");
            for field in 0..FIELDS {
                let [found, expected] = [&found.0, &expected.0].map(|clocks| effect(clocks, field));
                assert_eq!(found, expected, "field {field}, {what}");
            }
        }
        assert!(multiplied >= 1_000, "{multiplied}");
    }
}
