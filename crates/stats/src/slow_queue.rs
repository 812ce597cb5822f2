//! Whether the waves of a server's queue were too long for the runs that were to measure it, and how long these have to be.

use crate::longer::{Narrows, Needed};
use crate::metric::{Measured, Metric};
use crate::traffic::Traffic;
use crate::{Distribution, Latency, Timings};
use serde::{Deserialize, Serialize};

/// A median that may be off by more is worth a sentence.
const WORTH: f64 = 0.25;

/// What it is to be known to.
const AIM: f64 = 0.1;

/// Without the waves the interval would reach this part at most: otherwise they are not the reason.
const ALONE: f64 = 0.5;

/// A queue that may rise and fall more slowly than the runs were long: the median of a latency is known badly, and other
/// runs like these would say something else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlowQueue {
    /// Of which this is said: `ttft.p50`, or `e2e.p50` without streams.
    pub metric: Metric,
    /// The further end of its interval from the value, as a share of it.
    pub reach: f64,
    /// What it would reach with so many seconds of measuring.
    pub aim: f64,
    /// About so many seconds, over all runs.
    pub seconds_needed: f64,
    /// Whether it may well take longer: of an interval that is much too wide nobody knows how it narrows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

impl SlowQueue {
    /// `None` where the median is known well enough, where something else than the queue is the reason, and where no queue
    /// can be seen.
    pub(crate) fn of(traffic: &Traffic, latency: &Latency, timings: &Timings) -> Option<Self> {
        traffic.queue()?;
        let (name, sample) = match (&latency.ttft, &latency.e2e) {
            (Some(ttft), _) => ("ttft.p50", ttft),
            (None, Some(e2e)) => ("e2e.p50", e2e),
            (None, None) => return None,
        };
        let reach = Measured {
            value: sample.p50.value,
            interval: sample.p50.interval,
        }
        .reach()?;
        if reach <= WORTH || alone(sample)? > ALONE {
            return None;
        }
        let needed = Needed::of(timings.measured_seconds()?, reach, AIM, Narrows::AsRoot);
        Some(Self {
            metric: name.parse().ok()?,
            reach,
            aim: AIM,
            seconds_needed: needed.seconds,
            at_least: needed.at_least,
        })
    }
}

/// The part of the median's interval that as many independent values would have.
fn alone(sample: &Distribution) -> Option<f64> {
    Some((sample.n_effective? / sample.n as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::SlowQueue;
    use crate::traffic::Traffic;
    use crate::{Distribution, Interval, Latency, MeanStd, Timings};
    use trace::{Arrival, Nanos, Pacing};

    /// 100 values about 100 ms, with that interval of the median and so many that count.
    fn sample(low: f64, high: f64, effective: f64) -> Option<Distribution> {
        let mut sample = Distribution::of_sorted(&[100.0; 100])?;
        sample.p50.interval = Some(Interval { low, high });
        sample.n_effective = Some(effective);
        Some(sample)
    }

    fn ttft(sample: Option<Distribution>) -> Latency {
        Latency {
            ttft: sample,
            ..Latency::default()
        }
    }

    /// Two runs of 5 s.
    fn of(traffic: &Traffic, latency: &Latency) -> Option<SlowQueue> {
        let timings = Timings {
            batch_total_seconds: MeanStd::of(&[4.0, 6.0]),
            fastest_seconds: None,
            slowest_seconds: None,
            spread_seconds: None,
        };
        SlowQueue::of(traffic, latency, &timings)
    }

    /// Requests every 100 ms, each in flight for 250.
    fn seen() -> Traffic {
        let pacing = Pacing::Open {
            arrival: Arrival::Constant { rate: 10.0 },
            max_concurrency: None,
        };
        let span = |n: u64| {
            let issued = Nanos::from_millis(100 * n);
            (issued, issued + Nanos::from_millis(250))
        };
        let traffic = Traffic::of(pacing, [(0..100).map(span).collect()]);
        assert!(traffic.queue().is_some());
        traffic
    }

    #[test]
    fn the_further_end_counts_and_the_seconds_are_those_of_all_runs() {
        for (low, high) in [(95.0, 140.0), (60.0, 105.0)] {
            let said = of(&seen(), &ttft(sample(low, high, 4.0))).unwrap();
            assert!((said.reach - 0.4).abs() < 1e-12);
            assert_eq!(said.metric.to_string(), "ttft.p50");
            // 10 s, and 4 times as narrow.
            assert!((said.seconds_needed - 160.0).abs() < 1.0 && !said.at_least);
        }
    }

    #[test]
    fn a_median_that_is_known_to_a_quarter_is_known_well_enough() {
        assert_eq!(of(&seen(), &ttft(sample(75.0, 125.0, 4.0))), None);
        assert!(of(&seen(), &ttft(sample(74.0, 125.0, 4.0))).is_some());
    }

    #[test]
    fn values_that_differ_without_any_wave_are_not_the_fault_of_the_queue() {
        assert_eq!(of(&seen(), &ttft(sample(60.0, 140.0, 26.0))), None);
        assert!(of(&seen(), &ttft(sample(60.0, 140.0, 24.0))).is_some());
    }

    #[test]
    fn where_no_queue_is_seen_nothing_is_said_of_one() {
        let latency = ttft(sample(60.0, 140.0, 4.0));
        assert_eq!(of(&Traffic::default(), &latency), None);
    }

    #[test]
    fn without_streams_it_is_the_whole_answer_that_counts() {
        let mut latency = Latency {
            e2e: sample(60.0, 140.0, 4.0),
            ..Latency::default()
        };
        let said = of(&seen(), &latency).unwrap();
        assert_eq!(said.metric.to_string(), "e2e.p50");
        latency.ttft = sample(99.0, 101.0, 4.0);
        assert_eq!(of(&seen(), &latency), None);
    }
}
