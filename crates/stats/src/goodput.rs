//! Requests that met every objective.

use crate::run::RunMetrics;
use crate::{Goodput, RequestMetrics};
use trace::{Nanos, Slo};

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

impl Goodput {
    /// Of `good` requests among all that `runs` issued; `None` where none was issued or no time
    /// passed. The time is that of throughput.
    pub(crate) fn of(good: u64, runs: &[RunMetrics]) -> Option<Self> {
        let issued: u64 = runs.iter().map(|run| run.issued).sum();
        let seconds: f64 = runs.iter().map(RunMetrics::seconds).sum();
        (issued > 0 && seconds > 0.0).then(|| Self {
            requests_per_second: good as f64 / seconds,
            share: good as f64 / issued as f64,
        })
    }
}

/// Whether `slo` bounds anything.
pub(crate) fn bounds_something(slo: &Slo) -> bool {
    [slo.ttft_ms, slo.tpot_ms, slo.e2e_ms]
        .iter()
        .any(Option::is_some)
}
