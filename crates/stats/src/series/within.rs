//! Intervals that hold whether a run was calm or busy: they cover what other runs of the same plan would have measured.
//!
//! The number in flight that a request finds carries the queue's waves. What is left of the values without it is a sample
//! like any other; what the waves add is told by the replays of [`Traffic`](crate::traffic::Traffic): of all servers that
//! are as near to the one that was seen as its rate is known, those on which a run like this one would be no surprise
//! (a test turned round into an interval: Casella and Berger, *Statistical Inference*, 2nd ed., section 9.2.1). Both are
//! added up, since a calm run errs in both in the same direction.

use super::Series;
use super::by_level::{ByLevel, at};
use super::mean::{halls_inverse, skewness_of_sum};
use crate::dependence::in_order;
use crate::quantile::{quantile, quantile_interval, quantile_interval_of};
use crate::share::share_interval;
use crate::special::{NORMAL_95, student_t_95};
use crate::traffic::Queue;
use crate::{Distribution, Interval, MeanStd};

/// Batches whose sums tell the spread of a series that remembers for long: few, so that each is longer than its memory.
const BATCHES: usize = 8;

/// A sum of so skewed values is not known to be more skewed.
const SKEWNESS_MAX: f64 = 1.0;

/// The percentiles that have intervals, with the fewest independent values that carry one.
const PERCENTILES: [(f64, f64); 4] = [(0.5, 6.0), (0.9, 36.0), (0.95, 72.0), (0.99, 368.0)];

/// With so many times the least that carries an interval, its ends no longer lie among the few largest values.
const ENOUGH: f64 = 3.0;

/// Percentiles up to this one are of what most requests find.
const BULK: f64 = 0.9;

/// Values, and what their requests found in flight.
pub(super) struct Within<'a> {
    series: &'a Series,
    sorted: &'a [f64],
    /// With how many values each bin of levels was found; absent where there is no queue to be seen.
    levels: Option<ByLevel<'a>>,
}

/// How far something reaches below and above a value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reach {
    below: f64,
    above: f64,
}

impl Series {
    /// What is known of it within the waves of that queue.
    pub(super) fn within<'a>(&'a self, sorted: &'a [f64], queue: Option<&'a Queue>) -> Within<'a> {
        let queue = queue.filter(|_| self.found.len() == self.ends.len());
        Within {
            series: self,
            sorted,
            levels: queue.map(|queue| ByLevel::new(self, queue)),
        }
    }
}

impl Within<'_> {
    /// Fills in the intervals.
    pub(super) fn tell(&self, described: &mut Distribution) {
        described.mean_interval = self.of_mean();
        let levels = [
            &mut described.p50,
            &mut described.p90,
            &mut described.p95,
            &mut described.p99,
        ];
        for (level, (probability, least)) in levels.into_iter().zip(PERCENTILES) {
            level.interval = self.of_quantile(probability, least);
        }
        described.n_effective = self.effective(described.p50.interval);
    }

    /// So many independent values would have an interval of the median as narrow as this one.
    fn effective(&self, interval: Option<Interval>) -> Option<f64> {
        let count = self.sorted.len() as f64;
        let alone = quantile_interval(self.sorted, 0.5)?;
        let part = (alone.high - alone.low) / (interval?.high - interval?.low);
        // Of equal values both have no width.
        let part = if part.is_finite() { part } else { 1.0 };
        Some((count * part * part).clamp(1.0, count))
    }

    /// The mean's; `None` where there is none.
    pub(super) fn of_mean(&self) -> Option<Interval> {
        let MeanStd { mean, std, .. } = MeanStd::of(&self.series.values)?;
        if std <= 0.0 {
            return Some(Interval {
                low: mean,
                high: mean,
            });
        }
        let count = self.sorted.len() as f64;
        let parts = self.series.totals(|value| value - mean);
        let reach = |spread: f64| {
            let skewness = skewness_of_sum(&parts, spread).clamp(-SKEWNESS_MAX, SKEWNESS_MAX);
            let t = student_t_95((count / spread - 1.0).max(2.0));
            let error = std * (spread / count).sqrt();
            Reach {
                below: error * halls_inverse(t, skewness),
                above: -error * halls_inverse(-t, skewness),
            }
        };
        let all = reach(self.spread(parts.clone(), std * std));
        let around = |reach: Reach| Interval {
            low: (mean - reach.below).max(self.sorted[0].min(mean)),
            high: mean + reach.above,
        };
        let Some(levels) = &self.levels else {
            return Some(around(all));
        };
        let known = levels.profile(self.series, |value| value);
        let rest_spread = self.spread_of_rest(|value| value, &known);
        let rest = reach(rest_spread);
        let error = std * (rest_spread / count).sqrt();
        let (possible, means) = levels.possible(mean, error, |at, bins| {
            let shift =
                |bin: usize| known[bin.min(levels.top)] + levels.shift(at, bin, self.series);
            (0..bins).map(shift).collect()
        });
        let waves = Reach {
            below: mean - at(&means, possible.low),
            above: at(&means, possible.high) - mean,
        };
        Some(around(all.or_both(rest, waves)))
    }

    /// A percentile's; `None` where even as many independent values would carry none.
    fn of_quantile(&self, probability: f64, least: f64) -> Option<Interval> {
        let value = quantile(self.sorted, probability)?;
        let count = self.sorted.len() as f64;
        // How slow the slowest are is known of a server that stays as it is.
        let is_known = |levels: &ByLevel<'_>| !levels.queue.falls_behind();
        if count < least || probability > BULK && !self.levels.as_ref().is_none_or(is_known) {
            return None;
        }
        let score = |other: f64| f64::from(u8::from(other > value));
        let above = 1.0 - self.sorted.partition_point(|&other| other <= value) as f64 / count;
        let reach = |spread: f64| {
            let effective = count / spread;
            let interval = quantile_interval_of(self.sorted, probability, effective.max(least))?;
            // Of few, the ends lie at the largest values that there happen to be: they reach as much further as these
            // are fewer.
            let stretch = (ENOUGH * least / effective).max(1.0).sqrt();
            Some(Reach {
                below: (value - interval.low) * stretch,
                above: (interval.high - value) * stretch,
            })
        };
        let parts = self.series.totals(|value| score(value) - above);
        let all = reach(self.spread(parts, above * (1.0 - above)))?;
        let around = |reach: Reach| Interval {
            low: (value - reach.below).max(self.sorted[0]),
            high: value + reach.above,
        };
        let Some(levels) = &self.levels else {
            return Some(around(all));
        };
        let (rest_spread, possible, _) = self.beyond(levels, value, above);
        let rest = reach(rest_spread)?;
        let expected =
            |position: f64| levels.expected(position, probability, self.series, self.sorted);
        let waves = Reach {
            below: value - expected(possible.low).low,
            above: expected(possible.high).high - value,
        };
        Some(around(all.or_both(rest, waves)))
    }

    /// That of the share of values above `bound`, which is `share`.
    pub(super) fn of_share(&self, bound: f64, share: f64) -> Option<Interval> {
        let count = self.sorted.len() as f64;
        let reach = |spread: f64| {
            let interval = share_interval(share, count / spread)?;
            Some(Reach {
                below: share - interval.low,
                above: interval.high - share,
            })
        };
        let parts = self
            .series
            .totals(|value| f64::from(u8::from(value > bound)) - share);
        let all = reach(self.spread(parts, share * (1.0 - share)))?;
        let around = |reach: Reach| Interval {
            low: (share - reach.below).max(0.0),
            high: (share + reach.above).min(1.0),
        };
        let Some(levels) = &self.levels else {
            return Some(around(all));
        };
        let (rest_spread, possible, shares) = self.beyond(levels, bound, share);
        let waves = Reach {
            below: share - at(&shares, possible.low),
            above: at(&shares, possible.high) - share,
        };
        Some(around(all.or_both(reach(rest_spread)?, waves)))
    }

    /// Of the share of values above `bound`, which is `share`: its spread without the waves, on which servers so many are
    /// no surprise, and how many are expected on each.
    fn beyond(&self, levels: &ByLevel<'_>, bound: f64, share: f64) -> (f64, Interval, Vec<f64>) {
        let score = |value: f64| f64::from(u8::from(value > bound));
        let known = levels.profile(self.series, score);
        let spread = self.spread_of_rest(score, &known);
        let error = (share * (1.0 - share) * spread / self.sorted.len() as f64).sqrt();
        let (possible, shares) = levels.possible(share, error, |at, bins| {
            levels.beyond(bound, &levels.shifts(at, bins, self.series))
        });
        (spread, possible, shares)
    }

    /// The variance of the mean of scores without what their levels tell of them, in variances of what it is for
    /// independent ones.
    fn spread_of_rest(&self, score: impl Fn(f64) -> f64, known: &[f64]) -> f64 {
        let Some(levels) = &self.levels else {
            return 1.0;
        };
        let mut squares = 0.0;
        let mut begin = 0;
        let parts: Vec<f64> = (self.series.ends.iter().zip(&levels.bins))
            .map(|(&end, &bin)| {
                let expected = known[bin.min(levels.top)];
                let values = &self.series.values[begin..end];
                begin = end;
                let rest = values.iter().map(|&value| score(value) - expected);
                rest.inspect(|rest| squares += rest * rest).sum()
            })
            .collect();
        self.spread(parts, squares / self.sorted.len() as f64)
    }

    /// The variance of the mean of scores, in variances of what it is for independent ones, with the doubt about that in
    /// it. `parts` are sums over clusters with mean 0, `variance` is that of one score.
    fn spread(&self, parts: Vec<f64>, variance: f64) -> f64 {
        let count = self.sorted.len();
        if variance <= 0.0 {
            return 1.0;
        }
        let parts_count = parts.len() as f64;
        let length = (parts.len() / BATCHES).max(1);
        let batches: Vec<f64> = parts
            .chunks_exact(length)
            .take(BATCHES)
            .map(|batch| batch.iter().sum())
            .collect();
        let of_batches = || {
            let deviation = MeanStd::of(&batches).map_or(0.0, |batches| batches.std);
            let doubt = student_t_95(batches.len() as f64 - 1.0) / NORMAL_95;
            let of_all = parts_count / length as f64;
            of_all * (deviation * doubt).powi(2) / (count as f64 * variance)
        };
        let spread = match in_order(parts, variance, count) {
            Some(found) if self.levels.is_some() => count as f64 / found.cautious(),
            Some(found) => (count as f64 / found.cautious()).max(of_batches()),
            None => of_batches(),
        };
        spread.max(1.0)
    }
}

impl Reach {
    /// As far as the values by themselves, or what is left of them without the waves and these: whichever is further.
    fn or_both(self, rest: Self, waves: Self) -> Self {
        Self {
            below: self.below.max(rest.below + waves.below.max(0.0)),
            above: self.above.max(rest.above + waves.above.max(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reach;

    #[test]
    fn what_waves_add_they_add_to_both_sides() {
        let reach = |below: f64, above: f64| Reach { below, above };
        let both = reach(1.0, 1.0).or_both(reach(2.0, 2.0), reach(3.0, 4.0));
        assert_eq!((both.below, both.above), (5.0, 6.0));
        // Of a quiet run the waves that it did not have are all on one side.
        let quiet = reach(2.5, 2.5).or_both(reach(2.0, 2.0), reach(-1.0, 4.0));
        assert_eq!((quiet.below, quiet.above), (2.5, 6.0));
    }
}
