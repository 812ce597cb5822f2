//! Flags of `launch`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{Args, Parser, ValueEnum};
use process::preset::Server;
use std::path::PathBuf;

/// Start a known server, wait until it answers, and stop it with ctrl-C
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct LaunchArgs {
    /// The server
    #[arg(value_enum)]
    pub(crate) server: ServerArg,
    /// Model: a path, or an id of the Hugging Face hub
    #[arg(long, value_name = "PATH_OR_ID", help_heading = "Model")]
    pub(crate) model: String,
    /// Name that requests give [default: the last part of --model]
    #[arg(
        long,
        value_name = "NAME",
        alias = "served-model-name",
        help_heading = "Model"
    )]
    pub(crate) name: Option<String>,
    /// Smaller model that guesses ahead
    #[arg(long, value_name = "PATH_OR_ID", help_heading = "Model")]
    pub(crate) speculative_model: Option<String>,
    /// Tokens that it guesses
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Model")]
    pub(crate) num_speculative_tokens: u32,
    /// LoRA adapter as NAME=PATH, as often as there are
    #[arg(long, value_name = "NAME=PATH", help_heading = "Model")]
    pub(crate) lora: Vec<String>,

    /// Parts that each layer is cut into: tensor parallelism
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        alias = "tensor-parallel-size",
        help_heading = "Server"
    )]
    pub(crate) tp: u32,
    /// Groups of layers on devices of their own: pipeline parallelism
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        alias = "pipeline-parallel-size",
        help_heading = "Server"
    )]
    pub(crate) pp: u32,
    /// Where it computes: SGLang only [default: the server's choice]
    #[arg(long, value_name = "DEVICE", help_heading = "Server")]
    pub(crate) device: Option<String>,
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        help_heading = "Server"
    )]
    pub(crate) host: String,
    /// Port to listen on
    #[arg(
        long,
        short,
        value_name = "PORT",
        default_value_t = 8000,
        help_heading = "Server"
    )]
    pub(crate) port: u16,
    /// Command that starts it, in place of the usual one, such as '/venv/bin/vllm serve'
    #[arg(long, value_name = "COMMAND", help_heading = "Server")]
    pub(crate) command: Option<String>,
    /// Seconds that it may take to answer its first request
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 900.0,
        help_heading = "Server"
    )]
    pub(crate) start_timeout: f64,
    /// Where its output goes [default: results/launch-SERVER-PORT-TIME.log]
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) log: Option<PathBuf>,
    /// Print the command, and start nothing
    #[arg(long, help_heading = "Server")]
    pub(crate) dry_run: bool,
    /// Flags of the server itself, behind --
    #[arg(last = true, value_name = "FLAGS")]
    pub(crate) more: Vec<String>,
}

/// The same, within another command's flag.
#[derive(Debug, Parser)]
#[command(name = "--launch", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct LaunchLine {
    #[command(flatten)]
    pub(crate) args: LaunchArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServerArg {
    /// vLLM
    Vllm,
    /// SGLang
    Sglang,
    /// llama.cpp behind llama-cpp-python's server
    LlamaCpp,
    /// The built-in engine
    Tokenomics,
}

impl ServerArg {
    pub(crate) const fn preset(self) -> Server {
        match self {
            ServerArg::Vllm => Server::Vllm,
            ServerArg::Sglang => Server::Sglang,
            ServerArg::LlamaCpp => Server::LlamaCpp,
            ServerArg::Tokenomics => Server::Tokenomics,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  tokenomics launch vllm --model deepseek-ai/DeepSeek-R1-Distill-Llama-8B --name distill-llama-8b --tp 2
  tokenomics launch sglang --model /models/llama-8b -- --context-length 8192
  tokenomics launch llama-cpp --command '/venv/bin/python -m llama_cpp.server' --model model.gguf
  tokenomics chat --launch 'vllm --model /models/llama-8b --tp 2' --batch-sizes 1,8,64";
