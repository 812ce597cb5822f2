//! Samples whose truth is known.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use stats::Series;

/// The probabilities of the percentiles that are shown.
pub(crate) const LEVELS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Of the standard normal, at [`LEVELS`].
const NORMAL: [f64; 4] = [
    0.0,
    1.281_551_565_544_6,
    1.644_853_626_951_5,
    2.326_347_874_040_8,
];

/// Where values come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// Independent, exp of a normal with that standard deviation.
    LogNormal { spread: f64 },
    /// Independent, from 1 on, with P(X > x) = x to the power of −tail.
    Pareto { tail: f64 },
    /// Lognormal, each like the one before: an autoregressive Gaussian series, exponentiated.
    Autocorrelated { correlation: f64, spread: f64 },
    /// Time in a queue with exponential arrivals and services (M/M/1, first come first served), of
    /// mean service 1, in its stationary state: exponential with mean 1 / (1 − load).
    Queue { load: f64 },
    /// Lognormal gaps in requests: of their variance (0.25), a share is that of the request, and
    /// requests follow each other with a correlation of 0.5.
    Streams { shared: f64, gaps: usize },
    /// Lognormal latencies in independent batches, which share a part of the variance (0.25).
    Batches { shared: f64, size: usize },
}

const STREAM_SPREAD: f64 = 0.5;
const STREAM_CORRELATION: f64 = 0.5;

impl Source {
    /// `n` values; of streams and batches, `n` of those.
    pub(crate) fn sample(self, n: usize, rng: &mut ChaCha8Rng) -> Series {
        match self {
            Self::LogNormal { spread } => {
                Series::in_order((0..n).map(|_| (spread * normal(rng)).exp()).collect())
            }
            Self::Pareto { tail } => {
                Series::in_order((0..n).map(|_| uniform(rng).powf(-1.0 / tail)).collect())
            }
            Self::Autocorrelated {
                correlation,
                spread,
            } => {
                let state = autoregressive(n, correlation, rng);
                Series::in_order(state.map(|state| (spread * state).exp()).collect())
            }
            Self::Queue { load } => Series::in_order(queue(n, load, rng)),
            Self::Streams { shared, gaps } => {
                let states: Vec<f64> = autoregressive(n, STREAM_CORRELATION, rng).collect();
                clusters(Series::default(), &states, shared, gaps, rng)
            }
            Self::Batches { shared, size } => {
                let states: Vec<f64> = (0..n).map(|_| normal(rng)).collect();
                clusters(Series::of_batches(), &states, shared, size, rng)
            }
        }
    }

    pub(crate) fn mean(self) -> f64 {
        match self {
            Self::LogNormal { spread } | Self::Autocorrelated { spread, .. } => {
                (spread * spread / 2.0).exp()
            }
            Self::Pareto { tail } => tail / (tail - 1.0),
            Self::Queue { load } => 1.0 / (1.0 - load),
            Self::Streams { .. } | Self::Batches { .. } => {
                (STREAM_SPREAD * STREAM_SPREAD / 2.0).exp()
            }
        }
    }

    /// At one of [`LEVELS`].
    pub(crate) fn quantile(self, level: f64) -> f64 {
        let at = LEVELS.iter().position(|&known| known >= level);
        let normal = NORMAL[at.expect("a known level")];
        match self {
            Self::LogNormal { spread } | Self::Autocorrelated { spread, .. } => {
                (spread * normal).exp()
            }
            Self::Pareto { tail } => (1.0 - level).powf(-1.0 / tail),
            Self::Queue { load } => -(1.0 - level).ln() / (1.0 - load),
            Self::Streams { .. } | Self::Batches { .. } => (STREAM_SPREAD * normal).exp(),
        }
    }
}

/// A standard normal series in which neighbours correlate.
pub(crate) fn autoregressive(
    n: usize,
    correlation: f64,
    rng: &mut ChaCha8Rng,
) -> impl Iterator<Item = f64> {
    let mut state = normal(rng);
    (0..n).map(move |_| {
        state = correlation * state + (1.0 - correlation * correlation).sqrt() * normal(rng);
        state
    })
}

/// Lindley's recursion, from the stationary distribution on; from an empty queue where the load is
/// so high that there is none.
pub(crate) fn queue(n: usize, load: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut time = exponential(rng) / if load < 1.0 { 1.0 - load } else { 1.0 };
    let mut next = || {
        time = (time - exponential(rng) / load).max(0.0) + exponential(rng);
        time
    };
    (0..n).map(|_| next()).collect()
}

/// A cluster of `size` values around each of `states`.
fn clusters(
    mut series: Series,
    states: &[f64],
    shared: f64,
    size: usize,
    rng: &mut ChaCha8Rng,
) -> Series {
    for state in states {
        for _ in 0..size {
            let value = shared.sqrt() * state + (1.0 - shared).sqrt() * normal(rng);
            series.push((STREAM_SPREAD * value).exp());
        }
        series.close();
    }
    series
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    1.0 - rng.random::<f64>()
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -uniform(rng).ln()
}

pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (-2.0 * uniform(rng).ln()).sqrt() * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Whether tests that take minutes shall run. Says so where not.
#[allow(
    clippy::disallowed_macros,
    reason = "what a test leaves out is for whoever runs it"
)]
pub(crate) fn asked_for_slow_tests() -> bool {
    let asked = std::env::var_os("RUN_SLOW_TESTS").is_some_and(|value| value == "1");
    if !asked {
        eprintln!("not run: set RUN_SLOW_TESTS=1 for it");
    }
    asked
}
