//! Where the prompts come from: generated, a file, or the hub.

use crate::args::{ChatArgs, DatasetKey};
use crate::config::read;
use crate::failure::Failure;
use std::path::Path;
use workload::{Format, PromptSource};

/// The source that the flags name, and what the result file says of it.
pub(crate) fn source(
    args: &ChatArgs,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(PromptSource, String), Failure> {
    if let Some(path) = &args.dataset_path {
        let rows = rows(path, args.dataset_column.as_deref())?;
        return Ok((rows, path.display().to_string()));
    }
    match args.dataset_key {
        DatasetKey::Math => Ok((PromptSource::Generated, "math".into())),
        DatasetKey::Aime => Ok((from_hub(environment)?, "aime".into())),
    }
}

fn rows(path: &Path, column: Option<&str>) -> Result<PromptSource, Failure> {
    let in_file = |error| Failure::usage(format!("--dataset-path {}: {error}", path.display()));
    let format = format(path).map_err(in_file)?;
    let bytes = read("--dataset-path", path)?;
    let rows = workload::parse_rows(&bytes, format, column).map_err(in_file)?;
    Ok(PromptSource::Rows { rows, system: None })
}

fn format(path: &Path) -> Result<Format, workload::WorkloadError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    Format::from_extension(&extension)
}

fn from_hub(_: &impl Fn(&str) -> Option<String>) -> Result<PromptSource, Failure> {
    Err(Failure::failed("hub"))
}
