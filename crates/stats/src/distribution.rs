//! A sample, described.

use crate::quantile::{quantile, quantile_interval, sort};
use crate::{Distribution, MeanStd, Quantile};

impl MeanStd {
    /// Describes `values`; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            n: values.len() as u64,
            mean,
            std: if values.len() > 1 {
                (squares / (n - 1.0)).sqrt()
            } else {
                0.0
            },
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

impl Quantile {
    /// The quantile of `sorted` at `probability` with its interval; `None` of an empty sample.
    pub fn of_sorted(sorted: &[f64], probability: f64) -> Option<Self> {
        Some(Self {
            value: quantile(sorted, probability)?,
            interval: quantile_interval(sorted, probability),
        })
    }
}

impl Distribution {
    /// Describes `values`, in any order; `None` where there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        sort(&mut values);
        Self::of_sorted(&values)
    }

    /// Describes a sample in ascending order; `None` of an empty one.
    pub fn of_sorted(sorted: &[f64]) -> Option<Self> {
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let MeanStd { n, mean, std, .. } = MeanStd::of(sorted)?;
        Some(Self {
            n,
            // A sum of doubles may round past the ends of a sample of equal values.
            mean: mean.clamp(min, max),
            std,
            min,
            max,
            n_effective: None,
            mean_interval: None,
            p50: Quantile::of_sorted(sorted, 0.5)?,
            p90: Quantile::of_sorted(sorted, 0.9)?,
            p95: Quantile::of_sorted(sorted, 0.95)?,
            p99: Quantile::of_sorted(sorted, 0.99)?,
        })
    }

    /// The same, of values that depend on each other in a way that they are too few to tell.
    pub(crate) fn without_intervals(mut self) -> Self {
        for level in [&mut self.p50, &mut self.p90, &mut self.p95, &mut self.p99] {
            level.interval = None;
        }
        self.mean_interval = None;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Distribution, MeanStd};
    use proptest::prelude::*;

    #[test]
    fn deviation_is_the_samples_with_n_minus_1() {
        // Squares about the mean 5 sum to 32; 32 / 7.
        let described = MeanStd::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("values");
        assert_eq!((described.n, described.mean), (8, 5.0));
        assert!((described.std - (32.0f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_single_value_deviates_by_0_and_no_value_describes_nothing() {
        assert_eq!(MeanStd::of(&[3.5]).map(|one| one.std), Some(0.0));
        assert_eq!(MeanStd::of(&[]), None);
        assert_eq!(Distribution::of(Vec::new()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn percentiles_rise_and_everything_lies_within_the_sample(
            values in prop::collection::vec(0.0f64..1e9, 1..300),
        ) {
            let d = Distribution::of(values).expect("values");
            let steps = [d.min, d.p50.value, d.p90.value, d.p95.value, d.p99.value, d.max];
            prop_assert!(steps.is_sorted());
            prop_assert!(d.min <= d.mean && d.mean <= d.max);
            prop_assert!(d.std.is_finite());
        }
    }
}
