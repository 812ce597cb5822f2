//! One measurement of ours, and what it reported.

use super::GatewayArgs;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::process::{Command, Stdio};

/// An estimate, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Reported {
    fn of(estimate: &Value) -> Result<Self> {
        let number = |key: &str| {
            let number = estimate[key].as_f64();
            Ok::<f64, anyhow::Error>(
                1e3 * number.with_context(|| format!("no {key} in {estimate}"))?,
            )
        };
        Ok(Reported {
            value: number("value")?,
            low: number("low")?,
            high: number("high")?,
        })
    }

    pub(super) fn holds(self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }

    pub(super) fn half_width(self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// What one measurement said of whole answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measurement {
    /// By the kernel's stamps.
    pub(super) added: Reported,
    /// As a client sees it.
    pub(super) client: Reported,
    pub(super) floor: Reported,
    /// How many kinds of starts it found.
    pub(super) regimes: u64,
    pub(super) direct_p50: f64,
}

/// Runs `command`, which is the program on whatever processor, as `gateway` with these arguments.
pub(super) fn measure(
    mut command: Command,
    args: &GatewayArgs,
    seed: usize,
    more: &[&str],
) -> Result<Measurement> {
    let folder = tempfile::tempdir()?;
    command
        .args(["gateway", "--proxy-port", "4390", "--records", "none"])
        .args(["--requests", "20", "--concurrency", "1", "--warmup", "20"])
        .args(["--stream-requests", "2", "--stream-concurrency", "1"])
        .args(["--stream-warmup", "1", "--output-format", "json"])
        .args(["--seed", &seed.to_string()])
        .args(["--added-seconds", &args.seconds.to_string()])
        .arg("--output-json")
        .arg(folder.path().join("r.json"))
        .args(more);
    if let Some(starts) = args.starts {
        command.args(["--starts", &starts.to_string()]);
    }
    let output = command.stderr(Stdio::piped()).output()?;
    if !matches!(output.status.code(), Some(0 | 4)) {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let results: Value = serde_json::from_slice(&output.stdout)?;
    let whole = &results["added_ms"]["whole"];
    let each = results["starts"]["each"].as_array();
    let regimes = each
        .into_iter()
        .flatten()
        .filter_map(|start| start["regime"].as_u64());
    Ok(Measurement {
        added: Reported::of(&whole["paired_median"])?,
        client: Reported::of(&whole["client"]["paired_median"])?,
        floor: Reported::of(&whole["floor"])?,
        regimes: regimes.max().unwrap_or(1),
        direct_p50: 1e3 * whole["direct_p50"].as_f64().unwrap_or(f64::NAN),
    })
}
