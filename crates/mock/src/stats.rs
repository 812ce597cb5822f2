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

/// How late paced writes were. Quantiles are the upper edges of buckets 1/32 wide, relative to
/// their value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatenessSummary {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// The latest.
    pub max: Duration,
}

/// Below this many nanoseconds every bucket is one wide; above, every octave has this many.
const BUCKETS_PER_OCTAVE: u64 = 32;

/// A histogram of spans in nanoseconds: buckets as wide as 1/32 of their lower edge.
#[derive(Debug)]
pub(crate) struct Lateness {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Lateness {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; bucket(u64::MAX) + 1],
            total: 0,
            max: 0,
        }
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    pub(crate) fn summary(&self) -> Option<LatenessSummary> {
        (self.total > 0).then(|| LatenessSummary {
            p50: Duration::from_nanos(self.percentile(50)),
            p99: Duration::from_nanos(self.percentile(99)),
            max: Duration::from_nanos(self.max),
        })
    }

    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_edge(index as u64).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(nanos: u64) -> usize {
    let octave = u64::from(
        (nanos / BUCKETS_PER_OCTAVE)
            .checked_ilog2()
            .map_or(0, |log| log),
    );
    let index = octave * BUCKETS_PER_OCTAVE + (nanos >> octave);
    usize::try_from(index).expect("64 octaves of 32 buckets are few")
}

/// The largest span of a bucket.
fn upper_edge(index: u64) -> u64 {
    let octave = (index / BUCKETS_PER_OCTAVE).saturating_sub(1);
    let first = (index - octave * BUCKETS_PER_OCTAVE) << octave;
    first + ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::{Lateness, bucket, upper_edge};
    use std::time::Duration;

    #[test]
    fn every_span_is_in_a_bucket_whose_edge_is_at_most_a_32nd_above_it() {
        for exponent in 0..64 {
            for nanos in [
                1_u64 << exponent,
                (1 << exponent) + (1 << exponent) / 3,
                u64::MAX >> exponent,
            ] {
                let edge = upper_edge(bucket(nanos) as u64);
                assert!(
                    edge >= nanos && edge - nanos <= nanos / 32,
                    "{nanos} in a bucket up to {edge}"
                );
            }
        }
    }

    #[test]
    fn quantiles_are_within_the_width_of_a_bucket() {
        let mut lateness = Lateness::new();
        assert_eq!(lateness.summary(), None);
        for nanos in 1..=1_000 {
            lateness.record(nanos);
        }
        let summary = lateness.summary().unwrap();
        assert!((500..=516).contains(&summary.p50.as_nanos()), "{summary:?}");
        assert!(
            (990..=1_000).contains(&summary.p99.as_nanos()),
            "{summary:?}"
        );
        assert_eq!(summary.max, Duration::from_micros(1));
    }
}
