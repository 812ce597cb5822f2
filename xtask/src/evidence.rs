//! What the tool claims of itself, on real processes: that its gate is right, that its verdict knows a busy
//! machine, and that its answer to "how much" holds a knee that is known.

use crate::pinned::{CLIENT_CPU, Mock, on_cpu, tokenomics};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// What is shown
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "gate,stress,capacity"
    )]
    parts: Vec<Part>,
    /// Pairs of measurements of one server, and of one and a slower one
    #[arg(long, default_value_t = 100)]
    pairs: u64,
    /// Rounds with burners and without
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Searches for the capacity
    #[arg(long, default_value_t = 20)]
    searches: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `compare` on equal servers, and on one slower by 5 %
    Gate,
    /// The verdict at 256 streams, with two busy loops beside it and without
    Stress,
    /// `--find-capacity` on a server whose knee is known
    Capacity,
}

pub(crate) fn run(args: &EvidenceArgs) -> Result<()> {
    let mut missed = Vec::new();
    for part in &args.parts {
        let held = match part {
            Part::Gate => gate(args.pairs)?,
            Part::Stress => stress(args.rounds)?,
            Part::Capacity => capacity(args.searches)?,
        };
        if !held {
            missed.push(format!("{part:?}"));
        }
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

/// Runs `tokenomics chat` on the client's processor; its result file.
fn chat(mock: &Mock, flags: &[&str], results: &Path) -> Result<Value> {
    // What an earlier call left is none of this one.
    let _ = fs::remove_file(results);
    let output = on_cpu(CLIENT_CPU, &tokenomics()?)
        .args(["chat", "--no-plot", "--output-format", "quiet"])
        .arg(format!("--api-base=http://{}/v1", mock.address))
        .arg("--results-file")
        .arg(results)
        .args(flags)
        .stderr(Stdio::piped())
        .output()?;
    let file =
        fs::read(results).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok(serde_json::from_slice(&file)?)
}

/// A server whose times spread by a tenth, with first tokens at `ttft` ms and the next ones `itl` ms apart.
fn server(ttft: f64, itl: f64, seed: u64) -> Result<Mock> {
    let flags = [
        format!("--ttft-ms=lognormal:{ttft}:0.1"),
        format!("--itl-ms={itl}"),
        format!("--seed={seed}"),
    ];
    Mock::start(&flags.each_ref().map(String::as_str))
}

/// How often two measurements of one server are called worse, and how often a slower one is found.
fn gate(pairs: u64) -> Result<bool> {
    const FIRST: u64 = 200;
    const TRIES: u32 = 10;
    let folder = tempfile::tempdir()?;
    let (equal, slower) = (server(5.0, 1.0, 1)?, server(5.25, 1.05, 2)?);
    // What is invalid is no measurement, and fails nobody's gate: it is measured again.
    let invalid = Cell::new(0);
    let measure = |mock: &Mock, requests: u64, name: &str| -> Result<()> {
        let requests = format!("--num-prompts={requests}");
        let flags = [
            "--max-concurrency=16",
            "--max-tokens=4",
            "--warmup-runs=0",
            &requests,
        ];
        for _ in 0..TRIES {
            let file = chat(mock, &flags, &folder.path().join(name))?;
            if file["verdict"]["grade"] != "invalid" {
                return Ok(());
            }
            invalid.set(invalid.get() + 1);
        }
        bail!("this machine gives no valid measurement in {TRIES} tries")
    };
    let compare = |base: &str, new: &str| -> Result<Value> {
        let output = Command::new(tokenomics()?)
            .args(["compare", base, new, "--output-format", "json"])
            .current_dir(folder.path())
            .output()?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    measure(&equal, FIRST, "base.json")?;
    measure(&slower, FIRST, "slow.json")?;
    let needed = compare("base.json", "slow.json")?["requests_needed"].as_u64();
    let requests = needed.unwrap_or(FIRST).max(FIRST);
    println!("gate: {FIRST} requests ask for {requests}; {pairs} pairs of each");
    let (mut alarms, mut found) = (0, 0);
    for _ in 0..pairs {
        measure(&equal, requests, "base.json")?;
        measure(&equal, requests, "again.json")?;
        measure(&slower, requests, "slow.json")?;
        let is_worse =
            |new| Ok::<_, anyhow::Error>(compare("base.json", new)?["judgement"] == "worse");
        alarms += u64::from(is_worse("again.json")?);
        found += u64::from(is_worse("slow.json")?);
    }
    println!("  the same server is worse than itself in {alarms} of {pairs} (at most 5 of 100)");
    println!("  one slower by 5 % is found in {found} of {pairs} (at least 95 of 100)");
    println!(
        "  {} measurements were invalid, and made again",
        invalid.get()
    );
    Ok(alarms * 100 <= 5 * pairs && found * 100 >= 95 * pairs)
}

/// Busy loops that end when this is dropped.
struct Burners(Vec<Child>);

impl Burners {
    fn light(count: usize) -> Result<Self> {
        let burner = |_| {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
        };
        Ok(Self(
            (0..count).map(burner).collect::<std::io::Result<_>>()?,
        ))
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for burner in &mut self.0 {
            let _ = burner.kill();
            let _ = burner.wait();
        }
    }
}

/// Whether the verdict tells a machine that is busy from one that is not.
fn stress(rounds: u32) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let mock = Mock::start(&["--itl-ms=10"])?;
    let measure = || -> Result<(String, String)> {
        let flags = [
            "--max-concurrency=256",
            "--max-tokens=100",
            "--num-prompts=1024",
        ];
        let file = chat(&mock, &flags, &folder.path().join("x.json"))?;
        let verdict = &file["verdict"];
        let reasons = verdict["reasons"].as_array().into_iter().flatten();
        let words = reasons.filter_map(|reason| reason["sentence"].as_str());
        let grade = verdict["grade"].as_str().unwrap_or_default();
        Ok((grade.to_owned(), words.collect::<Vec<_>>().join(" ")))
    };
    println!("stress: 256 streams, two busy loops beside client and server, and none");
    let mut held = true;
    for _ in 0..rounds {
        let (quiet, why) = measure()?;
        let burners = Burners::light(2)?;
        let (busy, reasons) = measure()?;
        drop(burners);
        let names = reasons.contains("starved");
        println!("  quiet: {quiet} {why}\n  busy:  {busy}, names starvation: {names}");
        held &= quiet == "valid" && busy != "valid" && names;
    }
    Ok(held)
}

/// A server that answers eight at once, 8 ms each, the first token after 4; good is who has that after 9.6 ms.
const SLOTS: usize = 8;
const SERVICE: f64 = 0.008;
const PATIENCE: f64 = 0.0096 - 0.004;
const ATTAIN: f64 = 0.95;

/// How often the interval of a search holds the knee.
fn capacity(searches: u64) -> Result<bool> {
    let knee = knee();
    let folder = tempfile::tempdir()?;
    println!("capacity: {searches} searches; the knee is {knee:.1} requests/s");
    let mut held = 0;
    for seed in 0..searches {
        let slots = format!("--max-concurrent={SLOTS}");
        let mock = Mock::start(&["--ttft-ms=4", "--itl-ms=1", &slots])?;
        let seed = format!("--seed={}", 1_000 * seed);
        let flags = [
            "--find-capacity",
            "--goodput=ttft:9.6",
            "--attain=95%",
            "--request-rate=500",
            "--max-tokens=5",
            "--num-prompts=1500",
            &seed,
        ];
        let file = chat(&mock, &flags, &folder.path().join("x.json"))?;
        let interval = &file["capacity"]["interval"];
        let (low, high) = (interval["low"].as_f64(), interval["high"].as_f64());
        let holds = low.is_some_and(|low| low <= knee) && high.is_some_and(|high| knee <= high);
        held += u64::from(holds);
        let probes = file["probes"].as_array().map_or(0, Vec::len);
        let end = &file["capacity"]["end"];
        println!(
            "  {:.1} to {:.1} after {probes} probes ({end}){}",
            low.unwrap_or(f64::NAN),
            high.unwrap_or(f64::NAN),
            if holds { "" } else { "  missed" }
        );
    }
    println!("  the knee is inside in {held} of {searches} (at least 18 of 20)");
    Ok(held * 20 >= 18 * searches)
}

/// The rate at which [`ATTAIN`] of Poisson arrivals wait no longer than [`PATIENCE`]: halved until it is known to a
/// thousandth, each rate simulated long enough for that.
fn knee() -> f64 {
    let (mut low, mut high) = (1.0, SLOTS as f64 / SERVICE);
    while high / low > 1.001 {
        let middle = f64::midpoint(low, high);
        if patient(middle) >= ATTAIN {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The share of arrivals at `rate` that wait no longer than [`PATIENCE`].
fn patient(rate: f64) -> f64 {
    const ARRIVALS: u32 = 2_000_000;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    // Who came first leaves first, because all take equally long.
    let mut free_at: VecDeque<f64> = std::iter::repeat_n(0.0, SLOTS).collect();
    let (mut now, mut good) = (0.0, 0_u32);
    for _ in 0..ARRIVALS {
        now -= (1.0 - random.random::<f64>()).ln() / rate;
        let free = free_at.pop_front().unwrap_or_default();
        let begins = free.max(now);
        good += u32::from(begins - now <= PATIENCE);
        free_at.push_back(begins + SERVICE);
    }
    f64::from(good) / f64::from(ARRIVALS)
}
