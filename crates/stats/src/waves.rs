//! Intervals that a calm run does not make narrow by itself.
//!
//! What a run says of the dependence between its own requests is least where it matters most: a run that saw no wave of the
//! queue looks as if there were none, and its interval would be narrow and wrong. How long waves are follows from the
//! load, and that is known well before a wave was seen: from how many requests were in flight, how fast they ended
//! then, and how fast they come. So the run's own spread is multiplied by what the waves make of it at the upper limit
//! of the load, on that side on which a calm run errs: towards longer latencies.

mod levels;
mod profile;
mod rates;
mod score;
#[cfg(test)]
mod tests;

use crate::quantile::{quantile, quantile_interval_of, sort};
use crate::series::{halls_inverse, skewness_of_sum};
use crate::special::student_t_95;
use crate::{Distribution, Interval, MeanStd, Series};
use levels::Spans;
use profile::Profile;
use rates::{Outcome, Rates};
use score::{LEVELS, Score, scores};
use trace::{Nanos, Pacing};

/// Fewer values show nothing of what they depend on.
const VALUES_MIN: usize = 20;

/// The upper limit of the load lies so many of its standard errors above what was seen. More than the 1.96 of an interval,
/// because runs that err more are calmer, and calm ones are those that show an interval.
const ERRORS: f64 = 2.6;

/// So many independent values, at the upper limit of the load, are the least for an interval of dependent ones.
const EFFECTIVE_MIN: f64 = 5.0;

/// And so many beyond a percentile.
const BEYOND_MIN: f64 = 2.0;

/// By the run's own spread there must be so many.
const OWN_EFFECTIVE_MIN: f64 = 20.0;

/// Values depend on each other where the variance of their mean is more than this beside what it is for independent ones.
const MATERIAL: f64 = 1.4;

/// Longer runs forget that they began with an empty server.
const REPLAYED_MAX: usize = 5_000;

/// Of the scores, from this on they are of high percentiles.
const FIRST_TAIL: usize = 2;

/// A request of one run, in the order of release.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answered {
    /// When it was sent.
    pub issued: Nanos,
    /// When it ended, answered or not.
    pub done: Nanos,
    /// What was measured of it, in milliseconds; absent of what failed.
    pub value: Option<f64>,
}

/// Describes the values of one run, with intervals that hold in at least 93 of 100 of the runs that show them, or nearly:
/// `cargo xtask bench coverage --waves` says where. `None` where there are no values.
///
/// The requests of a burst depend on each other by their batch alone; of a closed loop whose users do not think, the number in
/// flight never changes. There the run's own spread is all there is.
pub fn describe_in_flight(pacing: Pacing, requests: &[Answered]) -> Option<Distribution> {
    if let Pacing::Burst { size } = pacing {
        let mut series = Series::of_batches();
        for batch in requests.chunks(size.max(1) as usize) {
            series.extend(batch.iter().filter_map(|request| request.value));
            series.close();
        }
        return series.describe();
    }
    let values: Vec<f64> = requests
        .iter()
        .filter_map(|request| request.value)
        .collect();
    let mut sorted = values.clone();
    sort(&mut sorted);
    let mut described = Distribution::of_sorted(&sorted)?;
    let scores = scores(&values, &sorted);
    let spreads = if values.len() < VALUES_MIN {
        vec![None; scores.len()]
    } else {
        spreads(pacing, requests, &scores)
    };
    described.mean_interval = spreads[0].and_then(|spread| spread.of_mean(&values));
    described.n_effective = spreads[1].map(|spread| values.len() as f64 / spread.own);
    let levels = [
        &mut described.p50,
        &mut described.p90,
        &mut described.p95,
        &mut described.p99,
    ];
    for ((level, probability), spread) in levels.into_iter().zip(LEVELS).zip(&spreads[1..]) {
        level.interval = spread.and_then(|spread| spread.of_quantile(&sorted, probability));
    }
    Some(described)
}

/// How far a number may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    values: f64,
    /// The variance of the mean score, in variances of that of independent values: by what the run itself shows, and the
    /// load as it was seen.
    own: f64,
    /// The same with the load at its upper limit.
    worst: f64,
    /// So much higher is the mean score then.
    shift: f64,
}

/// Of each score; `None` where nothing can be said.
fn spreads(pacing: Pacing, requests: &[Answered], scores: &[Score]) -> Vec<Option<Spread>> {
    let Some(waves) = waves(pacing, requests, scores) else {
        return vec![None; scores.len()];
    };
    // Where most would lie beyond a percentile at the upper limit of the load, whether one does hardly varies any more: only the
    // mean shows how long waves are then, and without its interval there is none.
    let mut is_told = true;
    // Few values beyond a high percentile hide how they depend on each other; it is no less than those beyond p90 do.
    let mut own_least = 1.0_f64;
    let each = scores.iter().zip(waves).enumerate();
    each.map(|(at, (score, [seen, worst]))| {
        let of = |outcome: Outcome| {
            let added = outcome.added / score.variance;
            1.0 + if added.is_finite() { added } else { 0.0 }
        };
        let Some(own) = score.spread() else {
            is_told &= at > 0;
            return None;
        };
        let own = own.max(of(seen)).max(own_least);
        if at >= FIRST_TAIL {
            own_least = own_least.max(own);
        }
        let spread = Spread {
            values: score.parts.len() as f64,
            own,
            worst: own * (of(worst) / of(seen)).max(1.0),
            shift: (worst.mean - seen.mean).max(0.0),
        };
        is_told &= at > 0 || spread.is_enough();
        (is_told && spread.is_enough()).then_some(spread)
    })
    .collect()
}

/// What the chain makes of each score: as seen, and at the upper limit of the load. Nothing changes where the number in
/// flight says nothing of a queue. `None` where more may come than can end, or where too little was seen to say.
fn waves(pacing: Pacing, requests: &[Answered], scores: &[Score]) -> Option<Vec<[Outcome; 2]>> {
    let spans = requests
        .iter()
        .map(|request| (request.issued, request.done));
    let spans = Spans::new(spans);
    let levels = spans.levels();
    if !Rates::tell(pacing, &levels) {
        let still = Outcome {
            mean: 0.0,
            added: 0.0,
        };
        return Some(vec![[still; 2]; scores.len()]);
    }
    let drain = spans.drain(&levels)?;
    let profiles: Vec<Profile> = scores
        .iter()
        .map(|score| Profile::of(score, requests, &levels))
        .collect();
    let at = |errors: f64| {
        let rates = Rates::new(pacing, &levels, drain, errors)?;
        let slot = 1e3 / rates.full;
        let of_level = |profile| move |level| Profile::at(profile, level, slot);
        let functions: Vec<_> = profiles.iter().map(of_level).collect();
        let functions: Vec<&dyn Fn(usize) -> f64> = functions
            .iter()
            .map(|function| function as &dyn Fn(usize) -> f64)
            .collect();
        if requests.len() <= REPLAYED_MAX {
            Some(rates.replayed(requests.len(), &functions))
        } else {
            rates.settled(&functions)
        }
    };
    let (seen, worst) = (at(0.0)?, at(ERRORS)?);
    Some(seen.into_iter().zip(worst).map(<[_; 2]>::from).collect())
}

impl Spread {
    fn is_material(&self) -> bool {
        self.worst > MATERIAL
    }

    /// Whether so little is left of the sample that nothing can be said.
    fn is_enough(&self) -> bool {
        let (own, worst) = (self.values / self.own, self.values / self.worst);
        !self.is_material() || (worst >= EFFECTIVE_MIN && own >= OWN_EFFECTIVE_MIN)
    }

    fn of_mean(&self, values: &[f64]) -> Option<Interval> {
        let MeanStd { mean, std, .. } = MeanStd::of(values)?;
        let parts: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let t = student_t_95(self.values - 1.0);
        let reach = |spread: f64, bound: f64| {
            let error = std * (spread / self.values).sqrt();
            error * halls_inverse(bound, skewness_of_sum(&parts, spread))
        };
        let high = -reach(self.own, -t).min(reach(self.worst, -t));
        Some(Interval {
            low: mean - reach(self.own, t),
            high: mean + high.max(self.shift),
        })
    }

    fn of_quantile(&self, sorted: &[f64], probability: f64) -> Option<Interval> {
        let beyond = self.values / self.worst * (1.0 - probability);
        let shifted = probability + self.shift;
        let is_tail = probability > LEVELS[0] && beyond < BEYOND_MIN;
        if self.is_material() && is_tail || shifted > 1.0 - BEYOND_MIN / self.values {
            return None;
        }
        let own = quantile_interval_of(sorted, probability, self.values / self.own)?;
        let worst = quantile_interval_of(sorted, probability, self.values / self.worst)?;
        Some(Interval {
            low: own.low,
            high: worst.high.max(own.high).max(quantile(sorted, shifted)?),
        })
    }
}
