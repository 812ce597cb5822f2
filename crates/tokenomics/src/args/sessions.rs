//! Flags of conversations.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::Args;
use workload::{PrefixGroups, ThinkTime, TurnCount};

/// Conversations of several turns.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SessionArgs {
    /// Turns of each conversation: 3, 2-6, or dataset for those of the data set's rows; the history grows by the server's answers, and --max-concurrency counts conversations
    #[arg(
        long,
        value_name = "N",
        help_heading = "Conversations",
        conflicts_with_all = ["trace", "batch_sizes"]
    )]
    pub(crate) turns: Option<TurnCount>,
    /// From an answer to the next turn: 2s, exp:2s, or lognormal:2s:1s of mean and deviation [default: 0s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Conversations",
        requires = "turns"
    )]
    pub(crate) think_time: Option<ThinkTime>,
    /// System prompts that requests share, in turn: 8x1024 for eight of 1,024 tokens each, on top of the lengths
    #[arg(
        long,
        value_name = "GROUPSxTOKENS",
        help_heading = "Conversations",
        conflicts_with = "trace"
    )]
    pub(crate) prefix_groups: Option<PrefixGroups>,
    /// Offer a tool, and bring a scripted result to so many answers that call it
    #[arg(
        long,
        value_name = "ROUNDS",
        help_heading = "Conversations",
        conflicts_with_all = ["turns", "trace", "batch_sizes"]
    )]
    pub(crate) tool_loop: Option<u32>,
}
