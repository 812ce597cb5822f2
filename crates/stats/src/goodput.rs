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
    let within = |bound: Option<f64>, value: Option<f64>| {
        bound.is_none_or(|bound| value.is_some_and(|value| value <= bound))
    };
    let single = metrics.ttft.is_some() && metrics.tpot_ms.is_none();
    within(slo.ttft_ms, metrics.ttft.map(Nanos::millis))
        && within(slo.e2e_ms, metrics.e2e.map(Nanos::millis))
        && (single || within(slo.tpot_ms, metrics.tpot_ms))
}

/// Which of the requests missed an objective, in the order of issue: what failed met none. It happens the more often the
/// more are in flight.
#[derive(Default)]
pub(crate) struct GoodTally(Series);

impl GoodTally {
    /// Of requests that are released in that way.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self(Series::paced(pacing).growing(Grows::NotAtAll))
    }

    /// Adds a request; `metrics` are absent where it failed.
    pub(crate) fn add(&mut self, slo: Option<&Slo>, metrics: Option<&RequestMetrics>) {
        let met = slo
            .zip(metrics)
            .is_some_and(|(slo, metrics)| meets(slo, metrics));
        self.0.push(f64::from(u8::from(!met)));
    }

    /// Begins a request that found so many in flight, or a batch.
    pub(crate) fn begin(&mut self, found: u32) {
        self.0.begin(found);
    }

    /// Over the time of throughput; `None` where nothing was issued or no time passed.
    pub(crate) fn finish(mut self, seconds: f64, traffic: &Traffic) -> Option<Goodput> {
        self.0.close();
        let issued = self.0.values().len() as f64;
        let good = issued - self.0.values().iter().sum::<f64>();
        (issued > 0.0 && seconds > 0.0).then(|| Goodput {
            requests_per_second: good / seconds,
            share: good / issued,
            n_effective: self.0.effective_of_mean(traffic),
        })
    }
}

/// Whether `slo` bounds anything.
pub(crate) fn bounds_something(slo: &Slo) -> bool {
    [slo.ttft_ms, slo.tpot_ms, slo.e2e_ms]
        .iter()
        .any(Option::is_some)
}
