//! How far a number can be off, and how much of that is too much.

use super::Grade;
use crate::{Interval, Quantile};
use serde::{Deserialize, Serialize};

/// A number that is off by less than this is as good as any other: another run gives another one.
const RELATIVE_MAX: f64 = 0.02;

/// However wide the interval of a number is, this part of it is an error that must be told.
const ALWAYS: f64 = 0.1;

/// As of a certificate: what is off by a fifth says nothing.
const USELESS: f64 = 0.2;

/// How far a number can be off: an upper bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// As thresholds name it: `ttft.p99`.
    pub number: String,
    /// Of `absolute`: `ms`, or `/s`.
    pub unit: String,
    /// By so much at most, in that unit.
    pub absolute: f64,
    /// The same as a part of the number.
    pub relative: f64,
    /// Above this part it speaks against the measurement.
    pub limit: f64,
}

impl Bound {
    /// Of a number with that value and 95 % interval; `None` where the number is none that anything is a part of.
    pub(crate) fn new(
        number: &str,
        unit: &str,
        absolute: f64,
        (value, interval): (f64, Option<Interval>),
    ) -> Option<Self> {
        let relative = absolute / value;
        let half = interval.map_or(0.0, |interval| (interval.high - interval.low) / 2.0 / value);
        (value > 0.0 && relative.is_finite()).then(|| Self {
            number: number.to_owned(),
            unit: unit.to_owned(),
            absolute,
            relative,
            limit: RELATIVE_MAX.max(half).min(ALWAYS),
        })
    }

    /// Of a percentile in milliseconds.
    pub(crate) fn of_quantile(number: &str, absolute_ms: f64, quantile: Quantile) -> Option<Self> {
        Self::new(
            number,
            "ms",
            absolute_ms,
            (quantile.value, quantile.interval),
        )
    }

    /// What an error as large as it may be says of a measurement.
    pub(crate) fn grade(&self) -> Grade {
        match self.relative {
            off if off > USELESS => Grade::Invalid,
            off if off > self.limit => Grade::Suspect,
            _ => Grade::Valid,
        }
    }

    /// `ttft.p99 can be off by 0.31 ms (0.4 %, limit 2.0 %)`.
    pub(crate) fn words(&self) -> String {
        format!(
            "{} can be off by {} {} ({}, limit {})",
            self.number,
            short(self.absolute),
            self.unit,
            super::percent(self.relative),
            super::percent(self.limit)
        )
    }
}

/// The one that speaks most against the numbers.
pub(crate) fn worst(bounds: &[Bound]) -> Option<&Bound> {
    let excess = |bound: &Bound| bound.relative / bound.limit;
    bounds.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)))
}

/// Three digits or so of a small number.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value if value >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, worst};
    use crate::{Grade, Interval};

    fn off(absolute: f64, half: f64) -> Bound {
        let interval = Interval {
            low: 100.0 - half,
            high: 100.0 + half,
        };
        Bound::new("ttft.p50", "ms", absolute, (100.0, Some(interval))).unwrap()
    }

    #[test]
    fn an_error_counts_from_2_per_cent_or_half_the_interval_and_always_from_10() {
        assert_eq!(off(1.9, 0.5).grade(), Grade::Valid);
        assert_eq!(off(2.1, 0.5).grade(), Grade::Suspect);
        assert_eq!(off(4.9, 5.0).grade(), Grade::Valid);
        assert_eq!(off(5.1, 5.0).grade(), Grade::Suspect);
        assert_eq!(off(9.9, 50.0).grade(), Grade::Valid);
        assert_eq!(off(10.1, 50.0).grade(), Grade::Suspect);
        assert_eq!(off(20.1, 50.0).grade(), Grade::Invalid);
    }

    #[test]
    fn what_is_no_number_has_no_bound() {
        assert_eq!(Bound::new("ttft.p50", "ms", 1.0, (0.0, None)), None);
        assert_eq!(Bound::new("ttft.p50", "ms", f64::NAN, (1.0, None)), None);
    }

    #[test]
    fn the_worst_is_the_one_that_is_most_beyond_its_limit() {
        let both = [off(3.0, 1.0), off(4.0, 8.0)];
        assert_eq!(worst(&both), Some(&both[0]));
        assert_eq!(
            both[0].words(),
            "ttft.p50 can be off by 3.0 ms (3.0 %, limit 2.0 %)"
        );
    }
}
