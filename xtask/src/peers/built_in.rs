//! The built-in engine with a real model, beside the client on the same processors.

use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use super::metrics::Metrics;
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use anyhow::Result;
use std::time::Duration;

/// What reads the prompt and finds its tokens is in ours alone.
const NEAR: Within = Within {
    share: 0.05,
    floor: 2.0,
};

fn serve(instrument: &Instrument<'_>) -> Result<Server> {
    let model = instrument
        .cache
        .model("fetch-smollm2.sh")?
        .display()
        .to_string();
    let port = free_port()?;
    let number = port.to_string();
    let args = [
        "serve",
        "--model",
        &model,
        "--served-model-name",
        "smol",
        "--port",
        &number,
    ];
    let command = spec("tokenomics serve", instrument.program(), &args);
    let log = instrument.cache.log("built-in");
    Server::start(&command, port, "/v1/models", Duration::from_mins(1), &log)
}

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let server = serve(instrument)?;
    for (concurrency, requests, seed) in [("1", 16, "0"), ("8", 64, "1"), ("32", 128, "2")] {
        let before = Metrics::of(&server.url)?;
        let measured = measure(instrument, &server, concurrency, requests, seed)?;
        let after = Metrics::of(&server.url)?;
        let mean = |name: &str| after.mean(&before, name).map(|seconds| seconds * 1e3);
        let what = format!("{concurrency} in flight");
        table.complete(&what, &measured, requests);
        let ttft = (
            measured.number("latency/ttft/mean"),
            mean("vllm:time_to_first_token_seconds"),
        );
        table.near(format!("{what}: TTFT mean, ms"), ttft, NEAR);
        let of_requests = mean("vllm:request_time_per_output_token_seconds");
        let tpot = (measured.number("latency/tpot/mean"), of_requests);
        table.near(
            format!("{what}: TPOT mean, ms"),
            tpot,
            Within {
                share: 0.02,
                floor: 0.1,
            },
        );
        table.verdict_valid(&what, &measured);
    }
    let again = measure(instrument, &server, "1", 16, "0")?;
    table.verdict_with("the first run again", &again, &["cache_hits"]);
    recorder.record(
        "built-in-chat",
        &server.api(),
        "/chat/completions",
        &chat("smol", 12),
    )
}

fn measure(
    instrument: &Instrument<'_>,
    server: &Server,
    concurrency: &str,
    requests: u64,
    seed: &str,
) -> Result<super::measured::Measured> {
    let (api, requests) = (server.api(), requests.to_string());
    let mut flags = vec![
        "--api-base",
        &api,
        "--max-concurrency",
        concurrency,
        "--num-prompts",
        &requests,
    ];
    flags.extend([
        "--max-tokens",
        "32",
        "--ignore-eos",
        "--seed",
        seed,
        "--warmup-runs",
        "0",
    ]);
    instrument.measure(&format!("built-in-{concurrency}"), "chat", &flags)
}
