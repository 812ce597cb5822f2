//! Checks of what was typed that many flags share.

use crate::failure::Failure;
use std::time::Duration;
use trace::Nanos;

/// Refuses text that a terminal would act on.
pub(crate) fn refuse_control_characters(flag: &str, text: Option<&str>) -> Result<(), Failure> {
    match text.and_then(|text| text.chars().find(|c| c.is_control())) {
        Some(found) => Err(Failure::usage(format!(
            "{flag} holds the control character U+{:04X}; leave it out",
            u32::from(found)
        ))),
        None => Ok(()),
    }
}

/// A span given in seconds, as nanoseconds above 0.
pub(super) fn positive(flag: &str, unit: &str, value: f64) -> Result<u64, Failure> {
    /// Longer than any benchmark.
    const LIMIT: f64 = 1e7;
    if value > 0.0 && value <= LIMIT {
        Ok(Nanos::from_seconds(value).0.max(1))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be above 0 and at most {LIMIT} {unit}, got `{value}`"
        )))
    }
}

/// The same, as a duration.
pub(super) fn seconds(flag: &str, typed: f64) -> Result<Duration, Failure> {
    positive(flag, "seconds", typed).map(Duration::from_nanos)
}
