//! A measurement in the formats of others.

mod aiperf;
mod github_benchmark;
mod junit;
mod openmetrics;
mod step_summary;
mod vllm;

pub use aiperf::aiperf;
pub use github_benchmark::{Direction, github_benchmark};
pub use junit::junit;
pub use openmetrics::openmetrics;
pub use step_summary::step_summary;
pub use vllm::vllm;

use serde_json::Value;
use stats::{Distribution, PointSummary, Summary};

/// A text of the resolved configuration.
fn text<'a>(summary: &'a Summary, name: &str) -> Option<&'a str> {
    summary.metadata.get(name).and_then(Value::as_str)
}

/// Seconds that the measured runs of a point took together.
fn seconds(point: &PointSummary) -> Option<f64> {
    let total = point.timings.batch_total_seconds?;
    Some(total.mean * total.n as f64)
}

/// The median and the percentiles that others ask for, with the probabilities they belong to.
fn quantiles(latency: &Distribution) -> [(f64, f64); 4] {
    [
        (0.5, latency.p50.value),
        (0.9, latency.p90.value),
        (0.95, latency.p95.value),
        (0.99, latency.p99.value),
    ]
}
