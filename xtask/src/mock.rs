//! What the mock provider reaches on one processor, beside one on aiohttp in the same run.

use crate::bare;
use crate::pinned::{CLIENT_CPU, Mock, SERVER_CPU, on_cpu, tokenomics};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(crate) struct MockArgs {
    /// Python of an environment with aiohttp
    #[arg(long)]
    aiohttp_python: Option<PathBuf>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of 1,000 streams with 50 events a second each
    #[arg(long, default_value_t = 60)]
    paced_seconds: u32,
}

/// What the bare reader asks for.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    flags: &'static [&'static str],
    requests: usize,
    /// aiohttp gets so many times fewer, where it is asked at all.
    fewer: Option<usize>,
    bar: &'static str,
}

const LOADS: [Load; 4] = [
    Load {
        name: "requests/s, their JSON read",
        flags: &["--max-tokens=1"],
        requests: 150_000,
        fewer: Some(10),
        bar: "≥ 50,000",
    },
    Load {
        name: "SSE events/s, each flushed",
        flags: &["--stream", "--max-tokens=1000"],
        requests: 512,
        fewer: Some(4),
        bar: "≥ 110,000",
    },
    Load {
        name: "embeddings/s of 384, base64",
        flags: &["--embeddings=base64"],
        requests: 150_000,
        fewer: None,
        bar: "≥ 60,000",
    },
    Load {
        name: "embeddings/s of 384, numbers",
        flags: &["--embeddings=float"],
        requests: 150_000,
        fewer: None,
        bar: "",
    },
];

pub(crate) fn run(args: &MockArgs) -> Result<()> {
    println!(
        "Server on one processor, a bare reader on another, 64 connections; medians of {} rounds.\n",
        args.rounds
    );
    println!(
        "{:<30} {:>12} {:>12} {:>7}  bar",
        "", "mock", "aiohttp", "ratio"
    );
    for load in LOADS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let mock = Mock::start(&["--ttft-ms=0", "--itl-ms=0", "--tokens=1000"])?;
            ours.push(rate(&mock.address, load, 1)?);
            drop(mock);
            if let (Some(python), Some(fewer)) = (&args.aiohttp_python, load.fewer) {
                let aiohttp = Aiohttp::start(python)?;
                theirs.push(rate(&aiohttp.address, load, fewer)?);
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{:<30} {ours:>12.0} {theirs:>12.0} {:>7.1}  {}",
            load.name,
            ours / theirs,
            load.bar
        );
    }
    println!(
        "\n1,000 streams, 50 events a second each, {} s:",
        args.paced_seconds
    );
    println!("{}", paced(args.paced_seconds)?);
    Ok(())
}

fn rate(address: &str, load: Load, fewer: usize) -> Result<f64> {
    let mut flags = vec![
        address.to_owned(),
        "--connections=64".to_owned(),
        format!("--requests={}", load.requests / fewer),
    ];
    flags.extend(load.flags.iter().map(|flag| (*flag).to_owned()));
    Ok(bare::measure(&flags)?.0)
}

/// The mock's own account of how late it was.
fn paced(seconds: u32) -> Result<String> {
    let tokens = (50 * seconds).to_string();
    let mock = Mock::start(&["--ttft-ms=20", "--itl-ms=20", "--tokens", &tokens])?;
    let folder = tempfile::tempdir()?;
    let url = format!("http://{}/v1", mock.address);
    let output = on_cpu(CLIENT_CPU, &tokenomics()?)
        // Begun at once, a thousand writes would be due at the same moment, for ever.
        .args(["chat", "--api-base", &url, "--request-rate=500"])
        .arg("--num-prompts=1000")
        .args([
            "--max-tokens",
            &tokens,
            "--warmup-runs=0",
            "--num-runs=1",
            "--records=none",
        ])
        .args(["--timeout", &(seconds + 60).to_string()])
        .args(["--output-format=quiet", "--results-file"])
        .arg(folder.path().join("r.json"))
        .output()?;
    if !matches!(output.status.code(), Some(0 | 4)) {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    mock.stop()
}

/// The other mock, until this is dropped.
struct Aiohttp {
    child: Child,
    address: String,
}

impl Aiohttp {
    fn start(python: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = on_cpu(SERVER_CPU, python)
            .args(["tools/bench/aiohttp_mock.py", &port.to_string()])
            .spawn()?;
        let address = format!("127.0.0.1:{port}");
        let aiohttp = Aiohttp { child, address };
        let begun = Instant::now();
        while TcpStream::connect(&aiohttp.address).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(anyhow::anyhow!("it does not listen")).context("the mock on aiohttp");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(aiohttp)
    }
}

impl Drop for Aiohttp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    stats::sort(&mut values);
    stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
}
