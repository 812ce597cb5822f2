//! The load: batches, a held concurrency, or arrivals.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::ArrivalArgs;
use clap::Args;

/// How requests are released, and how often that is measured, by any verb that measures a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Bursts: so many requests at once, and the next burst when all are done [default: 1,2,4,8]
    #[arg(long, value_name = "N,…", help_heading = "Load", conflicts_with_all = ["max_concurrency", "request_rate"])]
    pub(crate) batch_sizes: Option<String>,
    /// Closed loop: hold so many requests in flight. With --request-rate: a cap
    #[arg(long, alias = "concurrency", value_name = "N,…", help_heading = "Load")]
    pub(crate) max_concurrency: Option<String>,
    /// Open loop: requests per second, whatever the server does
    #[arg(
        long,
        value_name = "R,…",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub(crate) request_rate: Option<String>,
    /// Shape of the gaps between arrivals: 1 is Poisson, lower is burstier, inf is constant
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "SHAPE",
        default_value_t = 1.0,
        help_heading = "Load"
    )]
    pub(crate) burstiness: f64,
    #[command(flatten)]
    pub(crate) arrivals: ArrivalArgs,
    /// Requests per run [default: the batch; closed: the larger of 64 and 8 × N; open: 30 seconds' worth, at least 64]
    #[arg(
        long,
        alias = "num-requests",
        value_name = "N",
        help_heading = "Load",
        conflicts_with = "batch_sizes"
    )]
    pub(crate) num_prompts: Option<usize>,
    /// Release requests for so many seconds, with --num-prompts at most so many; those in flight then are waited for
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "SECONDS",
        help_heading = "Load",
        conflicts_with = "batch_sizes"
    )]
    pub(crate) duration: Option<f64>,
    /// Measured runs of each point, or with --versus blocks of each server [default: 3 for bursts, 10 with --versus, 1 otherwise]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(crate) num_runs: Option<u32>,
    /// Runs of each point before those, which enter no number
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) warmup_runs: u32,
}
