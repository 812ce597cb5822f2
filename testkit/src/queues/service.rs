//! How long the service of one request takes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

/// The part of requests that are slow, of [`Service::Bimodal`].
const SLOW_SHARE: f64 = 0.1;
/// How long those take, in means; the others take what makes the mean 1.
const SLOW: f64 = 5.5;
/// The deviation of both about their own means: two exact values would be percentiles of everything.
const BIMODAL_SPREAD: f64 = 0.1;

/// The shape of the times of service, of mean 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Service {
    /// Every request takes equally long.
    Constant,
    /// Without memory.
    Exponential,
    /// exp of a normal with that standard deviation.
    LogNormal {
        /// Of the logarithm.
        sigma: f64,
    },
    /// Nine of ten requests take half a mean, one takes five and a half.
    Bimodal,
    /// P(X > x) falls with x to the power of −tail.
    Pareto {
        /// Above 2 for a variance that is finite.
        tail: f64,
    },
}

impl Service {
    /// One of them.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> f64 {
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        match self {
            Self::Constant => 1.0,
            Self::Exponential => Exp1.sample(rng),
            Self::LogNormal { sigma } => (sigma * normal(rng) - sigma * sigma / 2.0).exp(),
            Self::Bimodal => {
                let fast = (1.0 - SLOW_SHARE * SLOW) / (1.0 - SLOW_SHARE);
                let slow = rng.random_bool(SLOW_SHARE);
                let about = (1.0 + BIMODAL_SPREAD * normal(rng)).max(0.0);
                about * if slow { SLOW } else { fast }
            }
            Self::Pareto { tail } => {
                let uniform = 1.0 - rng.random::<f64>();
                (tail - 1.0) / tail * uniform.powf(-1.0 / tail)
            }
        }
    }

    /// The second moment: 1 and the square of the deviation.
    pub fn second_moment(self) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Exponential => 2.0,
            Self::LogNormal { sigma } => (sigma * sigma).exp(),
            Self::Bimodal => {
                let fast = (1.0 - SLOW_SHARE * SLOW) / (1.0 - SLOW_SHARE);
                let squares = SLOW_SHARE * SLOW * SLOW + (1.0 - SLOW_SHARE) * fast * fast;
                squares * (1.0 + BIMODAL_SPREAD * BIMODAL_SPREAD)
            }
            Self::Pareto { tail } if tail > 2.0 => {
                let least = (tail - 1.0) / tail;
                tail * least * least / (tail - 2.0)
            }
            Self::Pareto { .. } => f64::INFINITY,
        }
    }
}
