//! nginx before a mock, and what `gateway` says of it several times over.

use super::child::{Server, free_port};
use super::measured::Instrument;
use super::mock::Mock;
use super::recording::Recorder;
use super::table::{Table, Within};
use anyhow::{Context, Result};
use process::preset::{Gateway, GatewaySettings};
use serde_json::Value;
use std::time::Duration;

const REQUESTS: u64 = 128;

/// Measurements of what it adds.
const TIMES: usize = 4;

pub(super) fn run(
    instrument: &Instrument<'_>,
    _recorder: &Recorder,
    table: &mut Table,
) -> Result<()> {
    let program = instrument.cache.program("nginx", "nginx-light")?;
    let healthy = Mock::start(instrument, "healthy", &[])?;
    let scratch = instrument.cache.path("nginx");
    std::fs::create_dir_all(&scratch)?;
    let port = free_port()?;
    let settings = GatewaySettings {
        scratch,
        folder: None,
        command: Some(vec![program.display().to_string()]),
        config_template: None,
        host: "127.0.0.1".to_owned(),
        port,
        provider: healthy.url.clone(),
        model: "healthy".to_owned(),
        api_key: String::new(),
    };
    let spec = Gateway::Nginx.spec(&settings)?;
    let log = instrument.cache.log("nginx");
    let server = Server::start(&spec, port, "/v1/models", Duration::from_secs(30), &log)?;
    let (api, requests) = (server.api(), REQUESTS.to_string());
    let mut flags = vec!["--api-base", &api, "--max-concurrency", "8"];
    flags.extend([
        "--num-prompts",
        &requests,
        "--max-tokens",
        "16",
        "--warmup-runs",
        "0",
    ]);
    let measured = instrument.measure("nginx", "chat", &flags)?;
    let truth = healthy.truth(usize::try_from(REQUESTS)?)?;
    table.complete("8 in flight", &measured, REQUESTS);
    let close = |floor| Within { share: 0.02, floor };
    let ttft = (measured.number("latency/ttft/mean"), truth.ttft);
    table.near(
        "8 in flight: TTFT mean, ms; the provider's",
        ttft,
        close(1.0),
    );
    let tpot = (measured.number("latency/tpot/mean"), truth.tpot);
    table.near(
        "8 in flight: TPOT mean, ms; the provider's",
        tpot,
        close(0.1),
    );
    table.verdict_valid("8 in flight", &measured);
    drop(server);
    added(instrument, &program.display().to_string(), table)
}

/// Whether the intervals of several measurements hold the mean of all: each starts its processes anew.
fn added(instrument: &Instrument<'_>, program: &str, table: &mut Table) -> Result<()> {
    let mut said = Vec::new();
    for time in 0..TIMES {
        let results = instrument.cache.results(&format!("nginx-gateway-{time}"));
        let path = results.display().to_string();
        let port = free_port()?.to_string();
        let mut args = vec![
            "gateway",
            "--gateway",
            "nginx",
            "--proxy-command",
            program,
            "--proxy-port",
            &port,
        ];
        args.extend([
            "--provider-port",
            "0",
            "--requests",
            "100",
            "--concurrency",
            "1",
            "--stream-requests",
            "10",
        ]);
        args.extend(["--added-seconds", "4", "--output-json", &path]);
        let words = instrument.say(&format!("nginx-gateway-{time}"), &args)?;
        let file = std::fs::read(&results)
            .with_context(|| words.lines().last().unwrap_or_default().to_owned())?;
        let file: Value = serde_json::from_slice(&file)?;
        let median = &file["added_ms"]["whole"]["paired_median"];
        let number = |name: &str| {
            median[name]
                .as_f64()
                .with_context(|| format!("no {name} in {median}"))
        };
        said.push([number("low")?, number("value")?, number("high")?].map(|ms| 1e3 * ms));
    }
    let mean = said.iter().map(|[_, value, _]| value).sum::<f64>() / said.len() as f64;
    let held = said
        .iter()
        .filter(|[low, _, high]| (*low..=*high).contains(&mean))
        .count();
    let shown: Vec<String> = said
        .iter()
        .map(|[low, value, high]| format!("{value:.1} [{low:.1}, {high:.1}]"))
        .collect();
    // Of intervals that hold the truth 95 times in 100, one of four may miss it.
    let holds = if held + 1 >= said.len() {
        Ok(())
    } else {
        Err(format!("{held} of {} intervals hold it", said.len()))
    };
    table.told(
        "gateway: added to whole answers, µs; the mean of all",
        (shown.join("; "), format!("{mean:.1}")),
        holds,
    );
    Ok(())
}
