use hdrhistogram::Histogram;
use std::time::Duration;

/// What a server did, from its start to its stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MockStats {
    /// Requests to the completion routes.
    pub requests: u64,
    /// Streams begun.
    pub streams: u64,
    /// Content events written, whole.
    pub events: u64,
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
