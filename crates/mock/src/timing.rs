//! Spans that are drawn anew for each request, or each token.

use crate::MockError;
use crate::config::nanos;
use rand::{Rng, RngExt as _};
use rand_distr::{Distribution, Gamma, LogNormal, Normal};
use std::str::FromStr;
use std::time::Duration;

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timing {
    /// Always the same.
    Constant(Duration),
    /// Normal, cut off at 0; in milliseconds.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
    },
    /// Lognormal: its median in milliseconds, and the standard deviation of its logarithm.
    Lognormal {
        /// Median.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Gamma: its mean in milliseconds, and its shape. 1 is exponential, more is more even.
    Gamma {
        /// Mean.
        mean: f64,
        /// Shape.
        shape: f64,
    },
    /// Straight lines through three quantiles, in milliseconds, and as far below and above as these are apart.
    Quantiles {
        /// Half are shorter.
        p50: f64,
        /// Nine in ten are shorter.
        p90: f64,
        /// Ninety-nine in a hundred are shorter.
        p99: f64,
    },
}

impl From<Duration> for Timing {
    fn from(span: Duration) -> Self {
        Timing::Constant(span)
    }
}

/// An hour, in milliseconds.
const MS_MAX: f64 = 3_600_000.0;

impl FromStr for Timing {
    type Err = MockError;

    /// `50`, `normal:50:5`, `lognormal:50:0.5`, `gamma:50:2` or `50:80:120`, in milliseconds.
    fn from_str(text: &str) -> Result<Self, MockError> {
        let wrong = || MockError::Timing {
            text: text.to_owned(),
        };
        let mut parts = text.split(':');
        let name = parts.next().filter(|part| part.parse::<f64>().is_err());
        let numbers = if name.is_some() {
            parts
        } else {
            text.split(':')
        };
        let numbers: Vec<f64> = numbers
            .map(|part| part.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        let in_range = |value: &f64| (0.0..=MS_MAX).contains(value);
        if !numbers.iter().all(in_range) {
            return Err(wrong());
        }
        match (name, numbers.as_slice()) {
            (None, &[ms]) => Ok(Timing::Constant(Duration::from_secs_f64(ms / 1e3))),
            (None, &[p50, p90, p99]) if p50 <= p90 && p90 <= p99 => {
                Ok(Timing::Quantiles { p50, p90, p99 })
            }
            (Some("normal"), &[mean, deviation]) => Ok(Timing::Normal { mean, deviation }),
            (Some("lognormal"), &[median, sigma]) if median > 0.0 && sigma <= 10.0 => {
                Ok(Timing::Lognormal { median, sigma })
            }
            (Some("gamma"), &[mean, shape]) if mean > 0.0 && shape > 0.0 => {
                Ok(Timing::Gamma { mean, shape })
            }
            _ => Err(wrong()),
        }
    }
}

impl Timing {
    /// The span, where it is always the same; in nanoseconds.
    pub(crate) fn constant(self) -> Option<u64> {
        match self {
            Timing::Constant(span) => Some(nanos(span)),
            _ => None,
        }
    }

    /// Draws one, in nanoseconds; at most an hour.
    pub(crate) fn draw(self, random: &mut impl Rng) -> u64 {
        let ms = match self {
            Timing::Constant(span) => return nanos(span),
            Timing::Normal { mean, deviation } => {
                Normal::new(mean, deviation).map_or(mean, |normal| normal.sample(random))
            }
            Timing::Lognormal { median, sigma } => LogNormal::new(median.ln(), sigma)
                .map_or(median, |lognormal| lognormal.sample(random)),
            Timing::Gamma { mean, shape } => {
                Gamma::new(shape, mean / shape).map_or(mean, |gamma| gamma.sample(random))
            }
            Timing::Quantiles { p50, p90, p99 } => through([p50, p90, p99], random.random()),
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and an hour"
        )]
        {
            (ms.clamp(0.0, MS_MAX) * 1e6) as u64
        }
    }
}

/// The quantile at `probability` of straight lines through p50, p90 and p99.
fn through([p50, p90, p99]: [f64; 3], probability: f64) -> f64 {
    let points = [
        (0.0, (2.0 * p50 - p90).max(0.0)),
        (0.5, p50),
        (0.9, p90),
        (0.99, p99),
        (1.0, 2.0 * p99 - p90),
    ];
    let place = points.windows(2).find(|pair| probability <= pair[1].0);
    let [(low, from), (high, to)] = place.map_or([points[3], points[4]], |pair| [pair[0], pair[1]]);
    from + (to - from) * (probability - low) / (high - low)
}

#[cfg(test)]
mod tests {
    use super::Timing;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Sorted draws, in milliseconds.
    fn drawn(text: &str) -> Vec<f64> {
        let timing: Timing = text.parse().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut all: Vec<u64> = (0..20_000).map(|_| timing.draw(&mut random)).collect();
        all.sort_unstable();
        all.into_iter().map(|nanos| nanos as f64 / 1e6).collect()
    }

    #[test]
    fn each_distribution_has_the_middle_and_the_tails_that_it_was_given() {
        for (text, p50, p99) in [
            ("50", 50.0, 50.0),
            ("normal:50:5", 50.0, 50.0 + 2.326 * 5.0),
            ("lognormal:50:0.5", 50.0, 50.0 * (2.326_f64 * 0.5).exp()),
            ("gamma:50:1", 50.0 * 2f64.ln(), 50.0 * 100f64.ln()),
            ("50:80:120", 50.0, 120.0),
        ] {
            let all = drawn(text);
            for (at, expected) in [(10_000, p50), (19_800, p99)] {
                let error = (all[at] - expected).abs() / expected;
                assert!(error < 0.04, "{text}: {} for {expected}", all[at]);
            }
            assert!(all[0] >= 0.0);
        }
    }

    #[test]
    fn what_is_no_timing_is_refused() {
        for text in [
            "",
            "fast",
            "-1",
            "nan",
            "1:2",
            "3:2:1",
            "normal:5",
            "normal:5:-1",
            "lognormal:0:1",
            "gamma:5:0",
            "inf",
            "4000000",
            "1:2:3:4",
        ] {
            let error = text.parse::<Timing>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
