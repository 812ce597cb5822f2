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
use trace::Record;

/// A text of the resolved configuration.
fn text<'a>(summary: &'a Summary, name: &str) -> Option<&'a str> {
    summary.metadata.get(name).and_then(Value::as_str)
}

/// Seconds that the measured runs of a point took together.
fn seconds(point: &PointSummary) -> Option<f64> {
    let total = point.timings.batch_total_seconds?;
    Some(total.mean * total.n as f64)
}

/// The measured requests of a point, in the order in which they were released.
fn point_records(records: &[Record], number: usize) -> Vec<&Record> {
    let of_point = |record: &&Record| record.run.point as usize == number && !record.run.warmup;
    let mut records: Vec<&Record> = records.iter().filter(of_point).collect();
    records.sort_by_key(|record| (record.run.run, record.issued, record.id));
    records
}

/// The deviation of all values there are, as numpy has it; ours is that of a sample of more.
fn population_std(latency: &Distribution) -> f64 {
    let n = latency.n as f64;
    latency.std * ((n - 1.0) / n).max(0.0).sqrt()
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
