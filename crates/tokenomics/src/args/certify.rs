//! Flags of `calibrate`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Measure this client itself: what it reports against what a known provider sent
///
/// A mock provider in a process of its own sends streams on a schedule and writes down when it sent what. The same
/// client that `chat` uses measures it, and every number is held against the truth.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  tokenomics calibrate
  tokenomics calibrate --streams 1,64,256
  tokenomics calibrate --streams 64 --ttft-ms 200 --gap-ms 20 --tokens 128

Exit codes: 0 every instrument is good or poor · 1 could not be done · 4 one is useless")]
pub(crate) struct CalibrateArgs {
    /// Streams at once
    #[arg(long, value_name = "N,…", default_value = "1,64")]
    pub(crate) streams: String,
    /// From a request to its first token, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50.0)]
    pub(crate) ttft_ms: f64,
    /// From one token to the next, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10.0)]
    pub(crate) gap_ms: f64,
    /// Tokens of each stream
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) tokens: u32,
    /// Requests [default: the larger of 32 and 4 × N]
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u32>,
    /// What is printed to standard output: text or json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CertificateFormat::Text)]
    pub(crate) output_format: CertificateFormat,
    /// Write that to a file instead
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How certificates are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CertificateFormat {
    Text,
    Json,
}
