//! Speed and memory of the client, beside a bare socket reader in the same run.

use crate::bare;
use crate::pinned::{CLIENT_CPU, Mock, cost, on_cpu, tokenomics};
use anyhow::{Context, Result};
use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

pub(crate) fn run(rounds: u32) -> Result<()> {
    println!("Client on one processor, mock on another; medians of {rounds} interleaved rounds.\n");
    println!(
        "{:<44} {:>12} {:>12} {:>7}  bar",
        "", "tokenomics", "bare", "ratio"
    );
    let row = |name: &str, ours: f64, bare: f64, bar: &str| {
        println!(
            "{name:<44} {ours:>12.1} {bare:>12.1} {:>7.2}  {bar}",
            ours / bare
        );
    };
    let [events, bare_events] = streams(rounds)?;
    row(
        "SSE events/s decoded, 16 per write, 64 streams",
        events.rate,
        bare_events.rate,
        "≥ 500,000",
    );
    row(
        "CPU seconds per million events",
        events.cpu_per_million,
        bare_events.cpu_per_million,
        "≤ 2",
    );
    let [requests, bare_requests] = whole_responses(rounds, 64, 150_000)?;
    row(
        "non-streaming requests/s, 64 connections",
        requests.rate,
        bare_requests.rate,
        "≥ 50,000",
    );
    let [alone, bare_alone] = whole_responses(rounds, 1, 10_000)?;
    row(
        "p50 of one request at concurrency 1, µs",
        alone.p50,
        bare_alone.p50,
        "ratio ≤ 2",
    );
    println!(
        "{:<44} {:>12.1}                       < 60",
        "peak memory, 1,000 streams, 2,000 requests, MB",
        memory()?
    );
    println!(
        "{:<44} {:>12.1}                       < 50",
        "start to the first request on the wire, ms",
        start_up(rounds)?
    );
    Ok(())
}

#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    cpu_per_million: f64,
}

/// Ours and the bare reader's, by turns; the median of each figure over the rounds.
fn by_turns(
    rounds: u32,
    mut ours: impl FnMut() -> Result<Figures>,
    mut bare: impl FnMut() -> Result<Figures>,
) -> Result<[Figures; 2]> {
    let (mut all_ours, mut all_bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        all_ours.push(ours()?);
        all_bare.push(bare()?);
    }
    Ok([median(&all_ours), median(&all_bare)])
}

fn median(figures: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(pick).collect();
        stats::sort(&mut values);
        stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
    };
    Figures {
        rate: of(|figures| figures.rate),
        p50: of(|figures| figures.p50),
        cpu_per_million: of(|figures| figures.cpu_per_million),
    }
}

fn streams(rounds: u32) -> Result<[Figures; 2]> {
    const TOKENS: usize = 2048;
    const REQUESTS: usize = 1500;
    let mock = Mock::start(&[
        "--ttft-ms=0",
        "--itl-ms=0",
        "--events-per-write=16",
        "--tokens=2048",
    ])?;
    let tokens = TOKENS.to_string();
    let ours = || chat(&mock, &["--max-tokens", &tokens], 64, REQUESTS, TOKENS);
    let bare = || {
        let flags = flags(&mock, 64, REQUESTS, &["--stream", "--max-tokens", &tokens]);
        let (rate, p50, cpu) = bare::measure(&flags)?;
        Ok(Figures {
            rate,
            p50,
            cpu_per_million: per_million(cpu, REQUESTS * TOKENS),
        })
    };
    by_turns(rounds, ours, bare)
}

fn whole_responses(rounds: u32, connections: usize, requests: usize) -> Result<[Figures; 2]> {
    let mock = Mock::start(&["--ttft-ms=0", "--itl-ms=0", "--tokens=1"])?;
    let ours = || {
        chat(
            &mock,
            &["--no-stream", "--max-tokens=1"],
            connections,
            requests,
            1,
        )
    };
    let bare = || {
        let (rate, p50, cpu) =
            bare::measure(&flags(&mock, connections, requests, &["--max-tokens=1"]))?;
        Ok(Figures {
            rate,
            p50,
            cpu_per_million: per_million(cpu, requests),
        })
    };
    by_turns(rounds, ours, bare)
}

fn flags(mock: &Mock, connections: usize, requests: usize, more: &[&str]) -> Vec<String> {
    let mut flags = vec![
        mock.address.clone(),
        format!("--connections={connections}"),
        format!("--requests={requests}"),
    ];
    flags.extend(more.iter().map(|&flag| flag.to_owned()));
    flags
}

/// A run of `tokenomics chat` at full speed, with its records, from its own saved records.
fn chat(
    mock: &Mock,
    more: &[&str],
    connections: usize,
    requests: usize,
    events_per_request: usize,
) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let cost = cost(&mut chat_command(
        mock,
        folder.path(),
        connections,
        requests,
        more,
    )?)?;
    let bytes = fs::read(folder.path().join("x.records.parquet"))?;
    let run = store::read(Bytes::from(bytes), u64::MAX)?.run;
    let facts = run
        .facts
        .iter()
        .find(|facts| !facts.run.warmup)
        .context("no run")?;
    let measured: Vec<_> = run
        .records
        .iter()
        .filter(|record| !record.run.warmup)
        .collect();
    anyhow::ensure!(
        measured.iter().all(|record| record.outcome.is_complete()),
        "requests failed"
    );
    let mut latencies: Vec<f64> = measured
        .iter()
        .map(|record| (record.done - record.issued).0 as f64 / 1e3)
        .collect();
    stats::sort(&mut latencies);
    let events = requests * events_per_request;
    Ok(Figures {
        // Until everything is decoded and recorded, which the run's own end is not.
        rate: events as f64 / facts.instrument.watched.context("not watched")?.seconds(),
        p50: stats::quantile(&latencies, 0.5).context("no latency")?,
        cpu_per_million: per_million(cost.cpu, events),
    })
}

fn chat_command(
    mock: &Mock,
    folder: &Path,
    connections: usize,
    requests: usize,
    more: &[&str],
) -> Result<std::process::Command> {
    let mut command = on_cpu(CLIENT_CPU, &tokenomics()?);
    command
        .args([
            "chat",
            "--no-plot",
            "--output-format=quiet",
            "--warmup-runs=0",
            "--model=mock",
        ])
        .arg(format!("--api-base=http://{}/v1", mock.address))
        .arg(format!("--max-concurrency={connections}"))
        .arg(format!("--num-prompts={requests}"))
        .arg("--results-file")
        .arg(folder.join("x.json"))
        .args(more);
    Ok(command)
}

fn per_million(cpu: Duration, events: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / events as f64
}

/// Peak resident memory of a run at 1,000 paced streams, in MB.
fn memory() -> Result<f64> {
    let mock = Mock::start(&[])?;
    let folder = tempfile::tempdir()?;
    let mut command = chat_command(&mock, folder.path(), 1000, 2000, &["--max-tokens=64"])?;
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let mut peak = 0.0_f64;
    while child.try_wait()?.is_none() {
        peak = peak.max(resident_peak_mb(&child).unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(peak)
}

/// The kernel's own high-water mark; absent once the process is gone.
fn resident_peak_mb(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// From the start of the process to its first request's arrival at the server, in milliseconds.
fn start_up(rounds: u32) -> Result<f64> {
    let mut spans = Vec::new();
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        let truth = folder.path().join("truth.jsonl");
        let mock = Mock::start(&[
            "--ttft-ms=0",
            "--itl-ms=0",
            "--truth",
            &truth.to_string_lossy(),
        ])?;
        let mut command = chat_command(&mock, folder.path(), 1, 1, &[])?;
        let begun = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        cost(&mut command)?;
        mock.stop()?;
        let truths = mock::read_truth(fs::read(&truth)?.as_slice())?;
        let first = truths.first().context("no request arrived")?.received;
        let begun = Duration::from(begun);
        spans.push(
            Duration::from_nanos(first)
                .saturating_sub(begun)
                .as_secs_f64()
                * 1e3,
        );
    }
    stats::sort(&mut spans);
    stats::quantile(&spans, 0.5).context("no round")
}
