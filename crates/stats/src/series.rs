//! A sample that remembers in which order, and with which others, its values came.

mod batches;
mod by_level;
mod mean;
mod within;

use crate::dependence::{Dependence, in_batches, in_order};
use crate::quantile::{quantile, quantile_interval, quantile_interval_of, sort};
use crate::traffic::Traffic;
use crate::{Distribution, Interval, Quantile};
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

/// Values in the order of issue, in clusters: the gaps of one request, or the requests of one
/// batch, belong together.
#[derive(Clone, Debug, Default)]
pub struct Series {
    values: Vec<f64>,
    /// Where each cluster ends.
    ends: Vec<usize>,
    /// How many requests each cluster found in flight; empty where nobody said.
    found: Vec<u32>,
    /// The same of the cluster that is open.
    finds: Option<u32>,
    kind: Kind,
    grows: Grows,
}

/// What a value does with more in flight than were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Grows {
    /// Each request in front makes it longer by the time that the server takes for one: what includes waiting.
    #[default]
    ByWaiting,
    /// As it grew up to there.
    AsSeen,
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
            ..Self::default()
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

    /// The same of values that grow otherwise.
    pub(crate) fn growing(self, grows: Grows) -> Self {
        Self { grows, ..self }
    }

    /// Ends the cluster that is open, and begins one that found so many in flight.
    pub(crate) fn begin(&mut self, found: u32) {
        self.close();
        self.finds = Some(found);
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
            self.found.extend(self.finds);
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
        self.describe_sorted(&self.sorted(), None)
    }

    /// The same of a point's requests, where the number in flight tells how much other runs may differ.
    pub(crate) fn describe_in(mut self, traffic: &Traffic) -> Option<Distribution> {
        self.close();
        self.describe_sorted(&self.sorted(), Some(traffic))
    }

    /// The values in ascending order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sort(&mut sorted);
        sorted
    }

    /// As [`describe_in`](Self::describe_in), of a series whose clusters are closed, with its own values
    /// in ascending order.
    pub(crate) fn describe_sorted(
        &self,
        sorted: &[f64],
        traffic: Option<&Traffic>,
    ) -> Option<Distribution> {
        let mut described = Distribution::of_sorted(sorted)?;
        if self.kind == Kind::InOrder && self.values.len() < ORDERED_MIN {
            return Some(described);
        }
        if let Some(traffic) = traffic.filter(|_| self.kind == Kind::InOrder) {
            // The gaps of a few requests are many values, and tell as little as these are few.
            if self.ends.len() < ORDERED_MIN {
                return Some(described.without_intervals());
            }
            self.within(sorted, traffic.queue()).tell(&mut described);
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
        if !self.is_serial()
            && let Some(interval) = self.sectioned_interval(sorted, probability)
        {
            return Some(interval);
        }
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
}

#[cfg(test)]
mod tests;
