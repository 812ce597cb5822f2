//! How long prompts and answers are: scenarios as genai-bench writes them, and draws from them.

mod parse;

use crate::seed::{purpose_seed, stream};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, LogNormal, Normal};
use std::fmt;

/// The most tokens that a scenario may ask for, on either side.
pub const TOKENS_MAX: u32 = 10_000_000;

/// The distribution of input and output lengths, in tokens.
///
/// [`str::parse`] reads the notation of genai-bench's traffic scenarios, and [`fmt::Display`] writes
/// it: `D(100,50)`, `N(480,240)/(300,150)` and `U(50,150)/(20,80)`, where `U(150,80)` is short for
/// `U(1,150)/(1,80)`. `L(480,240)/(300,150)` is an addition of ours. Input and output are drawn
/// independently.
///
/// ```
/// use workload::LengthScenario;
/// let scenario: LengthScenario = "N(480,240)/(300,150)".parse()?;
/// let first = scenario.lengths(42).next().unwrap();
/// assert!(first.input_tokens >= 1 && first.output_tokens >= 1);
/// # Ok::<(), workload::WorkloadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthScenario {
    /// Every request alike.
    Deterministic {
        /// Of every request.
        lengths: Lengths,
    },
    /// Normally distributed, rounded to whole tokens.
    Normal {
        /// Of the prompt.
        input: Spread,
        /// Of the answer.
        output: Spread,
    },
    /// Every length of a range is as likely.
    Uniform {
        /// Of the prompt.
        input: Bounds,
        /// Of the answer.
        output: Bounds,
    },
    /// Log-normally distributed, rounded to whole tokens: many short and a few very long, as the
    /// lengths of chats are.
    LogNormal {
        /// Of the prompt.
        input: Spread,
        /// Of the answer.
        output: Spread,
    },
}

/// A mean and a standard deviation, in tokens.
///
/// Both are those of the lengths themselves, also of a log-normal distribution. They are those
/// before rounding and before lengths below 1 become 1: where the deviation is not small beside the
/// mean, the lengths of a normal distribution are longer on average than its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// From 1 to [`TOKENS_MAX`].
    pub mean: u32,
    /// From 0 to [`TOKENS_MAX`].
    pub std: u32,
}

/// A range of tokens, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least 1.
    pub min: u32,
    /// From `min` to [`TOKENS_MAX`].
    pub max: u32,
}

/// The lengths of one request, in tokens; from 1 to [`TOKENS_MAX`] where a scenario drew them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lengths {
    /// Of the prompt.
    pub input_tokens: u32,
    /// Of the answer.
    pub output_tokens: u32,
}

impl LengthScenario {
    /// The lengths of one request, each from 1 to [`TOKENS_MAX`].
    pub fn draw(&self, rng: &mut impl Rng) -> Lengths {
        let (input_tokens, output_tokens) = match *self {
            Self::Deterministic { lengths } => (lengths.input_tokens, lengths.output_tokens),
            Self::Normal { input, output } => (input.normal(rng), output.normal(rng)),
            Self::Uniform { input, output } => (input.uniform(rng), output.uniform(rng)),
            Self::LogNormal { input, output } => (input.log_normal(rng), output.log_normal(rng)),
        };
        Lengths {
            input_tokens: input_tokens.clamp(1, TOKENS_MAX),
            output_tokens: output_tokens.clamp(1, TOKENS_MAX),
        }
    }

    /// The endless series of lengths of a seed, by position. It shares no randomness with prompts or
    /// arrivals of the same seed, so that one can change and leave the others as they are.
    pub fn lengths(self, seed: u64) -> impl Iterator<Item = Lengths> {
        let seed = purpose_seed(seed, "lengths");
        (0..).map(move |position| self.draw(&mut stream(seed, position)))
    }
}

impl Spread {
    fn normal(self, rng: &mut impl Rng) -> u32 {
        let (mean, std) = (f64::from(self.mean), f64::from(self.std));
        // Of finite parameters only a negative deviation is refused.
        Normal::new(mean, std).map_or(self.mean, |normal| whole(normal.sample(rng)))
    }

    fn log_normal(self, rng: &mut impl Rng) -> u32 {
        let (mean, std) = (f64::from(self.mean), f64::from(self.std));
        // The mean and variance of a log-normal distribution, solved for those of its logarithm.
        let variance = (std / mean).powi(2).ln_1p();
        LogNormal::new(mean.ln() - variance / 2.0, variance.sqrt())
            .map_or(self.mean, |log_normal| whole(log_normal.sample(rng)))
    }
}

impl Bounds {
    fn uniform(self, rng: &mut impl Rng) -> u32 {
        rng.random_range(self.min..=self.max.max(self.min))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and lengths are clamped"
)]
fn whole(tokens: f64) -> u32 {
    tokens.round() as u32
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({},{})", self.mean, self.std)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({},{})", self.min, self.max)
    }
}

impl fmt::Display for LengthScenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deterministic {
                lengths:
                    Lengths {
                        input_tokens,
                        output_tokens,
                    },
            } => write!(formatter, "D({input_tokens},{output_tokens})"),
            Self::Normal { input, output } => write!(formatter, "N{input}/{output}"),
            Self::Uniform {
                input: Bounds { min: 1, max: input },
                output:
                    Bounds {
                        min: 1,
                        max: output,
                    },
            } => write!(formatter, "U({input},{output})"),
            Self::Uniform { input, output } => write!(formatter, "U{input}/{output}"),
            Self::LogNormal { input, output } => write!(formatter, "L{input}/{output}"),
        }
    }
}
