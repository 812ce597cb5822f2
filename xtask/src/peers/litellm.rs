//! `LiteLLM`'s proxy before mocks: one healthy, one that always answers 429 and has the healthy one to fall back to.

use super::child::{Server, free_port, spec};
use super::http::{ask, get};
use super::measured::Instrument;
use super::mock::{ITL_MS, TTFT_MS, mock};
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use anyhow::Result;
use std::time::Duration;

/// It refuses the key that its own manual uses.
const KEY: &str = "sk-peers-key";

const REQUESTS: u64 = 64;
const REFUSED: u64 = 8;

fn config(healthy: &str, refusing: &str) -> String {
    let model = |name: &str, provider: &str| {
        format!(
            "\x20 - model_name: {name}\n\
             \x20   litellm_params:\n\
             \x20     model: openai/{name}\n\
             \x20     api_key: none\n\
             \x20     api_base: {provider}\n"
        )
    };
    format!(
        "model_list:\n{}{}\
         litellm_settings:\n\
         \x20 drop_params: true\n\
         \x20 num_retries: 1\n\
         \x20 fallbacks: [{{\"limited\": [\"healthy\"]}}]\n\
         general_settings:\n\
         \x20 master_key: {KEY}\n",
        model("healthy", healthy),
        model("limited", refusing),
    )
}

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let packages = ["litellm[proxy]==1.106.2", "prisma"];
    let programs = instrument.cache.environment("litellm", &packages, &[])?;
    let healthy = mock(instrument, "healthy", &[])?;
    let limited = mock(instrument, "limited", &["--fault", "status:429:1"])?;
    let port = free_port()?;
    let number = port.to_string();
    let file = instrument.cache.path("litellm.yaml");
    let path = file.display().to_string();
    let args = ["--config", &path, "--host", "127.0.0.1", "--port", &number];
    let mut command = spec("LiteLLM", &programs.join("litellm"), &args);
    command.environment = vec![("LITELLM_TELEMETRY".to_owned(), "False".to_owned())];
    command.files = vec![(file, config(&healthy.api(), &limited.api()))];
    let log = instrument.cache.log("litellm");
    let patience = Duration::from_secs(300);
    let server = Server::start(&command, port, "/health/readiness", patience, &log)?;
    through(instrument, &server, table)?;
    falls_back(instrument, &server, &limited, table)?;
    wrong_key(instrument, &server, table)?;
    let api = server.api();
    recorder.record_with(
        "litellm-chat",
        &api,
        "/chat/completions",
        Some(KEY),
        &chat("healthy", 12),
    )?;
    recorder.record_with(
        "litellm-fallback",
        &api,
        "/chat/completions",
        Some(KEY),
        &chat("limited", 6),
    )
}

fn through(instrument: &Instrument<'_>, server: &Server, table: &mut Table) -> Result<()> {
    let (api, requests) = (server.api(), REQUESTS.to_string());
    let mut flags = vec!["--api-base", &api, "--api-key", KEY, "--model", "healthy"];
    flags.extend([
        "--max-concurrency",
        "4",
        "--num-prompts",
        &requests,
        "--max-tokens",
        "16",
    ]);
    let measured = instrument.measure("litellm", "chat", &flags)?;
    table.complete("a healthy model", &measured, REQUESTS);
    table.beside(
        "a healthy model: TTFT mean, ms, of the mock behind it",
        measured.number("latency/ttft/mean"),
        Some(TTFT_MS),
    );
    let tpot = (measured.number("latency/tpot/mean"), Some(ITL_MS));
    table.near(
        "a healthy model: TPOT mean, ms, of the mock behind it",
        tpot,
        Within {
            share: 0.05,
            floor: 0.1,
        },
    );
    table.verdict_without("a healthy model", &measured, &["littles_law"]);
    Ok(())
}

fn falls_back(
    instrument: &Instrument<'_>,
    server: &Server,
    limited: &Server,
    table: &mut Table,
) -> Result<()> {
    let api = server.api();
    let answer = ask(
        &format!("{api}/chat/completions"),
        Some(KEY),
        &chat("limited", 4),
    )?;
    let told = |name: &str| answer.header(name).unwrap_or("absent").to_owned();
    let own = format!(
        "fallbacks {}, retries {}, group {}",
        told("x-litellm-attempted-fallbacks"),
        told("x-litellm-attempted-retries"),
        told("x-litellm-model-group"),
    );
    let requests = REFUSED.to_string();
    let mut flags = vec!["--api-base", &api, "--api-key", KEY, "--model", "limited"];
    flags.extend([
        "--max-concurrency",
        "2",
        "--num-prompts",
        &requests,
        "--max-tokens",
        "8",
    ]);
    flags.extend(["--warmup-runs", "0"]);
    let before = refused(limited)?;
    let measured = instrument.measure("litellm-fallback", "chat", &flags)?;
    let after = refused(limited)?;
    table.complete("a model whose provider answers 429", &measured, REFUSED);
    let attempts = before.zip(after).map(|(before, after)| after - before);
    table.beside(
        "a model whose provider answers 429: requests that reached it",
        Some(REFUSED as f64),
        attempts,
    );
    let said = ["fallback", "fell back"]
        .iter()
        .any(|word| measured.mentions(word));
    let holds = if said {
        Ok(())
    } else {
        Err("no word of it".to_owned())
    };
    let shown = measured.reason_with(&["fallback", "fell back", "retri", "another model"]);
    let shown = shown.unwrap_or_else(|| measured.verdict());
    table.told(
        "a model whose provider answers 429: fallbacks told",
        (shown, own),
        holds,
    );
    Ok(())
}

/// Requests that the mock has answered so far, by its own count.
fn refused(mock: &Server) -> Result<Option<f64>> {
    let text = get(&format!("{}/metrics", mock.url))?.text();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("mock_requests_total"));
    let counts: Vec<f64> = counts
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    Ok((!counts.is_empty()).then(|| counts.iter().sum()))
}

fn wrong_key(instrument: &Instrument<'_>, server: &Server, table: &mut Table) -> Result<()> {
    let api = server.api();
    let mut flags = vec![
        "--api-base",
        &api,
        "--api-key",
        "sk-wrong",
        "--model",
        "healthy",
    ];
    flags.extend([
        "--max-concurrency",
        "1",
        "--num-prompts",
        "2",
        "--warmup-runs",
        "0",
    ]);
    let measured = instrument.measure("litellm-wrong-key", "chat", &flags)?;
    let words = measured.words().to_lowercase();
    let holds = if words.contains("key") {
        Ok(())
    } else {
        Err("the key is not named".to_owned())
    };
    let refusal = super::http::post(
        &format!("{api}/chat/completions"),
        Some("sk-wrong"),
        &chat("healthy", 1),
    )?;
    let own = format!("{} {}", refusal.status, excerpt(&refusal.text()));
    table.told("a wrong key", (excerpt(&measured.why()), own), holds);
    Ok(())
}

fn excerpt(text: &str) -> String {
    const CHARS: usize = 160;
    let short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short + "…"
    } else {
        short
    }
}
