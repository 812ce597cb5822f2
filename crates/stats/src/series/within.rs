//! Intervals that hold whether a run was calm or busy: they cover what other runs of the same plan would have measured.
//!
//! The number in flight that a request finds carries the queue's waves. What is left of the values without it is a sample
//! like any other; what the waves add is told by the replays of [`Traffic`](crate::traffic::Traffic): of all servers that
//! are as near to the one that was seen as its rate is known, those on which a run like this one would be no surprise
//! (a test turned round into an interval: Casella and Berger, *Statistical Inference*, 2nd ed., section 9.2.1). Both are
//! added up, since a calm run errs in both in the same direction.

use super::Series;
use super::mean::{halls_inverse, skewness_of_sum};
use crate::dependence::in_order;
use crate::quantile::{quantile, quantile_interval, quantile_interval_of, sort};
use crate::special::{NORMAL_95, bisect, student_t_95};
use crate::traffic::{ERRORS, Found, Queue, rising};
use crate::{Distribution, Interval, MeanStd};

/// What becomes of a request that finds more is known from so many of them at least, or from so many parts of all.
const FOUND_MIN: f64 = 10.0;
const FOUND_PARTS: f64 = 10.0;

/// Batches whose sums tell the spread of a series that remembers for long: few, so that each is longer than its memory.
const BATCHES: usize = 8;

/// A sum of so skewed values is not known to be more skewed.
const SKEWNESS_MAX: f64 = 1.0;

/// Requests whose values are looked at by level; more say no more of how a server is.
const LOOKED_AT: usize = 65_536;

/// The percentiles that have intervals, with the fewest independent values that carry one.
const PERCENTILES: [(f64, f64); 4] = [(0.5, 6.0), (0.9, 36.0), (0.95, 72.0), (0.99, 368.0)];

/// With so many times the least that carries an interval, its ends no longer lie among the few largest values.
const ENOUGH: f64 = 2.0;

/// Values, and what their requests found in flight.
pub(super) struct Within<'a> {
    series: &'a Series,
    sorted: &'a [f64],
    /// With how many values each bin of levels was found; absent where there is no queue to be seen.
    levels: Option<ByLevel<'a>>,
}

struct ByLevel<'a> {
    queue: &'a Queue,
    /// Of each cluster.
    bins: Vec<usize>,
    /// The highest bin of which enough is known: those above count as it.
    top: usize,
    /// How much longer, in milliseconds, the values of each bin are than those of the lowest one.
    waits: Vec<f64>,
    /// Of values in each bin, in ascending order.
    values: Vec<Vec<f64>>,
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
        Some(
            if part.is_finite() {
                count * part * part
            } else {
                count
            }
            .min(count),
        )
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
        if count < least {
            return None;
        }
        let score = |other: f64| f64::from(u8::from(other > value));
        let above = 1.0 - self.sorted.partition_point(|&other| other <= value) as f64 / count;
        let reach = |spread: f64| {
            let effective = count / spread;
            let interval = quantile_interval_of(self.sorted, probability, effective.max(least))?;
            // Of few, the ends lie at the largest values that there happen to be: they reach as much further as these are fewer.
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
        let known = levels.profile(self.series, score);
        let rest_spread = self.spread_of_rest(score, &known);
        let rest = reach(rest_spread)?;
        let error = (above * (1.0 - above) * rest_spread / count).sqrt();
        let (possible, _) = levels.possible(above, error, |at, bins| {
            levels.beyond(value, &levels.shifts(at, bins, self.series))
        });
        let expected = |position: f64| levels.expected(position, probability, self);
        let waves = Reach {
            below: value - expected(possible.low),
            above: expected(possible.high) - value,
        };
        Some(around(all.or_both(rest, waves)))
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
        let length = (parts.len() / BATCHES).max(1);
        let batches: Vec<f64> = parts
            .chunks_exact(length)
            .take(BATCHES)
            .map(|batch| batch.iter().sum())
            .collect();
        let of_batches = || {
            let deviation = MeanStd::of(&batches).map_or(0.0, |batches| batches.std);
            let doubt = student_t_95(batches.len() as f64 - 1.0) / NORMAL_95;
            batches.len() as f64 * (deviation * doubt).powi(2) / (count as f64 * variance)
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

impl<'a> ByLevel<'a> {
    fn new(series: &Series, queue: &'a Queue) -> Self {
        let bins: Vec<usize> = series
            .found
            .iter()
            .map(|&level| queue.bins.of(level as usize))
            .collect();
        let most = bins.iter().copied().max().unwrap_or(0);
        let mut counts = vec![0.0; most + 1];
        bins.iter().for_each(|&bin| counts[bin] += 1.0);
        let least = FOUND_MIN.min(bins.len() as f64 / FOUND_PARTS);
        let mut above = 0.0;
        let top = (0..=most).rev().find(|&bin| {
            above += counts[bin];
            above >= least
        });
        let mut levels = Self {
            queue,
            bins,
            top: top.unwrap_or(0),
            waits: Vec::new(),
            values: Vec::new(),
        };
        let known = levels.profile(series, |value| value);
        levels.waits = known.iter().map(|value| value - known[0]).collect();
        levels.values = levels.by_bin(series);
        levels
    }

    fn by_bin(&self, series: &Series) -> Vec<Vec<f64>> {
        let mut values = vec![Vec::new(); self.top + 1];
        let step = series.ends.len().div_ceil(LOOKED_AT).max(1);
        for (cluster, &bin) in self.bins.iter().enumerate().step_by(step) {
            let begin = cluster
                .checked_sub(1)
                .map_or(0, |before| series.ends[before]);
            values[bin.min(self.top)].extend(&series.values[begin..series.ends[cluster]]);
        }
        values.iter_mut().for_each(|values| sort(values));
        values
    }

    /// The mean score of each bin up to the top; it rises with the level.
    fn profile(&self, series: &Series, score: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.top + 1];
        let mut begin = 0;
        for (&end, &bin) in series.ends.iter().zip(&self.bins) {
            let sum = &mut sums[bin.min(self.top)];
            sum.0 += series.values[begin..end]
                .iter()
                .map(|&value| score(value))
                .sum::<f64>();
            sum.1 += (end - begin) as f64;
            begin = end;
        }
        rising(sums.iter().map(|&(sum, count)| (sum / count, count)))
    }

    /// How much longer values are of those who find that bin, where the server is slower than it looked: their
    /// waits are, and with more in flight than were seen there are more of them. A slower server makes nobody wait less
    /// than for all in front of it, however lucky those were who did.
    fn shift(&self, at: usize, bin: usize, series: &Series) -> f64 {
        let wait = self.waits[bin.min(self.top)];
        let [top, here] = [self.top, bin].map(|bin| self.queue.bins.middle(bin));
        let more = (here - top).max(0.0);
        let longer = wait * self.queue.slower(at);
        match series.grows {
            super::Grows::ByWaiting => {
                let longer = longer + more * self.queue.slot(at);
                let is_slower = at >= ERRORS.len() / 2;
                let least = if is_slower {
                    self.queue.wait(at, here)
                } else {
                    0.0
                };
                longer.max(least) - wait
            }
            super::Grows::AsSeen => longer + more * self.waits[self.top] / top.max(1.0) - wait,
        }
    }

    fn shifts(&self, at: usize, bins: usize, series: &Series) -> Vec<f64> {
        (0..bins.max(self.top + 1))
            .map(|bin| self.shift(at, bin, series))
            .collect()
    }

    /// The share of values above `value` in each bin, where they are longer by `shifts`.
    fn beyond(&self, value: f64, shifts: &[f64]) -> Vec<f64> {
        let share = |bin: usize, shift: f64| {
            let values = &self.values[bin];
            let below = values.partition_point(|&other| other <= value - shift);
            (
                1.0 - below as f64 / values.len() as f64,
                values.len() as f64,
            )
        };
        let seen = shifts.iter().take(self.top + 1).enumerate();
        let mut beyond = rising(seen.map(|(bin, &shift)| share(bin, shift)));
        let top = beyond.last().copied().unwrap_or(0.0);
        let unseen = shifts.iter().skip(self.top + 1);
        beyond.extend(unseen.map(|&shift| share(self.top, shift).0.max(top)));
        beyond
    }

    /// Between which positions in [`ERRORS`] a run that scored as `seen` is no surprise, and what is expected at each.
    /// `scores` of each of so many bins at one of them.
    fn possible(
        &self,
        seen: f64,
        error: f64,
        scores: impl Fn(usize, usize) -> Vec<f64>,
    ) -> (Interval, Vec<f64>) {
        let replays = &self.queue.replays;
        let mut bounds = Vec::with_capacity(ERRORS.len());
        let mut means = Vec::with_capacity(ERRORS.len());
        for (at, found) in replays.at.iter().enumerate() {
            let scores = scores(at, bins_of(found));
            means.push(weighted(&found.expected, &scores));
            let each = found
                .counts
                .iter()
                .map(|counts| weighted(counts, &scores) / counts.iter().sum::<f64>());
            bounds.push(bounds_of(
                &each.collect::<Vec<f64>>(),
                means[at],
                replays.scale,
                NORMAL_95 * error,
            ));
        }
        // The lowest position at which so much is not too much, and the highest at which so little is not too little.
        let last = bounds.len() - 1;
        let tiny = 1e-9 * seen.abs();
        let low = (0..=last).find(|&at| seen <= bounds[at].high + tiny);
        let low = low.map_or(last as f64, |at| {
            let missed = at
                .checked_sub(1)
                .map_or(0.0, |before| seen - bounds[before].high);
            at as f64 - part(bounds[at].high - seen, missed)
        });
        let high = (0..=last).rev().find(|&at| seen >= bounds[at].low - tiny);
        let high = high.map_or(0.0, |at| {
            let missed = bounds.get(at + 1).map_or(0.0, |next| next.low - seen);
            at as f64 + part(seen - bounds[at].low, missed)
        });
        let possible = Interval {
            low: low.min(high),
            high: high.max(low),
        };
        (possible, means)
    }

    /// The percentile that is expected at a position in [`ERRORS`].
    fn expected(&self, position: f64, probability: f64, within: &Within<'_>) -> f64 {
        let of = |index: usize| {
            let found = &self.queue.replays.at[index];
            let shifts = self.shifts(index, bins_of(found), within.series);
            let least = within.sorted[0];
            let most =
                within.sorted[within.sorted.len() - 1] + shifts.iter().copied().fold(0.0, f64::max);
            bisect(least, most, |value| {
                weighted(&found.expected, &self.beyond(value, &shifts)) > 1.0 - probability
            })
        };
        interpolated(position, of)
    }
}

/// How much of the way to the next position is still possible.
fn part(held: f64, missed: f64) -> f64 {
    if missed > 0.0 {
        held.max(0.0) / (held.max(0.0) + missed)
    } else {
        0.0
    }
}

/// How low and how high the scores of runs are, of which replays deviate from what is expected as `each` does.
fn bounds_of(each: &[f64], expected: f64, scale: f64, error: f64) -> Interval {
    let Some(described) = MeanStd::of(each) else {
        return Interval {
            low: expected,
            high: expected,
        };
    };
    // Parts of a long run are more skewed than all of it.
    let least = if scale < 1.0 {
        NORMAL_95 * described.std
    } else {
        0.0
    };
    Interval {
        low: expected - error.hypot(scale * (described.mean - described.min).max(least)),
        high: expected + error.hypot(scale * (described.max - described.mean).max(least)),
    }
}

fn bins_of(found: &Found) -> usize {
    let counts = found.counts.iter().map(Vec::len);
    counts.max().unwrap_or(0).max(found.expected.len())
}

fn weighted(weights: &[f64], scores: &[f64]) -> f64 {
    weights
        .iter()
        .zip(scores)
        .map(|(weight, score)| weight * score)
        .sum()
}

fn at(values: &[f64], position: f64) -> f64 {
    interpolated(position, |index| values[index])
}

/// Between the values at whole positions.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position lies between 0 and the last one"
)]
fn interpolated(position: f64, of: impl Fn(usize) -> f64) -> f64 {
    let (below, part) = (position.floor() as usize, position.fract());
    let value = of(below);
    if part > 0.0 {
        value + (of(below + 1) - value) * part
    } else {
        value
    }
}
