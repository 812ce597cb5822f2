//! infinity-emb, which counts characters and calls them tokens.

use super::child::{Server, free_port, spec};
use super::http::ask;
use super::measured::Instrument;
use super::recording::Recorder;
use super::table::Table;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

const TEXT: &str = "hello world foo bar";

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let packages = ["infinity-emb[server,torch]==0.0.78", "torch==2.13.0"];
    let programs = instrument.cache.environment("infinity", &packages, &[])?;
    let model = instrument
        .cache
        .model("fetch-minilm.sh")?
        .display()
        .to_string();
    let port = free_port()?;
    let number = port.to_string();
    let mut args = vec![
        "v2",
        "--model-id",
        &model,
        "--served-model-name",
        "minilm",
        "--host",
        "127.0.0.1",
    ];
    args.extend([
        "--port",
        &number,
        "--engine",
        "torch",
        "--device",
        "cpu",
        "--no-bettertransformer",
    ]);
    let mut command = spec("infinity-emb", &programs.join("infinity_emb"), &args);
    let environment = [
        ("HF_HUB_OFFLINE", "1"),
        ("DO_NOT_TRACK", "1"),
        ("INFINITY_ANONYMOUS_USAGE_STATS", "0"),
    ];
    command.environment = environment
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let log = instrument.cache.log("infinity");
    let server = Server::start(&command, port, "/health", Duration::from_mins(10), &log)?;
    let body = json!({"model": "minilm", "input": TEXT});
    let answer = ask(&format!("{}/embeddings", server.url), None, &body)?;
    let answer: Value = serde_json::from_slice(&answer.body()).context("its answer is no JSON")?;
    let told = answer["usage"]["prompt_tokens"].as_f64();
    table.beside(
        format!("characters of \"{TEXT}\", told as tokens"),
        told,
        Some(TEXT.len() as f64),
    );
    let mut flags = vec![
        "--api-base",
        &server.url,
        "--max-concurrency",
        "4",
        "--num-prompts",
        "64",
    ];
    flags.extend(["--warmup-runs", "0"]);
    let measured = instrument.measure("infinity", "embedding", &flags)?;
    table.complete("embeddings, 4 in flight", &measured, 64);
    table.verdict_with("embeddings", &measured, &["prompt_characters_counted"]);
    recorder.record("infinity-embeddings", &server.url, "/embeddings", &body)
}
