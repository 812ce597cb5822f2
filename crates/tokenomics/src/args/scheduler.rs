//! Flags of `scheduler`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{EngineArgs, OutputFormat, RecordsFormat};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Benchmark the built-in engine's scheduler in this process, without HTTP
///
/// Prints throughput, time to first token, time per output token and latency of each mode.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed"
)]
pub(crate) struct SchedulerArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Sequences that run at once, at most
    #[arg(
        long,
        alias = "max-num-seqs",
        value_name = "N",
        default_value_t = 8,
        help_heading = "Scheduler"
    )]
    pub(crate) max_batch_size: usize,

    /// naive: one request after the other. offline: all known at once. online: requests come in
    /// while others run
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ModeArg::Online, help_heading = "Load")]
    pub(crate) mode: ModeArg,
    /// Text to go on from, the same for every request
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Hello",
        help_heading = "Load"
    )]
    pub(crate) prompt: String,
    /// Texts to go on from, one request each; --prompt and --num-requests do not count then
    #[arg(long, value_name = "TEXT", num_args = 1.., help_heading = "Load")]
    pub(crate) prompts: Vec<String>,
    /// Turn prompts into tokens before the clock starts, not when a request is submitted
    #[arg(long, help_heading = "Load")]
    pub(crate) pretok: bool,
    /// Requests
    #[arg(
        long,
        alias = "num-prompts",
        value_name = "N",
        default_value_t = 16,
        help_heading = "Load"
    )]
    pub(crate) num_requests: usize,
    /// Online: requests per second, drawn as a Poisson process [default: all at once]
    #[arg(
        long,
        alias = "request-rate",
        value_name = "RATE",
        help_heading = "Load"
    )]
    pub(crate) arrival_rate: Option<f64>,
    /// Runs before the measured ones
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Load")]
    pub(crate) warmup_runs: u32,
    /// Measured runs
    #[arg(
        long,
        alias = "num-runs",
        value_name = "N",
        default_value_t = 3,
        help_heading = "Load"
    )]
    pub(crate) repeat_runs: u32,
    /// Keep what the prefix cache holds from one run to the next
    #[arg(long, help_heading = "Load", conflicts_with = "no_prefix_cache")]
    pub(crate) keep_prefix_cache_across_runs: bool,
    /// Seed of arrivals and sampling
    #[arg(long, value_name = "SEED", default_value_t = 42, help_heading = "Load")]
    pub(crate) seed: u64,

    /// Tokens to generate per request, at most
    #[arg(
        long,
        alias = "max-tokens",
        value_name = "N",
        default_value_t = 100,
        help_heading = "Sampling"
    )]
    pub(crate) max_new_tokens: usize,
    /// Sample from the distribution; without it the most probable token is taken
    #[arg(long, help_heading = "Sampling")]
    pub(crate) do_sample: bool,
    /// With --do-sample: how much less probable tokens are favoured
    #[arg(
        long,
        value_name = "T",
        default_value_t = 1.0,
        help_heading = "Sampling"
    )]
    pub(crate) temperature: f32,
    /// With --do-sample: only so many most probable tokens; 0 for all
    #[arg(long, value_name = "K", default_value_t = 0, help_heading = "Sampling")]
    pub(crate) top_k: usize,
    /// With --do-sample: only the most probable tokens that sum to this probability
    #[arg(
        long,
        value_name = "P",
        default_value_t = 1.0,
        help_heading = "Sampling"
    )]
    pub(crate) top_p: f32,
    /// Go on past the model's end-of-sequence token
    #[arg(long, alias = "ignore-eos", help_heading = "Sampling")]
    pub(crate) no_stop_on_eos: bool,

    /// Print every measured run, not only the median one
    #[arg(long, help_heading = "Results")]
    pub(crate) print_per_run: bool,
    /// What the result file says of this run
    #[arg(long, value_name = "TEXT", help_heading = "Results")]
    pub(crate) description: Option<String>,
    /// Result file; each mode's name is put before its extension where there are several
    /// [default: results/scheduler-MODE-MODEL-TIME.json]
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) results_file: Option<PathBuf>,
    /// Raw records: parquet, jsonl or none
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = RecordsFormat::Parquet, help_heading = "Results")]
    pub(crate) records: RecordsFormat,
    /// What is printed to standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text, help_heading = "Results")]
    pub(crate) output_format: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// One request after the other
    Naive,
    /// All requests known at once, run to the end
    Offline,
    /// Requests come in while others run
    Online,
    /// One after the other
    All,
}

const EXAMPLES: &str = "\
Examples:
  tokenomics scheduler
  tokenomics scheduler --model random:gpt2 --mode all --num-requests 32 --max-batch-size 32
  tokenomics scheduler --hf-model-id gpt2 --device cpu --prompt \"Hello\" --num-requests 2 \\
      --max-new-tokens 4 --mode online --warmup-runs 0 --repeat-runs 1
  tokenomics scheduler --model model.gguf --arrival-rate 4 --num-requests 64 --max-batch-size 16";
