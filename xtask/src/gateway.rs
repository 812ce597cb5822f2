//! What `tokenomics gateway` says of a gateway whose delay is known.

use crate::pinned::tokenomics;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{Relay, RelayOptions};

#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    /// Injected delays, in microseconds
    #[arg(long, value_delimiter = ',', default_value = "0,20,100,1000,5000")]
    delays: Vec<u64>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    listen: SocketAddr,
    /// `http://HOST:PORT`
    upstream: String,
    delay_us: u64,
}

/// A relay that adds so much to each answer: what [`run`] measures.
pub(crate) fn relay(args: &RelayArgs) -> Result<()> {
    let upstream = args.upstream.trim_start_matches("http://").parse()?;
    let options = RelayOptions {
        delay: Duration::from_micros(args.delay_us),
        ..RelayOptions::default()
    };
    Relay::bind(args.listen, upstream, options)?.serve();
    Ok(())
}

/// A median of differences and its interval, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Reported {
    value: f64,
    low: f64,
    high: f64,
    floor_holds_zero: bool,
}

/// Prints, for each delay, what was reported beyond what the relay adds without one.
pub(crate) fn run(args: &GatewayArgs) -> Result<()> {
    let program = tokenomics()?;
    let mut all: BTreeMap<u64, Vec<Reported>> = BTreeMap::new();
    for round in 0..args.rounds {
        for delay in args
            .delays
            .iter()
            .chain((!args.delays.contains(&0)).then_some(&0))
        {
            let reported = measure(&program, *delay, args.seconds, round)?;
            all.entry(*delay).or_default().push(reported);
        }
    }
    // What the relay itself takes is the same whatever it adds.
    let hop = median(all[&0].iter().map(|reported| reported.value).collect());
    println!(
        "The relay alone adds {hop:.1} µs; {} rounds of {} s each.",
        args.rounds, args.seconds
    );
    println!(
        "{:>12} {:>14} {:>10} {:>12} {:>16}",
        "injected µs", "reported − hop", "error µs", "half-width", "truth in interval"
    );
    for (delay, reported) in &all {
        let truth = *delay as f64;
        let values = reported.iter().map(|reported| reported.value - hop);
        let value = median(values.collect());
        let half = median(
            reported
                .iter()
                .map(|reported| (reported.high - reported.low) / 2.0)
                .collect(),
        );
        let covers = reported
            .iter()
            .filter(|reported| reported.low <= truth + hop && truth + hop <= reported.high)
            .count();
        let error = value - truth;
        let verdict = if error.abs() <= f64::max(0.05 * truth, 10.0) {
            ""
        } else {
            "  beyond 5 % and 10 µs"
        };
        println!(
            "{delay:>12} {value:>14.1} {error:>10.1} {half:>12.1} {covers:>10} of {:<3}{verdict}",
            reported.len()
        );
    }
    let floors = all.values().flatten();
    let held = floors
        .clone()
        .filter(|reported| reported.floor_holds_zero)
        .count();
    println!(
        "Direct against direct: no difference in {held} of {}.",
        floors.count()
    );
    Ok(())
}

fn measure(program: &Path, delay: u64, seconds: f64, seed: usize) -> Result<Reported> {
    let folder = tempfile::tempdir()?;
    let own = std::env::current_exe()?;
    let command = format!(
        "'{}' bench relay {{host}}:{{port}} {{provider_url}} {delay}",
        own.display()
    );
    let output = Command::new(program)
        .args([
            "gateway",
            "--gateway",
            "custom",
            "--proxy-command",
            &command,
        ])
        .args([
            "--provider-port",
            "0",
            "--proxy-port",
            "4390",
            "--records",
            "none",
        ])
        .args(["--requests", "20", "--concurrency", "1", "--warmup", "20"])
        .args([
            "--stream-requests",
            "2",
            "--stream-concurrency",
            "1",
            "--stream-warmup",
            "1",
        ])
        .args([
            "--added-seconds",
            &seconds.to_string(),
            "--seed",
            &seed.to_string(),
        ])
        .args(["--output-format", "json", "--output-json"])
        .arg(folder.path().join("r.json"))
        .stderr(Stdio::piped())
        .output()?;
    if !matches!(output.status.code(), Some(0 | 4)) {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let results: Value = serde_json::from_slice(&output.stdout)?;
    let whole = &results["added_ms"]["whole"];
    let number = |of: &Value, key: &str| {
        of[key]
            .as_f64()
            .with_context(|| format!("no {key} in {of}"))
    };
    let paired = &whole["paired_median"];
    let floor = &whole["floor"];
    Ok(Reported {
        value: 1e3 * number(paired, "value")?,
        low: 1e3 * number(paired, "low")?,
        high: 1e3 * number(paired, "high")?,
        floor_holds_zero: number(floor, "low")? <= 0.0 && 0.0 <= number(floor, "high")?,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    stats::sort(&mut values);
    stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
}
