//! Conversations of several turns: how many, and how long their users think.
//!
//! When a turn is sent follows from when the answer before it ended, so that a conversation has think
//! times and no due times but that of its start.

mod notation;
mod prefix;

use crate::WorkloadError;
use crate::seed::{purpose_seed, stream};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, LogNormal};
use trace::Nanos;

pub use prefix::PrefixGroups;

/// The most turns of a conversation.
pub const TURNS_MAX: u32 = 10_000;

/// What conversations are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// How many turns they have.
    pub turns: TurnCount,
    /// From the end of an answer to the next message.
    pub think: ThinkTime,
}

/// How many turns conversations have.
///
/// [`str::parse`] reads `3`, `2-6` and `dataset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnCount {
    /// Each number between the two is as likely.
    Between {
        /// The fewest, at least 1.
        min: u32,
        /// The most, at most [`TURNS_MAX`].
        max: u32,
    },
    /// As many as the row of the data set has.
    OfRows,
}

/// How long users think before they go on.
///
/// [`str::parse`] reads `2s`, `exp:2s` and `lognormal:2s:1s`, of mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkTime {
    /// Always as long.
    Constant {
        /// May be zero.
        span: Nanos,
    },
    /// Exponentially distributed: as likely to end in every moment.
    Exponential {
        /// Of the times; may be zero.
        mean: Nanos,
    },
    /// Log-normally distributed, as reading and typing are: mostly short, now and then very long.
    LogNormal {
        /// Of the times themselves, not of their logarithms; above zero.
        mean: Nanos,
        /// Standard deviation of the times themselves.
        std: Nanos,
    },
}

impl SessionConfig {
    /// The think times before each turn but the first of conversation `number` of the endless series
    /// of a seed, of which the row has so many turns. Each is drawn on its own, so that they can be
    /// had in any order and none has to be kept.
    pub fn thinks(&self, seed: u64, number: u64, row_turns: usize) -> Vec<Nanos> {
        let mut rng = stream(purpose_seed(seed, "sessions"), number);
        let turns = match self.turns {
            TurnCount::Between { min, max } => rng.random_range(min..=max) as usize,
            TurnCount::OfRows => row_turns.min(TURNS_MAX as usize),
        };
        (1..turns).map(|_| self.think.draw(&mut rng)).collect()
    }

    pub(crate) fn check(&self) -> Result<(), WorkloadError> {
        if let TurnCount::Between { min, max } = self.turns
            && (min == 0 || max < min || max > TURNS_MAX)
        {
            return Err(WorkloadError::SessionTurns {
                min,
                max,
                limit: TURNS_MAX,
            });
        }
        match self.think {
            ThinkTime::LogNormal {
                mean: Nanos::ZERO, ..
            } => Err(WorkloadError::ThinkTime),
            _ => Ok(()),
        }
    }
}

impl ThinkTime {
    fn draw(self, rng: &mut impl Rng) -> Nanos {
        match self {
            Self::Constant { span } => span,
            Self::Exponential { mean } => {
                let unit: f64 = Exp1.sample(rng);
                Nanos::from_seconds(mean.seconds() * unit)
            }
            Self::LogNormal { mean, std } => {
                // As for lengths: solved for the mean and variance of the logarithm.
                let variance = (std.seconds() / mean.seconds()).powi(2).ln_1p();
                let location = mean.seconds().ln() - variance / 2.0;
                LogNormal::new(location, variance.sqrt())
                    .map_or(mean, |times| Nanos::from_seconds(times.sample(rng)))
            }
        }
    }
}
