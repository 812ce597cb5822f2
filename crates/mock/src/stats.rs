//! What a server did, from its start to its stop.

use hdrhistogram::Histogram;
use std::time::Duration;

/// What a server did, from its start to its stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MockStats {
    /// Requests to the routes that do a model's work: completions, embeddings, scores, rankings.
    pub requests: u64,
    /// Of them, those that were answered to the end as they should be.
    pub complete: u64,
    /// Those that were no valid requests, or had no right to be one.
    pub refused: u64,
    /// Those that a fault happened to.
    pub faults: u64,
    /// Those whose client went away before the end.
    pub aborted: u64,
    /// Choices, embeddings and the like that ended by themselves.
    pub stopped: u64,
    /// Choices that ended at the request's own limit.
    pub limited: u64,
    /// Streams begun.
    pub streams: u64,
    /// Content events written, whole.
    pub events: u64,
    /// Words of prompts, of requests whose service began.
    pub prompt_tokens: u64,
    /// Tokens written, whole.
    pub tokens: u64,
    /// Bytes of all requests.
    pub received_bytes: u64,
    /// Bytes of all responses.
    pub sent_bytes: u64,
    /// Most streams served at once.
    pub concurrent_streams_peak: u64,
    /// How late paced writes were against their deadlines; absent where none was paced.
    pub lateness: Option<LatenessSummary>,
}

/// How late paced writes were, to three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatenessSummary {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
}

/// A histogram of spans in nanoseconds.
#[derive(Debug)]
pub(crate) struct Lateness(Histogram<u64>);

impl Lateness {
    pub(crate) fn new() -> Self {
        Self(Histogram::new(3).expect("3 digits are within the limits"))
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        // It grows with what it is given; nothing that fits into 64 bits is refused.
        let _ = self.0.record(nanos);
    }

    /// Writes that were late by so much at most, one count for each of `ends`.
    pub(crate) fn counts<const N: usize>(&self, ends: [u64; N]) -> [u64; N] {
        ends.map(|end| self.0.count_between(0, end))
    }

    /// How many there were, and how late all together.
    pub(crate) fn count_and_sum(&self) -> (u64, u64) {
        let sum = self.0.iter_recorded().map(|step| {
            let times = step.count_at_value();
            step.value_iterated_to().saturating_mul(times)
        });
        (self.0.len(), sum.fold(0, u64::saturating_add))
    }

    pub(crate) fn summary(&self) -> Option<LatenessSummary> {
        let at = |percent| Duration::from_nanos(self.0.value_at_percentile(percent));
        (!self.0.is_empty()).then(|| LatenessSummary {
            p50: at(50.0),
            p99: at(99.0),
            max: Duration::from_nanos(self.0.max()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Lateness;

    #[test]
    fn quantiles_have_three_digits_and_nothing_late_is_no_summary() {
        let mut lateness = Lateness::new();
        assert_eq!(lateness.summary(), None);
        for nanos in 1..=1_000 {
            lateness.record(nanos);
        }
        let summary = lateness.summary().unwrap();
        assert_eq!(summary.p50.as_nanos(), 500);
        assert_eq!(summary.p99.as_nanos(), 990);
        assert_eq!(summary.max.as_nanos(), 1_000);
        lateness.record(3_600_000_000_000);
        let worst = lateness.summary().unwrap().max;
        assert_eq!(worst.as_secs(), 3_601, "to three digits, and not cut off");
    }
}
