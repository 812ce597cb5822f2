//! Who asks, and how unevenly.

use super::levels::{Levels, Spans};
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, Gamma};
use trace::{Arrival, Pacing};

/// Of the time of a closed loop's users, the part that is free where they do think.
const FREE_MIN: f64 = 0.02;

/// A rate that is off by more is not the planned one; by chance alone twenty requests are off by less.
const OFF_MAX: f64 = 0.6;

/// Gaps of a dispersion below this are taken for even.
const EVEN: f64 = 1e-3;

/// What decides when the next request is released.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asking {
    pub(super) who: Who,
    pub(super) gaps: Gaps,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Who {
    /// So many requests a second, whatever is in flight.
    Anybody { rate: f64 },
    /// Each of so many users who has no request in flight, so often a second.
    Users { users: f64, each: f64 },
}

/// The gaps between arrivals, with mean 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Gaps {
    /// Drawn, with that variance.
    Drawn(f64),
    /// As they were: a ramp, or a trace, is the same whenever it is run.
    Planned(Vec<f32>),
}

impl Asking {
    /// How that pacing asks. `None` where the number in flight says nothing of a queue: of bursts, and of users who never
    /// think.
    pub(super) fn of(pacing: Pacing, levels: &Levels, runs: &[Spans]) -> Option<Self> {
        let seen = (levels.released - runs.len() as f64) / levels.span;
        let asking = match pacing {
            Pacing::Burst { .. } => return None,
            Pacing::Closed { concurrency } => {
                let users = f64::from(concurrency);
                let by_level = levels.seconds.iter().enumerate();
                let free =
                    by_level.map(|(level, seconds)| seconds * (users - level as f64).max(0.0));
                let free: f64 = free.sum();
                // Users who never think find all the others in flight.
                if free <= FREE_MIN * users * levels.span {
                    return None;
                }
                Self {
                    who: Who::Users {
                        users,
                        each: levels.released / free,
                    },
                    gaps: Gaps::Drawn(1.0),
                }
            }
            Pacing::Open {
                arrival,
                max_concurrency,
            } => {
                // Where the client itself let requests wait, its queue is another one.
                let most = max_concurrency.map_or(usize::MAX, |most| most as usize);
                if levels.seconds.len() > most {
                    return None;
                }
                let (rate, gaps) = match arrival {
                    Arrival::Poisson { rate } => (rate, Gaps::Drawn(1.0)),
                    Arrival::Constant { rate } => (rate, Gaps::Drawn(0.0)),
                    Arrival::Gamma { rate, shape } => (rate, Gaps::Drawn(1.0 / shape)),
                    _ => (seen, Gaps::planned(seen, runs)),
                };
                // Of conversations only the first requests come as planned.
                let is_as_planned = (1.0 - OFF_MAX..1.0 + OFF_MAX).contains(&(rate / seen));
                Self {
                    who: Who::Anybody {
                        rate: if is_as_planned { rate } else { seen },
                    },
                    gaps: if is_as_planned {
                        gaps
                    } else {
                        Gaps::Drawn(1.0)
                    },
                }
            }
        };
        asking.who.is_finite().then_some(asking)
    }
}

impl Asking {
    /// Whether requests come as a plan has it that changes.
    pub(super) fn is_planned(&self) -> bool {
        matches!(self.gaps, Gaps::Planned(_))
    }
}

impl Who {
    fn is_finite(self) -> bool {
        let rate = match self {
            Self::Anybody { rate } => rate,
            Self::Users { each, .. } => each,
        };
        rate.is_finite() && rate > 0.0
    }

    /// Requests a second while so many are in flight.
    pub(super) fn arriving(self, level: usize) -> f64 {
        match self {
            Self::Anybody { rate } => rate,
            Self::Users { users, each } => each * (users - level as f64).max(0.0),
        }
    }
}

impl Gaps {
    #[allow(clippy::cast_possible_truncation, reason = "gaps need no more digits")]
    fn planned(rate: f64, runs: &[Spans]) -> Self {
        let of_run = |run: &Spans| {
            let issued = run.issued();
            let between = issued
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).seconds() * rate);
            let gaps = std::iter::once(0.0).chain(between).take(issued.len());
            gaps.map(|gap| gap as f32).collect::<Vec<f32>>()
        };
        Self::Planned(runs.iter().flat_map(of_run).collect())
    }

    /// The variance of the number of arrivals, where Poisson's is 1.
    pub(super) fn dispersion(&self) -> f64 {
        match self {
            Self::Drawn(variance) => *variance,
            Self::Planned(_) => 1.0,
        }
    }

    /// So many gaps of each of some runs.
    #[allow(clippy::cast_possible_truncation, reason = "gaps need no more digits")]
    pub(super) fn draws(&self, count: usize, runs: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Self::Planned(gaps) => gaps.iter().copied().cycle().take(count * runs).collect(),
            Self::Drawn(variance) if *variance < EVEN => vec![1.0; count * runs],
            Self::Drawn(variance) => {
                let gamma = Gamma::new(1.0 / variance, *variance).ok();
                let mut draw = || match &gamma {
                    Some(gamma) if (variance - 1.0).abs() > EVEN => gamma.sample(rng),
                    _ => Exp1.sample(rng),
                };
                (0..count * runs).map(|_| draw() as f32).collect()
            }
        }
    }
}
