//! Values by what their requests found in flight, and what that makes of other runs.

use super::{Grows, Series};
use crate::quantile::sort;
use crate::special::{NORMAL_95, bisect};
use crate::traffic::{ERRORS, Found, Queue, rising};
use crate::{Interval, MeanStd};

/// What becomes of a request that finds more is known from so many of them at least, or from so many parts of all.
const FOUND_MIN: f64 = 10.0;
const FOUND_PARTS: f64 = 10.0;

/// Values that are looked at by level; more say no more of how a server is.
const LOOKED_AT: usize = 65_536;

/// Parts of a sample between which the percentiles of single runs are looked for, and steps from its end on.
const STEPS: usize = 64;
const BEYOND: usize = 16;

/// Values, by the number in flight that their requests found.
pub(super) struct ByLevel<'a> {
    pub(super) queue: &'a Queue,
    /// Of each cluster.
    pub(super) bins: Vec<usize>,
    /// The highest bin of which enough is known: those above count as it.
    pub(super) top: usize,
    /// How much longer, in milliseconds, the values of each bin are than those of the lowest one.
    waits: Vec<f64>,
    /// Of values in each bin, in ascending order.
    values: Vec<Vec<f64>>,
}

impl<'a> ByLevel<'a> {
    pub(super) fn new(series: &Series, queue: &'a Queue) -> Self {
        let bins: Vec<usize> = series
            .found
            .iter()
            .map(|&level| queue.bins.of(level as usize))
            .collect();
        let most = bins.iter().copied().max().unwrap_or(0);
        let mut counts = vec![0.0; most + 1];
        for &bin in &bins {
            counts[bin] += 1.0;
        }
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
        let step = series.values.len().div_ceil(LOOKED_AT).max(1);
        for (cluster, &bin) in self.bins.iter().enumerate().step_by(step) {
            let begin = cluster
                .checked_sub(1)
                .map_or(0, |before| series.ends[before]);
            values[bin.min(self.top)].extend(&series.values[begin..series.ends[cluster]]);
        }
        for values in &mut values {
            sort(values);
        }
        values
    }

    /// The mean score of each bin up to the top, of those that are finite; it rises with the level.
    pub(super) fn profile(&self, series: &Series, score: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.top + 1];
        let mut begin = 0;
        for (&end, &bin) in series.ends.iter().zip(&self.bins) {
            let sum = &mut sums[bin.min(self.top)];
            let scores = series.values[begin..end].iter().map(|&value| score(value));
            for score in scores.filter(|score| score.is_finite()) {
                sum.0 += score;
                sum.1 += 1.0;
            }
            begin = end;
        }
        rising(sums.iter().map(|&(sum, count)| (sum / count, count)))
    }

    /// How much longer values are of those who find that bin, where the server is slower than it looked: their
    /// waits are, and with more in flight than were seen there are more of them. A slower server makes nobody wait less
    /// than for all in front of it, however lucky those were who did.
    pub(super) fn shift(&self, at: usize, bin: usize, series: &Series) -> f64 {
        let wait = self.waits[bin.min(self.top)];
        let [top, here] = [self.top, bin].map(|bin| self.queue.bins.middle(bin));
        // Whoever finds more than anybody did waits for those as well, unless there were places for them.
        let more = (here - top).max(0.0).min(self.queue.in_front(here));
        let longer = wait * self.queue.slower(at);
        match series.grows {
            Grows::ByWaiting => {
                let longer = longer + more * self.queue.slot(at);
                let is_slower = at >= ERRORS.len() / 2;
                let least = if is_slower {
                    self.queue.wait(at, here)
                } else {
                    0.0
                };
                longer.max(least) - wait
            }
            Grows::AsSeen => longer + more * self.waits[self.top] / top.max(1.0) - wait,
        }
    }

    pub(super) fn shifts(&self, at: usize, bins: usize, series: &Series) -> Vec<f64> {
        (0..bins.max(self.top + 1))
            .map(|bin| self.shift(at, bin, series))
            .collect()
    }

    /// The share of values above `value` in each bin, where they are longer by `shifts`.
    pub(super) fn beyond(&self, value: f64, shifts: &[f64]) -> Vec<f64> {
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
    /// `error` is the standard error of `seen` without the waves; `scores` are those of each of so many bins at one of them.
    pub(super) fn possible(
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

    /// The percentile that is expected at a position in [`ERRORS`]: that of the requests of all runs together, and what
    /// each run has on average. The busiest runs have most of the slowest requests, so that these are two numbers, and
    /// both are what a run is taken to tell.
    pub(super) fn expected(
        &self,
        position: f64,
        probability: f64,
        series: &Series,
        sorted: &[f64],
    ) -> Interval {
        let both = |index| {
            let of_all = self.of_all(index, probability, series, sorted);
            [
                of_all,
                self.of_each(index, probability, series, sorted, of_all),
            ]
        };
        let (below, part) = whole_and_part(position);
        let [mut of_all, mut of_each] = both(below);
        if part > 0.0 {
            let next = both(below + 1);
            of_all += (next[0] - of_all) * part;
            of_each += (next[1] - of_each) * part;
        }
        Interval {
            low: of_all.min(of_each),
            high: of_all.max(of_each),
        }
    }

    fn of_all(&self, index: usize, probability: f64, series: &Series, sorted: &[f64]) -> f64 {
        let found = &self.queue.replays.at[index];
        let shifts = self.shifts(index, bins_of(found), series);
        bisect(sorted[0], longest(sorted, &shifts), |value| {
            weighted(&found.expected, &self.beyond(value, &shifts)) > 1.0 - probability
        })
    }

    /// The mean over replays of each one's percentile, beside that of all together.
    fn of_each(
        &self,
        index: usize,
        probability: f64,
        series: &Series,
        sorted: &[f64],
        of_all: f64,
    ) -> f64 {
        let replays = &self.queue.replays;
        let found = &replays.at[index];
        let shifts = self.shifts(index, bins_of(found), series);
        let values = spaced(sorted, longest(sorted, &shifts));
        let beyond: Vec<Vec<f64>> = values
            .iter()
            .map(|&value| self.beyond(value, &shifts))
            .collect();
        let of_replay = |counts: &Vec<f64>| {
            let allowed = (1.0 - probability) * counts.iter().sum::<f64>();
            let reached = beyond.partition_point(|beyond| weighted(counts, beyond) > allowed);
            let reached = reached.min(values.len() - 1);
            let Some(before) = reached.checked_sub(1) else {
                return values[0];
            };
            let [above, below] =
                [before, reached].map(|at| weighted(counts, &beyond[at]) - allowed);
            let part = (above / (above - below)).clamp(0.0, 1.0);
            values[before] + (values[reached] - values[before]) * part
        };
        let sum: f64 = found.counts.iter().map(of_replay).sum();
        let mean = sum / found.counts.len() as f64;
        // The fewer requests a run has, the further its percentile lies from that of all on average.
        of_all + (mean - of_all) * replays.scale.powi(2)
    }
}

/// The longest that any value becomes.
fn longest(sorted: &[f64], shifts: &[f64]) -> f64 {
    sorted[sorted.len() - 1] + shifts.iter().copied().fold(0.0, f64::max)
}

/// Values between which shares are told: as near to each other as the sample's are, ever nearer towards its end, and on
/// to the longest.
fn spaced(sorted: &[f64], longest: f64) -> Vec<f64> {
    let last = sorted.len() - 1;
    let evenly = (0..STEPS).map(|step| last * step / STEPS);
    let towards = (0..usize::BITS).map_while(|times| last.checked_sub((last / STEPS) >> times));
    let until_end = towards.take_while(|&rank| rank < last).chain([last]);
    let most = sorted[last];
    let beyond = (1..=BEYOND).map(|step| most + (longest - most) * step as f64 / BEYOND as f64);
    let seen = evenly.chain(until_end).map(|rank| sorted[rank]);
    let mut values: Vec<f64> = seen.chain(beyond).collect();
    values.dedup();
    values
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
    // The few that were replayed have no tail on the side to which runs are not skewed, and parts of a long run are more
    // skewed than all of it.
    let least = NORMAL_95 * described.std;
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

/// The value at a position in [`ERRORS`], of one for each.
pub(super) fn at(values: &[f64], position: f64) -> f64 {
    let (below, part) = whole_and_part(position);
    let next = values.get(below + 1).unwrap_or(&values[below]);
    values[below] + (next - values[below]) * part
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position lies between 0 and the last one"
)]
fn whole_and_part(position: f64) -> (usize, f64) {
    (position.floor() as usize, position.fract())
}

#[cfg(test)]
mod tests {
    use super::bounds_of;

    #[test]
    fn runs_that_are_skewed_to_one_side_are_no_bound_to_the_other() {
        // One of 39 meets a wave; the other 38 say nothing of a run that is calmer still.
        let mut each = vec![1.0; 39];
        each[7] = 40.0;
        let bounds = bounds_of(&each, 2.0, 1.0, 0.0);
        let deviation = 39.0 / 39_f64.sqrt();
        assert!(
            (bounds.low - (2.0 - 1.959_964 * deviation)).abs() < 1e-5,
            "{bounds:?}"
        );
        assert!((bounds.high - 40.0).abs() < 1e-9, "{bounds:?}");
    }
}
