//! How fast a server ends requests, by how many it has.

use super::alone::Alone;
use super::bins::Bins;
use super::levels::{Levels, Spans, Took, dispersion};
use super::places::Places;
use std::ops::Range;

/// Ends that each level is thought to have had at the rate of the whole fit.
const THOUGHT: f64 = 4.0;

/// More than this part of requests find no place free where a server that slows falls behind.
const WAITING: f64 = 0.4;

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
    /// How much the number of its ends varies while it is full, where that of independent ones varies by 1.
    dispersion: f64,
    alone: Alone,
    /// From so many in flight on it gets no faster.
    places: usize,
}

impl Server {
    /// `None` where next to nothing ended.
    pub(super) fn of(levels: &Levels, runs: &[Spans], bins: &Bins) -> Option<Self> {
        let top = levels.seconds.len().checked_sub(1)?;
        let ended: f64 = levels.ended.iter().sum();
        if top == 0 || ended < ENDS_MIN {
            return None;
        }
        let took: Vec<Vec<Took>> = runs.iter().map(Spans::took).collect();
        let Places {
            count: places,
            each,
            were_full,
        } = Places::of(levels, ended, &took)?;
        let seen = |levels_of: Range<usize>| Seen {
            ended: levels.ended[levels_of.clone()].iter().sum(),
            seconds: levels.seconds[levels_of].iter().sum(),
        };
        let mut ends = vec![0.0];
        for level in 1..places {
            ends.push(seen(level..level + 1).rate(each * level as f64));
        }
        let alone = Alone::of(&took, places);
        let dispersion = dispersion(runs, places);
        let varies = dispersion.max(alone.variation).max(1.0);
        let full = seen(places..top + 1).surely(each * places as f64, varies);
        let mut groups = Vec::new();
        let mut begin = places;
        while begin <= top {
            let bin = bins.of(begin);
            let end = (begin..=top).find(|&level| bins.of(level) > bin);
            let end = end.unwrap_or(top + 1);
            groups.push((end, seen(begin..end)));
            begin = end;
        }
        let parts = shrunk(&groups, full, varies);
        for ((end, _), part) in groups.iter().zip(parts) {
            ends.resize(*end, full * part);
        }
        let near = seen(places.div_ceil(2)..top + 1).ended;
        // How fast a full server is, its ends tell; how long one takes that never was, its times.
        let unevenness = if were_full {
            alone.variation.max(1.0)
        } else {
            alone.variation
        };
        Some(Self {
            ends,
            error: alone.doubt * (unevenness / near.max(ENDS_MIN)).sqrt(),
            dispersion,
            alone,
            places,
        })
    }

    /// How much the number of its ends varies while it is full, where that of independent ones varies by 1.
    pub(super) fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// The squared coefficient of variation of what it does for one request.
    pub(super) fn variation(&self) -> f64 {
        self.alone.variation
    }

    /// Whether it took longer and longer while many waited: how long the last ones did is what they happened to find.
    pub(super) fn falls_behind(&self) -> bool {
        self.alone.slows && self.alone.waiting > WAITING
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

/// What was seen with some numbers in flight.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ended: f64,
    seconds: f64,
}

impl Seen {
    /// Ends a second, if it was thought to be that.
    fn rate(self, thought: f64) -> f64 {
        (self.ended + THOUGHT) / (self.seconds + THOUGHT / thought)
    }

    /// The same, as far from what was thought as it is beyond the chance of ends that vary so much: the nonnegative garrote
    /// (L. Breiman, "Better subset regression using the nonnegative garrote", 1995).
    fn surely(self, thought: f64, varies: f64) -> f64 {
        let apart = (self.rate(thought) / thought).ln();
        let chance = varies / (self.ended + THOUGHT);
        let sure = (1.0 - chance / (apart * apart)).max(0.0);
        thought * (apart * sure).exp()
    }
}

/// The rate of each group as a part of that of all: as far apart as more than chance sets them (random effects:
/// R. `DerSimonian` and N. Laird, "Meta-analysis in clinical trials", 1986). A calm run would otherwise believe itself.
fn shrunk(groups: &[(usize, Seen)], full: f64, varies: f64) -> Vec<f64> {
    if groups.len() < 2 {
        return vec![1.0; groups.len()];
    }
    let apart = |seen: Seen| {
        let rate = (seen.ended + 0.5) / (seen.seconds + 0.5 / full);
        ((rate / full).ln(), varies / (seen.ended + 0.5))
    };
    let all: Vec<(f64, f64)> = groups.iter().map(|&(_, seen)| apart(seen)).collect();
    let weights: f64 = all.iter().map(|(_, variance)| 1.0 / variance).sum();
    let squares: f64 = all
        .iter()
        .map(|(_, variance)| 1.0 / (variance * variance))
        .sum();
    let differ: f64 = all.iter().map(|(log, variance)| log * log / variance).sum();
    let between = (differ - (all.len() as f64 - 1.0)) / (weights - squares / weights);
    let between = if between.is_finite() {
        between.max(0.0)
    } else {
        0.0
    };
    let part = |&(log, variance): &(f64, f64)| (log * between / (between + variance)).exp();
    all.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn a_few_ends_of_a_full_server_do_not_make_it_a_fast_one() {
        let full = |ended, seconds, varies| Seen { ended, seconds }.surely(10.0, varies);
        // Twice as fast for twenty ends, of service as uneven as this: chance.
        assert!((full(20.0, 1.0, 12.0) - 10.0).abs() < 1e-9);
        // Of 2,000, hardly.
        assert!((full(2_000.0, 100.0, 12.0) - 19.8).abs() < 0.1);
        // A little of it, in between; slower as well as faster.
        let [faster, slower] = [full(20.0, 1.0, 3.0), full(20.0, 4.0, 3.0)];
        assert!((13.0..17.0).contains(&faster) && (6.0..9.0).contains(&slower));
        assert!((full(0.0, 0.0, 1.0) - 10.0).abs() < 1e-9);
    }
}
