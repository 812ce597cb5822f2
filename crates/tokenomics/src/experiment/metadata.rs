//! The resolved configuration as the result file shows it.

use crate::config::{ChatConfig, EmbeddingConfig};
use crate::experiment::server::Server;
use serde_json::{Map, Value, json};
use trace::Pacing;

/// In the order of the first result files, with ours behind. Holds no key and no header's value.
/// Long because it is one table.
pub(crate) fn metadata(
    config: &ChatConfig,
    server: &Server,
    workload_sha256: &str,
    timestamp: &str,
) -> Map<String, Value> {
    let load = &config.load;
    let request = &config.request;
    let points: Vec<Value> = load
        .points
        .iter()
        .map(|point| point_value(point.info.pacing))
        .collect();
    let deadlines = load.points.iter().map(|point| point.stop.deadline());
    let duration = deadlines.flatten().next().map(trace::Nanos::seconds);
    let (kind, key) = match load.points[0].info.pacing {
        Pacing::Burst { .. } => ("burst", "batch_sizes"),
        Pacing::Closed { .. } => ("closed", "max_concurrency"),
        Pacing::Open { .. } => ("open", "request_rates"),
    };
    let header_names: Vec<&str> = config
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let fields = [
        ("timestamp", json!(timestamp)),
        ("model", json!(server.model)),
        ("api_base", json!(server.target.url())),
        ("built_in_server", json!(server.built_in.is_some())),
        ("endpoint", json!(config.endpoint.path())),
        ("dataset_key", json!(config.traffic.dataset)),
        ("scenario", json!(config.traffic.scenario)),
        ("tokenizer", config.traffic.tokenizer_value()),
        ("conversations", config.traffic.session_value()),
        ("variants", config.traffic.variants.clone()),
        ("description", json!(config.description)),
        ("load", json!(kind)),
        (key, Value::Array(points)),
        ("num_runs", json!(load.runs)),
        ("warmup_runs", json!(load.warmup_runs)),
        (
            "until_seconds",
            json!(load.budget.map(trace::Nanos::seconds)),
        ),
        (
            "num_prompts",
            json!(
                load.points
                    .iter()
                    .map(|point| point.requests)
                    .collect::<Vec<_>>()
            ),
        ),
        ("duration_seconds", json!(duration)),
        ("goodput", json!(config.slo)),
        ("max_tokens", json!(request.max_tokens)),
        ("temperature", json!(request.temperature)),
        ("n", json!(request.choices)),
        ("ignore_eos", json!(request.ignore_eos)),
        ("stream", json!(request.stream)),
        ("extra_body", Value::Object(request.extra_body())),
        ("header_names", json!(header_names)),
        (
            "timeout_seconds",
            json!(config.deadlines.total.as_secs_f64()),
        ),
        (
            "first_token_timeout_seconds",
            json!(config.deadlines.first_token.as_secs_f64()),
        ),
        (
            "stall_timeout_seconds",
            json!(config.deadlines.stall.as_secs_f64()),
        ),
        ("keep_alive", json!(config.keep_alive)),
        ("seed", json!(load.seed)),
        ("workload_sha256", json!(workload_sha256)),
        ("tokenomics_version", json!(env!("CARGO_PKG_VERSION"))),
        ("client_machine", machine()),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The same of an embedding benchmark.
pub(crate) fn embedding_metadata(
    config: &EmbeddingConfig,
    server: &Server,
    workload_sha256: &str,
    timestamp: &str,
) -> Map<String, Value> {
    let load = &config.load;
    let points: Vec<&str> = load
        .points
        .iter()
        .map(|point| point.info.key.as_str())
        .collect();
    let header_names = config.headers.iter().map(|(name, _)| name.as_str());
    let fields = [
        ("timestamp", json!(timestamp)),
        ("model", json!(server.model)),
        ("api_base", json!(server.target.url())),
        ("built_in_server", json!(server.built_in.is_some())),
        ("endpoint", json!(config.task.path())),
        ("dataset_path", config.texts.dataset_value()),
        ("tokenizer", config.texts.tokenizer_value()),
        ("description", json!(config.description)),
        ("points", json!(points)),
        ("num_runs", json!(load.runs)),
        ("warmup_runs", json!(load.warmup_runs)),
        ("encoding_format", json!(config.encoding.name())),
        ("dimensions", json!(config.dimensions)),
        ("extra_body", Value::Object(config.extra_body.clone())),
        ("header_names", json!(header_names.collect::<Vec<_>>())),
        (
            "timeout_seconds",
            json!(config.deadlines.total.as_secs_f64()),
        ),
        ("keep_alive", json!(config.keep_alive)),
        ("seed", json!(load.seed)),
        ("workload_sha256", json!(workload_sha256)),
        ("tokenomics_version", json!(env!("CARGO_PKG_VERSION"))),
        ("client_machine", machine()),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn point_value(pacing: Pacing) -> Value {
    match pacing {
        Pacing::Burst { size } => json!(size),
        Pacing::Closed { concurrency } => json!(concurrency),
        Pacing::Open { arrival, .. } => json!(arrival),
    }
}

fn machine() -> Value {
    let cpus = std::thread::available_parallelism().map(usize::from).ok();
    json!({ "os": std::env::consts::OS, "architecture": std::env::consts::ARCH, "cpus": cpus })
}
