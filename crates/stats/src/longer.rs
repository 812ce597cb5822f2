//! How much longer a measurement has to be for an interval to be as narrow as somebody wants it.

/// How an interval narrows while its measurement grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Narrows {
    /// As the square root of its length does: means and percentiles of ever more values.
    AsRoot,
    /// As its length does.
    AsLength,
}

/// So many times as long at most: an interval that is much too wide says little of how it narrows.
const TIMES_MAX: f64 = 25.0;

/// How many times as long a measurement has to be for an interval that reaches `reach` to reach `aim` instead, at most
/// [`TIMES_MAX`]. Both are in one unit: shares of the value, or logarithms.
pub(crate) fn times_as_long(reach: f64, aim: f64, narrows: Narrows) -> f64 {
    let power = match narrows {
        Narrows::AsRoot => 2,
        Narrows::AsLength => 1,
    };
    (reach / aim).powi(power).min(TIMES_MAX)
}

/// Seconds of measuring in all, those that it took included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Needed {
    /// About so many.
    pub(crate) seconds: f64,
    /// The maximum: it may well take longer.
    pub(crate) at_least: bool,
}

impl Needed {
    /// What an interval needs to reach `aim` that reached `reach` in so many seconds.
    pub(crate) fn of(seconds: f64, reach: f64, aim: f64, narrows: Narrows) -> Self {
        let times = times_as_long(reach, aim, narrows);
        Self {
            seconds: round_up(seconds * times),
            at_least: times >= TIMES_MAX,
        }
    }
}

/// To two digits: nobody knows more of what has not been measured yet.
pub(crate) fn round_up(value: f64) -> f64 {
    let scale = 10_f64.powf((value.log10().floor() - 1.0).max(0.0));
    (value / scale).ceil() * scale
}

#[cfg(test)]
mod tests {
    use super::{Narrows, Needed, TIMES_MAX, round_up, times_as_long};

    #[test]
    fn half_as_wide_takes_four_times_as_long_by_the_root_and_twice_as_long_by_the_length() {
        let times = |narrows| times_as_long(0.2, 0.1, narrows);
        assert!((times(Narrows::AsRoot) - 4.0).abs() < 1e-12);
        assert!((times(Narrows::AsLength) - 2.0).abs() < 1e-12);
        // What is narrow enough already could have been shorter.
        assert!((times_as_long(0.05, 0.1, Narrows::AsRoot) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn nobody_is_asked_to_wait_for_more_than_the_maximum() {
        let times = |reach| times_as_long(reach, 0.1, Narrows::AsRoot).to_bits();
        for reach in [0.51, 1.6, 1e9, f64::INFINITY] {
            assert_eq!(times(reach), TIMES_MAX.to_bits(), "{reach}");
        }
        assert!(times_as_long(0.49, 0.1, Narrows::AsRoot) < TIMES_MAX);
    }

    #[test]
    fn seconds_at_the_maximum_are_the_least_that_it_takes() {
        let of = |reach| Needed::of(3.1, reach, 0.1, Narrows::AsRoot);
        let needed = |seconds, at_least| Needed { seconds, at_least };
        assert_eq!(of(0.4), needed(50.0, false));
        assert_eq!(of(0.6), needed(78.0, true));
    }

    #[test]
    fn what_has_to_be_is_told_to_two_digits_and_never_too_little() {
        for (value, told) in [
            (0.3, 1.0),
            (7.2, 8.0),
            (41.0, 41.0),
            (41.2, 42.0),
            (411.0, 420.0),
            (9_901.0, 10_000.0),
        ] {
            assert!((round_up(value) - told).abs() < 1e-9, "{value}");
        }
    }
}
