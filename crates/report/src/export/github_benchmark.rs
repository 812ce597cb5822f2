//! The custom JSON of github-action-benchmark.

use crate::Axis;
use crate::escape;
use serde_json::{Value, json};
use stats::{Better, Grade, Metric, PointSummary, Summary, Unit};

/// Which of its two tools the entries are for: one file cannot hold both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `customSmallerIsBetter`: latencies.
    Smaller,
    /// `customBiggerIsBetter`: rates and shares.
    Bigger,
}

/// What is followed over time.
const METRICS: [&str; 8] = [
    "ttft.p50",
    "ttft.p99",
    "tpot.p50",
    "e2e.p50",
    "e2e.p99",
    "output_tokens_per_second",
    "embeddings_per_second",
    "success",
];

/// An entry for each metric and point that was measured, with its interval; `None` where there is none, or
/// the measurement is invalid: what cannot be believed is no history.
pub fn github_benchmark(summary: &Summary, direction: Direction) -> Option<String> {
    if summary.verdict.grade == Grade::Invalid {
        return None;
    }
    let better = match direction {
        Direction::Smaller => Better::Lower,
        Direction::Bigger => Better::Higher,
    };
    let metrics = METRICS
        .iter()
        .filter_map(|name| name.parse::<Metric>().ok());
    let metrics: Vec<Metric> = metrics.filter(|metric| metric.better() == better).collect();
    let points = summary.points.iter();
    let entries = points.flat_map(|point| {
        let entry = |metric: &Metric| entry(*metric, point);
        metrics.iter().filter_map(entry).collect::<Vec<_>>()
    });
    let entries: Vec<Value> = entries.collect();
    (!entries.is_empty()).then(|| escape::json(&Value::Array(entries)))
}

fn entry(metric: Metric, point: &PointSummary) -> Option<Value> {
    let measured = metric.of(point)?;
    let (unit, scale) = match metric.unit() {
        Unit::Milliseconds => ("ms", 1.0),
        Unit::Seconds => ("s", 1.0),
        Unit::PerSecond => ("/s", 1.0),
        Unit::Share => ("%", 100.0),
    };
    let axis = Axis::of(&point.point.pacing).label().to_lowercase();
    let mut entry = json!({
        "name": format!("{metric} at {axis} {}", point.point.key),
        "unit": unit,
        "value": measured.value * scale,
        "extra": format!("{} requests", point.reliability.issued),
    });
    if let Some(interval) = measured.interval {
        let (low, high) = (interval.low * scale, interval.high * scale);
        entry["range"] = json!(format!("[{low:.3}, {high:.3}]"));
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::{Direction, github_benchmark};
    use crate::example;
    use serde_json::Value;
    use stats::{Grade, Verdict};

    #[test]
    fn latencies_and_rates_go_to_files_of_their_own() {
        let mut summary = example::summary();
        summary.verdict = Verdict::of(Vec::new());
        let entries = |direction| -> Value {
            serde_json::from_str(&github_benchmark(&summary, direction).unwrap()).unwrap()
        };
        let names = |value: &Value| -> Vec<String> {
            let all = value.as_array().unwrap().iter();
            all.map(|entry| entry["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let (small, big) = (entries(Direction::Smaller), entries(Direction::Bigger));
        assert!(
            names(&small)
                .iter()
                .all(|name| !name.contains("per_second"))
        );
        assert!(
            names(&big).contains(&"success at batch size 8".to_owned()),
            "{:?}",
            names(&big)
        );
        assert!(small[0]["value"].is_number() && small[0]["unit"] == "ms");
    }

    #[test]
    fn what_cannot_be_believed_is_no_history() {
        let mut summary = example::summary();
        summary.verdict.grade = Grade::Invalid;
        assert_eq!(github_benchmark(&summary, Direction::Smaller), None);
    }
}
