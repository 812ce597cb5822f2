//! How many requests a server answers at once.

use super::levels::{Levels, Took};

/// A fit that is less likely than the best one by more than this, in logarithms, is none: half of the 90 % point of
/// chi-squared with one degree of freedom.
const LIKELY: f64 = 1.35;

/// Who found no place free waited, if they took longer by this part at least of what the queue in front of them takes.
const WAITED: f64 = 0.1;

/// As sure of the contrary as so many standard errors.
const SURE: f64 = 2.0;

/// The places of a server, as far as they were taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Places {
    pub(super) count: usize,
    /// Requests a second in each.
    pub(super) each: f64,
    /// Whether more may have come than there are.
    pub(super) were_full: bool,
}

impl Places {
    /// As many as make likely what was seen, and of those the fewest, because places that were never taken may not be
    /// there. But whoever found no place free waited: there are more where such requests took no longer than others.
    pub(super) fn of(levels: &Levels, ended: f64, took: &[Vec<Took>]) -> Option<Self> {
        let fits = fits(levels, ended);
        let best = fits
            .iter()
            .map(|fit| fit.likely)
            .fold(f64::NEG_INFINITY, f64::max);
        let least = fits.iter().position(|fit| fit.likely >= best - LIKELY)?;
        let by_found = ByFound::of(took, fits.len());
        let waited = |index: usize| {
            let count = index + 1;
            by_found.waited(count, 1.0 / (count as f64 * fits[index].each))
        };
        let most = fits.len() - 1;
        let index = (least..most).find(|&index| waited(index) != Some(false));
        let index = index.unwrap_or(most);
        let each = fits[index].each;
        each.is_finite().then(|| Self {
            count: index + 1,
            each,
            // With none to tell, it may be.
            were_full: waited(index).unwrap_or(index == least),
        })
    }
}

/// What so many places make of what was seen.
struct Fit {
    /// The logarithm of its likelihood.
    likely: f64,
    /// Requests a second in each place.
    each: f64,
}

/// Of one place, two, and so on, up to as many as were ever in flight.
fn fits(levels: &Levels, ended: f64) -> Vec<Fit> {
    // The sums up to there and beyond.
    let (mut worked, mut likely) = (0.0, 0.0);
    let mut seconds_beyond: f64 = levels.seconds.iter().skip(1).sum();
    let mut ended_beyond = ended;
    let of = |places: usize| {
        let busy = places as f64;
        worked += busy * levels.seconds[places];
        likely += levels.ended[places] * busy.ln();
        seconds_beyond -= levels.seconds[places];
        ended_beyond -= levels.ended[places];
        let each = ended / (worked + busy * seconds_beyond.max(0.0));
        Fit {
            likely: likely + ended_beyond * busy.ln() + ended * each.ln(),
            each,
        }
    };
    (1..levels.seconds.len()).map(of).collect()
}

/// Requests by how many in flight they found.
struct ByFound(Vec<Times>);

/// Of some requests, how many there are, and the sums of their seconds until the first token, of the squares of those,
/// and of how many each found.
#[derive(Clone, Copy, Default)]
struct Times {
    count: f64,
    seconds: f64,
    squares: f64,
    found: f64,
}

impl ByFound {
    fn of(took: &[Vec<Took>], most: usize) -> Self {
        let mut by_found = vec![Times::default(); most + 1];
        for &Took { found, first, .. } in took.iter().flatten() {
            by_found[found.min(most)].add(Times {
                count: 1.0,
                seconds: first,
                squares: first * first,
                found: found as f64,
            });
        }
        Self(by_found)
    }

    /// Whether those who found so many places taken may have waited longer than the others because of the queue in
    /// front of them, at so many seconds from end to end; `None` where there are none to tell.
    fn waited(&self, places: usize, slot: f64) -> Option<bool> {
        let sum = |of: &[Times]| {
            let mut sum = Times::default();
            for &times in of {
                sum.add(times);
            }
            sum
        };
        let (free, taken) = self.0.split_at(places.min(self.0.len()));
        let (free, taken) = (sum(free), sum(taken));
        if free.count < 1.0 || taken.count < 1.0 {
            return None;
        }
        let mean = free.seconds / free.count;
        let variance = (free.squares / free.count - mean * mean).max(0.0);
        let longer = taken.seconds / taken.count - mean;
        let error = (variance * (1.0 / free.count + 1.0 / taken.count)).sqrt();
        let in_front = taken.found / taken.count + 1.0 - places as f64;
        Some(longer + SURE * error >= WAITED * in_front * slot)
    }
}

impl Times {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.seconds += other.seconds;
        self.squares += other.squares;
        self.found += other.found;
    }
}

#[cfg(test)]
mod tests {
    use super::{Levels, Places, Took};
    use crate::traffic::levels::{Span, Spans};
    use trace::Nanos;

    /// Of requests that come five at once and five one by one, ten a second, and take a second each: the places, and
    /// the most that were in flight. The first token comes `later` by as much for each that came at the same moment
    /// before.
    fn found(later: f64) -> (Places, usize) {
        let at = Nanos::from_seconds;
        let span = |n: u32| {
            let issued = f64::from(n) / 10.0;
            let issued = issued - f64::from(n % 10).min(4.0) / 10.0;
            let in_front = f64::from((n % 10).min(4));
            Span {
                issued: at(issued),
                first: at(issued + 0.05 + later * in_front),
                done: at(issued + 1.0),
                answered: true,
            }
        };
        let run = Spans::new((0..400).map(span));
        let mut levels = Levels::default();
        run.found(&mut levels);
        let ended = levels.ended.iter().sum();
        let took: Vec<Vec<Took>> = vec![run.took()];
        let places = Places::of(&levels, ended, &took).expect("ends");
        (places, levels.seconds.len() - 1)
    }

    #[test]
    fn places_of_which_none_made_anybody_wait_are_more_than_were_taken() {
        let (places, most) = found(0.0);
        assert_eq!(places.count, most, "{places:?}");
        assert!(!places.were_full);
    }

    #[test]
    fn who_waits_behind_others_found_no_place_free() {
        let (places, most) = found(0.1);
        assert!(
            places.count < most && places.were_full,
            "{places:?} of {most}"
        );
    }
}
