//! A queue as a chain: how fast requests come and end with each number in flight.

use super::levels::{Drain, Levels, rising};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trace::{Arrival, Pacing};

/// A level that is rarer than e to the minus this, beside the most frequent one, is the last.
const RARE: f64 = 25.0;

/// A chain that needs more levels is at its limit.
const LEVELS_MAX: usize = 20_000;

/// A queue is never taken for shorter than this makes it, whatever the variances of arrivals and ends say.
const RATIO_LEAST: f64 = 0.02;

/// Runs of the chain: their variance is known to a fifth of itself.
const REPLAYS: usize = 48;

/// Intervals are to be the same whenever the same records are read.
const SEED: u64 = 64;

/// Of the time of a closed loop's users, the part that is free where they do think.
const FREE_MIN: f64 = 0.02;

/// What becomes of the mean of a score over a run's requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    /// Its expectation.
    pub(super) mean: f64,
    /// By how much its variance is more than that of independent requests, in variances of one such mean.
    pub(super) added: f64,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asking {
    /// So many requests a second, whatever is in flight.
    Open(f64),
    /// Each of so many users who has no request in flight, so often a second.
    Closed(f64, f64),
}

/// The rates of the chain.
pub(super) struct Rates {
    asking: Asking,
    /// Of each level below that from which the server is full.
    ends: Vec<f64>,
    /// From there on.
    pub(super) full: f64,
    level: usize,
    /// Of the numbers of arrivals and of ends together, where Poisson's make 2.
    spread: f64,
}

/// How fast that pacing asks, by its own words where it says so, and the variance of the number of arrivals, where
/// Poisson's is 1. `None` where the number in flight says nothing of a queue.
fn asking(pacing: Pacing, levels: &Levels) -> Option<(Asking, f64)> {
    let requests = levels.found.len() as f64;
    match pacing {
        Pacing::Burst { .. } => None,
        Pacing::Closed { concurrency } => {
            let users = f64::from(concurrency);
            let seconds = levels.seconds.iter().enumerate();
            let free: f64 = seconds
                .map(|(level, seconds)| seconds * (users - level as f64).max(0.0))
                .sum();
            // Users who never think find all the others in flight.
            let thinks = free > FREE_MIN * users * levels.span;
            thinks.then(|| (Asking::Closed(users, requests / free), 1.0))
        }
        Pacing::Open { arrival, .. } => {
            let seen = (requests - 1.0) / levels.span;
            let (rate, spread) = match arrival {
                Arrival::Poisson { rate } => (rate, 1.0),
                Arrival::Constant { rate } => (rate, 0.0),
                Arrival::Gamma { rate, shape } => (rate, 1.0 / shape),
                _ => (seen, 1.0),
            };
            Some((Asking::Open(rate), spread))
        }
    }
}

impl Rates {
    /// Whether the number in flight says anything of a queue.
    pub(super) fn tell(pacing: Pacing, levels: &Levels) -> bool {
        asking(pacing, levels).is_some()
    }

    /// The chain that was seen, with ends slower by so many standard errors of their rate.
    pub(super) fn new(pacing: Pacing, levels: &Levels, drain: Drain, errors: f64) -> Option<Self> {
        let (asking, spread) = asking(pacing, levels)?;
        let slower = 1.0 + errors * drain.error;
        let full = drain.rate / slower;
        let seen = (1..drain.level).map(|level| {
            let seconds = levels.seconds[level];
            let rate = if seconds > 0.0 {
                levels.ended[level] / seconds
            } else {
                0.0
            };
            (rate, seconds)
        });
        let ends = rising(seen);
        Some(Self {
            asking,
            ends: ends
                .iter()
                .map(|rate| (rate / slower).min(full).max(f64::MIN_POSITIVE))
                .collect(),
            full,
            level: drain.level,
            spread: spread + drain.spread,
        })
    }

    /// Arrivals a second while so many are in flight.
    fn arriving(&self, level: usize) -> f64 {
        match self.asking {
            Asking::Open(rate) => rate,
            Asking::Closed(users, each) => each * (users - level as f64).max(0.0),
        }
    }

    /// Arrivals ÷ ends between this level and the one below. What comes, or ends, less evenly than Poisson's makes longer
    /// queues: 1 − the ratio at which a queue's levels become rarer is 2 (1 − ρ) ÷ the sum of both variances
    /// (Kingman, "The heavy traffic approximation in the theory of queues", 1965).
    fn ratio(&self, level: usize) -> f64 {
        let ends = if level < self.level {
            self.ends[level - 1]
        } else {
            self.full
        };
        let plain = self.arriving(level - 1) / ends;
        if plain >= 1.0 {
            return plain;
        }
        (1.0 - (1.0 - plain) * 2.0 / self.spread).max(RATIO_LEAST * plain)
    }

    /// What becomes of each of `scores`, functions of the level that a request finds, in runs of so many requests from an
    /// empty server on: by runs of the chain.
    pub(super) fn replayed(
        &self,
        requests: usize,
        scores: &[&dyn Fn(usize) -> f64],
    ) -> Vec<Outcome> {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let (mut up, mut known): (Vec<f64>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        let mut means = vec![Vec::with_capacity(REPLAYS); scores.len()];
        let mut within = vec![0.0; scores.len()];
        for _ in 0..REPLAYS {
            let (mut level, mut left) = (0, requests);
            let mut found = vec![0.0; up.len()];
            while left > 0 {
                while up.len() <= level {
                    let at = up.len();
                    up.push(self.upwards(at));
                    known.push(scores.iter().map(|score| score(at)).collect());
                }
                found.resize(up.len(), 0.0);
                if rng.random::<f64>() < up[level] {
                    found[level] += 1.0;
                    level += 1;
                    left -= 1;
                } else {
                    level -= 1;
                }
            }
            for (at, (means, within)) in means.iter_mut().zip(&mut within).enumerate() {
                let weighted = || found.iter().zip(&known).map(|(n, scores)| (n, scores[at]));
                let mean = weighted().map(|(n, score)| n * score).sum::<f64>() / requests as f64;
                let squares: f64 = weighted()
                    .map(|(n, score)| n * (score - mean).powi(2))
                    .sum();
                *within += squares / requests as f64 / REPLAYS as f64;
                means.push(mean);
            }
        }
        let added = |(means, within): (&Vec<f64>, &f64)| {
            let mean = means.iter().sum::<f64>() / REPLAYS as f64;
            let squares: f64 = means.iter().map(|value| (value - mean).powi(2)).sum();
            let added = requests as f64 * squares / (REPLAYS as f64 - 1.0) - within;
            Outcome {
                mean,
                added: added.max(0.0),
            }
        };
        means.iter().zip(&within).map(added).collect()
    }

    /// The probability that the next change is an arrival.
    fn upwards(&self, level: usize) -> f64 {
        if level == 0 {
            return 1.0;
        }
        let arriving = self.arriving(level);
        // Of a full house of users nobody asks.
        if arriving <= 0.0 {
            return 0.0;
        }
        let ends = self.arriving(level - 1) / self.ratio(level);
        arriving / (arriving + ends)
    }

    /// The same of runs without end, in closed form. The sum of a score over arrivals is a martingale but for what the
    /// level itself is still worth; of a chain whose levels have their neighbours alone, the difference in worth between
    /// two of them is a running sum (the Poisson equation: Asmussen and Glynn, *Stochastic Simulation*, 2007, section
    /// IV.2). `None` where more comes than can end.
    pub(super) fn settled(&self, scores: &[&dyn Fn(usize) -> f64]) -> Option<Vec<Outcome>> {
        let share = self.shares()?;
        let arriving: Vec<f64> = (0..share.len())
            .map(|level| share[level] * self.arriving(level))
            .collect();
        let rate: f64 = arriving.iter().sum();
        let added = |score: &&dyn Fn(usize) -> f64| {
            let of_level = arriving.iter().enumerate();
            let weighted: Vec<(f64, f64)> = of_level
                .map(|(level, arriving)| (score(level), arriving / rate))
                .collect();
            let mean: f64 = weighted.iter().map(|(score, part)| score * part).sum();
            let (mut below, mut sum, mut within) = (0.0, 0.0, 0.0);
            for (score, part) in weighted.iter().filter(|(_, part)| *part > 0.0) {
                below += part * (score - mean);
                within += part * (score - mean).powi(2);
                // Up, an arrival brings its score as well; as often down.
                let worth = -below / part;
                sum += part * ((worth + score - mean).powi(2) + worth * worth);
            }
            Outcome {
                mean,
                added: (sum * 2.0 / self.spread - within).max(0.0),
            }
        };
        Some(scores.iter().map(added).collect())
    }

    /// The share of time at each level. In logarithms: of a thousand in flight, the rarest levels are no double.
    fn shares(&self) -> Option<Vec<f64>> {
        let (mut log, mut most) = (vec![0.0], 0.0_f64);
        while self.arriving(log.len() - 1) > 0.0 {
            let level = log.len();
            let next = log[level - 1] + self.ratio(level).ln();
            if level > self.level && next < most - RARE {
                break;
            }
            // Where no more end than come, no level is the last.
            if level > LEVELS_MAX {
                return None;
            }
            most = most.max(next);
            log.push(next);
        }
        let share: Vec<f64> = log.iter().map(|log| (log - most).exp()).collect();
        let sum: f64 = share.iter().sum();
        Some(share.iter().map(|share| share / sum).collect())
    }
}
