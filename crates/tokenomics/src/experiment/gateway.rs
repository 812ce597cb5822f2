//! `tokenomics gateway`: what something in between adds.

mod added_lines;
mod bench;
mod config;
mod json;
mod lines;
mod names;
mod phases;
mod placement;
mod reasons;
mod results;
mod sides;
mod start;
mod usage;
mod way;

use crate::args::{GatewayArgs, OutputFormat};
use crate::failure::{Exit, Failure};
use crate::measurement::Interruption;
use crate::output::{self, Paths, Recorder, Sink, say};
use bench::{Bench, Cut};
use config::{GatewayConfig, Provider};
use load::Target;
use names::Names;
use phases::Phase;
use reasons::reasons;
use results::{Measured, Results};
use serde_json::{Map, Value, json};
use start::{Lab, Scratch};
use stats::{Grade, Judge, Verdict};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use trace::{Record, RunHeader, SCHEMA_VERSION};
use way::Kind;

/// Measures a gateway, from the arguments to the exit code.
pub(crate) fn gateway(args: GatewayArgs) -> Result<Exit, Failure> {
    let config = GatewayConfig::resolve(args)?;
    if config.args.dry_run {
        return dry_run(&config);
    }
    let interruption = Interruption::new();
    interruption.listen()?;
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
    let _claim = paths.claim(&config.output)?;
    let invocation = u64::try_from(moment.timestamp().as_microsecond()).unwrap_or_default();
    let scratch = Scratch::new(invocation)?;
    let log = paths.beside("proxy.log");
    let mut lab = Lab::open(config, scratch, log.clone(), interruption.stopper()).await?;
    let timestamp = moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let metadata = metadata(config, &lab.provider.target, &timestamp);
    let header = RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation,
        metadata: metadata.clone(),
        points: Phase::ALL.iter().map(|phase| phase.info(config)).collect(),
        slo: None,
        classes: Vec::new(),
        asked: None,
        subject: None,
    };
    let sink = Sink::open(config.output.records, &paths, &header)?;
    let recorder = Recorder::new(header, sink)?;
    let mut bench = Bench {
        config,
        recorder: recorder.clone(),
        stop: interruption.stop.clone(),
        next_id: 0,
        usage: Vec::new(),
        placements: Vec::new(),
    };
    interruption.measuring.store(true, Ordering::Relaxed);
    let went = run_all(&mut bench, &mut lab, invocation).await;
    let failure = lab.gateway.failure();
    let measured = Measured {
        usage: bench.usage,
        placements: bench.placements,
        mock: lab.provider.mock.is_some(),
    };
    drop(lab);
    let results = recorder.with(|header, facts, records| {
        let judge = Judge::new(header);
        let settled = records
            .iter()
            .map(|record| judge.settle(record).into_owned());
        let settled: Vec<Record> = settled.collect();
        let mut results = Results::of(config, facts, &settled, measured);
        results.verdict = Verdict::of(reasons(&results, facts, &settled));
        results
    });
    let revision = revision(config.args.litellm_dir.as_deref());
    let names = Names {
        label: &config.args.label,
        revision: &revision,
        gateway: if config.starts_gateway() {
            config.gateway.name()
        } else {
            "the gateway"
        },
        measures_full_stream: !config.args.no_measure_full_stream,
        rate: config.args.rate,
    };
    let log = config.starts_gateway().then_some(log.as_path());
    let json = json::results(&names, &metadata, &results, log);
    save(config, &paths, &recorder, &names, &results, &json)?;
    match (failure, went) {
        (Some(failure), _) | (None, Err(Cut::Failed(failure))) => Err(failure),
        (None, Err(Cut::Stopped)) if interruption.is_stopped() => Ok(Exit::Interrupted),
        (None, Err(Cut::Stopped)) => Err(Failure::failed(
            "a side takes no connections any more; what was measured is kept",
        )),
        (None, Ok(())) if results.verdict.grade == Grade::Invalid => Ok(Exit::Invalid),
        (None, Ok(())) => Ok(Exit::Done),
    }
}

/// The closed loops in the first start; then each start's part of the turns, and of the schedule.
async fn run_all(bench: &mut Bench<'_>, lab: &mut Lab<'_>, invocation: u64) -> Result<(), Cut> {
    let config = bench.config;
    let quiet = config.output.format == OutputFormat::Quiet;
    let tell = |what: &str| {
        if !quiet {
            say(what);
        }
    };
    let first = bench.open(lab, 0, invocation)?;
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
            bench.closed(&first, phase, repeat).await?;
        }
    }
    drop(first);
    let starts = config.starts();
    for number in 0..starts {
        // Connections are closed before the gateway ends: it is for who closes them to wait until they are forgotten,
        // and the gateway's port has to be free.
        if number > 0 {
            let mut stop = bench.stop.clone();
            tokio::select! {
                biased;
                renewed = lab.renew() => renewed?,
                _ = stop.wait_for(|stop| *stop) => return Err(Cut::Stopped),
            }
        }
        // In the first one too, so that each begins alike.
        let start = bench.open(lab, number, invocation)?;
        let which = format!("Start {} of {starts}", number + 1);
        let seconds = |all: f64| all / f64::from(starts);
        if !config.added.is_zero() {
            for (kind, what) in [(Kind::Whole, "single requests"), (Kind::Stream, "streams")] {
                let time = seconds(config.args.added_seconds);
                tell(&format!("{which}: {what} in turns, {time} s"));
                bench.turns(&start, kind).await?;
            }
        }
        if let Some(arrival) = config.arrival {
            let (rate, time) = (arrival.rate(), seconds(config.args.rate_seconds));
            tell(&format!(
                "{which}: {rate} requests/s in turns, {time} s each"
            ));
            bench.at_rate(&start, arrival).await?;
        }
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
    let json = report::escape::json(json);
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
        ("starts", json!(config.starts())),
        ("added_seconds", json!(args.added_seconds)),
        ("rate", json!(args.rate)),
        ("rate_seconds", json!(args.rate_seconds)),
        ("keep_alive", json!(!args.no_keep_alive)),
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
