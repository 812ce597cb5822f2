//! Where the prompts come from: generated, a file, or the hub.

use crate::args::{DatasetKey, WorkloadArgs};
use crate::config::read;
use crate::failure::Failure;
use crate::output::say;
use hub::{Hub, HubConfig, Repo, RepoKind};
use std::path::Path;
use std::sync::Arc;
use workload::{ChatSource, Content, DatasetRow, Format, aime};

/// The source that the flags name, and what the result file says of it.
pub(crate) fn source(
    args: &WorkloadArgs,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(ChatSource, String), Failure> {
    if let Some(path) = &args.dataset_path {
        let rows = rows("--dataset-path", path, args.dataset_column.as_deref())?;
        return Ok((ChatSource::Rows(rows), path.display().to_string()));
    }
    match args.dataset_key {
        DatasetKey::Math => Ok(generated(Content::Math)),
        DatasetKey::Code => Ok(generated(Content::Code)),
        DatasetKey::Prose => Ok(generated(Content::Prose)),
        DatasetKey::Aime => Ok((from_hub(environment)?, "aime".into())),
    }
}

fn generated(content: Content) -> (ChatSource, String) {
    (ChatSource::Content(content), content.name().to_owned())
}

/// The rows of the file that `flag` names, each a prompt.
pub(crate) fn rows(
    flag: &str,
    path: &Path,
    column: Option<&str>,
) -> Result<Arc<[DatasetRow]>, Failure> {
    let rows = texts(flag, path, column)?;
    let row = |user| DatasetRow::question(user, None);
    Ok(rows.into_iter().map(row).collect())
}

/// The texts of the file that `flag` names.
pub(crate) fn texts(
    flag: &str,
    path: &Path,
    column: Option<&str>,
) -> Result<Vec<Arc<str>>, Failure> {
    let in_file = |error| Failure::usage(format!("{flag} {}: {error}", path.display()));
    let format = format(path).map_err(in_file)?;
    let bytes = read(flag, path)?;
    workload::parse_rows(&bytes, format, column).map_err(in_file)
}

fn format(path: &Path) -> Result<Format, workload::WorkloadError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    Format::from_extension(&extension)
}

/// The AIME problems, from the hub's cache or over the network.
fn from_hub(environment: &impl Fn(&str) -> Option<String>) -> Result<ChatSource, Failure> {
    let way_out = |error: &dyn std::error::Error| {
        Failure::failed(format!(
            "cannot get the AIME problems: {error}; \
             --dataset-key math needs no network, --dataset-path takes a file"
        ))
    };
    let config = HubConfig::from_env(environment).map_err(|error| way_out(&error))?;
    let hub = Hub::new(config).map_err(|error| way_out(&error))?;
    let repo = Repo::new(RepoKind::Dataset, aime::DATASET_ID).map_err(|error| way_out(&error))?;
    let is_table = |name: &str| format(Path::new(name)).is_ok_and(|format| format == Format::Csv);
    let mut told = false;
    let mut tell = |progress: hub::Progress| {
        if !told {
            say(&format!("Fetching {} from the hub …", progress.file));
            told = true;
        }
    };
    let files = hub
        .resolve(&repo, &is_table, &mut tell)
        .map_err(|error| way_out(&error))?;
    let Some(path) = files.first() else {
        return Err(Failure::failed(format!(
            "the data set {} has no .csv file any more; --dataset-path takes one of yours",
            aime::DATASET_ID
        )));
    };
    let bytes = read("the data set", path)?;
    aime::rows(&bytes, Format::Csv)
        .map(ChatSource::Rows)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
