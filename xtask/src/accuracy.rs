//! What the client reports against what the mock did, joined by request id.

use crate::pinned::{CLIENT_CPU, Mock, on_cpu, tokenomics};
use anyhow::{Context, Result};
use bytes::Bytes;
use mock::TruthRecord;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use trace::{Event, Record, SavedRun};

/// Bounds in milliseconds: mean and p99 error of time to first token, p99 error of single gaps.
fn bounds(streams: u32) -> [f64; 3] {
    match streams {
        0..=64 => [0.1, 1.0, 0.1],
        65..=256 => [0.1, 2.0, 0.1],
        _ => [0.5, 5.0, 1.0],
    }
}

/// Errors of one setting, in milliseconds: reported − truth.
struct Errors {
    ttft: Vec<f64>,
    gaps: Vec<f64>,
}

pub(crate) fn run(streams: &[u32]) -> Result<()> {
    println!(
        "TTFT 50 ms, then a token every 10 ms, 64 tokens; closed loop; client on one processor, mock on another."
    );
    println!("Absolute errors in ms, reported against the truth; bounds behind each.\n");
    println!(
        "streams  role chunk requests          TTFT mean           TTFT p99            gap p99   \
         in flight  verdict"
    );
    let mut missed = 0;
    for role in ["with-first-token", "early"] {
        for &streams in streams {
            missed += u32::from(!setting(streams, role)?);
        }
    }
    anyhow::ensure!(missed == 0, "{missed} of the settings missed a bound");
    println!("\nEvery setting is within its bounds.");
    Ok(())
}

/// Measures one setting and prints its row; whether all bounds were met.
fn setting(streams: u32, role: &str) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let truth = folder.path().join("truth.jsonl");
    let mock = Mock::start(&["--role-chunk", role, "--truth", &truth.to_string_lossy()])?;
    let requests = (4 * streams).max(32);
    let results = folder.path().join("x.json");
    let output = on_cpu(CLIENT_CPU, &tokenomics()?)
        .args([
            "chat",
            "--no-plot",
            "--max-tokens",
            "64",
            "--output-format",
            "json",
        ])
        .arg(format!("--api-base=http://{}/v1", mock.address))
        .arg(format!("--max-concurrency={streams}"))
        .arg(format!("--num-prompts={requests}"))
        .arg("--results-file")
        .arg(&results)
        .stderr(Stdio::null())
        .output()?;
    mock.stop()?;
    let run = saved(&folder.path().join("x.records.parquet"))
        .with_context(|| String::from_utf8_lossy(&output.stdout).into_owned())?;
    let summary = stats::summarize_saved(&run);
    let point = summary.points.first().context("no point was measured")?;
    let mut errors = compare(&run, &truths(&truth)?)?;
    let n = errors.ttft.len();
    let mean = errors.ttft.iter().map(|error| error.abs()).sum::<f64>() / n as f64;
    let measured = [mean, p99(&mut errors.ttft)?, p99(&mut errors.gaps)?];
    let bounds = bounds(streams);
    let met = measured
        .iter()
        .zip(bounds)
        .all(|(value, bound)| value.abs() <= bound);
    let [mean, ttft, gap] = measured
        .iter()
        .zip(bounds)
        .map(|(value, bound)| format!("{value:.4} (≤ {bound})"))
        .collect::<Vec<_>>()
        .try_into()
        .expect("three");
    println!(
        "{streams:>7}  {role:<10.10} {n:>8}  {mean:>17}  {ttft:>17}  {gap:>17}  {:>10.1}  {:?} {}",
        point.concurrency.achieved.unwrap_or(f64::NAN),
        point.verdict.grade,
        point
            .verdict
            .reasons
            .iter()
            .map(|reason| reason.code.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(met)
}

fn saved(path: &Path) -> Result<SavedRun> {
    Ok(store::read(Bytes::from(fs::read(path)?), u64::MAX)?.run)
}

fn truths(path: &Path) -> Result<HashMap<String, TruthRecord>> {
    let log = fs::read(path)?;
    let truths = mock::read_truth(log.as_slice())?;
    Ok(truths
        .into_iter()
        .map(|truth| (truth.request_id.clone(), truth))
        .collect())
}

fn compare(run: &SavedRun, truths: &HashMap<String, TruthRecord>) -> Result<Errors> {
    let mut errors = Errors {
        ttft: Vec::new(),
        gaps: Vec::new(),
    };
    for record in run.records.iter().filter(|record| !record.run.warmup) {
        let id = trace::request_id(run.header.invocation, record.id);
        let truth = truths
            .get(&id)
            .with_context(|| format!("no truth of {id}"))?;
        compare_one(record, truth, &mut errors)?;
    }
    Ok(errors)
}

fn compare_one(record: &Record, truth: &TruthRecord, errors: &mut Errors) -> Result<()> {
    let tokens: Vec<&Event> = record
        .events
        .iter()
        .filter(|event| event.kind.is_token())
        .collect();
    anyhow::ensure!(
        record.outcome.is_complete() && tokens.len() == truth.writes.len(),
        "{} ended as {} with {} tokens of {}",
        truth.request_id,
        record.outcome.name(),
        tokens.len(),
        truth.writes.len()
    );
    let between = |later: u64, earlier: u64| (i128::from(later) - i128::from(earlier)) as f64 / 1e6;
    let first = tokens.first().context("no token")?;
    let reported = between(first.arrived.0, record.issued.0);
    errors
        .ttft
        .push(reported - between(truth.writes[0], truth.received));
    for (events, writes) in tokens.windows(2).zip(truth.writes.windows(2)) {
        let reported = between(events[1].arrived.0, events[0].arrived.0);
        errors.gaps.push(reported - between(writes[1], writes[0]));
    }
    Ok(())
}

/// 99th percentile of the absolute values.
fn p99(values: &mut [f64]) -> Result<f64> {
    for value in values.iter_mut() {
        *value = value.abs();
    }
    stats::sort(values);
    stats::quantile(values, 0.99).context("nothing to compare")
}
