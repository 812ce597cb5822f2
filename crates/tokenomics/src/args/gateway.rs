//! Flags of `gateway`, and of the guard that it starts.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use super::{OutputFormat, RecordsFormat};
use clap::{Args, ValueEnum};
use process::preset::Gateway;
use std::net::IpAddr;
use std::path::PathBuf;

/// Measure what a gateway adds, against the built-in mock provider
///
/// Starts the mock, starts the gateway in front of it, and asks directly, through the gateway and directly again, in
/// turns. Says how much latency the gateway adds, to streams too, with intervals, or that this machine cannot tell.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed"
)]
pub(crate) struct GatewayArgs {
    /// Which gateway to start
    #[arg(long, value_enum, value_name = "NAME", default_value_t = GatewayArg::Litellm, help_heading = "Gateway")]
    pub(crate) gateway: GatewayArg,
    /// Folder to start the gateway in, such as a checkout of LiteLLM [default: this one]
    #[arg(long, value_name = "FOLDER", help_heading = "Gateway")]
    pub(crate) litellm_dir: Option<PathBuf>,
    /// Command that starts the gateway; custom: with {config}, {host}, {port}, {provider_url}
    /// [default: the preset's, `uv run litellm` for litellm]
    #[arg(long, value_name = "COMMAND", help_heading = "Gateway")]
    pub(crate) proxy_command: Option<String>,
    /// Template of a custom gateway's configuration, with {provider_url}, {api_key}, {model}
    #[arg(long, value_name = "FILE", help_heading = "Gateway")]
    pub(crate) proxy_config_template: Option<PathBuf>,
    /// Address that the gateway listens on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Gateway"
    )]
    pub(crate) proxy_host: String,
    /// Port that the gateway listens on
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 4000,
        help_heading = "Gateway"
    )]
    pub(crate) proxy_port: u16,
    /// Measure a gateway that runs already at --proxy-host and --proxy-port
    #[arg(long, help_heading = "Gateway")]
    pub(crate) no_start_proxy: bool,
    /// Seconds that the gateway may take to answer its first request
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 90.0,
        help_heading = "Gateway"
    )]
    pub(crate) proxy_start_timeout: f64,
    /// Key that the gateway asks for [default: one made for this run, sk-1234 with --no-start-proxy]
    #[arg(long, value_name = "KEY", help_heading = "Gateway")]
    pub(crate) api_key: Option<String>,
    /// Model that requests name
    #[arg(
        long,
        value_name = "NAME",
        default_value = "perf-test-model",
        help_heading = "Gateway"
    )]
    pub(crate) model: String,

    /// Provider that runs already, in place of the mock: http://HOST:PORT
    #[arg(long, value_name = "URL", help_heading = "Provider")]
    pub(crate) provider_url: Option<String>,
    /// Address that the mock listens on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Provider"
    )]
    pub(crate) provider_host: IpAddr,
    /// Port that the mock listens on; 0 for any free one
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8099,
        help_heading = "Provider"
    )]
    pub(crate) provider_port: u16,
    /// Milliseconds from a request to the mock's first token
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0.0,
        help_heading = "Provider"
    )]
    pub(crate) provider_first_token_delay_ms: f64,
    /// Milliseconds from one of the mock's tokens to the next: without any, buffering cannot be seen
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 1.0,
        help_heading = "Provider"
    )]
    pub(crate) provider_gap_ms: f64,
    /// Content chunks of a stream of the mock
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Provider"
    )]
    pub(crate) provider_stream_content_chunks: u32,

    /// Requests of each closed loop
    #[arg(
        long,
        value_name = "N",
        default_value_t = 500,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) requests: usize,
    /// Requests in flight
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) concurrency: u32,
    /// Streams of each closed loop
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) stream_requests: usize,
    /// Streams in flight
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) stream_concurrency: u32,
    /// Requests before each closed loop
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) warmup: usize,
    /// Streams before each closed loop of streams
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) stream_warmup: usize,
    /// Report whole streams too; on unless --no-measure-full-stream
    #[arg(
        long,
        overrides_with = "no_measure_full_stream",
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) measure_full_stream: bool,
    /// Leave whole streams out of the report
    #[arg(long, help_heading = "Capacity (closed loop)")]
    pub(crate) no_measure_full_stream: bool,
    /// Closed loops, all of them; reported is the one whose p50 through the gateway is the median
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        help_heading = "Capacity (closed loop)"
    )]
    pub(crate) repeats: u32,

    /// Starts of the gateway, the mock and the client, which share the seconds: what is added differs from one to the next
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        help_heading = "Added latency"
    )]
    pub(crate) starts: u32,
    /// Seconds of asking in turns, of single requests and again of streams; 0 for none
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        help_heading = "Added latency"
    )]
    pub(crate) added_seconds: f64,
    /// Also compare at this rate, in requests per second: the same schedule to both sides, in turns
    #[arg(long, value_name = "RATE", help_heading = "Added latency")]
    pub(crate) rate: Option<f64>,
    /// Seconds at that rate, on each side
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 20.0,
        help_heading = "Added latency"
    )]
    pub(crate) rate_seconds: f64,
    /// Seed of orders, arrivals and intervals
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 42,
        help_heading = "Added latency"
    )]
    pub(crate) seed: u64,
    /// Seconds that a request may take
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30.0,
        help_heading = "Added latency"
    )]
    pub(crate) timeout: f64,
    /// Open a connection for each request; else one serves many, where the other end lets it
    #[arg(long, help_heading = "Added latency")]
    pub(crate) no_keep_alive: bool,

    /// Name of this run in the results
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "current",
        help_heading = "Results"
    )]
    pub(crate) label: String,
    /// Result file; records and the gateway's log lie beside it [default: results/gateway-LABEL-TIME.json]
    #[arg(
        long,
        value_name = "FILE",
        alias = "results-file",
        help_heading = "Results"
    )]
    pub(crate) output_json: Option<PathBuf>,
    /// Raw records: parquet, jsonl or none
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = RecordsFormat::Parquet, help_heading = "Results")]
    pub(crate) records: RecordsFormat,
    /// What is printed to standard output: text, json or quiet
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text, help_heading = "Results")]
    pub(crate) output_format: OutputFormat,
    /// Print the gateway's command and configuration, and start nothing
    #[arg(long, help_heading = "Results")]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GatewayArg {
    /// LiteLLM's proxy
    Litellm,
    /// nginx as a reverse proxy
    Nginx,
    /// HAProxy
    Haproxy,
    /// Caddy as a reverse proxy
    Caddy,
    /// SGLang's router
    SglangRouter,
    /// Portkey's gateway
    Portkey,
    /// Another one: --proxy-command, --proxy-config-template
    Custom,
}

impl GatewayArg {
    pub(crate) const fn preset(self) -> Gateway {
        match self {
            GatewayArg::Litellm => Gateway::LiteLlm,
            GatewayArg::Nginx => Gateway::Nginx,
            GatewayArg::Haproxy => Gateway::Haproxy,
            GatewayArg::Caddy => Gateway::Caddy,
            GatewayArg::SglangRouter => Gateway::SglangRouter,
            GatewayArg::Portkey => Gateway::Portkey,
            GatewayArg::Custom => Gateway::Custom,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  tokenomics gateway --proxy-command litellm --label current --requests 500 --concurrency 100
  tokenomics gateway --litellm-dir ../litellm --label v1.83.14-stable     a checkout, with uv
  tokenomics gateway --gateway nginx --rate 200
  tokenomics gateway --no-start-proxy --proxy-port 4000 --api-key sk-mine --provider-url http://127.0.0.1:8099
  tokenomics gateway --gateway custom --proxy-command 'my-gateway --config {config} --port {port}' \\
      --proxy-config-template my-gateway.yaml";

/// The process that guards a child and ends it when its parent is gone.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// Where the child's output goes
    pub(crate) log: PathBuf,
    /// From SIGTERM to SIGKILL, in milliseconds
    pub(crate) grace_ms: u64,
    /// Where the child runs
    pub(crate) folder: PathBuf,
    /// The child's program
    pub(crate) program: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}
