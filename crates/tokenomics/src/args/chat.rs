#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{
    ArrivalArgs, AssertArgs, CapacityArgs, Effect, ExportArgs, OutputFormat, SessionArgs,
    VariantArgs, WorkloadArgs,
};
use clap::{ArgAction, Args, ValueEnum};
use stats::Precision;
use std::path::PathBuf;

/// Benchmark a chat server: batches, a held concurrency, or an arrival rate
///
/// Without --api-base and --model it starts the built-in server on a free port, measures that, and says so.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed"
)]
pub(crate) struct ChatArgs {
    /// Base URL of the server, with or without its /v1 [default: http://localhost:8000/v1 where --model names a server's model, else the built-in server]
    #[arg(long, alias = "base-url", value_name = "URL", help_heading = "Server")]
    pub(crate) api_base: Option<String>,
    /// Start a server, measure it and stop it: the words of `tokenomics launch`, such as 'vllm --model /models/llama'
    #[arg(
        long,
        value_name = "LAUNCH",
        help_heading = "Server",
        conflicts_with = "api_base"
    )]
    pub(crate) launch: Option<String>,
    /// A second server: both answer the same blocks of requests by turns, and are compared
    #[arg(long, value_name = "URL", help_heading = "Server", requires = "api_base", conflicts_with_all = ["fixed_vs_continuous", "until", "assertions", "trace"])]
    pub(crate) versus: Option<String>,
    /// With --versus, a relative change that matters
    #[arg(
        long,
        value_name = "PERCENT",
        default_value = "3%",
        help_heading = "Server"
    )]
    pub(crate) min_effect: Effect,
    /// Model name, as the server lists it [default: the first one it lists]. Without --api-base, a path or random:NAME is what the built-in server loads
    #[arg(long, short, value_name = "NAME", help_heading = "Server")]
    pub(crate) model: Option<String>,
    /// /chat/completions, /completions or /responses [default: that at the URL's end, else /chat/completions]
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) endpoint: Option<String>,
    /// Key of the server [default: $OPENAI_API_KEY, where it is not the built-in one]
    #[arg(
        long,
        value_name = "KEY",
        help_heading = "Server",
        conflicts_with = "api_key_file"
    )]
    pub(crate) api_key: Option<String>,
    /// File that holds the key
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Further header; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", help_heading = "Server", action = ArgAction::Append)]
    pub(crate) headers: Vec<String>,
    /// PEM file with certificates to trust beside the system's
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) ca_cert: Option<PathBuf>,

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
    /// Measure the batches, then as many requests in flight without waiting for batches, and compare
    #[arg(long, help_heading = "Load", conflicts_with_all = ["max_concurrency", "request_rate", "ramp", "steps", "bursts", "on_off", "trace", "assertions"])]
    pub(crate) fixed_vs_continuous: bool,
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

    /// Go on in further runs until a 95 % interval reaches no further than this to either side, or --duration (10 min) is over; may be repeated: ttft.p99:5%
    #[arg(long, value_name = "METRIC:SHARE", help_heading = "Load", action = ArgAction::Append, conflicts_with_all = ["num_runs", "trace", "fixed_vs_continuous", "ramp", "steps"])]
    pub(crate) until: Vec<Precision>,

    #[command(flatten)]
    pub(crate) capacity: CapacityArgs,

    #[command(flatten)]
    pub(crate) workload: WorkloadArgs,
    #[command(flatten)]
    pub(crate) sessions: SessionArgs,
    #[command(flatten)]
    pub(crate) variants: VariantArgs,
    /// Seed of prompts and arrivals
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Prompts")]
    pub(crate) seed: u64,

    /// Limit on generated tokens per choice
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Requests"
    )]
    pub(crate) max_tokens: u32,
    /// Sampling temperature [default: the server's]
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "T",
        help_heading = "Requests"
    )]
    pub(crate) temperature: Option<f64>,
    /// Choices per request
    #[arg(
        long,
        short = 'n',
        value_name = "N",
        default_value_t = 1,
        help_heading = "Requests"
    )]
    pub(crate) n: u32,
    /// Generate up to the limit, whatever the model says (vLLM, SGLang)
    #[arg(long, help_heading = "Requests")]
    pub(crate) ignore_eos: bool,
    /// Ask for whole responses; without streams there is no time to first token
    #[arg(long, help_heading = "Requests")]
    pub(crate) no_stream: bool,
    /// JSON object that is merged into every request's body (RFC 7396): fields replace ours, null removes one
    #[arg(long, value_name = "JSON", help_heading = "Requests")]
    pub(crate) extra_body: Option<String>,
    /// Seconds a request may take
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600.0,
        help_heading = "Requests"
    )]
    pub(crate) timeout: f64,
    /// Seconds to connect
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        help_heading = "Requests"
    )]
    pub(crate) connect_timeout: f64,
    /// Seconds to the first token [default: --timeout]
    #[arg(long, value_name = "SECONDS", help_heading = "Requests")]
    pub(crate) first_token_timeout: Option<f64>,
    /// Seconds from one token to the next
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 120.0,
        help_heading = "Requests"
    )]
    pub(crate) stall_timeout: f64,
    /// Open a connection for each request; else one serves many, where the server lets it
    #[arg(long, help_heading = "Requests")]
    pub(crate) no_keep_alive: bool,

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
    /// Measure a known provider right after the run, with as many streams and events, and hold what this client reports against the truth
    #[arg(long, help_heading = "Results")]
    pub(crate) certify: bool,
    /// What the result file says of this run
    #[arg(long, value_name = "TEXT", help_heading = "Results")]
    pub(crate) description: Option<String>,
    /// Result file; records and plot are put beside it [default: results/chat-MODEL-TIME.json]
    #[arg(
        long,
        alias = "result-filename",
        value_name = "FILE",
        help_heading = "Results"
    )]
    pub(crate) results_file: Option<PathBuf>,
    /// Accepted because `vllm bench serve` has it: results are always saved
    #[arg(long, hide = true)]
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

const EXAMPLES: &str = "\
Examples:
  tokenomics chat
      The built-in server, to see what comes out
  tokenomics chat --api-base http://localhost:8000/v1 --batch-sizes 1,2,4,8 --num-runs 3
      Bursts of 1 to 8 requests against a server of yours
  tokenomics chat --api-base http://localhost:8000/v1 --max-concurrency 1,16,64
      Requests in flight held at 1, 16 and 64
  tokenomics chat --api-base http://localhost:8000/v1 --max-concurrency 16 --scenario 'N(480,240)/(300,150)' --tokenizer /models/llama
      Prompts and answers of drawn lengths, exact by the model's tokenizer
  tokenomics chat --api-base http://localhost:8000/v1 --request-rate 2,4,8 --goodput ttft:200 tpot:50
      Poisson arrivals at three rates, and how many requests met the objectives

Exit codes: 0 done, and the measurement is valid or suspect · 1 could not be done · 2 wrong usage ·
3 a threshold was not kept · 4 the measurement is invalid · 130 interrupted (what was measured is kept)";
