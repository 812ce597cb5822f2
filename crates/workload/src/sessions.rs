//! Conversations of several turns: how long each turn is, and how long its user thinks.
//!
//! A session is what one user says in one sitting. When a turn is sent follows from when the answer
//! before it ended, so that a session has think times and no due times but that of its start.

mod prefix;

use crate::seed::{purpose_seed, stream};
use crate::{LengthScenario, Lengths, WorkloadError};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, LogNormal};
use trace::Nanos;

pub use prefix::PrefixGroups;

/// The most turns of a session.
pub const TURNS_MAX: u32 = 10_000;

/// What sessions are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// The fewest turns of a session, at least 1.
    pub turns_min: u32,
    /// The most turns, at most [`TURNS_MAX`]; each number between the two is as likely.
    pub turns_max: u32,
    /// From the end of an answer to the next message.
    pub think: ThinkTime,
    /// The new tokens of each turn: the user's message and its answer, without what was said before.
    pub lengths: LengthScenario,
    /// The system prompts that sessions share; absent where they share none.
    pub prefix: Option<PrefixGroups>,
}

/// How long users think before they go on.
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

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its position in the endless series of the seed.
    pub id: u64,
    /// Which of [`SessionConfig::prefix`] it has; from 0.
    pub group: Option<u32>,
    /// The tokens of the group's system prompt; 0 without one.
    pub prefix_tokens: u32,
    /// At least one.
    pub turns: Vec<SessionTurn>,
}

/// One message and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTurn {
    /// From the end of the answer before; zero for the first.
    pub think: Nanos,
    /// Of this turn alone.
    pub lengths: Lengths,
}

impl SessionConfig {
    /// Session `id` of the endless series of a seed. Each is drawn on its own, so that they can be
    /// had in any order and none has to be kept. Sessions share no randomness with arrivals of the
    /// same seed.
    pub fn session(&self, seed: u64, id: u64) -> Result<Session, WorkloadError> {
        self.check()?;
        let mut rng = stream(purpose_seed(seed, "sessions"), id);
        let count = rng.random_range(self.turns_min..=self.turns_max);
        let turns = (0..count).map(|number| {
            let think = self.think.draw(&mut rng);
            SessionTurn {
                think: if number == 0 { Nanos::ZERO } else { think },
                lengths: self.lengths.draw(&mut rng),
            }
        });
        Ok(Session {
            id,
            turns: turns.collect(),
            group: self.prefix.map(|prefix| prefix.group(id)),
            prefix_tokens: self.prefix.map_or(0, PrefixGroups::tokens),
        })
    }

    fn check(&self) -> Result<(), WorkloadError> {
        if self.turns_min == 0 || self.turns_max < self.turns_min || self.turns_max > TURNS_MAX {
            return Err(WorkloadError::SessionTurns {
                min: self.turns_min,
                max: self.turns_max,
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

impl Session {
    /// The prompt's tokens at a turn, counted from 0, where the client sends all that was said
    /// before: the system prompt, earlier messages with their answers in full, and the new message.
    /// What a chat template adds comes on top. `None` after the last turn.
    pub fn context_tokens(&self, turn: usize) -> Option<u64> {
        let current = self.turns.get(turn)?;
        let before = self.turns[..turn].iter().map(|turn| {
            u64::from(turn.lengths.input_tokens) + u64::from(turn.lengths.output_tokens)
        });
        let new = u64::from(current.lengths.input_tokens);
        Some(u64::from(self.prefix_tokens) + before.sum::<u64>() + new)
    }
}
