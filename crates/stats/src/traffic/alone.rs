//! Requests that found a place free: how long a server takes for one by itself, how unevenly, and whether that changes.

use super::levels::Took;
use crate::trend::Rise;

/// Times that are looked at for a trend; more say no more of it.
const LOOKED_AT: usize = 16_384;

/// A rise by so many standard errors is no chance: one in a hundred.
const SURE: f64 = 2.33;

/// A server that takes less than this part longer in the end is as it was.
const LONGER_MIN: f64 = 0.05;

/// Seconds that are told from none.
const SHORTEST: f64 = 1e-9;

/// The longest of independent exponential times carries as much of their variance as (ln n − this)², in parts of n.
const EXPONENTIAL: f64 = 0.4;

/// From this multiple of what the longest exponential time carries on, the standard error grows; by so much more of it, it
/// is three times as large.
const HEAVY: f64 = 1.5;
const HEAVIEST: f64 = 4.0;

/// Of times that vary by less than this, the longest is no longer than some of them together: timers and sockets alone
/// have outliers, too.
const EVEN: f64 = 0.1;

/// What a server does without a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Alone {
    /// The squared coefficient of variation of the times; 1 where there are too few.
    pub(super) variation: f64,
    /// How much less is known of their mean than that says: 1, up to 3 where a single time carries much of the variance,
    /// since runs without such a one look as if there were none.
    pub(super) doubt: f64,
    /// The part of requests that found no place free.
    pub(super) waiting: f64,
    /// Whether they took longer and longer.
    pub(super) slows: bool,
}

impl Alone {
    /// Of the requests of some runs.
    pub(super) fn of(took: &[Vec<Took>], places: usize) -> Self {
        let alone = |run: &Vec<Took>| {
            let free = run.iter().filter(|took| took.found < places);
            free.map(|took| took.seconds).collect::<Vec<f64>>()
        };
        let times: Vec<Vec<f64>> = took.iter().map(alone).collect();
        let all: f64 = took.iter().map(|run| run.len() as f64).sum();
        let (mut count, mut sum, mut squares, mut longest) = (0.0, 0.0, 0.0, 0.0_f64);
        for &seconds in times.iter().flatten() {
            count += 1.0;
            sum += seconds;
            squares += seconds * seconds;
            longest = longest.max(seconds);
        }
        let mean = sum / count;
        let variance = squares / count - mean * mean;
        let variation = variance / (mean * mean);
        let variation = if variation.is_finite() {
            variation
        } else {
            1.0
        };
        let doubt = doubt(count, (longest - mean).powi(2) / variance);
        Self {
            variation,
            doubt: if variation < EVEN { 1.0 } else { doubt },
            waiting: 1.0 - count / all,
            slows: slows(&times),
        }
    }
}

/// Of so many times, of which the longest one has that squared deviation, in variances.
fn doubt(count: f64, longest: f64) -> f64 {
    let exponential = (count.ln() - EXPONENTIAL).max(1.0).powi(2);
    let heaviness = longest / exponential;
    if heaviness.is_finite() {
        1.0 + (heaviness - HEAVY).clamp(0.0, HEAVIEST) / 2.0
    } else {
        1.0
    }
}

/// Straight lines through the logarithms of what each run's requests took, in the order of their release: together they rise
/// by more than chance, and by enough.
fn slows(runs: &[Vec<f64>]) -> bool {
    let count: usize = runs.iter().map(Vec::len).sum();
    let step = count.div_ceil(LOOKED_AT).max(1);
    let rise = |run: &Vec<f64>| {
        let times = run.iter().step_by(step);
        let logs: Vec<f64> = times.map(|seconds| seconds.max(SHORTEST).ln()).collect();
        Rise::of(&logs)
    };
    let rises = runs.iter().filter_map(rise);
    let (weights, sum) = rises.fold((0.0, 0.0), |(weights, sum), rise| {
        let weight = rise.error.powi(-2);
        (weights + weight, sum + rise.by * weight)
    });
    let by = sum / weights;
    by > LONGER_MIN && by * f64::sqrt(weights) > SURE
}

#[cfg(test)]
mod tests {
    use super::{Alone, doubt};
    use crate::traffic::levels::{Span, Spans};
    use trace::Nanos;

    /// One request after the other, each of them on an idle server.
    fn alone(seconds: impl Iterator<Item = f64>) -> Alone {
        let span = |(second, seconds): (u32, f64)| {
            let begins = f64::from(second);
            let at = [begins, begins + seconds].map(Nanos::from_seconds);
            (at[0], at[1])
        };
        Alone::of(&[Spans::new((0..).zip(seconds).map(span)).took()], 1)
    }

    /// 50 ms, and 150 ms every third time, which take this part longer in the end.
    fn longer(by: f64, requests: u32) -> Alone {
        alone((0..requests).map(|n| {
            let grown = 1.0 + by * f64::from(n) / f64::from(requests);
            grown * if n % 3 == 0 { 0.15 } else { 0.05 }
        }))
    }

    #[test]
    fn a_server_that_surely_takes_longer_in_the_end_slows() {
        assert!(longer(0.2, 2_000).slows);
        // By chance, or by next to nothing, none does; nor one that gets faster.
        assert!(!longer(0.2, 30).slows);
        assert!(!longer(0.0, 2_000).slows && !longer(0.04, 20_000).slows);
        assert!(!longer(-0.2, 2_000).slows);
    }

    #[test]
    fn requests_that_find_no_place_are_told_by_their_share_alone() {
        let at = |from: u64, to: u64| (Nanos(from), Nanos(to));
        let run = Spans::new([at(0, 10), at(5, 400), at(500, 510), at(600, 630)]);
        let alone = Alone::of(&[run.took()], 1);
        assert!((alone.waiting - 0.25).abs() < 1e-12);
        // Of 10, 10 and 30: a variance of 800 / 9 about a mean of 50 / 3.
        assert!((alone.variation - 0.32).abs() < 1e-12, "{alone:?}");
    }

    #[test]
    fn a_request_that_hung_is_no_time_of_service() {
        let span = |n: u32| {
            let issued = Nanos::from_seconds(f64::from(n));
            let hangs = n == 7;
            let seconds = if hangs {
                600.0
            } else {
                0.5 + 0.01 * f64::from(n % 5)
            };
            Span {
                issued,
                first: issued,
                done: issued + Nanos::from_seconds(seconds),
                answered: !hangs,
            }
        };
        let alone = Alone::of(&[Spans::new((0..1_000).map(span)).took()], 3);
        assert!(alone.variation < 0.01 && alone.doubt <= 1.0, "{alone:?}");
    }

    #[test]
    fn a_time_that_carries_much_of_the_variance_leaves_it_in_doubt() {
        let exponential = (1000_f64.ln() - 0.4).powi(2);
        for (times, expected) in [(0.2, 1.0), (1.0, 1.0), (2.5, 1.5), (5.5, 3.0), (99.0, 3.0)] {
            let doubt = doubt(1000.0, times * exponential);
            assert!((doubt - expected).abs() < 1e-9, "{times}: {doubt}");
        }
        // Equal times leave none, nor does a single one.
        assert!((doubt(1000.0, f64::NAN) - 1.0).abs() < 1e-12);
        assert!((doubt(0.0, 1.0) - 1.0).abs() < 1e-12);
    }
}
