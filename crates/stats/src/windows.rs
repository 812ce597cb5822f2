//! What ended in short windows of a run, one after the other: how a rate varies within it.

use trace::Nanos;

/// A window must see several answers end.
const ANSWERS_PER_WINDOW: usize = 5;

/// Windows shorter than some mean latencies see the same answers under way: the ends vary more from
/// one to the next than the rate does.
const LATENCIES_PER_WINDOW: f64 = 3.0;

/// Rather so many shorter windows, which make an interval too wide, than fewer: 10 to 30 batches are
/// what Schmeiser recommends, "Batch size effects in the analysis of simulation output" (1982).
const WINDOWS_ENOUGH: usize = 25;

/// More windows make no better interval.
const WINDOWS_MAX: usize = 2_000;

/// Windows of equal length that fill a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Windows {
    from: Nanos,
    to: Nanos,
    count: usize,
}

impl Windows {
    /// Of a stretch in which so many `answers` end, of which each took `latency_seconds` on average.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and the number is limited"
    )]
    pub(crate) fn new((from, to): (Nanos, Nanos), answers: usize, latency_seconds: f64) -> Self {
        let long = (to - from).seconds() / (LATENCIES_PER_WINDOW * latency_seconds);
        Self {
            from,
            to,
            count: (long as usize)
                .clamp(WINDOWS_ENOUGH, WINDOWS_MAX)
                .min(answers / ANSWERS_PER_WINDOW),
        }
    }

    /// The rate in each window, per second, of what `ended`: when, and how much. What ended before
    /// the first window or after the last one counts nowhere.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a moment within the stretch has a place among the windows"
    )]
    pub(crate) fn rates(&self, ended: impl Iterator<Item = (Nanos, f64)>) -> Vec<f64> {
        let seconds = (self.to - self.from).seconds() / self.count as f64;
        let mut rates = vec![0.0; self.count];
        for (at, amount) in ended.filter(|&(at, _)| self.from < at && at <= self.to) {
            let place = ((at - self.from).seconds() / seconds) as usize;
            if let Some(rate) = rates.get_mut(place.min(self.count.saturating_sub(1))) {
                *rate += amount / seconds;
            }
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::Windows;
    use trace::Nanos;

    #[test]
    fn what_ends_counts_in_its_window() {
        let stretch = (Nanos::from_millis(1_000), Nanos::from_millis(3_000));
        let windows = Windows::new(stretch, 20, 0.1);
        let ended = [900, 1_000, 1_001, 1_400, 1_600, 3_000, 3_001];
        let rates = windows.rates(ended.map(|at| (Nanos::from_millis(at), 2.0)).into_iter());
        // Four windows of half a second: two ends, one, none, and the one at the very end.
        let expected = [8.0, 4.0, 0.0, 4.0];
        assert!(
            rates
                .iter()
                .zip(expected)
                .all(|(rate, expected)| (rate - expected).abs() < 1e-9),
            "{rates:?}"
        );
        assert_eq!(rates.len(), expected.len());
    }

    #[test]
    fn too_few_answers_give_no_window() {
        let stretch = (Nanos::from_millis(0), Nanos::from_millis(100));
        let rates = Windows::new(stretch, 4, 0.001).rates(std::iter::empty());
        assert!(rates.is_empty());
    }
}
