//! The summary that `AIPerf` writes: `profile_export_aiperf.json`.

use super::{quantiles, seconds};
use serde_json::{Map, Value, json};
use stats::{Distribution, MeanStd, PointSummary, Summary};

/// A point of the measurement as that file has it: a block of statistics for each metric, and no block for
/// what was not measured.
pub fn aiperf(summary: &Summary, number: usize) -> Option<String> {
    let point = summary.points.get(number)?;
    let latency = &point.latency;
    let mut file = Map::new();
    let records = [
        ("time_to_first_token", &latency.ttft),
        ("time_to_first_output_token", &latency.ttfo),
        ("inter_token_latency", &latency.tpot),
        ("inter_chunk_latency", &latency.chunk_gap),
        ("request_latency", &latency.e2e),
    ];
    for (name, latency) in records {
        if let Some(latency) = latency {
            file.insert(name.to_owned(), distribution(latency));
        }
    }
    let means = [
        ("output_sequence_length", point.tokens.output_per_request),
        ("input_sequence_length", point.tokens.input_per_request),
    ];
    for (name, mean) in means {
        if let Some(mean) = mean {
            file.insert(name.to_owned(), lengths(mean));
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
    Some(format!("{:#}\n", Value::Object(file)))
}

/// Numbers of the whole, without a distribution.
fn scalars(point: &PointSummary) -> [(&'static str, &'static str, Option<f64>); 8] {
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
            Some(reliability.failed as f64),
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
    ]
}

fn distribution(latency: &Distribution) -> Value {
    let mut block = json!({
        "unit": "ms", "avg": latency.mean, "min": latency.min, "max": latency.max, "std": latency.std,
        "count": latency.n,
    });
    for (probability, value) in quantiles(latency) {
        block[format!("p{:.0}", probability * 100.0)] = json!(value);
    }
    block
}

fn lengths(mean: MeanStd) -> Value {
    json!({
        "unit": "tokens", "avg": mean.mean, "min": mean.min, "max": mean.max, "std": mean.std,
        "count": mean.n,
    })
}

#[cfg(test)]
mod tests {
    use super::aiperf;
    use crate::example;
    use serde_json::Value;

    #[test]
    fn blocks_have_units_and_what_is_known_and_nothing_else() {
        let summary = example::summary();
        let file: Value = serde_json::from_str(&aiperf(&summary, 1).unwrap()).unwrap();
        let ttft = summary.points[1].latency.ttft.as_ref().unwrap();
        assert_eq!(file["time_to_first_token"]["unit"], "ms");
        assert_eq!(file["time_to_first_token"]["p99"], ttft.p99.value);
        assert_eq!(
            file["request_count"]["avg"],
            summary.points[1].reliability.complete as f64
        );
        let blocks = file.as_object().unwrap().values();
        assert!(
            blocks
                .filter(|block| block.get("unit").is_some())
                .all(|block| !block["avg"].is_null())
        );
        assert_eq!(aiperf(&summary, 9), None);
    }
}
