//! How far the median of a few runs can be trusted.

use crate::Interval;
use crate::quantile::{quantile, sort};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough for the ends of a 95 % interval to be steady in the second digit.
const RESAMPLES: usize = 2_000;

/// With fewer values a resample has hardly anything to choose from.
const VALUES_MIN: usize = 3;

/// Percentile bootstrap 95 % interval of the median (Efron and Tibshirani, *An Introduction to the
/// Bootstrap*, chapter 13); `None` below three values. The same `seed` gives the same interval.
///
/// With three to five values it is hardly narrower than their range.
pub fn bootstrap_median(values: &[f64], seed: u64) -> Option<Interval> {
    if values.len() < VALUES_MIN {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut resample = vec![0.0; values.len()];
    let mut medians = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        for drawn in &mut resample {
            *drawn = values[rng.random_range(0..values.len())];
        }
        sort(&mut resample);
        medians.push(quantile(&resample, 0.5)?);
    }
    sort(&mut medians);
    Some(Interval {
        low: quantile(&medians, 0.025)?,
        high: quantile(&medians, 0.975)?,
    })
}

#[cfg(test)]
mod tests {
    use super::bootstrap_median;

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values = [10.0, 11.5, 9.0, 10.2, 14.0, 10.1, 9.9];
        assert_eq!(bootstrap_median(&values, 1), bootstrap_median(&values, 1));
    }

    #[test]
    fn it_lies_within_the_values_and_holds_their_median() {
        let values = [10.0, 11.5, 9.0, 10.2, 14.0, 10.1, 9.9];
        let interval = bootstrap_median(&values, 1).expect("seven values");
        assert!(9.0 <= interval.low && interval.low < 10.1);
        assert!(10.1 < interval.high && interval.high <= 14.0);
    }

    #[test]
    fn two_values_have_none() {
        assert_eq!(bootstrap_median(&[1.0, 2.0], 1), None);
    }
}
