//! Flags of `chat`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{
    ExchangeArgs, LoadArgs, QuestionArgs, ResultArgs, ServerArgs, SessionArgs, VariantArgs,
    WorkloadArgs,
};
use clap::Args;

/// Benchmark a chat server: batches, a held concurrency, or an arrival rate
///
/// Without --api-base and --model it starts the built-in server on a free port, measures that, and says so.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
    /// Measure a known provider right after the run, with as many streams and events, and hold what this client reports against the truth
    #[arg(long, help_heading = "Questions")]
    pub(crate) certify: bool,

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
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
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

    #[command(flatten)]
    pub(crate) results: ResultArgs,
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
