//! Changing arrival rates, and what chat requests are.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::DatasetArgs;
use clap::{ArgAction, Args};
use std::path::PathBuf;
use workload::{TimeUnit, TraceFormat};

/// Arrival rates that change, for every verb with an open loop.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ArrivalArgs {
    /// Open loop at a rate that rises (or falls) evenly, and for how long: 1:50:120s
    #[arg(
        long,
        value_name = "FROM:TO:SPAN",
        help_heading = "Load",
        conflicts_with_all = ["batch_sizes", "request_rate", "steps", "bursts", "on_off"]
    )]
    pub(crate) ramp: Option<String>,
    /// Open loop at a staircase of rates, and how long each is held: 2:10:2:30s
    #[arg(
        long,
        value_name = "FROM:TO:STEP:SPAN",
        help_heading = "Load",
        conflicts_with_all = ["batch_sizes", "request_rate", "bursts", "on_off"]
    )]
    pub(crate) steps: Option<String>,
    /// So many requests at once every so often, on top of --request-rate: 20:10s
    #[arg(
        long,
        value_name = "N:SPAN",
        help_heading = "Load",
        conflicts_with_all = ["batch_sizes", "on_off"]
    )]
    pub(crate) bursts: Option<String>,
    /// --request-rate for the first span, nothing for the second, and again: 10s:20s
    #[arg(
        long,
        value_name = "ON:OFF",
        help_heading = "Load",
        requires = "request_rate",
        conflicts_with = "batch_sizes"
    )]
    pub(crate) on_off: Option<String>,
}

/// What the requests of a chat benchmark are.
#[derive(Clone, Debug, Args)]
pub(crate) struct WorkloadArgs {
    #[command(flatten)]
    pub(crate) dataset: DatasetArgs,
    /// Lengths in tokens, of prompt and answer: D(100,50), N(480,240)/(300,150), U(50,150)/(20,80), L(…)/(…)
    #[arg(
        long,
        alias = "traffic-scenario",
        value_name = "LENGTHS",
        help_heading = "Prompts"
    )]
    pub(crate) scenario: Option<String>,
    /// The model's tokenizer, by which prompts have these lengths: a folder, a tokenizer.json, a .gguf or a hub id [default: the built-in server's]
    #[arg(long, value_name = "MODEL", help_heading = "Prompts")]
    pub(crate) tokenizer: Option<String>,
    /// Classes of requests with their shares: chat=0.7,summarise=0.2,code=0.1, or those of --class
    #[arg(
        long,
        value_name = "NAME=SHARE,…",
        help_heading = "Prompts",
        conflicts_with_all = ["dataset_key", "dataset_path", "dataset_config", "scenario"]
    )]
    pub(crate) mix: Option<String>,
    /// A class of --mix: 'rag scenario=N(2000,300)/(200,50) content=prose goodput=ttft:500,tpot:50'; may be repeated
    #[arg(
        long = "class",
        value_name = "NAME KEY=VALUE …",
        help_heading = "Prompts",
        requires = "mix",
        action = ArgAction::Append
    )]
    pub(crate) classes: Vec<String>,

    /// Replay recorded traffic: Mooncake's, Qwen-Bailian's, BurstGPT's or Azure's trace, or the records of an earlier run
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Replay",
        conflicts_with_all = [
            "batch_sizes", "request_rate", "ramp", "steps", "bursts", "on_off", "mix", "scenario",
            "dataset_key", "dataset_path", "dataset_config", "until", "versus", "fixed_vs_continuous", "find_capacity",
        ]
    )]
    pub(crate) trace: Option<PathBuf>,
    /// mooncake, bailian, burstgpt or azure [default: by the columns of its first row]
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Replay",
        requires = "trace"
    )]
    pub(crate) trace_format: Option<TraceFormat>,
    /// What its times count: s, ms, us or ns [default: the format's unit, or by the times of dates]
    #[arg(long, value_name = "UNIT", help_heading = "Replay", requires = "trace")]
    pub(crate) trace_time_unit: Option<TimeUnit>,
    /// Prompt tokens that each of its hash_ids stands for [default: 512, of Qwen-Bailian's 16]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Replay",
        requires = "trace"
    )]
    pub(crate) trace_block_tokens: Option<u32>,
    /// So many times as fast
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        allow_hyphen_values = true,
        help_heading = "Replay"
    )]
    pub(crate) trace_speed: f64,
    /// Only the requests of a part of it: 60s:120s
    #[arg(
        long,
        value_name = "FROM:TO",
        help_heading = "Replay",
        requires = "trace"
    )]
    pub(crate) trace_window: Option<String>,
    /// Prompts and answers so many times as long
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        allow_hyphen_values = true,
        help_heading = "Replay"
    )]
    pub(crate) trace_scale: f64,
    /// Only this share of its requests, drawn by the seed
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 1.0,
        allow_hyphen_values = true,
        help_heading = "Replay"
    )]
    pub(crate) trace_share: f64,
}
