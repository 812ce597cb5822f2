//! Values with intervals: over starts, or by drawing parts of the measurement again and again.

use crate::Interval;
use crate::quantile::{quantile, sort};
use crate::special::student_t_95;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough for the ends of a 95 % interval to be steady in the second digit.
const RESAMPLES: usize = 1_000;

/// Fewer blocks have too little to choose from.
const BLOCKS_MIN: usize = 10;

/// A value and its 95 % interval, where there is enough for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// In milliseconds.
    pub value: f64,
    /// Over starts, where there are several; over the blocks of the only one otherwise.
    pub interval: Option<Interval>,
}

/// What is drawn again and again, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drawn {
    /// Neighbours in time.
    Blocks,
    /// Everything of a start.
    Starts,
}

/// Values, each with the number of what it is drawn with.
pub(super) type Sample = Vec<(f64, usize)>;

/// The mean of one value for each start and Student's t of it; `None` without any, and without an interval for one.
pub(super) fn over_starts(values: impl Iterator<Item = f64>) -> Option<Estimate> {
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let interval = (values.len() > 1).then(|| {
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        around(
            mean,
            student_t_95(n - 1.0) * (squares / (n - 1.0) / n).sqrt(),
        )
    });
    Some(Estimate {
        value: mean,
        interval,
    })
}

fn around(value: f64, reach: f64) -> Interval {
    Interval {
        low: value - reach,
        high: value + reach,
    }
}

/// Statistics of sorted samples, each with the interval that drawing its parts again and again gives it.
///
/// The samples are sorted once: a draw takes each value as often as its part was drawn, in the order that there is.
pub(super) fn estimate<const K: usize, const N: usize>(
    mut samples: [Sample; K],
    groups: usize,
    drawn: Drawn,
    seed: u64,
    statistics: impl Fn(&[Vec<f64>; K]) -> Option<[f64; N]>,
) -> Option<[Estimate; N]> {
    for sample in &mut samples {
        sample.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    }
    let mut taken: [Vec<f64>; K] = std::array::from_fn(|_| Vec::new());
    let mut times = vec![1_usize; groups];
    let mut draw = |times: &[usize]| {
        for (taken, sample) in taken.iter_mut().zip(&samples) {
            taken.clear();
            for (value, group) in sample {
                taken.extend(std::iter::repeat_n(*value, times[*group]));
            }
        }
        statistics(&taken)
    };
    let values = draw(&times)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut resampled: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    let least = match drawn {
        Drawn::Blocks => BLOCKS_MIN,
        Drawn::Starts => 2,
    };
    for _ in 0..if groups < least { 0 } else { RESAMPLES } {
        times.fill(0);
        for _ in 0..groups {
            times[rng.random_range(0..groups)] += 1;
        }
        // A draw that is empty on one side says nothing.
        for (all, value) in resampled.iter_mut().zip(draw(&times).into_iter().flatten()) {
            all.push(value);
        }
    }
    let at: [usize; N] = std::array::from_fn(|at| at);
    Some(at.map(|at| Estimate {
        value: values[at],
        interval: match drawn {
            Drawn::Blocks => percentiles(&mut resampled[at]),
            Drawn::Starts => spread(values[at], &resampled[at], groups),
        },
    }))
}

/// Many parts: the middle 95 % of what was drawn.
fn percentiles(resampled: &mut [f64]) -> Option<Interval> {
    sort(resampled);
    let ends = quantile(resampled, 0.025).zip(quantile(resampled, 0.975));
    ends.map(|(low, high)| Interval { low, high })
}

/// Few parts: their middle 95 % would be too narrow, so only the spread is taken from what was drawn. Drawing `groups`
/// of as many leaves the spread too small by √((groups − 1) / groups) (Efron and Tibshirani, *An Introduction to the
/// Bootstrap*, chapter 5), and with so few Student's t takes the place of the normal distribution.
fn spread(value: f64, resampled: &[f64], groups: usize) -> Option<Interval> {
    let n = resampled.len() as f64;
    if groups < 2 || resampled.is_empty() {
        return None;
    }
    let mean = resampled.iter().sum::<f64>() / n;
    let variance = resampled.iter().map(|of| (of - mean).powi(2)).sum::<f64>() / n;
    let groups = groups as f64;
    let reach = student_t_95(groups - 1.0) * (variance * groups / (groups - 1.0)).sqrt();
    Some(around(value, reach))
}
