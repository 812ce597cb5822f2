//! Requests that met every objective.

use crate::series::Grows;
use crate::traffic::Traffic;
use crate::{Goodput, RequestMetrics, Series};
use trace::{Nanos, Pacing, Slo};

/// Whether a whole response met every bound of `slo`.
///
/// What was not measured meets no bound, with one exception: a stream of a single token event has
/// no time between tokens, and so none that was too long.
pub fn meets(slo: &Slo, metrics: &RequestMetrics) -> bool {
    over(slo, metrics) <= 0.0
}

/// Milliseconds over the bound that was missed by most, below 0 where all were met.
fn over(slo: &Slo, metrics: &RequestMetrics) -> f64 {
    let beyond = |bound: Option<f64>, value: Option<f64>| {
        bound.map(|bound| value.map_or(FAILED_MS, |value| value - bound))
    };
    let single = metrics.ttft.is_some() && metrics.tpot_ms.is_none();
    [
        beyond(slo.ttft_ms, metrics.ttft.map(Nanos::millis)),
        beyond(slo.e2e_ms, metrics.e2e.map(Nanos::millis)),
        beyond(slo.tpot_ms.filter(|_| !single), metrics.tpot_ms),
    ]
    .into_iter()
    .flatten()
    .reduce(f64::max)
    .unwrap_or(MET_MS)
}

/// Where nothing is bounded, all is met.
const MET_MS: f64 = -1e3;

/// What failed, or was not measured, is over its bounds by as much.
const FAILED_MS: f64 = 1e3;

/// By how much requests missed their objectives, in the order of issue: milliseconds over the bound that was missed by most,
/// below 0 where all were met.
#[derive(Default)]
pub(crate) struct GoodTally {
    over: Series,
    /// Whether a bound is on something in which waiting is.
    waits: bool,
}

impl GoodTally {
    /// Of requests that are released in that way.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self {
            over: Series::paced(pacing),
            waits: false,
        }
    }

    /// Adds a request; `metrics` are absent where it failed.
    pub(crate) fn add(&mut self, slo: Option<&Slo>, metrics: Option<&RequestMetrics>) {
        self.waits |= slo.is_some_and(|slo| slo.ttft_ms.or(slo.e2e_ms).is_some());
        let over = slo.zip(metrics).map(|(slo, metrics)| over(slo, metrics));
        self.over.push(over.unwrap_or(FAILED_MS));
    }

    /// Begins a request that found so many in flight, or a batch.
    pub(crate) fn begin(&mut self, found: u32) {
        self.over.begin(found);
    }

    /// Over the time of throughput; `None` where nothing was issued or no time passed.
    pub(crate) fn finish(mut self, seconds: f64, traffic: &Traffic) -> Option<Goodput> {
        self.over.close();
        let values = self.over.values();
        let issued = values.len() as f64;
        let good = values.iter().filter(|&&over| over <= 0.0).count() as f64;
        let grows = if self.waits {
            Grows::ByWaiting
        } else {
            Grows::AsSeen
        };
        (issued > 0.0 && seconds > 0.0).then(|| Goodput {
            requests_per_second: good / seconds,
            share: good / issued,
            n_effective: self.over.growing(grows).effective_of_share(0.0, traffic),
        })
    }
}

/// Whether `slo` bounds anything.
pub(crate) fn bounds_something(slo: &Slo) -> bool {
    [slo.ttft_ms, slo.tpot_ms, slo.e2e_ms]
        .iter()
        .any(Option::is_some)
}
