//! What becomes of a measurement: files, formats, objectives.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{AssertArgs, ExportArgs, OutputFormat};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What becomes of a measurement, by any verb that measures a server.
#[derive(Clone, Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed"
)]
pub(crate) struct ResultArgs {
    /// Objectives that a good request meets, in ms: ttft:200 tpot:50 e2e:5000
    #[arg(
        long,
        value_name = "NAME:MS",
        num_args = 1..,
        help_heading = "Results",
        alias = "slo"
    )]
    pub(crate) goodput: Vec<String>,
    #[command(flatten)]
    pub(crate) thresholds: AssertArgs,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// Do not look at the server's /metrics once a second
    #[arg(long, help_heading = "Results")]
    pub(crate) no_server_metrics: bool,
    /// What the result file says of this run
    #[arg(long, value_name = "TEXT", help_heading = "Results")]
    pub(crate) description: Option<String>,
    /// Result file; records and plot are put beside it [default: results/VERB-MODEL-TIME.json]
    #[arg(
        long,
        alias = "result-filename",
        value_name = "FILE",
        help_heading = "Results"
    )]
    pub(crate) results_file: Option<PathBuf>,
    /// Accepted because other tools have it: results are always saved
    #[arg(long, hide = true, alias = "save-progress")]
    pub(crate) save_result: bool,
    /// Raw records: parquet, jsonl or none
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = RecordsFormat::Parquet,
        help_heading = "Results"
    )]
    pub(crate) records: RecordsFormat,
    /// Draw no plot
    #[arg(long, help_heading = "Results")]
    pub(crate) no_plot: bool,
    /// What is printed to standard output
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = OutputFormat::Text,
        help_heading = "Results"
    )]
    pub(crate) output_format: OutputFormat,
    /// Write that to a file instead
    #[arg(long, short, value_name = "FILE", help_heading = "Results")]
    pub(crate) output: Option<PathBuf>,
    /// Print the resolved plan and send nothing
    #[arg(long, help_heading = "Results")]
    pub(crate) dry_run: bool,
    /// TOML file that holds any of these flags; what is typed wins
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordsFormat {
    Parquet,
    Jsonl,
    None,
}

impl RecordsFormat {
    /// Of the file; absent where none is written.
    pub(crate) const fn extension(self) -> Option<&'static str> {
        match self {
            RecordsFormat::Parquet => Some("parquet"),
            RecordsFormat::Jsonl => Some("jsonl"),
            RecordsFormat::None => None,
        }
    }
}
