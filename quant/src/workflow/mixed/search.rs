//! The fewest layers to lift: by sensitivity first, then one by one, then all that are fewer.

use std::collections::HashMap;

use serde::Serialize;

/// Most runs that the proof by trying all smaller sets may take.
pub const EXHAUSTIVE: u64 = 500;

/// A set of lifted layers that was run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// `none lifted`, `all lifted`, `sensitivity`, `count`, `put back` or `all smaller sets`.
    pub phase: &'static str,
    /// The layers, by their places among the candidates.
    pub lifted: Vec<usize>,
    /// The metric.
    pub metric: f64,
    /// Whether that is as good as asked.
    pub meets: bool,
}

/// What is known of the number of lifted layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// No smaller set does: all were run.
    Minimal,
    /// None of the layers can be put back by itself.
    MinimalUnderRemoval,
    /// Not even lifting all does.
    Impossible,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Layers to lift, ascending.
    pub lifted: Vec<usize>,
    /// What is known of their number.
    pub proof: Proof,
    /// Each layer's metric when it alone is not lifted; empty where that was not needed.
    pub sensitivity: Vec<f64>,
    /// Everything that was run, in order.
    pub steps: Vec<Step>,
}

/// The metric with those layers lifted, and whether it will do.
pub(super) type Run<'r, E> = dyn FnMut(&[usize]) -> Result<(f64, bool), E> + 'r;

struct Search<'r, E> {
    run: &'r mut Run<'r, E>,
    known: HashMap<Vec<usize>, (f64, bool)>,
    steps: Vec<Step>,
}

impl<E> Search<'_, E> {
    fn run(&mut self, phase: &'static str, mut lifted: Vec<usize>) -> Result<(f64, bool), E> {
        lifted.sort_unstable();
        if let Some(&known) = self.known.get(&lifted) {
            return Ok(known);
        }
        let (metric, meets) = (self.run)(&lifted)?;
        self.known.insert(lifted.clone(), (metric, meets));
        self.steps.push(Step {
            phase,
            lifted,
            metric,
            meets,
        });
        Ok((metric, meets))
    }
}

/// Finds the fewest of `count` layers to lift. `run` gives the metric of a set and whether it will do;
/// `badness` orders metrics, the worst largest. Ties go to the layer that is first in the model.
///
/// 1. No layer, then all.
/// 2. Each layer alone left in FP8: the worse the metric, the more sensitive the layer.
/// 3. The number of most sensitive layers, by bisection; it is the least only where more are better.
/// 4. Each lifted layer is put back, the least sensitive first, until none can be.
/// 5. Where they are at most `exhaustive`, all sets of fewer layers, the smallest first, in the order of
///    the model; the first that will do is taken.
///
/// # Errors
/// Those of `run`.
pub fn fewest<E>(
    count: usize,
    exhaustive: u64,
    badness: impl Fn(f64) -> f64,
    run: &mut Run<'_, E>,
) -> Result<Found, E> {
    let mut search = Search {
        run,
        known: HashMap::new(),
        steps: Vec::new(),
    };
    let all: Vec<usize> = (0..count).collect();
    let none_does = search.run("none lifted", Vec::new())?.1;
    if none_does || !search.run("all lifted", all.clone())?.1 {
        return Ok(Found {
            lifted: if none_does { Vec::new() } else { all },
            proof: match none_does {
                true => Proof::Minimal,
                false => Proof::Impossible,
            },
            sensitivity: Vec::new(),
            steps: search.steps,
        });
    }
    let mut sensitivity = Vec::new();
    for layer in 0..count {
        let others = all.iter().copied().filter(|&other| other != layer);
        sensitivity.push(search.run("sensitivity", others.collect())?.0);
    }
    let mut order = all;
    order.sort_by(|&a, &b| badness(sensitivity[b]).total_cmp(&badness(sensitivity[a])));
    let (mut fails, mut does) = (0, count);
    while does - fails > 1 {
        let middle = fails.midpoint(does);
        match search.run("count", order[..middle].to_vec())?.1 {
            true => does = middle,
            false => fails = middle,
        }
    }
    let mut lifted = put_back(&mut search, order[..does].to_vec())?;
    let proven = subsets(count, lifted.len()) <= exhaustive;
    if proven {
        'smaller: for size in 0..lifted.len() {
            let mut set: Vec<usize> = (0..size).collect();
            loop {
                if search.run("all smaller sets", set.clone())?.1 {
                    lifted = set;
                    break 'smaller;
                }
                if !advance(&mut set, count) {
                    break;
                }
            }
        }
    }
    lifted.sort_unstable();
    Ok(Found {
        lifted,
        proof: match proven {
            true => Proof::Minimal,
            false => Proof::MinimalUnderRemoval,
        },
        sensitivity,
        steps: search.steps,
    })
}

/// Puts layers back from the last on, until none can be.
fn put_back<E>(search: &mut Search<'_, E>, mut lifted: Vec<usize>) -> Result<Vec<usize>, E> {
    let mut place = lifted.len();
    while place > 0 {
        place -= 1;
        let mut fewer = lifted.clone();
        fewer.remove(place);
        if search.run("put back", fewer.clone())?.1 {
            // What could not be put back before may be now.
            lifted = fewer;
            place = lifted.len();
        }
    }
    Ok(lifted)
}

/// How many sets of fewer than `size` of `count` there are.
fn subsets(count: usize, size: usize) -> u64 {
    let (mut sum, mut sets) = (0u64, 1u64);
    for smaller in 0..size as u64 {
        sum = sum.saturating_add(sets);
        // C(n, k + 1) = C(n, k) (n - k) / (k + 1), which is whole.
        sets = sets.saturating_mul(count as u64 - smaller) / (smaller + 1);
    }
    sum
}

/// The next set of that size in the order of the model; whether there is one.
fn advance(set: &mut [usize], count: usize) -> bool {
    let size = set.len();
    let Some(place) = (0..size).rposition(|place| set[place] < count - size + place) else {
        return false;
    };
    set[place] += 1;
    for later in place + 1..size {
        set[later] = set[later - 1] + 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a set is that of the layers that are not in it; some layers cancel.
    fn search(errors: &[i32], limit: i32, exhaustive: u64) -> Found {
        let mut run = |lifted: &[usize]| {
            let left = (0..errors.len()).filter(|layer| !lifted.contains(layer));
            let error: i32 = left.map(|layer| errors[layer]).sum();
            Ok::<_, ()>((f64::from(error.abs()), error.abs() <= limit))
        };
        fewest(errors.len(), exhaustive, |metric| metric, &mut run).unwrap()
    }

    /// The smallest number of layers, by trying all sets.
    fn least(errors: &[i32], limit: i32) -> Option<usize> {
        let sets = 0..1u32 << errors.len();
        let does = sets.filter(|set| {
            let left = errors.iter().enumerate().filter(|(i, _)| set >> i & 1 == 0);
            left.map(|(_, error)| error).sum::<i32>().abs() <= limit
        });
        does.map(|set| set.count_ones() as usize).min()
    }

    #[test]
    fn sets_vs_all_sets() {
        for errors in [
            &[1, 2, 3, 4, 5][..],
            &[5, 4, 3, 2, 1],
            &[7, -7, 1, 1],
            &[3, 3, 3, 3],
            &[9, -8, 2, -5, 4],
        ] {
            for limit in 0..16 {
                let found = search(errors, limit, EXHAUSTIVE);
                assert_eq!(found.proof, Proof::Minimal);
                let expected = least(errors, limit);
                assert_eq!(Some(found.lifted.len()), expected, "{errors:?} {limit}");
                let runs: std::collections::HashSet<_> =
                    found.steps.iter().map(|step| &step.lifted).collect();
                assert_eq!(runs.len(), found.steps.len(), "nothing runs twice");
            }
        }
    }

    #[test]
    fn without_a_proof_none_can_be_put_back() {
        let errors = [9, -8, 2, -5, 4, 11, -3];
        for limit in 0..10 {
            let found = search(&errors, limit, 0);
            let expected = match found.lifted.len() {
                0 => Proof::Minimal,
                _ => Proof::MinimalUnderRemoval,
            };
            assert_eq!(found.proof, expected);
            for layer in &found.lifted {
                let left = (0..errors.len()).filter(|l| l == layer || !found.lifted.contains(l));
                let error: i32 = left.map(|layer| errors[layer]).sum();
                assert!(error.abs() > limit, "{layer} of {found:?}");
            }
        }
    }

    #[test]
    fn ties_go_to_the_first_layer() {
        assert_eq!(search(&[3, 3, 3], 6, 0).lifted, [0]);
        let never = search(&[1, 2], -1, EXHAUSTIVE);
        assert_eq!((never.proof, never.lifted.len()), (Proof::Impossible, 2));
    }

    #[test]
    fn sets_are_counted() {
        assert_eq!([0, 1, 2, 3].map(|size| subsets(5, size)), [0, 1, 6, 16]);
        let mut set = vec![0, 1];
        let mut count = 1;
        while advance(&mut set, 4) {
            count += 1;
        }
        assert_eq!((count, set), (6, vec![2, 3]));
    }
}
