//! How fast a server ends requests, by how many it has.

use super::bins::Bins;
use super::levels::Levels;

/// Ends that each level is thought to have had at the rate of the whole fit: where the server has places left, and
/// where it has none.
const THOUGHT_FREE: f64 = 4.0;
const THOUGHT_FULL: f64 = 100.0;

/// A fit that is less likely than the best one by more than this, in logarithms, is none: half of the 90 % point of
/// chi-squared with one degree of freedom.
const LIKELY: f64 = 1.35;

/// Fewer ends say nothing.
const ENDS_MIN: f64 = 2.0;

/// What was seen of a server. Its rate at each level is that at which requests end while so many are in flight,
/// whatever it is made of: with Poisson arrivals these rates give back the shares of time at each level, since as many
/// go up from a level as come down to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Server {
    /// Requests a second, with so many in flight; the last one holds for all that are more.
    ends: Vec<f64>,
    /// The standard error of that, as a part of it.
    error: f64,
    /// From so many on it gets no faster.
    places: usize,
}

impl Server {
    /// `None` where next to nothing ended.
    pub(super) fn of(levels: &Levels, bins: &Bins) -> Option<Self> {
        let top = levels.seconds.len().checked_sub(1)?;
        let ended: f64 = levels.ended.iter().sum();
        if top == 0 || ended < ENDS_MIN {
            return None;
        }
        let (places, each) = places(levels, ended)?;
        let rate = |levels_of: std::ops::RangeInclusive<usize>, thought: f64, at: f64| {
            let ended: f64 = levels.ended[levels_of.clone()].iter().sum();
            let seconds: f64 = levels.seconds[levels_of].iter().sum();
            (ended + thought) / (seconds + thought / at)
        };
        let mut ends = vec![0.0];
        for level in 1..places {
            ends.push(rate(level..=level, THOUGHT_FREE, each * level as f64));
        }
        let full = rate(places..=top, THOUGHT_FREE, each * places as f64);
        let mut begin = places;
        while begin <= top {
            let bin = bins.of(begin);
            let end = (begin..=top).find(|&level| bins.of(level) > bin);
            let end = end.unwrap_or(top + 1);
            let here = rate(begin..=end - 1, THOUGHT_FULL, full);
            ends.resize(end, here);
            begin = end;
        }
        let near: f64 = levels.ended[places.div_ceil(2)..].iter().sum();
        Some(Self {
            ends,
            error: 1.0 / near.max(ENDS_MIN).sqrt(),
            places,
        })
    }

    /// From so many in flight on it gets no faster.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// The time of all that it does, where it is slower than it looked by so many standard errors.
    pub(super) fn slower(&self, errors: f64) -> f64 {
        if errors >= 0.0 {
            1.0 + errors * self.error
        } else {
            1.0 / (1.0 - errors * self.error)
        }
    }

    /// Its rates then.
    pub(super) fn rates(&self, errors: f64) -> Vec<f64> {
        let slower = self.slower(errors);
        self.ends.iter().map(|rate| rate / slower).collect()
    }

    /// Milliseconds from one end to the next then, with more in flight than were seen.
    pub(super) fn slot(&self, errors: f64) -> f64 {
        1e3 * self.slower(errors) / self.ends[self.ends.len() - 1]
    }
}

/// How many requests a server of places answers at once, and how many a second in each place: as many places as make
/// what was seen likely, and of those the fewest, because those that were never taken may not be there.
fn places(levels: &Levels, ended: f64) -> Option<(usize, f64)> {
    let top = levels.seconds.len() - 1;
    // With so many places: the sums up to there and beyond.
    let (mut worked, mut likely) = (0.0, 0.0);
    let mut seconds_beyond: f64 = levels.seconds.iter().skip(1).sum();
    let mut ended_beyond = ended;
    let fits: Vec<(f64, f64)> = (1..=top)
        .map(|places| {
            let busy = places as f64;
            worked += busy * levels.seconds[places];
            likely += levels.ended[places] * busy.ln();
            seconds_beyond -= levels.seconds[places];
            ended_beyond -= levels.ended[places];
            let each = ended / (worked + busy * seconds_beyond.max(0.0));
            (
                likely + ended_beyond * busy.ln() + ended * each.ln(),
                each,
            )
        })
        .collect();
    let best = fits.iter().map(|fit| fit.0).fold(f64::NEG_INFINITY, f64::max);
    let least = fits.iter().position(|fit| fit.0 >= best - LIKELY)?;
    fits[least].1.is_finite().then_some((least + 1, fits[least].1))
}
