//! The summary that `AIPerf` writes: `profile_export_aiperf.json`.

use super::{point_records, seconds};
use crate::escape;
use serde_json::{Map, Value, json};
use stats::{PointSummary, RequestMetrics, Summary, quantile, sort};
use trace::{Nanos, Record};

/// The statistics of a block beside mean, extremes and deviation.
const PERCENTILES: [u32; 9] = [1, 5, 10, 25, 50, 75, 90, 95, 99];

/// A point of the measurement as that file has it: a block of statistics for each metric, and no block for
/// what was not measured. `records` are those of the whole measurement; `number` is the point's place in it.
pub fn aiperf(summary: &Summary, number: usize, records: &[Record]) -> Option<String> {
    let point = summary.points.get(number)?;
    let records = point_records(records, number);
    let measured = records.iter().copied();
    let measured: Vec<RequestMetrics> = measured.filter_map(RequestMetrics::from_record).collect();
    let mut file = Map::new();
    for (name, unit, values) in distributions(&measured) {
        if let Some(block) = distribution(unit, values) {
            file.insert(name.to_owned(), block);
        }
    }
    for (name, unit, value) in scalars(point) {
        if let Some(value) = value {
            file.insert(name.to_owned(), json!({ "unit": unit, "avg": value }));
        }
    }
    file.insert(
        "input_config".to_owned(),
        Value::Object(summary.metadata.clone()),
    );
    file.insert(
        "was_cancelled".to_owned(),
        json!(point.reliability.cancelled > 0),
    );
    Some(escape::json(&Value::Object(file)))
}

/// Of each metric its name, its unit, and the value of every request that has one (of gaps: of every gap).
fn distributions(measured: &[RequestMetrics]) -> [(&'static str, &'static str, Vec<f64>); 9] {
    let each = |of: &dyn Fn(&RequestMetrics) -> Option<f64>| -> Vec<f64> {
        measured.iter().filter_map(of).collect()
    };
    let gaps = measured.iter().flat_map(|metrics| &metrics.chunk_gaps);
    let gaps = gaps.map(|gap| gap.millis()).collect();
    let millis =
        |of: fn(&RequestMetrics) -> Option<Nanos>| each(&|metrics| of(metrics).map(Nanos::millis));
    let tokens = |of: fn(&RequestMetrics) -> Option<u64>| {
        each(&|metrics| of(metrics).map(|count| count as f64))
    };
    let output = || tokens(|metrics| metrics.output_tokens);
    [
        ("time_to_first_token", "ms", millis(|metrics| metrics.ttft)),
        (
            "time_to_first_output_token",
            "ms",
            millis(|metrics| metrics.ttfo),
        ),
        (
            "inter_token_latency",
            "ms",
            each(&|metrics| metrics.tpot_ms),
        ),
        ("inter_chunk_latency", "ms", gaps),
        ("request_latency", "ms", millis(|metrics| metrics.e2e)),
        (
            "output_token_throughput_per_user",
            "tokens/sec/user",
            each(&|metrics| metrics.decode_tokens_per_second),
        ),
        ("output_sequence_length", "tokens", output()),
        ("output_token_count", "tokens", each(&shown_tokens)),
        (
            "input_sequence_length",
            "tokens",
            tokens(|metrics| metrics.input_tokens),
        ),
    ]
}

/// Generated tokens without those of its thoughts.
fn shown_tokens(metrics: &RequestMetrics) -> Option<f64> {
    let thought = metrics.reasoning_tokens.unwrap_or(0);
    Some(metrics.output_tokens?.saturating_sub(thought) as f64)
}

/// Its deviations are those of populations, as numpy's are.
fn distribution(unit: &str, mut values: Vec<f64>) -> Option<Value> {
    sort(&mut values);
    let (min, max) = (*values.first()?, *values.last()?);
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let mut block = json!({
        "unit": unit, "avg": mean, "min": min, "max": max, "std": (squares / n).sqrt(),
        "count": values.len(), "sum": sum,
    });
    for percent in PERCENTILES {
        let value = quantile(&values, f64::from(percent) / 100.0);
        block[format!("p{percent}")] = json!(value);
    }
    Some(block)
}

/// Numbers of the whole, without a distribution.
fn scalars(point: &PointSummary) -> [(&'static str, &'static str, Option<f64>); 11] {
    let reliability = &point.reliability;
    let seconds = seconds(point).filter(|&seconds| seconds > 0.0);
    let per_second = |count: Option<u64>| Some(count? as f64 / seconds?);
    let good = point.goodput.as_ref();
    [
        (
            "request_count",
            "requests",
            Some(reliability.complete as f64),
        ),
        (
            "error_request_count",
            "requests",
            (reliability.failed > 0).then_some(reliability.failed as f64),
        ),
        (
            "request_throughput",
            "requests/sec",
            per_second(Some(reliability.complete)),
        ),
        (
            "output_token_throughput",
            "tokens/sec",
            per_second(point.tokens.output_total),
        ),
        (
            "total_token_throughput",
            "tokens/sec",
            per_second(
                point
                    .tokens
                    .output_total
                    .zip(point.tokens.input_total)
                    .map(|(a, b)| a + b),
            ),
        ),
        (
            "total_output_tokens",
            "tokens",
            point.tokens.output_total.map(|count| count as f64),
        ),
        ("benchmark_duration", "sec", seconds),
        (
            "goodput",
            "requests/sec",
            good.map(|good| good.requests_per_second),
        ),
        (
            "good_request_count",
            "requests",
            good.map(|good| (good.share * reliability.issued as f64).round()),
        ),
        (
            "total_isl",
            "tokens",
            point.tokens.input_total.map(|count| count as f64),
        ),
        (
            "total_osl",
            "tokens",
            point.tokens.output_total.map(|count| count as f64),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::aiperf;
    use crate::example;
    use serde_json::Value;

    #[test]
    fn blocks_have_the_statistics_of_the_requests_and_nothing_that_was_not_measured() {
        let summary = example::summary();
        let records = [
            example::record(1, 0, 0, &[50, 60, 70]),
            example::record(1, 1, 10, &[80, 100, 120]),
            example::record(2, 2, 0, &[999]),
        ];
        let text = aiperf(&summary, 1, &records).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let ttft = &file["time_to_first_token"];
        assert_eq!((&ttft["unit"], &ttft["count"]), (&"ms".into(), &2.into()));
        // 50 and 70 ms, by numpy's rules.
        let expected = [
            ("avg", 60.0),
            ("std", 10.0),
            ("sum", 120.0),
            ("p1", 50.2),
            ("p75", 65.0),
        ];
        for (statistic, expected) in expected {
            let found = ttft[statistic].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-9, "{statistic}: {found}");
        }
        assert_eq!(file["inter_chunk_latency"]["count"], 4);
        assert_eq!(file["output_sequence_length"]["sum"], 6.0);
        assert_eq!(
            file["request_count"]["avg"],
            summary.points[1].reliability.complete as f64
        );
        let nothing: Value = serde_json::from_str(&aiperf(&summary, 1, &[]).unwrap()).unwrap();
        assert!(nothing.get("time_to_first_token").is_none());
        assert_eq!(aiperf(&summary, 9, &records), None);
    }
}
