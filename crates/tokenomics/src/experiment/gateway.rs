//! `tokenomics gateway`: what something in between adds.

mod config;
mod json;
mod lines;
mod phases;
mod results;
mod sides;
mod start;

use crate::args::{GatewayArgs, OutputFormat};
use crate::experiment::interruption::Interruption;
use crate::failure::{Exit, Failure};
use crate::output::{self, Paths, Recorder, Sink, say};
use config::{GatewayConfig, Provider};
use lines::Names;
use load::Target;
use phases::{Bench, Phase, Stopped};
use results::Results;
use serde_json::{Map, Value, json};
use sides::{Kind, Sides, Way};
use start::{RunningGateway, RunningProvider, Scratch};
use stats::Grade;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use trace::{RunHeader, SCHEMA_VERSION};

/// Measures a gateway, from the arguments to the exit code.
pub(crate) fn gateway(args: GatewayArgs) -> Result<Exit, Failure> {
    let config = GatewayConfig::resolve(args)?;
    if config.args.dry_run {
        return dry_run(&config);
    }
    let interruption = Interruption::listen()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start the runtime: {error}")))?;
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(measure(&config, interruption)))
}

async fn measure(config: &GatewayConfig, interruption: Interruption) -> Result<Exit, Failure> {
    let most = config.args.concurrency.max(config.args.stream_concurrency);
    load::allow_connections(4 * u64::from(most), 2).map_err(Failure::failed)?;
    let moment = jiff::Zoned::now();
    let paths = Paths::new(
        config.output.results_file.as_deref(),
        "gateway",
        &config.args.label,
        &moment.strftime("%Y%m%d-%H%M%S").to_string(),
    );
    paths.check(&config.output)?;
    let invocation = u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default();
    let provider = RunningProvider::start(config).await?;
    let scratch = Scratch::new(invocation)?;
    let log = paths.beside("proxy.log");
    let ended = interruption.stopper();
    let gateway =
        RunningGateway::start(config, &provider.target, scratch.path(), &log, ended).await?;
    let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let metadata = metadata(config, &provider.target, &timestamp);
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation,
        metadata: metadata.clone(),
        points: Phase::ALL.iter().map(|phase| phase.info(config)).collect(),
        slo: None,
        classes: Vec::new(),
        asked: None,
    };
    let sink = Sink::open(config.output.records, &paths, &header)?;
    let recorder = Recorder::new(header, sink)?;
    let direct = Way::direct(provider.target.clone());
    let mut bench = Bench {
        config,
        sides: Sides::open(config, [&direct, &gateway.way], invocation, &recorder)?,
        gateway: &gateway,
        has_mock: provider.mock.is_some(),
        recorder: recorder.clone(),
        stop: interruption.stop.clone(),
        next_id: 0,
        usage: Vec::new(),
    };
    interruption.measuring.store(true, Ordering::Relaxed);
    let went = run_all(&mut bench).await;
    let usage = std::mem::take(&mut bench.usage);
    drop(bench);
    let failure = gateway.failure();
    let has_log = gateway.child.is_some();
    drop(gateway);
    let results = recorder.with(|_, facts, records| Results::of(config, facts, records, usage));
    let revision = revision(config.args.litellm_dir.as_deref());
    let names = Names {
        label: &config.args.label,
        revision: &revision,
        gateway: if config.args.no_start_proxy {
            "the gateway"
        } else {
            config.gateway.name()
        },
        measures_full_stream: !config.args.no_measure_full_stream,
        rate: config.args.rate,
    };
    let log = has_log.then_some(log.as_path());
    let json = json::results(&names, &metadata, &results, log);
    save(config, &paths, &recorder, &names, &results, &json)?;
    match (failure, went) {
        (Some(failure), _) => Err(failure),
        (None, Err(Stopped)) if interruption.is_stopped() => Ok(Exit::Interrupted),
        (None, Err(Stopped)) => Err(Failure::failed(
            "a side takes no connections any more; what was measured is kept",
        )),
        (None, Ok(())) if results.verdict.grade == Grade::Invalid => Ok(Exit::Invalid),
        (None, Ok(())) => Ok(Exit::Done),
    }
}

async fn run_all(bench: &mut Bench<'_>) -> Result<(), Stopped> {
    let config = bench.config;
    let quiet = config.output.format == OutputFormat::Quiet;
    let tell = |what: &str| {
        if !quiet {
            say(what);
        }
    };
    for repeat in 0..config.args.repeats {
        tell(&format!(
            "Closed loops, pass {} of {}",
            repeat + 1,
            config.args.repeats
        ));
        for phase in [
            Phase::DirectClosed,
            Phase::ThroughClosed,
            Phase::DirectStreams,
            Phase::ThroughStreams,
        ] {
            bench.closed(phase, repeat).await?;
        }
    }
    if !config.added.is_zero() {
        for (kind, what) in [(Kind::Whole, "single requests"), (Kind::Stream, "streams")] {
            tell(&format!("{what} in turns, {} s", config.args.added_seconds));
            bench.turns(kind).await?;
        }
    }
    if let Some(arrival) = config.arrival {
        tell(&format!(
            "{} requests/s in turns, {} s each",
            arrival.rate(),
            config.args.rate_seconds
        ));
        bench.at_rate(arrival).await?;
    }
    Ok(())
}

fn save(
    config: &GatewayConfig,
    paths: &Paths,
    recorder: &Recorder,
    names: &Names<'_>,
    results: &Results,
    json: &Value,
) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(json)
        .map_err(|error| Failure::failed(format!("cannot write the results: {error}")))?
        + "\n";
    let text = match config.output.format {
        OutputFormat::Json => json.clone(),
        OutputFormat::Quiet => String::new(),
        _ => lines::text(names, results, output::stdout_style()),
    };
    output::print(&text)?;
    let mut written = output::save_files(paths, &json, recorder)?;
    let log = paths.beside("proxy.log");
    if log.exists() {
        written.push(log.display().to_string());
    }
    if config.output.format != OutputFormat::Quiet {
        say(&format!("Written: {}", written.join(" · ")));
    }
    Ok(())
}

fn metadata(config: &GatewayConfig, provider: &Target, timestamp: &str) -> Map<String, Value> {
    let args = &config.args;
    let fields = [
        ("timestamp", json!(timestamp)),
        ("gateway", json!(config.gateway.name())),
        ("started_here", json!(!args.no_start_proxy)),
        ("gateway_url", json!(config.through.url())),
        ("provider_url", json!(provider.url())),
        ("mock", json!(matches!(config.provider, Provider::Mock(..)))),
        (
            "provider_first_token_delay_ms",
            json!(args.provider_first_token_delay_ms),
        ),
        ("provider_gap_ms", json!(args.provider_gap_ms)),
        (
            "provider_stream_content_chunks",
            json!(args.provider_stream_content_chunks),
        ),
        ("model", json!(args.model)),
        ("requests", json!(args.requests)),
        ("concurrency", json!(args.concurrency)),
        ("stream_requests", json!(args.stream_requests)),
        ("stream_concurrency", json!(args.stream_concurrency)),
        ("warmup", json!(args.warmup)),
        ("stream_warmup", json!(args.stream_warmup)),
        ("repeats", json!(args.repeats)),
        ("added_seconds", json!(args.added_seconds)),
        ("rate", json!(args.rate)),
        ("rate_seconds", json!(args.rate_seconds)),
        ("seed", json!(args.seed)),
        ("tokenomics_version", json!(env!("CARGO_PKG_VERSION"))),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The short hash of the checkout that the gateway runs in.
fn revision(folder: Option<&Path>) -> String {
    let mut git = std::process::Command::new("git");
    git.args(["rev-parse", "--short", "HEAD"]);
    if let Some(folder) = folder {
        git.current_dir(folder);
    }
    let found = git.output().ok().filter(|output| output.status.success());
    found.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn dry_run(config: &GatewayConfig) -> Result<Exit, Failure> {
    let provider = match &config.provider {
        Provider::Running(target) => target.clone(),
        Provider::Mock(address, _) => {
            Target::parse(&format!("http://{address}/v1")).map_err(Failure::usage)?
        }
    };
    let scratch = PathBuf::from("SCRATCH");
    let mut settings = config.settings(&scratch, &provider);
    "[a key]".clone_into(&mut settings.api_key);
    let spec = config.gateway.spec(&settings).map_err(Failure::usage)?;
    let mut text = format!("{}\n", spec.command_line());
    for (path, contents) in &spec.files {
        let _ = write!(text, "\n# {}\n{contents}", path.display());
    }
    output::print(&text)?;
    Ok(Exit::Done)
}
