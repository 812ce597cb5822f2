//! The resolved configuration as the result file shows it.

use super::plan::Planned;
use super::server::Server;
use super::task::Settings;
use crate::config::Config;
use serde_json::{Map, Value, json};

/// In the order of the first result files, with ours behind. Holds no key and no header's value.
pub(super) fn metadata(
    config: &Config,
    server: &Server,
    planned: &Planned,
    workload_sha256: &str,
    timestamp: &str,
) -> Map<String, Value> {
    let (load, kind) = (&planned.load, config.task.kind());
    let deadlines = load.points.iter().map(|point| point.stop.deadline());
    let duration = deadlines.flatten().next().map(trace::Nanos::seconds);
    let until = load.until.as_ref().map(|until| until.budget.seconds());
    let requests = load.points.iter().map(|point| point.requests);
    let header_names = config.server.headers.iter().map(|(name, _)| name.as_str());
    let seconds = |span: std::time::Duration| json!(span.as_secs_f64());
    let before: Settings = vec![
        ("timestamp", json!(timestamp)),
        ("model", json!(server.model)),
        ("api_base", json!(server.target.url())),
        ("built_in_server", json!(server.built_in.is_some())),
        ("endpoint", json!(kind.path())),
        ("description", json!(config.description)),
    ];
    let runs: Settings = vec![
        ("num_runs", json!(load.runs)),
        ("warmup_runs", json!(load.warmup_runs)),
        ("until_seconds", json!(until)),
        ("num_prompts", json!(requests.collect::<Vec<_>>())),
        ("duration_seconds", json!(duration)),
        ("goodput", json!(config.slo)),
    ];
    let behind: Settings = vec![
        ("header_names", json!(header_names.collect::<Vec<_>>())),
        ("timeout_seconds", seconds(config.deadlines.total)),
        (
            "first_token_timeout_seconds",
            seconds(config.deadlines.first_token),
        ),
        ("stall_timeout_seconds", seconds(config.deadlines.stall)),
        ("keep_alive", json!(config.keep_alive)),
        ("seed", json!(planned.seed)),
        ("workload_sha256", json!(workload_sha256)),
        ("tokenomics_version", json!(env!("CARGO_PKG_VERSION"))),
        ("client_machine", machine()),
    ];
    let all = before.into_iter().chain(kind.settings(load)).chain(runs);
    let all = all.chain(kind.request_settings()).chain(behind);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn machine() -> Value {
    let cpus = std::thread::available_parallelism().map(usize::from).ok();
    json!({ "os": std::env::consts::OS, "architecture": std::env::consts::ARCH, "cpus": cpus })
}
