//! What differs from request to request: adapters, images, fields.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are help texts, where backticks would show"
)]

use clap::Args;
use std::path::PathBuf;
use workload::{AdapterSpread, ImageSize};

/// What requests have otherwise than each other, and what else they ask for.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VariantArgs {
    /// LoRA adapters that requests ask for, by the names under which the server has them
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        num_args = 1..,
        help_heading = "Variants"
    )]
    pub(crate) lora_modules: Vec<String>,
    /// How requests are spread over the adapters: single (the first), uniform, zipf, zipf:1.2, all-unique (in turn), or mixed (with the model itself) [default: uniform]
    #[arg(
        long,
        value_name = "SPREAD",
        help_heading = "Variants",
        requires = "lora_modules"
    )]
    pub(crate) lora_distribution: Option<AdapterSpread>,
    /// Share of the requests that ask for the model itself [default: 0]
    #[arg(
        long,
        value_name = "SHARE",
        allow_hyphen_values = true,
        help_heading = "Variants",
        requires = "lora_modules"
    )]
    pub(crate) base_model_ratio: Option<f64>,
    /// Images of noise with every request, no two of them alike
    #[arg(long, value_name = "N", help_heading = "Variants")]
    pub(crate) num_images: Option<u32>,
    /// Their width and height in pixels [default: 512x512]
    #[arg(
        long,
        value_name = "WxH",
        help_heading = "Variants",
        requires = "num_images"
    )]
    pub(crate) image_size: Option<ImageSize>,
    /// What answers look like: json_object, or a file with a JSON schema or a whole response_format
    #[arg(long, value_name = "FORMAT", help_heading = "Variants")]
    pub(crate) response_format: Option<String>,
    /// File with the JSON array of the tools that every request offers
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Variants",
        conflicts_with = "tool_loop"
    )]
    pub(crate) tools: Option<PathBuf>,
    /// auto, none, required, or the name of a tool [default: the server's]
    #[arg(
        long,
        value_name = "CHOICE",
        help_heading = "Variants",
        requires = "tools"
    )]
    pub(crate) tool_choice: Option<String>,
    /// JSON lines, each an object whose fields are added to one request, or with null left out of it: the first line to the first, and from the beginning again
    #[arg(long, value_name = "FILE", help_heading = "Variants")]
    pub(crate) extra_body_file: Option<PathBuf>,
}
