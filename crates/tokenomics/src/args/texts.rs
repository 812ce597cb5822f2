//! The texts of an embedding benchmark.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::Args;
use std::path::PathBuf;

/// What the texts of an embedding benchmark are.
#[derive(Clone, Debug, Args)]
pub(crate) struct TextArgs {
    /// How long texts are: short (5 to 15 words), medium (20 to 50), long (100 to 300), mixed, or numbers of words
    #[arg(
        long,
        value_name = "LENGTH,…",
        default_value = "short,medium,long",
        help_heading = "Texts"
    )]
    pub(crate) sequence_lengths: String,
    /// Texts of exactly so many tokens instead, by --tokenizer, as the server counts: with those it puts around a text
    #[arg(
        long,
        value_name = "N,…",
        help_heading = "Texts",
        conflicts_with = "sequence_lengths"
    )]
    pub(crate) input_tokens: Option<String>,
    /// Texts from a .txt, .csv, .json, .jsonl or .parquet file instead, or hub:owner/name for a data set of the hub
    #[arg(long, value_name = "FILE", help_heading = "Texts", conflicts_with_all = ["sequence_lengths", "input_tokens"])]
    pub(crate) dataset_path: Option<PathBuf>,
    /// The column that holds the texts [default: the first of the usual names]
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Texts",
        requires = "dataset_path"
    )]
    pub(crate) dataset_column: Option<String>,
    /// The model's tokenizer, which counts where the server does not and checks where it does: a folder, a tokenizer.json, a .gguf or a hub id [default: the built-in server's]
    #[arg(long, value_name = "MODEL", help_heading = "Texts")]
    pub(crate) tokenizer: Option<String>,
    /// Texts in each request
    #[arg(long, value_name = "N,…", default_value = "1", help_heading = "Texts")]
    pub(crate) inputs_per_request: String,
    /// Seed of texts and arrivals
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Texts")]
    pub(crate) seed: u64,
}
