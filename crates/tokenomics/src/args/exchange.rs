//! How each request is sent, and how long it may take.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::Args;

/// How each request is sent and how long it may take, by any verb that measures a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExchangeArgs {
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
}
