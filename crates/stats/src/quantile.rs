//! The one percentile of the product, and its interval.

use crate::Interval;
use crate::special::{regularized_beta, root};

/// Probability left out at each end of an interval: 95 % intervals, equal tails.
const TAIL: f64 = 0.025;

/// Puts a sample into the order that every function here expects.
pub fn sort(values: &mut [f64]) {
    values.sort_unstable_by(f64::total_cmp);
}

/// The quantile of `sorted` at `probability` (0 to 1); `None` where the sample is empty.
///
/// Linear interpolation between order statistics: type 7 of Hyndman and Fan, "Sample quantiles in
/// statistical packages" (1996), which is numpy's default. As in numpy, the interpolation starts
/// from the nearer neighbour, so that it never leaves the interval between the two.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the position lies between 0 and the sample's length"
)]
pub fn quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    debug_assert!((0.0..=1.0).contains(&probability));
    debug_assert!(sorted.is_sorted());
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * probability;
    let below = (position.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let (low, high) = (sorted[below], sorted[above]);
    let fraction = position - below as f64;
    Some(if fraction < 0.5 {
        low + (high - low) * fraction
    } else {
        high - (high - low) * (1.0 - fraction)
    })
}

/// The distribution-free 95 % interval of the quantile at `probability` of independent values.
///
/// `None` where the sample is too small for one to exist: below 6 values for the median, 36 for
/// p90, 72 for p95, 368 for p99.
pub fn quantile_interval(sorted: &[f64], probability: f64) -> Option<Interval> {
    quantile_interval_of(sorted, probability, sorted.len() as f64)
}

/// The same of values that know as much as `effective` independent ones.
///
/// The ranks are those of a sample of that size, at the same shares of this one.
pub(crate) fn quantile_interval_of(
    sorted: &[f64],
    probability: f64,
    effective: f64,
) -> Option<Interval> {
    let (low, high) = interval_ranks(effective, probability)?;
    let value = quantile(sorted, probability)?;
    let scale = (sorted.len() as f64 + 1.0) / (effective + 1.0);
    // A quantile of type 7 may lie a little outside of what ranks say of a small sample.
    Some(Interval {
        low: at_rank(sorted, low * scale).min(value),
        high: at_rank(sorted, high * scale).max(value),
    })
}

/// The value at a rank from 1 on, between order statistics where it is no whole number.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rank lies between 1 and the sample's length"
)]
fn at_rank(sorted: &[f64], rank: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = (rank - 1.0).clamp(0.0, last as f64);
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// Ranks `(low, high)`, from 1, between which the true quantile lies with 95 %, of `n` values.
///
/// The number of values below the true quantile is binomial(n, p), whatever the distribution: the
/// order statistic k lies below it with probability Iₚ(k, n − k + 1) (David and Nagaraja, *Order
/// Statistics*, 3rd ed., section 7.1). Whole ranks would cover up to 98 %, because a count jumps;
/// the same function gives fractional ranks that do not (Hutson, "Calculating nonparametric
/// confidence intervals for quantiles using fractional order statistics", 1999).
fn interval_ranks(n: f64, probability: f64) -> Option<(f64, f64)> {
    if n < 1.0 || probability <= 0.0 || probability >= 1.0 {
        return None;
    }
    let below = |rank: f64| regularized_beta(probability, rank, n - rank + 1.0);
    if below(1.0) < 1.0 - TAIL || below(n) > TAIL {
        return None;
    }
    // The ranks lie within some standard deviations of the quantile's own.
    let (middle, spread) = (
        n * probability,
        (n * probability * (1.0 - probability)).sqrt(),
    );
    let from = (middle - 4.0 * spread - 4.0).max(1.0);
    let to = (middle + 4.0 * spread + 4.0).min(n);
    let low = root(from, to, |rank| below(rank) - (1.0 - TAIL));
    let high = root(from, to, |rank| below(rank) - TAIL);
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::{interval_ranks, quantile, quantile_interval, sort};
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn close(actual: Option<f64>, expected: f64) {
        let actual = actual.expect("a value");
        assert!((actual - expected).abs() < 1e-12, "{actual} for {expected}");
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy.percentile([1, 2, 3, 4], [0, 25, 50, 90, 100]) = 1, 1.75, 2.5, 3.7, 4
        let four = [1.0, 2.0, 3.0, 4.0];
        for (p, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
            close(quantile(&four, p), expected);
        }
        // numpy.percentile([15, 20, 35, 40, 50], [40, 95, 99]) = 29, 48, 49.6
        let five = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (p, expected) in [(0.4, 29.0), (0.95, 48.0), (0.99, 49.6)] {
            close(quantile(&five, p), expected);
        }
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        close(quantile(&hundred, 0.99), 99.0);
        close(quantile(&[7.5], 0.99), 7.5);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn interval_ranks_lie_within_those_of_the_tables_and_less_than_one_apart_from_them() {
        // 95 % for the median, ranks from 1: n = 6: 1 and 6; n = 10: 2 and 9; n = 20: 6 and 15;
        // n = 100: 40 and 61. Those cover more than they say.
        for (n, low, high) in [
            (6.0, 1.0, 6.0),
            (10.0, 2.0, 9.0),
            (20.0, 6.0, 15.0),
            (100.0, 40.0, 61.0),
        ] {
            let (from, to) = interval_ranks(n, 0.5).expect("an interval");
            assert!(low <= from && from < low + 1.0, "{from} of {n}");
            assert!(high - 1.0 < to && to <= high, "{to} of {n}");
        }
    }

    #[test]
    fn an_interval_exists_from_the_documented_sample_size_on() {
        for (p, smallest) in [(0.5, 6.0), (0.9, 36.0), (0.95, 72.0), (0.99, 368.0)] {
            assert_eq!(interval_ranks(smallest - 1.0, p), None);
            assert!(interval_ranks(smallest, p).is_some());
        }
        assert_eq!(interval_ranks(0.0, 0.5), None);
    }

    #[test]
    fn a_million_values_have_the_interval_of_the_normal_approximation() {
        let (low, high) = interval_ranks(1e6, 0.9).expect("an interval");
        // np ± 1.96 √(npq) = 900,000 ± 588
        assert!((low - 899_412.0).abs() <= 2.0, "{low}");
        assert!((high - 900_588.0).abs() <= 2.0, "{high}");
    }

    #[test]
    fn intervals_cover_the_true_quantile_as_often_as_they_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(20);
        let mut normal = || {
            let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        // Quantiles of the standard normal, so of the lognormal after exp.
        let truths = [(0.5, 0.0f64), (0.9, 1.281_551_565_544_6)];
        let mut covered = [0u32; 2];
        for _ in 0..4_000 {
            let mut sample: Vec<f64> = (0..200).map(|_| normal().exp()).collect();
            sort(&mut sample);
            for (count, (p, truth)) in covered.iter_mut().zip(truths) {
                let interval = quantile_interval(&sample, p).expect("200 values are enough");
                *count += u32::from((interval.low..=interval.high).contains(&truth.exp()));
            }
        }
        for count in covered {
            assert!((3_740..=3_860).contains(&count), "{count} of 4,000");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn quantiles_are_monotone_and_within_the_sample(
            mut values in prop::collection::vec(-1e6f64..1e6, 1..400),
            mut p in prop::collection::vec(0.0f64..=1.0, 2),
        ) {
            sort(&mut values);
            sort(&mut p);
            let low = quantile(&values, p[0]).expect("a value");
            let high = quantile(&values, p[1]).expect("a value");
            prop_assert!(values[0] <= low && low <= high && high <= values[values.len() - 1]);
        }

        #[test]
        fn an_interval_encloses_its_quantile(
            mut values in prop::collection::vec(0.0f64..1e3, 6..600),
            p in prop::sample::select(vec![0.5, 0.9, 0.95, 0.99]),
        ) {
            sort(&mut values);
            if let Some(interval) = quantile_interval(&values, p) {
                let value = quantile(&values, p).expect("a value");
                prop_assert!(interval.low <= value && value <= interval.high);
            }
        }
    }
}
