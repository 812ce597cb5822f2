//! Requests that met every objective.

use crate::traffic::Traffic;
use crate::{Goodput, Interval, RequestMetrics, Series};
use trace::{Nanos, Pacing, Slo};

/// Whether a whole response met every bound of `slo`.
///
/// What was not measured meets no bound, with one exception: a stream of a single token event has
/// no time between tokens, and so none that was too long.
pub fn meets(slo: &Slo, metrics: &RequestMetrics) -> bool {
    over(slo, metrics) <= 0.0
}

/// By how many milliseconds a response missed the bound on what waiting makes longer that it missed by most, below 0 where
/// it met them; infinite where something else decides.
fn over(slo: &Slo, metrics: &RequestMetrics) -> f64 {
    let beyond = |bound: Option<f64>, value: Option<f64>| {
        bound.map(|bound| value.map_or(f64::INFINITY, |value| value - bound))
    };
    let single = metrics.ttft.is_some() && metrics.tpot_ms.is_none();
    if !single && beyond(slo.tpot_ms, metrics.tpot_ms).is_some_and(|over| over > 0.0) {
        return f64::INFINITY;
    }
    let ttft = beyond(slo.ttft_ms, metrics.ttft.map(Nanos::millis));
    let e2e = beyond(slo.e2e_ms, metrics.e2e.map(Nanos::millis));
    let bounds = [ttft, e2e].into_iter().flatten();
    bounds.reduce(f64::max).unwrap_or(f64::NEG_INFINITY)
}

/// By how much requests missed their objectives, in the order of issue.
#[derive(Default)]
pub(crate) struct GoodTally(Series);

impl GoodTally {
    /// Of requests that are released in that way.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self(Series::paced(pacing))
    }

    /// Adds a request; `metrics` are absent where it failed.
    pub(crate) fn add(&mut self, slo: Option<&Slo>, metrics: Option<&RequestMetrics>) {
        let over = slo.zip(metrics).map(|(slo, metrics)| over(slo, metrics));
        self.0.push(over.unwrap_or(f64::INFINITY));
    }

    /// Begins a request that found so many in flight, or a batch.
    pub(crate) fn begin(&mut self, found: u32) {
        self.0.begin(found);
    }

    /// Over the time of throughput; `None` where nothing was issued or no time passed.
    pub(crate) fn finish(mut self, seconds: f64, traffic: &Traffic) -> Option<Goodput> {
        self.0.close();
        let values = self.0.values();
        let issued = values.len() as f64;
        let good = values.iter().filter(|&&over| over <= 0.0).count() as f64;
        if issued <= 0.0 || seconds <= 0.0 {
            return None;
        }
        let missed = self.0.share_above(0.0, traffic);
        Some(Goodput {
            requests_per_second: good / seconds,
            share: good / issued,
            share_interval: missed.map(|(Interval { low, high }, _)| Interval {
                low: 1.0 - high,
                high: 1.0 - low,
            }),
            n_effective: missed.map(|(_, size)| size),
        })
    }
}

/// Whether `slo` bounds anything.
pub(crate) fn bounds_something(slo: &Slo) -> bool {
    [slo.ttft_ms, slo.tpot_ms, slo.e2e_ms]
        .iter()
        .any(Option::is_some)
}
