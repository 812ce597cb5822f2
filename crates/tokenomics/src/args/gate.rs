//! Thresholds, and flags of `compare`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::OutputFormat;
use clap::{ArgAction, Args};
use stats::{Assertion, Metric};
use std::path::PathBuf;
use std::str::FromStr;

/// Thresholds, by any verb that has a summary.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AssertArgs {
    /// Threshold that each point must keep, exit code 3 where one does not; may be repeated: 'ttft.p99<300ms', 'success>99.9%', for one point '64:e2e.p50<2s'
    #[arg(long = "assert", value_name = "METRIC<BOUND", help_heading = "Results", action = ArgAction::Append)]
    pub(crate) assertions: Vec<Assertion>,
}

/// Compare two measurements of one workload: better, worse, the same, or can't tell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tokenomics compare before.json after.json
  tokenomics compare before.json after.json --min-effect 5% --metrics ttft.p50,e2e.p50
  tokenomics compare before.records.parquet after.records.parquet --output-format markdown

Exit codes: 0 nothing has become worse · 2 they cannot be compared · 3 something has become worse")]
pub(crate) struct CompareArgs {
    /// What was measured before: a result file with its records beside it, or the records
    #[arg(value_name = "BASE")]
    pub(crate) base: PathBuf,
    /// What was measured after the change
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// A relative change that matters
    #[arg(long, value_name = "PERCENT", default_value = "3%")]
    pub(crate) min_effect: Effect,
    /// Metrics that decide [default: ttft.p50, tpot.p50, e2e.p50, success, and the tokens or vectors per second]
    #[arg(long, value_name = "METRIC,…", value_delimiter = ',')]
    pub(crate) metrics: Vec<Metric>,
    /// Compare what differs in workload, model or points, or is not valid
    #[arg(long)]
    pub(crate) force: bool,
    /// What is printed to standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(crate) output_format: OutputFormat,
    /// Write that to a file instead
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A relative change: 0.03, typed as `3%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect(pub(crate) f64);

impl FromStr for Effect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{text}` is no change above 0 % and below 100 %; write it like 3%");
        let percent = text.strip_suffix('%').ok_or_else(refuse)?;
        let percent: f64 = percent.trim().parse().map_err(|_| refuse())?;
        let share = percent / 100.0;
        (share > 0.0 && share < 1.0)
            .then_some(Effect(share))
            .ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::Effect;

    #[test]
    fn an_effect_is_a_percentage() {
        assert_eq!("3%".parse(), Ok(Effect(0.03)));
        assert_eq!("2.5 %".parse(), Ok(Effect(0.025)));
        for text in ["3", "0%", "-1%", "100%", "nan%", "few%", ""] {
            assert!(text.parse::<Effect>().is_err(), "{text}");
        }
    }
}
