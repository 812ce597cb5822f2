//! `transformers serve`: no metrics of its own, and events of `/responses` without their names.

use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use super::vllm::model_folder;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const REQUESTS: u64 = 8;
const TOKENS: f64 = 8.0;

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let packages = [
        "transformers[serving]==5.19.0",
        "torch==2.13.0",
        "accelerate",
        // Its command line needs it and does not say so.
        "requests",
    ];
    let programs = instrument
        .cache
        .environment("transformers", &packages, &[])?;
    let folder = model_folder(instrument.cache)?;
    // By its name within the folder that holds it: it is what the server calls the model, and recordings keep it.
    let model = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .context("the model's folder has no name")?;
    let port = free_port()?;
    let number = port.to_string();
    let args = [
        "serve",
        &model,
        "--host",
        "127.0.0.1",
        "--port",
        &number,
        "--device",
        "cpu",
    ];
    let mut command = spec("transformers serve", &programs.join("transformers"), &args);
    command.folder = folder.parent().map(Path::to_owned);
    // Threads that wait for each other actively take seconds for a token where the processors are shared.
    let environment = [("HF_HUB_OFFLINE", "1"), ("OMP_NUM_THREADS", "1")];
    command.environment = environment
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let log = instrument.cache.log("transformers");
    let server = Server::start(&command, port, "/health", Duration::from_mins(10), &log)?;
    let (api, requests) = (server.api(), REQUESTS.to_string());
    for endpoint in ["/chat/completions", "/responses", "/completions"] {
        let name = format!("transformers{}", endpoint.replace('/', "-"));
        let mut flags = vec![
            "--api-base",
            &api,
            "--model",
            &model,
            "--endpoint",
            endpoint,
        ];
        flags.extend([
            "--max-concurrency",
            "1",
            "--num-prompts",
            &requests,
            "--max-tokens",
            "8",
            // A problem that is asked for is an end by itself where no chat template asks for an answer.
            "--dataset-key",
            "prose",
        ]);
        flags.extend(["--warmup-runs", "0"]);
        let measured = instrument.measure(&name, "chat", &flags)?;
        table.complete(endpoint, &measured, REQUESTS);
        let tokens = measured.number("tokens/output_per_request/mean");
        let what = format!("{endpoint}: tokens of an answer");
        if endpoint == "/completions" {
            // A text that nobody asked for may be at its end at once.
            table.beside(what, tokens, Some(TOKENS));
        } else {
            let exactly = Within {
                share: 0.0,
                floor: 0.0,
            };
            table.near(what, (tokens, Some(TOKENS)), exactly);
        }
        table.verdict_without(endpoint, &measured, &["littles_law"]);
    }
    recorder.record(
        "transformers-serve-chat",
        &api,
        "/chat/completions",
        &chat(&model, 8),
    )?;
    let body = json!({"model": model, "input": "What is the weather in Paris?", "max_output_tokens": 8, "stream": true});
    recorder.record("transformers-serve-responses", &api, "/responses", &body)
}
