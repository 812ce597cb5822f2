//! Where prompts come from.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use workload::DatasetFormat;

/// Whose prompts a chat benchmark sends.
#[derive(Clone, Debug, Args)]
pub(crate) struct DatasetArgs {
    /// Built-in prompts: math, code and prose are generated, aime comes from the Hugging Face hub
    #[arg(
        long,
        value_enum,
        value_name = "KEY",
        default_value_t = DatasetKey::Math,
        help_heading = "Prompts",
        conflicts_with_all = ["dataset_path", "dataset_config"]
    )]
    pub(crate) dataset_key: DatasetKey,
    /// Prompts from a .txt, .csv, .json, .jsonl or .parquet file, or hub:owner/name for a data set of the hub
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Prompts",
        conflicts_with = "dataset_config"
    )]
    pub(crate) dataset_path: Option<PathBuf>,
    /// The column that holds the prompts [default: the first of the usual names]
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Prompts",
        requires = "dataset_path",
        conflicts_with = "dataset_format"
    )]
    pub(crate) dataset_column: Option<String>,
    /// What the data set is: sharegpt, alpaca, gsm8k, math-500, humaneval, mbpp, mt-bench, arena-hard, aime, openai-batch or messages [default: by its columns]
    #[arg(
        long,
        value_name = "FORMAT",
        help_heading = "Prompts",
        requires = "dataset_path"
    )]
    pub(crate) dataset_format: Option<DatasetFormat>,
    /// JSON file that says where the data set is (source.type: file, huggingface or aime), and its prompt_column and image_column
    #[arg(long, value_name = "FILE", help_heading = "Prompts")]
    pub(crate) dataset_config: Option<PathBuf>,
    /// Send the rows in their order, the same from the first on at every point, rather than shuffled
    #[arg(long, help_heading = "Prompts", conflicts_with_all = ["mix", "scenario", "trace"])]
    pub(crate) replay_dataset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatasetKey {
    /// Competition-style maths problems, generated from the seed
    Math,
    /// Tasks on small programs, generated from the seed
    Code,
    /// Reports to be summarised, generated from the seed
    Prose,
    /// AIME problems of 1983 to 2024, from the Hugging Face hub
    Aime,
}
