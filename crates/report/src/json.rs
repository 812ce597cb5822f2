//! The result file.

use crate::definitions::DEFINITIONS;
use crate::escape;
use crate::latency;
use serde_json::{Map, Value, json};
use stats::{
    ClassSummary, Distribution, Goodput, Interval, Latency, MeanStd, PointSummary, Pooling,
    Receipt, SteadyState, Summary, Throughput, Timings, Tokens, TurnSummary,
};

/// Version of the result file's shape. It rises when a reader of the previous one would misread it.
pub const RESULT_SCHEMA_VERSION: u32 = 1;

/// The result file: pretty JSON with a final line break.
///
/// `metadata` and `results.<key>.tokens|timings|throughput.<name>.{mean,std}` have the places and
/// names of the first result files of this kind, and are always there, `null` where nothing was
/// measured; everything else stands beside. A number that is not finite is `null` too.
pub fn results_json(summary: &Summary) -> String {
    let results: Map<String, Value> = summary
        .points
        .iter()
        .map(|point| (point.point.key.clone(), self::point(point)))
        .collect();
    let definitions: Map<String, Value> = DEFINITIONS
        .into_iter()
        .map(|(name, definition)| (name.to_owned(), definition.into()))
        .collect();
    let mut file = json!({
        "schema_version": RESULT_SCHEMA_VERSION,
        "records_schema_version": summary.schema_version,
        "metadata": summary.metadata,
        "verdict": summary.verdict,
        "results": results,
        "definitions": definitions,
    });
    if !summary.assertions.is_empty() {
        file["assertions"] = json!(summary.assertions);
    }
    if !summary.precision.is_empty() {
        file["precision"] = json!(summary.precision);
    }
    if let Some(certificate) = &summary.certificate {
        file["certificate"] = json!(certificate);
    }
    escape::json(&file)
}

fn point(point: &PointSummary) -> Value {
    let (tokens, throughput) = match &point.pooling {
        None => (tokens(&point.tokens), throughput(&point.throughput)),
        Some(pooling) => (
            pooled_tokens(&point.tokens, pooling),
            pooled_throughput(&point.throughput, pooling),
        ),
    };
    let mut value = json!({
        "tokens": tokens,
        "timings": timings(&point.timings),
        "throughput": throughput,
        "load": point.point.pacing,
        "runs": point.runs,
        "latency": latencies(&point.latency),
        "steady_state": point.steady_state.as_ref().map(steady_state),
        "reliability": point.reliability,
        "concurrency": point.concurrency,
        "goodput": point.goodput.as_ref().map(goodput),
        "receipt": receipt(&point.receipt),
        "verdict": point.verdict,
    });
    if let Some(lengths) = &point.prompt_lengths {
        value["prompt_lengths"] = json!({
            "exact_share": lengths.exact_share,
            "difference": mean_std(lengths.difference),
        });
    }
    if !point.classes.is_empty() {
        let classes = point.classes.iter();
        let classes = classes.map(|class| (class.name.clone(), self::class(class)));
        value["classes"] = Value::Object(classes.collect());
    }
    if let Some(slow) = &point.slow_queue {
        value["slow_queue"] = json!(slow);
    }
    if let Some(answers) = &point.answers {
        value["answers"] = json!(answers);
    }
    if let Some(server) = &point.server {
        value["server"] = json!(server);
    }
    if let Some(held) = &point.conversations {
        let turns = held.turns.iter().map(turn);
        value["conversations"] = json!({
            "count": held.count,
            "turns_per_conversation": mean_std(held.turns_per_conversation),
            "seconds": held.seconds.as_ref().map(distribution),
            "turns_cut": held.turns_cut,
            "turns": turns.collect::<Vec<_>>(),
        });
    }
    if let Some(pooling) = &point.pooling {
        value["vectors"] = json!({
            "dimensions": pooling.dimensions,
            "decoding_ms": pooling.decoding.as_ref().map(distribution),
            "asked_again": pooling.asked_again.map(|again| json!({
                "equal": again.differing == 0,
                "differing": again.differing,
                "difference_max": again.difference_max,
                "cosine_distance": again.cosine_distance,
            })),
        });
    }
    value
}

fn turn(turn: &TurnSummary) -> Value {
    json!({
        "number": turn.number,
        "issued": turn.issued,
        "complete": turn.complete,
        "tokens": tokens(&turn.tokens),
        "ttft": turn.ttft.as_ref().map(distribution),
        "tpot": turn.tpot.as_ref().map(distribution),
        "e2e": turn.e2e.as_ref().map(distribution),
    })
}

fn class(class: &ClassSummary) -> Value {
    json!({
        "asked_share": class.asked_share,
        "share": class.share,
        "tokens": tokens(&class.tokens),
        "output_tokens_per_second": class.output_tokens_per_second,
        "latency": latencies(&class.latency),
        "reliability": class.reliability,
        "goodput": class.goodput.as_ref().map(goodput),
    })
}

/// The names of the first result files of embeddings.
fn pooled_tokens(tokens: &Tokens, pooling: &Pooling) -> Value {
    json!({
        "total_per_batch": always(pooling.tokens_per_batch),
        "embeddings_per_batch": always(pooling.answers_per_batch),
        "input_per_request": always(tokens.input_per_request),
        "input_total": tokens.input_total,
        "input_source": pooling.token_source,
    })
}

fn pooled_throughput(throughput: &Throughput, pooling: &Pooling) -> Value {
    json!({
        "batch_embeddings_per_second": always(pooling.batch_answers_per_second),
        "batch_tokens_per_second": always(pooling.batch_tokens_per_second),
        "request_embeddings_per_second": always(pooling.request_answers_per_second),
        "request_tokens_per_second": always(pooling.request_tokens_per_second),
        "requests_per_second": throughput.requests_per_second.map(mean_std),
    })
}

fn tokens(tokens: &Tokens) -> Value {
    let mut value = json!({
        "input_per_request": always(tokens.input_per_request),
        "output_per_request": always(tokens.output_per_request),
        "input_total": tokens.input_total,
        "output_total": tokens.output_total,
        "cached_total": tokens.cached_total,
        "output_source": tokens.output_source,
    });
    if let Some(recounted) = tokens.recounted {
        value["recounted"] = json!(recounted);
    }
    value
}

fn timings(timings: &Timings) -> Value {
    json!({
        "batch_total_seconds": always(timings.batch_total_seconds),
        "fastest_seconds": always(timings.fastest_seconds),
        "slowest_seconds": always(timings.slowest_seconds),
        "spread_seconds": always(timings.spread_seconds),
    })
}

fn throughput(throughput: &Throughput) -> Value {
    json!({
        "batch_tokens_per_second": always(throughput.batch_tokens_per_second),
        "request_tokens_per_second": always(throughput.request_tokens_per_second),
        "batch_tokens_per_second_ci95": interval(throughput.batch_tokens_per_second_interval),
        "decode_tokens_per_second": throughput.decode_tokens_per_second.map(mean_std),
        "input_tokens_per_second": throughput.input_tokens_per_second.map(mean_std),
        "output_tokens_per_second": throughput.output_tokens_per_second.map(mean_std),
        "requests_per_second": throughput.requests_per_second.map(mean_std),
    })
}

fn latencies(latencies: &Latency) -> Value {
    let mut object = Map::new();
    object.insert("unit".to_owned(), "ms".into());
    for (name, distribution) in latency::named(latencies) {
        object.insert(name.to_owned(), distribution.map(self::distribution).into());
    }
    Value::Object(object)
}

fn steady_state(steady: &SteadyState) -> Value {
    json!({
        "seconds": steady.seconds,
        "share": steady.share,
        "output_tokens_per_second": steady.output_tokens_per_second.map(mean_std),
        "output_tokens_per_second_ci95": interval(steady.output_tokens_per_second_interval),
        "requests_per_second": steady.requests_per_second.map(mean_std),
        "requests_per_second_ci95": interval(steady.requests_per_second_interval),
        "warmup_seconds": steady.warmup_seconds,
        "latency": {
            "unit": "ms",
            "ttft": steady.ttft.as_ref().map(distribution),
            "tpot": steady.tpot.as_ref().map(distribution),
            "e2e": steady.e2e.as_ref().map(distribution),
        },
    })
}

fn receipt(receipt: &Receipt) -> Value {
    json!({
        "unit": "ms",
        "stamps": receipt.stamps,
        "client_lag": receipt.client_lag.as_ref().map(distribution),
        "coalesced_share": receipt.coalesced_share,
        "coalesced_width": receipt.coalesced_width,
        "client_cpu_share": receipt.client_cpu_share,
        "disturbed": receipt.disturbed,
    })
}

fn distribution(sample: &Distribution) -> Value {
    let mut object = Map::new();
    object.insert("n".to_owned(), sample.n.into());
    object.insert("n_effective".to_owned(), sample.n_effective.into());
    for (name, value) in [
        ("mean", sample.mean),
        ("std", sample.std),
        ("min", sample.min),
        ("max", sample.max),
    ] {
        object.insert(name.to_owned(), value.into());
    }
    object.insert("mean_ci95".to_owned(), interval(sample.mean_interval));
    let percentiles = latency::percentiles(sample);
    for (name, quantile) in percentiles {
        object.insert(name.to_owned(), quantile.value.into());
    }
    for (name, quantile) in percentiles {
        object.insert(format!("{name}_ci95"), interval(quantile.interval));
    }
    Value::Object(object)
}

fn mean_std(sample: MeanStd) -> Value {
    json!({
        "mean": sample.mean, "std": sample.std, "min": sample.min, "max": sample.max, "n": sample.n,
    })
}

/// A reader of the first result files looks `mean` and `std` up without asking whether they are there.
fn always(sample: Option<MeanStd>) -> Value {
    sample.map_or_else(
        || json!({ "mean": null, "std": null, "min": null, "max": null, "n": 0 }),
        mean_std,
    )
}

fn goodput(goodput: &Goodput) -> Value {
    json!({
        "requests_per_second": goodput.requests_per_second,
        "share": goodput.share,
        "share_ci95": interval(goodput.share_interval),
        "n_effective": goodput.n_effective,
    })
}

fn interval(interval: Option<Interval>) -> Value {
    interval.map_or(Value::Null, |Interval { low, high }| json!([low, high]))
}

#[cfg(test)]
mod tests {
    use super::results_json;
    use crate::example;
    use serde_json::Value;

    fn written(summary: &stats::Summary) -> Value {
        serde_json::from_str(&results_json(summary)).unwrap()
    }

    /// Every path of keys in the file, one per line, arrays left closed.
    fn keys(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    keys(value, &format!("{path}/{key}"), out);
                }
            }
            _ => out.push(path.to_owned()),
        }
    }

    #[test]
    fn the_names_in_the_file_do_not_change_unseen() {
        let mut out = Vec::new();
        let mut file = written(&example::summary());
        file["results"]
            .as_object_mut()
            .unwrap()
            .retain(|key, _| key == "64");
        keys(&file, "", &mut out);
        insta::assert_snapshot!(out.join("\n"));
    }

    #[test]
    fn a_script_for_the_first_result_files_finds_its_numbers() {
        let file = written(&example::summary());
        let point = &file["results"]["64"];
        assert_eq!(
            point["throughput"]["batch_tokens_per_second"]["mean"],
            3_729.295_223_546_461
        );
        assert_eq!(
            point["tokens"]["output_per_request"]["std"],
            3_030.151_757_834_812_5
        );
        assert_eq!(point["timings"]["spread_seconds"]["mean"], 101.353);
        assert_eq!(file["metadata"]["model"], "distill-llama-8b");
    }

    #[test]
    fn what_was_not_measured_is_null_under_the_name_it_would_have() {
        let file = written(&example::nothing_succeeded());
        let point = &file["results"]["1"];
        for (group, name) in [
            ("tokens", "input_per_request"),
            ("timings", "spread_seconds"),
            ("throughput", "batch_tokens_per_second"),
        ] {
            assert!(
                point[group][name].as_object().unwrap()["mean"].is_null(),
                "{name}"
            );
        }
        assert!(point["latency"].as_object().unwrap()["ttft"].is_null());
    }

    #[test]
    fn a_number_that_is_not_finite_is_null() {
        let mut summary = example::summary();
        summary.points[0]
            .throughput
            .batch_tokens_per_second
            .as_mut()
            .unwrap()
            .mean = f64::NAN;
        summary.points[0].latency.ttft.as_mut().unwrap().max = f64::INFINITY;
        let file = written(&summary);
        assert!(file["results"]["1"]["throughput"]["batch_tokens_per_second"]["mean"].is_null());
        assert!(file["results"]["1"]["latency"]["ttft"]["max"].is_null());
    }

    #[test]
    fn every_latency_in_the_file_has_its_definition_beside_it() {
        let file = written(&example::summary());
        let definitions = file["definitions"].as_object().unwrap();
        assert_eq!(
            definitions.len(),
            super::DEFINITIONS.len(),
            "a name is defined twice"
        );
        let point = &file["results"]["64"];
        for group in ["latency", "throughput", "timings"] {
            for name in point[group]
                .as_object()
                .unwrap()
                .keys()
                .filter(|name| *name != "unit")
            {
                assert!(definitions.contains_key(name), "{name}");
            }
        }
    }
}
