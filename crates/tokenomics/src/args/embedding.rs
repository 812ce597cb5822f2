#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{ArrivalArgs, AssertArgs, ExportArgs, OutputFormat, RecordsFormat, TextArgs};
use clap::{ArgAction, Args, ValueEnum};
use openai::VectorEncoding;
use std::path::PathBuf;

/// Benchmark an embedding server: vectors and tokens per second, over batch sizes and text lengths
///
/// Without --api-base and --model it starts the built-in server on a free port, measures that, and says so.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct EmbeddingArgs {
    /// Base URL of the server, with or without its /v1 [default: http://localhost:8000/v1 where --model names a server's model, else the built-in server]
    #[arg(long, alias = "base-url", value_name = "URL", help_heading = "Server")]
    pub(crate) api_base: Option<String>,
    /// Start a server, measure it and stop it: the words of `tokenomics launch`, such as 'vllm --model MODEL -- --runner pooling'
    #[arg(
        long,
        value_name = "LAUNCH",
        help_heading = "Server",
        conflicts_with = "api_base"
    )]
    pub(crate) launch: Option<String>,
    /// Model name, as the server lists it [default: the first one it lists]. Without --api-base, a path or random:NAME is what the built-in server loads
    #[arg(long, short, value_name = "NAME", help_heading = "Server")]
    pub(crate) model: Option<String>,
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
    /// /embeddings, /score or /rerank [default: that at the URL's end, else /embeddings]
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub(crate) endpoint: Option<String>,

    /// Bursts: so many requests at once, and the next burst when all are done [default: 1,2,4,8,16]
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
    /// Measured runs of each point [default: 3 for bursts, 1 otherwise]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(crate) num_runs: Option<u32>,
    /// Runs of each point before those, which enter no number
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Load")]
    pub(crate) warmup_runs: u32,

    #[command(flatten)]
    pub(crate) texts: TextArgs,

    /// How vectors come back
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = EncodingArg::Float,
        help_heading = "Requests"
    )]
    pub(crate) encoding_format: EncodingArg,
    /// Numbers per vector [default: the model's own]
    #[arg(long, value_name = "N", help_heading = "Requests")]
    pub(crate) dimensions: Option<u32>,
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
    /// Open a connection for each request; else one serves many, where the server lets it
    #[arg(long, help_heading = "Requests")]
    pub(crate) no_keep_alive: bool,
    #[command(flatten)]
    pub(crate) thresholds: AssertArgs,
    #[command(flatten)]
    pub(crate) exports: ExportArgs,
    /// What the result file says of this run
    #[arg(long, value_name = "TEXT", help_heading = "Results")]
    pub(crate) description: Option<String>,
    /// Result file; records and plot are put beside it [default: results/embedding-MODEL-TIME.json]
    #[arg(
        long,
        alias = "result-filename",
        value_name = "FILE",
        help_heading = "Results"
    )]
    pub(crate) results_file: Option<PathBuf>,
    /// Accepted because older scripts have it: records are always saved as they come
    #[arg(long, hide = true)]
    pub(crate) save_progress: bool,
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
pub(crate) enum EncodingArg {
    /// JSON numbers
    Float,
    /// 32-bit numbers in base64, a quarter to a half of the bytes
    Base64,
}

impl From<EncodingArg> for VectorEncoding {
    fn from(typed: EncodingArg) -> Self {
        match typed {
            EncodingArg::Float => VectorEncoding::Float,
            EncodingArg::Base64 => VectorEncoding::Base64,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  tokenomics embedding
      The built-in server, to see what comes out
  tokenomics embedding --api-base http://localhost:8000/v1 --sequence-lengths 200 --batch-sizes 1,8,64,512
      Bursts of 1 to 512 requests with one text of 200 words each
  tokenomics embedding --api-base http://localhost:8000/v1 --max-concurrency 4 --inputs-per-request 1,8,32
      What it is worth to send several texts in one request
  tokenomics embedding --api-base http://localhost:8000/v1 --tokenizer MODEL --input-tokens 16,128,512
      Texts of exactly so many tokens
  tokenomics embedding --api-base http://localhost:8000/v1 --endpoint /rerank --inputs-per-request 20
      A query and 20 documents in each request

Exit codes: 0 done, and the measurement is valid or suspect · 1 could not be done · 2 wrong usage ·
4 the measurement is invalid · 130 interrupted (what was measured is kept)";
