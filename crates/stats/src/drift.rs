//! Whether a run's requests took longer, or less long, as it went on.

use crate::quantile::sort;
use crate::steady::SteadyRun;
use crate::{Quantile, RequestMetrics};
use trace::{Nanos, Record};

/// End-to-end latencies of the first and the last third of each run's steady part.
#[derive(Default)]
pub(crate) struct DriftTally {
    first: Vec<f64>,
    last: Vec<f64>,
    requests: usize,
}

/// The medians of the two thirds, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    /// Of requests issued early.
    pub(crate) first: Quantile,
    /// Of requests issued late.
    pub(crate) last: Quantile,
    /// In the steady parts, all thirds together.
    pub(crate) requests: usize,
}

impl DriftTally {
    /// Adds a run: `records` in the order of release, `metrics` beside them. The steady part alone
    /// counts, because every run begins on an idle server and ends on one.
    pub(crate) fn add(
        &mut self,
        steady: &SteadyRun,
        records: &[&Record],
        metrics: &[Option<RequestMetrics>],
    ) {
        let latencies: Vec<f64> = records
            .iter()
            .zip(metrics)
            .filter(|(record, _)| steady.contains(record.issued))
            .filter_map(|(_, metrics)| metrics.as_ref()?.e2e.map(Nanos::millis))
            .collect();
        let third = latencies.len() / 3;
        self.first.extend(&latencies[..third]);
        self.last.extend(&latencies[latencies.len() - third..]);
        self.requests += latencies.len();
    }

    /// `None` where no run was long enough to be cut in three.
    pub(crate) fn finish(mut self) -> Option<Drift> {
        sort(&mut self.first);
        sort(&mut self.last);
        Some(Drift {
            first: Quantile::of_sorted(&self.first, 0.5)?,
            last: Quantile::of_sorted(&self.last, 0.5)?,
            requests: self.requests,
        })
    }
}
