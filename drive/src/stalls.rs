//! When the testbench offers no beat, or takes none.

use crate::{DriveError, Random};

/// One value for each stream of the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerStream<T> {
    /// `s_axis_a`: operands A.
    pub a: T,
    /// `s_axis_b`: operands B.
    pub b: T,
    /// `s_axis_c`: initial values.
    pub c: T,
    /// `s_axis_p`: scales and biases.
    pub p: T,
    /// `m_axis_d`: results.
    pub d: T,
}

impl<T: Clone> PerStream<T> {
    /// The same value for every stream.
    pub fn all(value: T) -> Self {
        Self {
            a: value.clone(),
            b: value.clone(),
            c: value.clone(),
            p: value.clone(),
            d: value,
        }
    }
}

impl<T> PerStream<T> {
    /// The values with their streams' names.
    pub fn named(&self) -> [(&'static str, &T); 5] {
        [
            ("s_axis_a", &self.a),
            ("s_axis_b", &self.b),
            ("s_axis_c", &self.c),
            ("s_axis_p", &self.p),
            ("m_axis_d", &self.d),
        ]
    }
}

/// When each stream stalls. The pattern begins anew with every job, in the clock in which the
/// core writes CONTROL.start; a stalled source offers no new beat (one that is offered stays), a
/// stalled sink is not ready.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum StallPattern {
    /// Never.
    #[default]
    None,
    /// In each clock with that probability, 0 to 0.99; the register bus is delayed at random too.
    Random {
        /// Seed of the decisions.
        seed: u64,
        /// Probability of a stall in a clock.
        probability: PerStream<f64>,
    },
    /// Clock by clock (true: stalled), repeated when it ends; empty: never.
    Explicit(PerStream<Vec<bool>>),
}

impl StallPattern {
    /// Random stalls, equally likely on all streams.
    pub fn random(seed: u64, probability: f64) -> Self {
        Self::Random {
            seed,
            probability: PerStream::all(probability),
        }
    }

    /// Checks that every stream moves at last.
    pub(crate) fn validate(&self) -> Result<(), DriveError> {
        match self {
            Self::None => {}
            Self::Random { probability, .. } => {
                for (stream, &value) in probability.named() {
                    if !(0.0..=0.99).contains(&value) {
                        return Err(DriveError::Option {
                            option: format!("stall probability of {stream}"),
                            value: value.to_string(),
                            allowed: "0 to 0.99",
                        });
                    }
                }
            }
            Self::Explicit(patterns) => {
                for (stream, pattern) in patterns.named() {
                    if !pattern.is_empty() && pattern.iter().all(|&stalled| stalled) {
                        return Err(DriveError::Option {
                            option: format!("stall pattern of {stream}"),
                            value: format!("{} stalls", pattern.len()),
                            allowed: "empty, or with a clock that does not stall",
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The pattern of each stream, at its start.
    pub(crate) fn begin(&self) -> PerStream<Stall> {
        match self {
            Self::None => PerStream::all(Stall::Never),
            Self::Random { seed, probability } => {
                let stall = |purpose, probability| Stall::Random {
                    random: Random::stream(*seed, purpose),
                    probability,
                };
                PerStream {
                    a: stall(1, probability.a),
                    b: stall(2, probability.b),
                    c: stall(3, probability.c),
                    p: stall(4, probability.p),
                    d: stall(5, probability.d),
                }
            }
            Self::Explicit(patterns) => {
                let stall = |pattern: &Vec<bool>| match pattern.is_empty() {
                    true => Stall::Never,
                    false => Stall::Explicit {
                        pattern: pattern.clone(),
                        next: 0,
                    },
                };
                PerStream {
                    a: stall(&patterns.a),
                    b: stall(&patterns.b),
                    c: stall(&patterns.c),
                    p: stall(&patterns.p),
                    d: stall(&patterns.d),
                }
            }
        }
    }

    /// Delays of the register bus: random when the stalls are.
    pub(crate) fn bus_delays(&self) -> Option<Random> {
        match self {
            Self::Random { seed, .. } => Some(Random::stream(*seed, 6)),
            Self::None | Self::Explicit(_) => None,
        }
    }

    /// Clocks in a row that a stream stalls at most; for random stalls, with a probability of less
    /// than 1e-18 of being wrong.
    pub(crate) fn longest(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Random { probability, .. } => {
                let longest = |p: f64| match p > 0.0 {
                    true => ((1e-18f64).ln() / p.ln()).ceil() as u64,
                    false => 0,
                };
                let all = probability.named().map(|(_, &p)| longest(p));
                all.into_iter().max().unwrap_or(0)
            }
            Self::Explicit(patterns) => {
                let all = patterns.named().map(|(_, pattern)| pattern.len() as u64);
                all.into_iter().max().unwrap_or(0)
            }
        }
    }
}

/// The pattern of one stream, under way.
#[derive(Clone, Debug)]
pub(crate) enum Stall {
    Never,
    Random { random: Random, probability: f64 },
    Explicit { pattern: Vec<bool>, next: usize },
}

impl Stall {
    /// Whether the stream stalls in this clock. To be asked once a clock.
    pub(crate) fn next(&mut self) -> bool {
        match self {
            Self::Never => false,
            Self::Random {
                random,
                probability,
            } => random.chance(*probability),
            Self::Explicit { pattern, next } => {
                let stalled = pattern[*next];
                *next = (*next + 1) % pattern.len();
                stalled
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_repeat_and_random_ones_are_reproducible() {
        let pattern = StallPattern::Explicit(PerStream {
            a: vec![true, false, false],
            ..PerStream::default()
        });
        pattern.validate().unwrap();
        let mut stalls = pattern.begin();
        let seen: Vec<bool> = (0..7).map(|_| stalls.a.next()).collect();
        assert_eq!(seen, [true, false, false, true, false, false, true]);
        assert!((0..7).all(|_| !stalls.b.next()));
        assert_eq!(pattern.longest(), 3);

        let pattern = StallPattern::random(7, 0.5);
        let draw = || {
            let mut stalls = pattern.begin();
            let a: Vec<bool> = (0..64).map(|_| stalls.a.next()).collect();
            let d: Vec<bool> = (0..64).map(|_| stalls.d.next()).collect();
            (a, d)
        };
        assert_eq!(draw(), draw());
        assert_ne!(draw().0, draw().1);
    }

    #[test]
    fn patterns_that_never_move_are_refused() {
        let stuck = PerStream {
            d: vec![true, true],
            ..PerStream::default()
        };
        let refused = [
            (
                StallPattern::random(0, 1.0),
                "stall probability of s_axis_a = 1",
            ),
            (StallPattern::random(0, f64::NAN), "NaN"),
            (StallPattern::random(0, -0.1), "-0.1"),
            (StallPattern::Explicit(stuck), "stall pattern of m_axis_d"),
        ];
        for (pattern, expected) in refused {
            let error = pattern.validate().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        StallPattern::random(0, 0.99).validate().unwrap();
    }
}
