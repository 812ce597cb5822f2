#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{AssertArgs, ExportArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Draw result files as PNG or SVG
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tokenomics plot my.json my.png
  tokenomics plot before.json after.json both.svg")]
pub(crate) struct PlotArgs {
    /// Result files, overlaid where there are several
    #[arg(num_args = 1.., required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The image to write: .png or .svg
    #[arg(value_name = "IMAGE")]
    pub(crate) image: PathBuf,
}

/// Recompute every number from saved records
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tokenomics report my.records.parquet
  tokenomics report my.records.parquet.parts     what a killed run left
  tokenomics report my.records.jsonl --output-format json -o again.json")]
pub(crate) struct ReportArgs {
    /// Records of a run: a .parquet or .jsonl file, a result file with one beside it, or the folder of parts that a killed run left; or a result file of vllm bench serve or AIPerf
    #[arg(value_name = "RECORDS")]
    pub(crate) records: PathBuf,
    #[command(flatten)]
    pub(crate) thresholds: AssertArgs,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// What is printed to standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(crate) output_format: OutputFormat,
    /// Write that to a file instead
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Tables for a person
    Text,
    /// The result file
    Json,
    /// A row per point
    Csv,
    /// A table for a pull request
    Markdown,
    /// Nothing
    Quiet,
}
