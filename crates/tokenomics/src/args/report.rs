//! Flags of `plot` and `report`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{AssertArgs, ExportArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Draw what was measured as PNG or SVG
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tokenomics plot my.json my.png                     the points beside each other
  tokenomics plot before.json after.json both.svg
  tokenomics plot my.records.parquet over-time.png   tokens, requests and latency over time
  tokenomics plot capacity.json capacity.png         a search for a capacity, and its curve")]
pub(crate) struct PlotArgs {
    /// Result files, overlaid where there are several; or one file of records, or of a search for a capacity
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
  tokenomics report my.records.parquet --output-format html -o my.html
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
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Text)]
    pub(crate) output_format: ReportFormat,
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

/// What `report` can make of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Tables for a person
    Text,
    /// The result file
    Json,
    /// A row per point
    Csv,
    /// A table for a pull request
    Markdown,
    /// A page with tables and figures that needs nothing else
    Html,
    /// Nothing
    Quiet,
}

impl ReportFormat {
    /// The same as a measurement prints it; `None` of a page, for which records are needed.
    pub(crate) const fn printed(self) -> Option<OutputFormat> {
        Some(match self {
            Self::Text => OutputFormat::Text,
            Self::Json => OutputFormat::Json,
            Self::Csv => OutputFormat::Csv,
            Self::Markdown => OutputFormat::Markdown,
            Self::Quiet => OutputFormat::Quiet,
            Self::Html => return None,
        })
    }
}
