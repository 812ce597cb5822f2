//! Questions that any measurement of a server can be asked.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::Effect;
use clap::{ArgAction, Args};
use stats::Precision;

/// What is asked of the measurements, by any verb that measures a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct QuestionArgs {
    /// Go on in further runs until a 95 % interval reaches no further than this to either side, or --duration (10 min) is over; may be repeated: ttft.p99:5%
    #[arg(long, value_name = "METRIC:SHARE", help_heading = "Questions", action = ArgAction::Append, conflicts_with_all = ["num_runs", "fixed_vs_continuous", "ramp", "steps"])]
    pub(crate) until: Vec<Precision>,
    /// Another server, by its URL or as 'launch:' and the words of --launch: all answer the same blocks of requests by turns, and are compared with the first; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Questions", action = ArgAction::Append, conflicts_with_all = ["fixed_vs_continuous", "until", "assertions"])]
    pub(crate) versus: Vec<String>,
    /// With --versus, a relative change that matters
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "3%",
        help_heading = "Questions"
    )]
    pub(crate) min_effect: Effect,
    /// Measure the batches, then as many requests in flight without waiting for batches, and compare
    #[arg(long, help_heading = "Questions", conflicts_with_all = ["max_concurrency", "request_rate", "ramp", "steps", "bursts", "on_off", "assertions"])]
    pub(crate) fixed_vs_continuous: bool,
    #[command(flatten)]
    pub(crate) capacity: CapacityArgs,
}

/// The highest rate that meets the objectives.
#[derive(Clone, Debug, Args)]
pub(crate) struct CapacityArgs {
    /// Find the highest arrival rate at which --attain of the requests meet --goodput, from --request-rate on [default: a look at what the server can do at most, and below that]
    #[arg(long, help_heading = "Questions", requires = "goodput", conflicts_with_all = ["batch_sizes", "max_concurrency", "fixed_vs_continuous", "until", "versus", "assertions", "ramp", "steps", "bursts", "on_off", "num_runs", "duration"])]
    pub(crate) find_capacity: bool,
    /// Share of the requests that are to meet the objectives
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "99%",
        help_heading = "Questions"
    )]
    pub(crate) attain: Effect,
    /// How narrow the answer is to be; half of it takes four times as long
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "15%",
        help_heading = "Questions"
    )]
    pub(crate) resolution: Effect,
    /// The highest rate that is tried
    #[arg(
        long,
        value_name = "R",
        default_value_t = 10_000.0,
        help_heading = "Questions"
    )]
    pub(crate) rate_max: f64,
    /// The most runs that are made: a rate near the answer needs several
    #[arg(
        long,
        value_name = "N",
        default_value_t = 40,
        help_heading = "Questions"
    )]
    pub(crate) probes: usize,
}
