//! The result file of `vllm bench serve`, key for key.

use super::{point_records, population_std, quantiles, seconds, text};
use crate::escape;
use serde_json::{Map, Value, json};
use stats::{Distribution, PointSummary, RequestMetrics, Summary};
use std::collections::BTreeMap;
use trace::{Arrival, Nanos, Pacing, Record};

/// A point as `vllm bench serve --save-result --save-detailed` writes one. `records` are those of the whole
/// measurement; `number` is the point's place in it.
///
/// Its inter-token latency is the time between chunks, ours `chunk_gap`; its client counts the role and the
/// finish reason among them, ours no chunk without text. Its deviations are those of populations. Its queue is
/// that of its client: what ours is late by. Texts are not kept, so that `generated_texts` are empty.
pub fn vllm(summary: &Summary, number: usize, records: &[Record]) -> Option<String> {
    let point = summary.points.get(number)?;
    let seconds = seconds(point)?;
    let mut file = heading(summary, point);
    let per_second = |count: Option<u64>| match count {
        Some(count) if seconds > 0.0 => json!(count as f64 / seconds),
        _ => json!(0.0),
    };
    let reliability = &point.reliability;
    let (input, output) = (point.tokens.input_total, point.tokens.output_total);
    let lists = Lists::of(records, number);
    let rates = [
        ("duration", json!(seconds)),
        ("completed", json!(reliability.complete)),
        ("failed", json!(reliability.failed + reliability.cancelled)),
        ("total_input_tokens", json!(input.unwrap_or(0))),
        ("total_output_tokens", json!(output.unwrap_or(0))),
        ("request_throughput", per_second(Some(reliability.complete))),
        (
            "request_goodput",
            json!(point.goodput.as_ref().map(|good| good.requests_per_second)),
        ),
        ("output_throughput", per_second(output)),
        (
            "total_token_throughput",
            per_second(Some(input.unwrap_or(0) + output.unwrap_or(0))),
        ),
        ("max_output_tokens_per_s", json!(lists.most_tokens)),
        ("max_concurrent_requests", json!(point.concurrency.peak)),
        ("rtfx", json!(0.0)),
    ];
    file.extend(rates.map(|(name, value)| (name.to_owned(), value)));
    file.extend(lists.fields());
    for (name, latency) in [
        ("ttft", &point.latency.ttft),
        ("tpot", &point.latency.tpot),
        ("itl", &point.latency.chunk_gap),
        ("e2el", &point.latency.e2e),
    ] {
        file.extend(latency_fields(name, latency.as_ref()));
    }
    Some(escape::json(&Value::Object(file)))
}

/// What was asked for.
fn heading(summary: &Summary, point: &PointSummary) -> Map<String, Value> {
    let model = text(summary, "model").unwrap_or_default();
    let backend = match text(summary, "endpoint") {
        Some("/completions") => "openai",
        Some("/responses") => "openai-responses",
        _ => "openai-chat",
    };
    let (rate, burstiness, most) = match point.point.pacing {
        Pacing::Open {
            arrival,
            max_concurrency,
            ..
        } => (json!(arrival.rate()), burstiness(arrival), max_concurrency),
        Pacing::Closed { concurrency } => (json!("inf"), 1.0, Some(concurrency)),
        Pacing::Burst { size } => (json!("inf"), 1.0, Some(size)),
    };
    let fields = [
        ("date", json!(date(summary))),
        ("endpoint_type", json!(backend)),
        ("backend", json!(backend)),
        ("label", json!(text(summary, "description"))),
        ("model_id", json!(model)),
        ("tokenizer_id", json!(tokenizer(summary).unwrap_or(model))),
        ("num_prompts", json!(point.reliability.issued)),
        ("request_rate", rate),
        ("burstiness", json!(burstiness)),
        ("max_concurrency", json!(most)),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into_iter().collect()
}

fn tokenizer(summary: &Summary) -> Option<&str> {
    summary.metadata.get("tokenizer")?.get("name")?.as_str()
}

/// `20261124-123456`, of `2026-11-24T12:34:56.789`.
fn date(summary: &Summary) -> String {
    let stamp = text(summary, "timestamp").unwrap_or_default();
    let seconds = stamp.split('.').next().unwrap_or_default();
    seconds.replace(['-', ':'], "").replace('T', "-")
}

/// The shape of the gaps; 1 where they are exponential, or no gamma distribution has them.
fn burstiness(arrival: Arrival) -> f64 {
    match arrival {
        Arrival::Gamma { shape, .. } => shape,
        _ => 1.0,
    }
}

fn latency_fields(name: &str, latency: Option<&Distribution>) -> Vec<(String, Value)> {
    let of = |pick: fn(&Distribution) -> f64| json!(latency.map_or(0.0, pick));
    let mut fields = vec![
        (format!("mean_{name}_ms"), of(|latency| latency.mean)),
        (format!("median_{name}_ms"), of(|latency| latency.p50.value)),
        (format!("std_{name}_ms"), of(population_std)),
    ];
    for (place, percent) in [50, 90, 95, 99].into_iter().enumerate() {
        let value = latency.map_or(0.0, |latency| quantiles(latency)[place].1);
        fields.push((format!("p{percent}_{name}_ms"), json!(value)));
    }
    fields
}

/// A value for each request, in the order in which they were released; times in seconds.
#[derive(Default)]
struct Lists {
    input_lens: Vec<u64>,
    output_lens: Vec<u64>,
    ttfts: Vec<f64>,
    itls: Vec<Vec<f64>>,
    /// End to end; 0 of what failed.
    latencies: Vec<f64>,
    start_times: Vec<f64>,
    queue_times: Vec<f64>,
    errors: Vec<String>,
    /// The most tokens that came within a second of the clock that began with its run.
    most_tokens: f64,
}

impl Lists {
    fn of(records: &[Record], number: usize) -> Self {
        let records = point_records(records, number);
        let mut begins: BTreeMap<u32, Nanos> = BTreeMap::new();
        for record in &records {
            begins.entry(record.run.run).or_insert(record.issued);
        }
        let mut lists = Self::default();
        let mut seconds: BTreeMap<(u32, u64), f64> = BTreeMap::new();
        for record in records {
            let metrics = RequestMetrics::from_record(record);
            let metrics = metrics.as_ref();
            let input = metrics.and_then(|metrics| metrics.input_tokens);
            let output = metrics.and_then(|metrics| metrics.output_tokens);
            let planned = record.planned_tokens.map(|planned| planned.count.into());
            lists.input_lens.push(input.or(planned).unwrap_or(0));
            lists.output_lens.push(output.unwrap_or(0));
            let ttft = metrics.and_then(|metrics| metrics.ttft);
            lists.ttfts.push(ttft.map_or(0.0, Nanos::seconds));
            let gaps = metrics
                .map(|metrics| &metrics.chunk_gaps[..])
                .unwrap_or_default();
            lists
                .itls
                .push(gaps.iter().map(|gap| gap.seconds()).collect());
            let e2e = metrics.and_then(|metrics| metrics.e2e);
            lists.latencies.push(e2e.map_or(0.0, Nanos::seconds));
            lists.start_times.push(record.issued.seconds());
            let late = record.issued - record.due;
            lists.queue_times.push(late.seconds());
            lists.errors.push(if record.outcome.is_complete() {
                String::new()
            } else {
                let detail = record.detail.clone();
                detail.unwrap_or_else(|| record.outcome.name().to_owned())
            });
            let begin = begins[&record.run.run];
            for event in record.events.iter().filter(|event| event.kind.is_token()) {
                let second = event.arrived.0.saturating_sub(begin.0) / 1_000_000_000;
                let tokens = event.tokens.map_or(1.0, f64::from);
                *seconds.entry((record.run.run, second)).or_default() += tokens;
            }
        }
        lists.most_tokens = seconds.into_values().fold(0.0, f64::max);
        lists
    }

    fn fields(self) -> impl Iterator<Item = (String, Value)> {
        let texts = vec![""; self.errors.len()];
        [
            ("input_lens", json!(self.input_lens)),
            ("output_lens", json!(self.output_lens)),
            ("ttfts", json!(self.ttfts)),
            ("itls", json!(self.itls)),
            ("latencies", json!(self.latencies)),
            ("start_times", json!(self.start_times)),
            ("queue_times", json!(self.queue_times)),
            ("generated_texts", json!(texts)),
            ("errors", json!(self.errors)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::vllm;
    use crate::example;
    use serde_json::Value;

    /// Every key that `vllm bench serve --save-result --save-detailed --percentile-metrics
    /// ttft,tpot,itl,e2el --metric-percentiles 99` writes.
    const KEYS: [&str; 47] = [
        "date",
        "endpoint_type",
        "backend",
        "label",
        "model_id",
        "tokenizer_id",
        "num_prompts",
        "request_rate",
        "burstiness",
        "max_concurrency",
        "duration",
        "completed",
        "failed",
        "total_input_tokens",
        "total_output_tokens",
        "request_throughput",
        "request_goodput",
        "output_throughput",
        "total_token_throughput",
        "max_output_tokens_per_s",
        "max_concurrent_requests",
        "rtfx",
        "input_lens",
        "output_lens",
        "ttfts",
        "itls",
        "latencies",
        "start_times",
        "queue_times",
        "generated_texts",
        "errors",
        "mean_ttft_ms",
        "median_ttft_ms",
        "std_ttft_ms",
        "p99_ttft_ms",
        "mean_tpot_ms",
        "median_tpot_ms",
        "std_tpot_ms",
        "p99_tpot_ms",
        "mean_itl_ms",
        "median_itl_ms",
        "std_itl_ms",
        "p99_itl_ms",
        "mean_e2el_ms",
        "median_e2el_ms",
        "std_e2el_ms",
        "p99_e2el_ms",
    ];

    #[test]
    fn every_key_of_the_dialect_is_there_with_its_meaning() {
        let summary = example::summary();
        let file: Value = serde_json::from_str(&vllm(&summary, 1, &[]).unwrap()).unwrap();
        for key in KEYS {
            assert!(file.get(key).is_some(), "{key}");
        }
        let point = &summary.points[1];
        let total = point.timings.batch_total_seconds.unwrap();
        let duration = total.mean * total.n as f64;
        assert_eq!(file["duration"], duration);
        assert_eq!(file["completed"], point.reliability.complete);
        let output = point.tokens.output_total.unwrap() as f64;
        assert_eq!(file["output_throughput"], output / duration);
        let ttft = point.latency.ttft.as_ref().unwrap();
        assert_eq!(file["median_ttft_ms"], ttft.p50.value);
        let n = ttft.n as f64;
        let of_population = ttft.std * ((n - 1.0) / n).sqrt();
        assert_eq!(file["std_ttft_ms"], of_population);
        assert_eq!(file["request_rate"], "inf");
    }

    #[test]
    fn lists_have_a_value_for_each_request_in_seconds_and_0_for_what_failed() {
        let mut late = example::record(1, 1, 10, &[80, 100]);
        late.due = trace::Nanos::from_millis(4);
        let mut failed = example::record(1, 2, 20, &[70]);
        failed.outcome = trace::Outcome::Truncated;
        failed.planned_tokens = Some(trace::PlannedTokens {
            count: 90,
            exact: true,
        });
        let records = [failed, late, example::record(1, 0, 0, &[50, 60, 70])];
        let text = vllm(&example::summary(), 1, &records).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "ttfts": [0.05, 0.07, 0.0],
            "itls": [[0.01, 0.01], [0.02], []],
            "latencies": [0.07, 0.09, 0.0],
            "queue_times": [0.0, 0.006, 0.0],
            "start_times": [0.0, 0.01, 0.02],
            "input_lens": [100, 100, 90],
            "output_lens": [3, 2, 0],
            "errors": ["", "", "truncated"],
        });
        for (key, expected) in expected.as_object().unwrap() {
            assert_eq!(&file[key], expected, "{key}");
        }
    }
}
