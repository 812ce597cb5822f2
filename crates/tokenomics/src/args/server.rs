//! The server that is measured.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{ArgAction, Args};
use std::path::PathBuf;

/// The server that is measured, by any verb that measures one.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
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
}
