//! Whether a run's requests took longer, or less long, as it went on.

use crate::RequestMetrics;
use crate::quantile::{quantile, sort};
use crate::steady::SteadyRun;
use crate::trend::Trend;
use trace::{Nanos, Pacing, Record};

/// End-to-end latencies over the course of each run's steady part.
#[derive(Default)]
pub(crate) struct DriftTally {
    first: Vec<f64>,
    last: Vec<f64>,
    trend: Trend,
}

/// How latencies changed, and how surely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    /// Median of the first third of requests, in milliseconds.
    pub(crate) first: f64,
    /// Of the last third.
    pub(crate) last: f64,
    /// The standard normal statistic of the test of Mann and Kendall.
    pub(crate) score: f64,
}

impl DriftTally {
    /// Adds a run: `records` in the order of release, `metrics` beside them. The steady part alone
    /// counts, because every run begins on an idle server and ends on one. A burst has no course of
    /// time to drift over. Later turns of conversations take longer because their prompts are longer.
    pub(crate) fn add(
        &mut self,
        pacing: Pacing,
        steady: &SteadyRun,
        records: &[&Record],
        metrics: &[Option<RequestMetrics>],
    ) {
        if matches!(pacing, Pacing::Burst { .. }) {
            return;
        }
        let latencies: Vec<f64> = records
            .iter()
            .zip(metrics)
            .filter(|(record, _)| record.begins() && steady.contains(record.issued))
            .filter_map(|(_, metrics)| metrics.as_ref()?.e2e.map(Nanos::millis))
            .collect();
        let third = latencies.len() / 3;
        self.first.extend(&latencies[..third]);
        self.last.extend(&latencies[latencies.len() - third..]);
        self.trend.add(&latencies);
    }

    /// `None` where no run was long enough to be cut in three.
    pub(crate) fn finish(mut self) -> Option<Drift> {
        sort(&mut self.first);
        sort(&mut self.last);
        Some(Drift {
            first: quantile(&self.first, 0.5)?,
            last: quantile(&self.last, 0.5)?,
            score: self.trend.score(),
        })
    }
}
