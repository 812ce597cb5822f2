//! `LiteLLM`'s proxy before mocks: one healthy, one that always answers 429 and has the healthy one to fall back to.

use super::child::{Server, free_port, spec};
use super::http::{ask, post};
use super::measured::Instrument;
use super::metrics::Metrics;
use super::mock::Mock;
use super::recording::{Recorder, chat};
use super::table::{Table, Within};
use anyhow::Result;
use std::time::Duration;

/// It refuses the key that its own manual uses.
const KEY: &str = "sk-peers-key";

const REQUESTS: u64 = 64;
const REFUSED: u64 = 8;
const WARM_UPS: u64 = 8;

fn config(healthy: &Mock, spare: &Mock, limited: &Mock) -> String {
    let model = |name: &str, provider: &Mock| {
        format!(
            "\x20 - model_name: {name}\n\
             \x20   litellm_params:\n\
             \x20     model: openai/{name}\n\
             \x20     api_key: none\n\
             \x20     api_base: {}\n",
            provider.api()
        )
    };
    format!(
        "model_list:\n{}{}{}\
         litellm_settings:\n\
         \x20 drop_params: true\n\
         \x20 num_retries: 1\n\
         \x20 fallbacks: [{{\"limited\": [\"spare\"]}}]\n\
         general_settings:\n\
         \x20 master_key: {KEY}\n",
        model("healthy", healthy),
        model("spare", spare),
        model("limited", limited),
    )
}

pub(super) fn run(
    instrument: &Instrument<'_>,
    recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let packages = ["litellm[proxy]==1.106.2", "prisma"];
    let programs = instrument.cache.environment("litellm", &packages, &[])?;
    let healthy = Mock::start(instrument, "healthy", &[])?;
    let spare = Mock::start(instrument, "spare", &[])?;
    let limited = Mock::start(instrument, "limited", &["--fault", "status:429:1"])?;
    let port = free_port()?;
    let number = port.to_string();
    let file = instrument.cache.path("litellm.yaml");
    let path = file.display().to_string();
    let args = ["--config", &path, "--host", "127.0.0.1", "--port", &number];
    let mut command = spec("LiteLLM", &programs.join("litellm"), &args);
    command.environment = vec![("LITELLM_TELEMETRY".to_owned(), "False".to_owned())];
    command.files = vec![(file, config(&healthy, &spare, &limited))];
    let log = instrument.cache.log("litellm");
    let patience = Duration::from_mins(5);
    let server = Server::start(&command, port, "/health/readiness", patience, &log)?;
    through(instrument, &server, &healthy, table)?;
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

fn through(
    instrument: &Instrument<'_>,
    server: &Server,
    healthy: &Mock,
    table: &mut Table,
) -> Result<()> {
    let (api, requests) = (server.api(), REQUESTS.to_string());
    // Its first answers take a second each, and what waits meanwhile comes at once. Another mock's log has these.
    let url = format!("{api}/chat/completions");
    for _ in 0..WARM_UPS {
        ask(&url, Some(KEY), &chat("spare", 4))?;
    }
    let mut flags = vec!["--api-base", &api, "--api-key", KEY, "--model", "healthy"];
    flags.extend(["--max-concurrency", "4", "--num-prompts", &requests]);
    flags.extend(["--max-tokens", "16", "--warmup-runs", "0"]);
    let measured = instrument.measure("litellm", "chat", &flags)?;
    let truth = healthy.truth(usize::try_from(REQUESTS)?)?;
    table.complete("a healthy model", &measured, REQUESTS);
    let ttft = measured.number("latency/ttft/mean");
    table.beside(
        "a healthy model: TTFT mean, ms; the provider's",
        ttft,
        truth.ttft,
    );
    let tpot = (measured.number("latency/tpot/mean"), truth.tpot);
    let close = Within {
        share: 0.05,
        floor: 0.1,
    };
    table.near(
        "a healthy model: TPOT mean, ms; the provider's",
        tpot,
        close,
    );
    table.verdict_without("a healthy model", &measured, &["littles_law"]);
    Ok(())
}

fn falls_back(
    instrument: &Instrument<'_>,
    server: &Server,
    limited: &Mock,
    table: &mut Table,
) -> Result<()> {
    let api = server.api();
    let url = format!("{api}/chat/completions");
    let answer = ask(&url, Some(KEY), &chat("limited", 4))?;
    let told = |name: &str| answer.header(name).unwrap_or("absent").to_owned();
    let own = format!(
        "fallbacks {}, retries {}, group {}",
        told("x-litellm-attempted-fallbacks"),
        told("x-litellm-attempted-retries"),
        told("x-litellm-model-group"),
    );
    let requests = REFUSED.to_string();
    let mut flags = vec!["--api-base", &api, "--api-key", KEY, "--model", "limited"];
    flags.extend(["--max-concurrency", "2", "--num-prompts", &requests]);
    flags.extend(["--max-tokens", "8", "--warmup-runs", "0"]);
    let before = Metrics::of(&limited.url)?;
    let measured = instrument.measure("litellm-fallback", "chat", &flags)?;
    let after = Metrics::of(&limited.url)?;
    let what = "a model whose provider answers 429";
    table.complete(what, &measured, REFUSED);
    let reached = after.grown(&before, "tokenomics:mock_requests_total");
    let ours = Some(REFUSED as f64);
    table.beside(format!("{what}: requests that reached it"), ours, reached);
    let told = measured.reason("gateway_fallbacks");
    let holds = match told {
        Some(_) => Ok(()),
        None => Err("no word of it".to_owned()),
    };
    let shown = told.map_or_else(|| measured.verdict(), str::to_owned);
    table.told(format!("{what}: fallbacks told"), (shown, own), holds);
    Ok(())
}

fn wrong_key(instrument: &Instrument<'_>, server: &Server, table: &mut Table) -> Result<()> {
    const WRONG: &str = "sk-wrong";
    let api = server.api();
    let mut flags = vec!["--api-base", &api, "--api-key", WRONG, "--model", "healthy"];
    flags.extend([
        "--max-concurrency",
        "1",
        "--num-prompts",
        "2",
        "--warmup-runs",
        "0",
    ]);
    let measured = instrument.measure("litellm-wrong-key", "chat", &flags)?;
    let why = measured.why();
    let holds = if why.to_lowercase().contains("key") {
        Ok(())
    } else {
        Err("the key is not named".to_owned())
    };
    let url = format!("{api}/chat/completions");
    let refusal = post(&url, Some(WRONG), &chat("healthy", 1))?;
    let own = format!("{} {}", refusal.status, refusal.text());
    table.told("a wrong key", (why, own), holds);
    Ok(())
}
