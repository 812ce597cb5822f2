//! Flags of the built-in engine, and of `serve`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The built-in engine: which model, how it is computed, what it may use.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// A folder or .gguf file, or random:tiny or random:gpt2, which need no file
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "random:tiny",
        alias = "checkpoint-path",
        help_heading = "Model",
        conflicts_with = "hf_model_id"
    )]
    pub(crate) model: String,
    /// Model of the Hugging Face hub, from its cache or over the network
    #[arg(long, value_name = "ID", help_heading = "Model")]
    pub(crate) hf_model_id: Option<String>,
    /// Tokenizer, where the model has none of its own: a tokenizer.json, its folder, or a hub id
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub(crate) tokenizer_name: Option<String>,
    /// Numbers of the weights; auto: as the file has them, int8 for random models
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = DTypeArg::Auto, help_heading = "Model")]
    pub(crate) dtype: DTypeArg,
    /// Where it is computed: cpu
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "cpu",
        help_heading = "Model"
    )]
    pub(crate) device: String,
    /// Threads that compute [default: one per processor]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub(crate) threads: Option<usize>,

    /// Tokens that a step computes at most, of all sequences together
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2048,
        help_heading = "Scheduler"
    )]
    pub(crate) max_num_batched_tokens: usize,
    /// Positions of a sequence, prompt and answer together [default: the model's]
    #[arg(long, value_name = "N", help_heading = "Scheduler")]
    pub(crate) max_model_len: Option<usize>,
    /// Memory of the KV cache, in MiB
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 512,
        help_heading = "Scheduler"
    )]
    pub(crate) kv_cache_mib: usize,
    /// KV blocks of 16 tokens [default: what --kv-cache-mib holds]
    #[arg(long, value_name = "N", help_heading = "Scheduler")]
    pub(crate) num_kv_blocks: Option<usize>,
    /// Compute every prompt whole, though another began alike
    #[arg(long, help_heading = "Scheduler")]
    pub(crate) no_prefix_cache: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DTypeArg {
    /// As the file has them; int8 for random models
    Auto,
    /// 32-bit floating point
    F32,
    /// 8 bits, in blocks of 32 with one scale
    Int8,
    /// 4 bits, in blocks of 32 with one scale
    Int4,
}

/// Run the built-in engine as an OpenAI-compatible server
#[derive(Debug, Args)]
#[command(after_long_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Sequences that run at once, or texts of an encoder's batch, at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 256,
        help_heading = "Scheduler"
    )]
    pub(crate) max_num_seqs: usize,
    /// Requests that wait, or texts for an encoder, at most; more are answered with 429
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        help_heading = "Scheduler"
    )]
    pub(crate) max_queue: usize,
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Server"
    )]
    pub(crate) host: std::net::IpAddr,
    /// Port to listen on; 0 for any free one
    #[arg(
        long,
        short,
        value_name = "PORT",
        default_value_t = 8000,
        help_heading = "Server"
    )]
    pub(crate) port: u16,
    /// The model's name in the API [default: that of its file]
    #[arg(long, value_name = "NAME", help_heading = "Server")]
    pub(crate) served_model_name: Option<String>,
    /// Answer 401 without this key
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
    /// Seconds that running requests have to end when the server is stopped
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30.0,
        help_heading = "Server"
    )]
    pub(crate) drain_seconds: f64,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  tokenomics serve --model SmolLM2-135M-Instruct.Q4_1.gguf --port 8000
  tokenomics serve --model random:gpt2 --max-num-seqs 32
  tokenomics serve --model all-MiniLM-L6-v2       an encoder, at /v1/embeddings; so is random:tiny-bert
  tokenomics serve --hf-model-id HuggingFaceTB/SmolLM2-135M-Instruct";
