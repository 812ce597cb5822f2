//! A sample that remembers in which order, and with which others, its values came.

use crate::dependence::{Dependence, in_batches, in_order};
use crate::quantile::{quantile, quantile_interval, quantile_interval_of, sort};
use crate::special::student_t_95;
use crate::{Distribution, Interval, MeanStd, Quantile};
use trace::Pacing;

/// Fewer values show no dependence, whatever there is: they are taken for independent.
const ORDERED_MIN: usize = 20;

/// Dependent values need this effective size before their own estimate of it can be relied on.
/// Below, a run that happens to look calm gives intervals that are far too narrow: simulated
/// queues at 80 % load are missed by more than 7 in 100 intervals with a smaller limit.
const EFFECTIVE_MIN: f64 = 100.0;

/// And so many of the effective values must lie beyond a percentile above the median: of fewer, how
/// they depend on each other is anybody's guess.
const BEYOND_MIN: f64 = 15.0;

/// The median.
const MIDDLE: f64 = 0.5;

/// A block of so many autocorrelation times is about independent of the next.
const BLOCK_TIMES: f64 = 4.0;

/// Values in the order of issue, in clusters: the gaps of one request, or the requests of one
/// batch, belong together.
#[derive(Clone, Debug, Default)]
pub struct Series {
    values: Vec<f64>,
    /// Where each cluster ends.
    ends: Vec<usize>,
    kind: Kind,
}

/// What clusters have to do with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Kind {
    /// Neighbours may be alike: requests that follow each other.
    #[default]
    InOrder,
    /// Nothing: batches, each of which began when the one before was over.
    Batches,
}

impl Series {
    /// Values of which each is a cluster of its own, in the order of time.
    pub fn in_order(values: Vec<f64>) -> Self {
        Self {
            ends: (1..=values.len()).collect(),
            values,
            kind: Kind::InOrder,
        }
    }

    /// An empty one for requests that are released in that way: of bursts, the clusters are batches.
    pub(crate) fn paced(pacing: Pacing) -> Self {
        match pacing {
            Pacing::Burst { .. } => Self::of_batches(),
            Pacing::Closed { .. } | Pacing::Open { .. } => Self::default(),
        }
    }

    /// An empty one whose clusters are independent batches.
    pub fn of_batches() -> Self {
        Self {
            kind: Kind::Batches,
            ..Self::default()
        }
    }

    /// Adds a value to the cluster that is open.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Adds values to the cluster that is open.
    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        self.values.extend(values);
    }

    /// Ends the cluster that is open; one without a value is none.
    pub fn close(&mut self) {
        if self.values.len() > self.ends.last().copied().unwrap_or(0) {
            self.ends.push(self.values.len());
        }
    }

    /// The values as they came.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Describes the values; `None` where there are none. The intervals of the mean and the
    /// percentiles are as wide as the dependence between the values makes them, and absent where
    /// the series is too short to tell.
    pub fn describe(mut self) -> Option<Distribution> {
        self.close();
        self.describe_sorted(&self.sorted())
    }

    /// The values in ascending order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sort(&mut sorted);
        sorted
    }

    /// As [`describe`](Self::describe), of a series whose clusters are closed, with its own values
    /// in ascending order.
    pub(crate) fn describe_sorted(&self, sorted: &[f64]) -> Option<Distribution> {
        let mut described = Distribution::of_sorted(sorted)?;
        if self.kind == Kind::InOrder && self.values.len() < ORDERED_MIN {
            return Some(described);
        }
        let median = self.of_quantile(sorted, MIDDLE);
        let dependent = self.is_dependent(sorted, median);
        described.n_effective = if dependent {
            median.map(|median| median.effective)
        } else {
            Some(self.values.len() as f64)
        };
        described.mean_interval = self.mean_interval();
        let levels: [(&mut Quantile, f64); 4] = [
            (&mut described.p50, 0.5),
            (&mut described.p90, 0.9),
            (&mut described.p95, 0.95),
            (&mut described.p99, 0.99),
        ];
        for (level, probability) in levels {
            level.interval = if dependent {
                self.dependent_interval(sorted, probability, median)
            } else {
                quantile_interval(sorted, probability)
            };
        }
        Some(described)
    }

    /// Whether the values must not be taken for independent.
    fn is_dependent(&self, sorted: &[f64], median: Option<Dependence>) -> bool {
        if self.ends.len() < self.values.len() {
            return true;
        }
        if !self.is_serial() {
            return false;
        }
        let material = |found: Option<Dependence>| found.is_none_or(|found| found.is_material());
        material(median) || material(self.of_quantile(sorted, 0.9))
    }

    /// `None` where too few values are left of the sample to carry one.
    fn dependent_interval(
        &self,
        sorted: &[f64],
        probability: f64,
        median: Option<Dependence>,
    ) -> Option<Interval> {
        let effective = self.of_quantile(sorted, probability)?.cautious();
        let rests_on = effective.min(median?.cautious());
        let too_few = self.is_serial() && rests_on < EFFECTIVE_MIN;
        let beyond = effective * probability.min(1.0 - probability);
        if too_few || (beyond < BEYOND_MIN && probability > MIDDLE) {
            return None;
        }
        quantile_interval_of(sorted, probability, effective)
    }

    /// Several batches are independent of each other; the requests of a single one are a series.
    fn is_serial(&self) -> bool {
        self.kind == Kind::InOrder || self.ends.len() < 2
    }

    /// The dependence that matters to a percentile: among the indicators of the values below it.
    fn of_quantile(&self, sorted: &[f64], probability: f64) -> Option<Dependence> {
        let at = quantile(sorted, probability)?;
        let n = sorted.len();
        let below = sorted.partition_point(|&value| value <= at) as f64 / n as f64;
        let score = |value: f64| if value <= at { 1.0 - below } else { -below };
        self.dependence(score, below * (1.0 - below))
    }

    fn dependence(&self, score: impl Fn(f64) -> f64, variance: f64) -> Option<Dependence> {
        let n = self.values.len();
        if !self.is_serial() {
            return in_batches(&self.totals(score), variance, n);
        }
        if self.kind == Kind::Batches {
            let scores = self.values.iter().map(|&value| score(value));
            return in_order(scores.collect(), variance, n);
        }
        in_order(self.totals(score), variance, n)
    }

    /// Sums of the values' scores over each cluster.
    fn totals(&self, score: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut begin = 0;
        let total = |&end: &usize| {
            let sum = self.values[begin..end]
                .iter()
                .map(|&value| score(value))
                .sum();
            begin = end;
            sum
        };
        self.ends.iter().map(total).collect()
    }

    /// The 95 % interval of the mean; `None` where the series is too short to tell.
    ///
    /// Student's t with the variance that [`dependence`](crate::dependence) gives, bent by Hall's
    /// transformation ("On the removal of skewness by transformation", 1992), because latencies
    /// are skewed and their mean is too for a while. The skewness is that of sums over blocks
    /// that are long against the memory of the series.
    pub(crate) fn mean_interval(&self) -> Option<Interval> {
        let MeanStd { mean, std, .. } = MeanStd::of(&self.values)?;
        let n = self.values.len();
        if n < ORDERED_MIN {
            return None;
        }
        let variance = std * std;
        if variance <= 0.0 {
            return Some(Interval {
                low: mean,
                high: mean,
            });
        }
        let score = |value: f64| value - mean;
        let found = self.dependence(score, variance)?;
        let clustered = self.ends.len() < n;
        if self.is_serial()
            && (clustered || found.is_material())
            && found.cautious() < EFFECTIVE_MIN
        {
            return None;
        }
        let totals = self.totals(score);
        let skewness = skewness_of_sum(&totals, n as f64 / found.effective);
        let error = std / found.effective.sqrt();
        let t = student_t_95(found.degrees);
        Some(Interval {
            low: mean - error * halls_inverse(t, skewness),
            high: mean - error * halls_inverse(-t, skewness),
        })
    }
}

/// The skewness of the sum of `totals`, from blocks of several autocorrelation `times`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time lies between 1 and the number of values"
)]
fn skewness_of_sum(totals: &[f64], times: f64) -> f64 {
    let length = (BLOCK_TIMES * times) as usize;
    let blocks: Vec<f64> = totals
        .chunks_exact(length.clamp(1, (totals.len() / 2).max(1)))
        .map(|block| block.iter().sum())
        .collect();
    let count = blocks.len() as f64;
    let mean = blocks.iter().sum::<f64>() / count;
    let moment = |power| {
        blocks
            .iter()
            .map(|sum| (sum - mean).powi(power))
            .sum::<f64>()
            / count
    };
    let variance = moment(2);
    if variance > 0.0 {
        moment(3) / variance.powf(1.5) / count.sqrt()
    } else {
        0.0
    }
}

/// What becomes of a bound of the symmetric statistic where the sum has that skewness: the inverse
/// of g(t) = t + γt²/3 + γ²t³/27 + γ/6.
fn halls_inverse(bound: f64, skewness: f64) -> f64 {
    if skewness.abs() < 1e-9 {
        return bound;
    }
    3.0 / skewness * ((1.0 + skewness * (bound - skewness / 6.0)).cbrt() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::Series;
    use crate::{Distribution, Interval};
    use proptest::prelude::*;

    /// Numbers without an order that anything could see.
    fn shuffled(n: u64) -> impl Iterator<Item = f64> {
        (0..n).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64)
    }

    #[test]
    fn equal_gaps_of_a_request_count_as_one() {
        let mut series = Series::default();
        for request in shuffled(300) {
            (0..100).for_each(|_| series.push(request));
            series.close();
        }
        let described = series.describe().expect("values");
        let effective = described.n_effective.expect("an effective size");
        assert!((200.0..=400.0).contains(&effective), "{effective}");
        // 30,000 independent values carry a p99, 300 do not.
        assert!(described.p50.interval.is_some() && described.p99.interval.is_none());
    }

    #[test]
    fn values_that_have_nothing_to_do_with_each_other_count_each() {
        let described = Series::in_order(shuffled(2_000).collect())
            .describe()
            .expect("values");
        assert_eq!(described.n_effective, Some(2_000.0));
        let of_no_order = Distribution::of(shuffled(2_000).collect()).expect("values");
        assert_eq!(described.p99, of_no_order.p99);
    }

    #[test]
    fn a_series_that_only_rises_has_no_interval() {
        let described = Series::in_order((0..500).map(f64::from).collect())
            .describe()
            .expect("values");
        assert_eq!(described.n_effective, None);
        assert_eq!(
            (described.p50.interval, described.mean_interval),
            (None, None)
        );
    }

    #[test]
    fn batches_that_differ_count_as_batches() {
        let batches = |shared: f64| {
            let mut series = Series::of_batches();
            let (mut batch, mut each) = (shuffled(40), shuffled(40 * 50));
            for common in batch.by_ref() {
                (0..50).for_each(|_| series.push(shared * common + each.next().expect("one")));
                series.close();
            }
            series.describe().expect("values").n_effective.expect("one")
        };
        assert!(batches(0.0) > 1_000.0 && batches(10.0) < 80.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_the_values_intervals_are_in_order_and_hold_their_percentile(
            values in prop::collection::vec(
                prop_oneof![0.0f64..1e3, Just(0.0), Just(7.0)], 1..400,
            ),
            size in 1usize..20,
            in_batches: bool,
        ) {
            let mut series = if in_batches { Series::of_batches() } else { Series::default() };
            for cluster in values.chunks(size) {
                series.extend(cluster.iter().copied());
                series.close();
            }
            let described = series.describe().expect("values");
            if let Some(Interval { low, high }) = described.mean_interval {
                prop_assert!(low <= high && low.is_finite() && high.is_finite());
            }
            let Distribution { p50, p90, p95, p99, n, .. } = described;
            for level in [p50, p90, p95, p99] {
                if let Some(Interval { low, high }) = level.interval {
                    prop_assert!(low <= level.value && level.value <= high);
                }
            }
            if let Some(effective) = described.n_effective {
                prop_assert!(1.0 <= effective && effective <= n as f64);
            }
        }
    }
}
