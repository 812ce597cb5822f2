//! Seconds of a run in which the machine kept the client from its work.

use crate::RequestMetrics;
use crate::quantile::sort;
use serde::{Deserialize, Serialize};
use trace::{Nanos, Record, RunFacts, WatchedSecond};

/// A timer thread that wakes this late was off the processor for several slices of the scheduler.
const CANARY_MAX: Nanos = Nanos::from_millis(10);
/// A quarter of the second: a seventh is usual where client and server share two processors.
const WAIT_MAX: Nanos = Nanos::from_millis(250);
/// Five ticks in which the kernel counts it.
const STEAL_MAX: Nanos = Nanos::from_millis(50);
/// A hundredth of the second, as for a whole run.
const THROTTLED_MAX: Nanos = Nanos::from_millis(10);

/// The disturbed seconds of a point's measured runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbed {
    /// Seconds that were watched.
    pub of: u64,
    /// Those that were disturbed, in order.
    pub seconds: Vec<DisturbedSecond>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisturbedSecond {
    /// Of the point, from 0.
    pub run: u32,
    /// Of the run, from 0.
    pub second: u32,
}

impl Disturbed {
    /// `None` where no second was watched.
    pub(crate) fn of(facts: &[&RunFacts]) -> Option<Self> {
        let watched = facts
            .iter()
            .map(|facts| facts.instrument.seconds.len() as u64);
        let of = watched.sum::<u64>();
        let seconds = facts.iter().flat_map(|facts| {
            let seconds = facts
                .instrument
                .seconds
                .iter()
                .filter(|second| is_disturbed(second));
            seconds.map(|second| DisturbedSecond {
                run: facts.run.run,
                second: second.number,
            })
        });
        (of > 0).then(|| Self {
            of,
            seconds: seconds.collect(),
        })
    }

    /// Disturbed ÷ watched.
    pub fn share(&self) -> f64 {
        self.seconds.len() as f64 / self.of as f64
    }
}

/// Whether anything in it was beyond what an idle machine does.
pub(crate) fn is_disturbed(second: &WatchedSecond) -> bool {
    let beyond = |time: Option<Nanos>, limit: Nanos| time.is_some_and(|time| time > limit);
    beyond(second.canary_late_max, CANARY_MAX)
        || beyond(second.receiver_run_queue_wait, WAIT_MAX)
        || beyond(second.steal, STEAL_MAX)
        || beyond(second.throttled, THROTTLED_MAX)
        // What was dropped is sent again 200 ms or a second later: one is enough for a tail.
        || second.queue_drops.is_some_and(|drops| drops > 0)
}

/// Whether something was taken or lost in it that no stamp of ours can make up for.
pub(crate) fn is_robbed(second: &WatchedSecond) -> bool {
    let soft = WatchedSecond {
        canary_late_max: None,
        receiver_run_queue_wait: None,
        ..*second
    };
    is_disturbed(&soft)
}

/// The latencies of requests that were under way in no disturbed second, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Undisturbed {
    pub(crate) ttft: Vec<f64>,
    pub(crate) tpot: Vec<f64>,
    pub(crate) e2e: Vec<f64>,
}

impl Undisturbed {
    /// Adds a request of a run whose disturbed seconds are `spans`; where there are none, nothing is compared.
    pub(crate) fn add(
        &mut self,
        spans: &[(Nanos, Nanos)],
        record: &Record,
        metrics: &RequestMetrics,
    ) {
        let under_way = |&(from, to): &(Nanos, Nanos)| record.issued < to && record.done > from;
        if spans.iter().any(under_way) {
            return;
        }
        self.ttft.extend(metrics.ttft.map(Nanos::millis));
        self.tpot.extend(metrics.tpot_ms);
        self.e2e.extend(metrics.e2e.map(Nanos::millis));
    }

    /// In ascending order.
    pub(crate) fn sorted(mut self) -> Self {
        for sample in [&mut self.ttft, &mut self.tpot, &mut self.e2e] {
            sort(sample);
        }
        self
    }
}

/// The disturbed seconds of a run, from beginning to end.
pub(crate) fn disturbed_spans(facts: &RunFacts) -> Vec<(Nanos, Nanos)> {
    let began = facts.instrument.began.unwrap_or(facts.start);
    let span = |second: &WatchedSecond| {
        let from = began + Nanos::from_millis(1_000 * u64::from(second.number));
        (from, from + Nanos::from_millis(1_000))
    };
    let seconds = facts.instrument.seconds.iter();
    seconds
        .filter(|second| is_disturbed(second))
        .map(span)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_disturbed;
    use trace::{Nanos, WatchedSecond};

    #[test]
    fn each_sign_alone_disturbs_a_second_and_little_of_all_does_not() {
        let quiet = WatchedSecond {
            canary_late_max: Some(Nanos::from_millis(1)),
            receiver_run_queue_wait: Some(Nanos::from_millis(20)),
            steal: Some(Nanos::from_millis(10)),
            throttled: Some(Nanos::ZERO),
            queue_drops: Some(0),
            ..WatchedSecond::default()
        };
        assert!(!is_disturbed(&quiet) && !is_disturbed(&WatchedSecond::default()));
        let much = Some(Nanos::from_millis(300));
        for second in [
            WatchedSecond {
                canary_late_max: much,
                ..quiet
            },
            WatchedSecond {
                receiver_run_queue_wait: much,
                ..quiet
            },
            WatchedSecond {
                steal: much,
                ..quiet
            },
            WatchedSecond {
                throttled: much,
                ..quiet
            },
            WatchedSecond {
                queue_drops: Some(1),
                ..quiet
            },
        ] {
            assert!(is_disturbed(&second), "{second:?}");
        }
    }
}
