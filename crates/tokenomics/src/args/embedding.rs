//! Flags of `embedding`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{ExchangeArgs, LoadArgs, QuestionArgs, ResultArgs, ServerArgs, TextArgs};
use clap::{Args, ValueEnum};
use openai::VectorEncoding;

/// Benchmark an embedding server: vectors and tokens per second, over batch sizes and text lengths
///
/// Without --api-base and --model it starts the built-in server on a free port, measures that, and says so.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(mut_arg("launch", |arg| arg.help(LAUNCH)))]
#[command(mut_arg("endpoint", |arg| arg.help(ENDPOINT)))]
#[command(mut_arg("batch_sizes", |arg| arg.help(BATCH_SIZES)))]
#[command(mut_arg("warmup_runs", |arg| arg.default_value("2")))]
#[command(mut_arg("goodput", |arg| arg.help(GOODPUT)))]
pub(crate) struct EmbeddingArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) question: QuestionArgs,
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
    #[command(flatten)]
    pub(crate) exchange: ExchangeArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

// What is otherwise than for chats.
const LAUNCH: &str = "Start a server, measure it and stop it: the words of `tokenomics launch`, such as 'vllm --model \
                      MODEL -- --runner pooling'";
const ENDPOINT: &str =
    "/embeddings, /score or /rerank [default: that at the URL's end, else /embeddings]";
const BATCH_SIZES: &str =
    "Bursts: so many requests at once, and the next burst when all are done [default: 1,2,4,8,16]";
const GOODPUT: &str = "Objective that a good request meets, in ms: e2e:200";

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
3 a threshold was not kept, or something has become worse · 4 the measurement is invalid · 130 interrupted (what was measured is kept)";
