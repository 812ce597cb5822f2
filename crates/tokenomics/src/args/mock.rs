//! Flags of `mock`.

use clap::{Args, ValueEnum, value_parser};
use std::net::IpAddr;
use std::path::PathBuf;

/// Run the mock provider: an OpenAI-compatible server with exact timing
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct MockArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Port to listen on; 0 for any free one
    #[arg(long, short, value_name = "PORT", default_value_t = 8000)]
    pub(crate) port: u16,
    /// From the request to the first token, in milliseconds: 50, normal:50:5 (mean, deviation),
    /// lognormal:50:0.5 (median, sigma), gamma:50:2 (mean, shape), or 50:80:120 (p50, p90, p99)
    #[arg(long, value_name = "TIMING", default_value = "50")]
    pub(crate) ttft_ms: String,
    /// From one token to the next, in milliseconds, in the same ways
    #[arg(long, value_name = "TIMING", default_value = "10")]
    pub(crate) itl_ms: String,
    /// What each word of a prompt adds to the first token, in microseconds
    #[arg(long, value_name = "US", default_value_t = 0.0)]
    pub(crate) prefill_us_per_word: f64,
    /// How much longer the gaps are for each request served beside: 0.1 makes them twice as long beside ten
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    pub(crate) slowdown: f64,
    #[arg(long, value_name = "FILE", help = REPLAY)]
    pub(crate) replay_timings: Option<PathBuf>,
    /// Send the head of a stream with its first token, not at once
    #[arg(long)]
    pub(crate) late_head: bool,
    /// Seed of timings and faults
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Tokens per choice, unless the request's own limit is lower
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) tokens: u32,
    /// Tokens per event
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) tokens_per_event: u32,
    /// Events per write
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) events_per_write: u32,
    /// When the role-only chunk leaves
    #[arg(long, value_enum, default_value_t = RoleChunkArg::WithFirstToken)]
    pub(crate) role_chunk: RoleChunkArg,
    /// Send no usage chunk
    #[arg(long)]
    pub(crate) no_usage: bool,
    /// The part of the chat answers that call a function, from 0 to 1
    #[arg(long, value_name = "PART", default_value_t = 0.0)]
    pub(crate) tool_calls: f64,
    /// Numbers of an embedding, unless the request asks for others
    #[arg(long, value_name = "N", default_value_t = 384, value_parser = value_parser!(u32).range(1..=16_384))]
    pub(crate) embedding_dimensions: u32,
    /// The model's name
    #[arg(long, value_name = "NAME", default_value = "mock")]
    pub(crate) model: String,
    /// Serve at most so many requests at once; others wait
    #[arg(long, value_name = "N")]
    pub(crate) max_concurrent: Option<u32>,
    /// Something to go wrong, such as reset:3 or status:429:7; a wrong name lists them all
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Option<String>,
    /// The part of the requests that it happens to; a request's own x-mock-fault header happens always
    #[arg(long, value_name = "PART", default_value_t = 1.0, requires = "fault")]
    pub(crate) fault_rate: f64,
    /// Seconds after the start between which it happens, such as 10:20
    #[arg(long, value_name = "FROM:TO", requires = "fault")]
    pub(crate) fault_window: Option<String>,
    /// What happens to every request with this bearer key; once for each key
    #[arg(long, value_name = "KEY=FAULT")]
    pub(crate) fault_key: Vec<String>,
    /// Answer 401 without this key
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Log of when each request came and each token left, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = SCENARIO)]
    pub(crate) scenario: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleChunkArg {
    /// In the first token's write
    WithFirstToken,
    /// As soon as the request is in
    Early,
    /// Never
    None,
}

// Not doc comments: those would have their names and JSON in backticks.
const REPLAY: &str = "\
Play recorded timings, one line for each request in its turn: {\"ttft_ms\": 12.3, \"gaps_ms\": [1.0, 2.0]}; \
they take the place of --ttft-ms, --itl-ms and --tokens";
const SCENARIO: &str = "\
TOML file of these flags by their names, and of [[phase]] tables that change them at from_s seconds; flags that are \
typed win";

const EXAMPLES: &str = "\
Examples:
  tokenomics mock --port 8099 --ttft-ms 50 --itl-ms 10 --tokens 64
  tokenomics mock --port 0 --truth truth.jsonl
  tokenomics mock --ttft-ms lognormal:300:0.6 --itl-ms gamma:12:4 --slowdown 0.02
  tokenomics mock --fault status:429:7 --fault-rate 0.05 --fault-window 30:60
  tokenomics mock --fault-key sk-limited=status:429:2 --fault-key sk-stuck=stall:3
  tokenomics mock --scenario bad-day.toml --replay-timings timings.jsonl";
