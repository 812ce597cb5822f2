//! Time, in nanoseconds of a monotonic clock.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// A point on (or a span of) the monotonic clock, in nanoseconds.
///
/// Points are `CLOCK_MONOTONIC` of the machine that measured, so that two processes on one machine
/// can compare theirs; they mean nothing across machines or reboots.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Zero, the start of a virtual clock.
    pub const ZERO: Nanos = Nanos(0);

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Nanos(millis * 1_000_000)
    }

    /// A span of seconds; negative and non-finite values become zero, too large ones the maximum.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, which is what the doc promises"
    )]
    pub fn from_seconds(seconds: f64) -> Self {
        Nanos((seconds * 1e9).round() as u64)
    }

    /// The same in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The same in milliseconds.
    pub fn millis(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The span from `earlier` to `self`; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Nanos;

    fn add(self, span: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(span.0))
    }
}

impl Sub for Nanos {
    type Output = Nanos;

    fn sub(self, earlier: Nanos) -> Nanos {
        self.since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::Nanos;

    #[test]
    fn seconds_from_outside_saturate_instead_of_wrapping() {
        assert_eq!(Nanos::from_seconds(-1.0), Nanos::ZERO);
        assert_eq!(Nanos::from_seconds(f64::NAN), Nanos::ZERO);
        assert_eq!(Nanos::from_seconds(1e300), Nanos(u64::MAX));
        assert_eq!(Nanos::from_seconds(0.05), Nanos::from_millis(50));
    }

    #[test]
    fn a_span_to_an_earlier_point_is_zero() {
        assert_eq!(Nanos(3) - Nanos(5), Nanos::ZERO);
    }
}
