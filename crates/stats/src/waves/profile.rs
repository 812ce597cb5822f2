//! What a request meets that finds so many in flight.

use super::Answered;
use super::levels::{Levels, rising};
use super::score::Score;
use crate::quantile::sort;

/// The highest level of which latencies are known has been found by so many requests.
const FOUND_MIN: f64 = 10.0;

/// A score by how many a request found in flight.
pub(super) struct Profile {
    /// Rising with the level.
    known: Vec<f64>,
    /// The values of those who found the highest level that is known, in ascending order.
    highest: Vec<f64>,
    /// As the score has it.
    above: Option<f64>,
}

impl Profile {
    pub(super) fn of(score: &Score, requests: &[Answered], levels: &Levels) -> Self {
        let answered = requests.iter().zip(&levels.found);
        let answered = || {
            answered
                .clone()
                .filter_map(|(request, &found)| Some((found, request.value?)))
        };
        let count = answered().count() as f64;
        let mut sums = vec![(0.0, 0.0); levels.seconds.len()];
        for (found, value) in answered() {
            let part = score
                .above
                .map_or(value, |above| f64::from(u8::from(value > above)));
            sums[found].0 += part;
            sums[found].1 += 1.0;
        }
        // What few have found is taken together with the level below.
        let (mut top, mut last) = (sums.len() - 1, sums[sums.len() - 1]);
        while top > 0 && last.1 < FOUND_MIN.min(count / 10.0) {
            top -= 1;
            last = (last.0 + sums[top].0, last.1 + sums[top].1);
        }
        sums.truncate(top);
        sums.push(last);
        let means = sums.iter().map(|&(sum, count)| {
            let mean = if count > 0.0 { sum / count } else { 0.0 };
            (mean, count)
        });
        let mut highest: Vec<f64> = answered()
            .filter_map(|(found, value)| (found >= top).then_some(value))
            .collect();
        sort(&mut highest);
        Self {
            known: rising(means),
            highest,
            above: score.above,
        }
    }

    /// Beyond what is known, each one in front makes a request wait for one `slot` more,
    /// in milliseconds.
    pub(super) fn at(&self, level: usize, slot: f64) -> f64 {
        let top = self.known.len() - 1;
        if level <= top {
            return self.known[level];
        }
        let wait = (level - top) as f64 * slot;
        let Some(above) = self.above else {
            return self.known[top] + wait;
        };
        let below = self.highest.partition_point(|&value| value + wait <= above);
        let share = 1.0 - below as f64 / self.highest.len() as f64;
        share.max(self.known[top])
    }
}
