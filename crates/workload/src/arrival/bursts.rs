//! Bursts on top of a base rate.

use super::{arrivals, rounded};
use trace::{Arrival, Nanos};

/// A checked [`Arrival::Bursts`].
pub(super) struct Bursts {
    arrival: Arrival,
    rate: f64,
    size: u32,
    every: Nanos,
}

impl Bursts {
    /// `None` for every other process.
    pub(super) fn of(arrival: Arrival) -> Option<Self> {
        match arrival {
            Arrival::Bursts {
                rate, size, every, ..
            } => Some(Self {
                arrival,
                rate,
                size,
                every,
            }),
            _ => None,
        }
    }

    /// Requests in bursts that are due before `until`.
    pub(super) fn requests_before(&self, until: Nanos) -> f64 {
        let bursts = until.0.saturating_sub(1) / self.every.0;
        bursts as f64 * f64::from(self.size)
    }

    /// The first `count`; the last burst is cut short where it goes beyond them.
    pub(super) fn due_times(&self, count: usize, seed: u64) -> Vec<Nanos> {
        let every = self.every.seconds();
        let between = self.rate * every;
        let periods = (count as f64 / (between + f64::from(self.size))).floor();
        let rest = count as f64 - periods * (between + f64::from(self.size));
        let of_rate = rounded(self.rate * every * periods + rest.min(between)).min(count);
        let mut dues = self.base(of_rate, of_rate as f64, seed);
        dues.extend(self.in_bursts(count - of_rate));
        dues.sort_unstable();
        dues
    }

    /// Those before `end`, at most `limit`.
    pub(super) fn due_times_before(&self, end: Nanos, limit: usize, seed: u64) -> Vec<Nanos> {
        let expected = self.rate * end.seconds();
        let mut dues = self.base(rounded(expected).min(limit), expected, seed);
        dues.extend(self.in_bursts(rounded(self.requests_before(end)).min(limit)));
        dues.sort_unstable();
        dues.truncate(limit);
        dues
    }

    fn base(&self, count: usize, expected: f64, seed: u64) -> Vec<Nanos> {
        if count == 0 {
            // At a rate of 0 no time is long enough for one.
            return Vec::new();
        }
        arrivals(self.arrival, count, expected, seed)
    }

    fn in_bursts(&self, count: usize) -> impl Iterator<Item = Nanos> {
        let (size, every) = (u64::from(self.size), self.every.0);
        (0_u64..)
            .take(count)
            .map(move |number| Nanos(every.saturating_mul(number / size + 1)))
    }
}
