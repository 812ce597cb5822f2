//! `tokenomics mock`: the mock provider, until ctrl-C.

use crate::args::RoleChunkArg;
use crate::args::{Args, MockArgs, ScenarioPhase, Verb};
use crate::failure::{Exit, Failure};
use crate::input::read;
use crate::output::say;
use clap::Parser as _;
use mock::{
    Fault, MockConfig, MockServer, MockStats, Phase, RecordedTimings, RoleChunk, StopSignal, Timing,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Serves until ctrl-C. `phases` are those of the scenario, if there is one.
pub(crate) fn mock(args: &MockArgs, phases: Vec<ScenarioPhase>) -> Result<Exit, Failure> {
    let config = config(args)?;
    let phases: Result<Vec<Phase>, Failure> = phases.into_iter().map(phase).collect();
    let phases = phases?;
    let truth = match &args.truth {
        None => None,
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                Failure::failed(format!("cannot write --truth {}: {error}", path.display()))
            })?;
            Some(Box::new(file) as Box<dyn std::io::Write + Send>)
        }
    };
    let address = SocketAddr::new(args.host, args.port);
    let server = MockServer::bind(address, config, truth)
        .and_then(|server| server.with_phases(phases))
        .map_err(Failure::failed)?
        .with_limits(crate::serving::within_files(MockServer::limits()));
    say(&format!(
        "Mock provider at http://{}/v1; ctrl-C stops it.",
        server.local_addr()
    ));
    let stop = StopSignal::new().map_err(Failure::failed)?;
    crate::interrupt::on_interrupt({
        let stop = stop.clone();
        move || {
            stop.stop();
            true
        }
    })?;
    let stats = server.serve(&stop).map_err(Failure::failed)?;
    say(&words(&stats));
    Ok(Exit::Done)
}

fn config(args: &MockArgs) -> Result<MockConfig, Failure> {
    Ok(MockConfig {
        ttft: timing("--ttft-ms", &args.ttft_ms)?,
        prefill: millis("--prefill-us-per-word", args.prefill_us_per_word / 1e3)?,
        itl: timing("--itl-ms", &args.itl_ms)?,
        slowdown: part("--slowdown", args.slowdown, 1e6)?,
        seed: args.seed,
        replay: args.replay_timings.as_deref().map(replay).transpose()?,
        late_head: args.late_head,
        tokens: args.tokens,
        tokens_per_event: args.tokens_per_event,
        events_per_write: args.events_per_write,
        role_chunk: match args.role_chunk {
            RoleChunkArg::WithFirstToken => RoleChunk::WithFirstToken,
            RoleChunkArg::Early => RoleChunk::Early,
            RoleChunkArg::None => RoleChunk::None,
        },
        usage: !args.no_usage,
        tool_calls: part("--tool-calls", args.tool_calls, 1.0)?,
        embedding_dimensions: args.embedding_dimensions,
        model: args.model.clone(),
        max_concurrent: args.max_concurrent,
        fault: args
            .fault
            .as_deref()
            .map(Fault::from_str)
            .transpose()
            .map_err(Failure::usage)?,
        fault_rate: part("--fault-rate", args.fault_rate, 1.0)?,
        fault_window: args.fault_window.as_deref().map(window).transpose()?,
        fault_keys: fault_keys(&args.fault_key)?,
        api_key: args.api_key.clone(),
    })
}

/// A phase is the command line that would have begun with it.
fn phase(phase: ScenarioPhase) -> Result<Phase, Failure> {
    let from = phase.from;
    let refuse = |why: &str| {
        Failure::usage(format!(
            "--scenario: the phase from {} s: {why}",
            from.as_secs_f64()
        ))
    };
    let args = Args::try_parse_from(phase.arguments).map_err(|error| {
        let text = error.to_string();
        let why = text.split("\n\n").next().unwrap_or_default();
        refuse(why.strip_prefix("error: ").unwrap_or(why))
    })?;
    let Verb::Mock(args) = args.verb else {
        return Err(refuse("it is no phase of `mock`"));
    };
    let config = config(&args).map_err(|failure| refuse(&failure.to_string()))?;
    Ok(Phase { from, config })
}

fn replay(path: &Path) -> Result<RecordedTimings, Failure> {
    let text = read("--replay-timings", path)?;
    RecordedTimings::parse(&text)
        .map_err(|error| Failure::usage(format!("--replay-timings {}: {error}", path.display())))
}

/// Keys and what happens to them. A key is a secret, and is not repeated in a message.
fn fault_keys(given: &[String]) -> Result<BTreeMap<String, Fault>, Failure> {
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let Some((key, fault)) = pair else {
            return Err(Failure::usage(
                "--fault-key must be KEY=FAULT, such as sk-slow=drip:1ms; what was given has no key, \
                 or no `=` after it",
            ));
        };
        let fault = fault
            .parse()
            .map_err(|error| Failure::usage(format!("--fault-key: {error}")))?;
        Ok((key.to_owned(), fault))
    };
    given.iter().map(pair).collect()
}

/// What the mock did, and how well it kept its own schedule.
fn words(stats: &MockStats) -> String {
    let served = format!(
        "Served {} requests, {} of them streams, {} events; at most {} streams at once.",
        stats.requests, stats.streams, stats.events, stats.concurrent_streams_peak
    );
    let Some(late) = &stats.lateness else {
        return served;
    };
    let micros = |span: Duration| span.as_secs_f64() * 1e6;
    format!(
        "{served} Writes were late by {:.0} µs at p50, {:.0} at p99, {:.0} at worst.",
        micros(late.p50),
        micros(late.p99),
        micros(late.max)
    )
}

fn timing(flag: &str, text: &str) -> Result<Timing, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

fn part(flag: &str, value: f64, most: f64) -> Result<f64, Failure> {
    if (0.0..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Failure::usage(format!(
            "{flag} must be between 0 and {most}, got `{value}`"
        )))
    }
}

/// Two moments in seconds after the start.
fn window(text: &str) -> Result<(Duration, Duration), Failure> {
    let seconds = |part: &str| {
        part.parse()
            .ok()
            .filter(|value| (0.0..=1e6).contains(value))
    };
    let ends = text.split_once(':');
    let ends = ends.and_then(|(from, to)| Some((seconds(from)?, seconds(to)?)));
    match ends {
        Some((from, to)) if from < to => {
            Ok((Duration::from_secs_f64(from), Duration::from_secs_f64(to)))
        }
        _ => Err(Failure::usage(format!(
            "--fault-window must be FROM:TO in seconds after the start, such as 10:20, got `{text}`"
        ))),
    }
}

fn millis(flag: &str, value: f64) -> Result<Duration, Failure> {
    /// An hour.
    const LIMIT: f64 = 3_600_000.0;
    if (0.0..=LIMIT).contains(&value) {
        Ok(Duration::from_secs_f64(value / 1000.0))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be between 0 and {LIMIT} milliseconds, got `{value}`"
        )))
    }
}
