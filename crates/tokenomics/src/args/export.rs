//! Files in the formats of other tools.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{Args, ValueEnum};

/// Files in the formats of others, by any verb that has a summary.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ExportArgs {
    /// Files in the formats of others, beside the results
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT,…",
        value_delimiter = ',',
        help_heading = "Results"
    )]
    pub(crate) export: Vec<ExportFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// The JSON of vllm bench serve, a file for each point
    Vllm,
    /// AIPerf's summary, a file for each point
    Aiperf,
    /// github-action-benchmark's custom JSON, a file for latencies and one for rates
    GithubBenchmark,
    /// OpenMetrics text
    Openmetrics,
    /// JUnit XML: the verdict and every --assert is a test
    Junit,
}
