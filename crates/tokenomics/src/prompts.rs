//! Where the prompts come from: generated, a file, or the hub.

mod dataset_config;
mod from_hub;
mod pictures;
mod table;

use crate::args::{DatasetArgs, DatasetKey};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::input::read;
use crate::output::say;
use dataset_config::DatasetConfig;
use from_hub::HubData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::{Columns, Rows};
use workload::{ChatSource, Content, DatasetFormat, DatasetRow, aime};

/// What makes a path the id of a data set of the hub.
const HUB: &str = "hub:";

/// Rows that somebody asked for: where they are, and how their columns are to be understood.
struct Asked {
    place: Place,
    columns: Columns,
    /// Whether images may be of any size.
    large_images: bool,
}

enum Place {
    /// With the extension that it should have, where that is not its own.
    File(PathBuf, Option<String>),
    Hub(HubData),
    /// The AIME problems.
    Aime,
}

/// The source that the flags name, and what the result file says of it.
pub(crate) fn source(
    args: &DatasetArgs,
    environment: Environment<'_>,
) -> Result<(ChatSource, String), Failure> {
    let (flag, asked) = match (&args.dataset_path, &args.dataset_config) {
        (Some(path), _) => {
            let columns = match (&args.dataset_column, args.dataset_format) {
                (Some(column), _) => Columns::named(Some(column.clone()), None),
                (None, Some(format)) => Columns::Of(format),
                (None, None) => Columns::Detect,
            };
            ("--dataset-path", Asked::at(path, columns)?)
        }
        (None, Some(path)) => ("--dataset-config", DatasetConfig::read(path)?.asked()?),
        (None, None) => match args.dataset_key {
            DatasetKey::Math => return generated(Content::Math, args.replay_dataset),
            DatasetKey::Code => return generated(Content::Code, args.replay_dataset),
            DatasetKey::Prose => return generated(Content::Prose, args.replay_dataset),
            DatasetKey::Aime => ("--dataset-key", Asked::aime()),
        },
    };
    let words = asked.words();
    let rows = asked.rows(flag, environment)?;
    tell_limits(&words, &rows);
    let source = if args.replay_dataset {
        ChatSource::Replay(rows.into())
    } else {
        ChatSource::Rows(rows.into())
    };
    Ok((source, words))
}

fn generated(content: Content, replay: bool) -> Result<(ChatSource, String), Failure> {
    if replay {
        return Err(Failure::usage(format!(
            "--replay-dataset needs a data set, and {} prompts are generated; name one with --dataset-path or \
             --dataset-config",
            content.name()
        )));
    }
    Ok((ChatSource::Content(content), content.name().to_owned()))
}

/// The rows of the file or the data set of the hub that `flag` names, each a prompt.
pub(crate) fn rows(
    flag: &str,
    path: &Path,
    environment: Environment<'_>,
) -> Result<Arc<[DatasetRow]>, Failure> {
    let asked = Asked::at(path, Columns::Detect)?;
    let rows = asked.rows(flag, environment)?;
    tell_limits(&asked.words(), &rows);
    Ok(rows.into())
}

/// The texts of the file or the data set of the hub that `flag` names.
pub(crate) fn texts(
    flag: &str,
    path: &Path,
    column: Option<&str>,
    environment: Environment<'_>,
) -> Result<Vec<Arc<str>>, Failure> {
    let columns = Columns::named(column.map(str::to_owned), None);
    let rows = Asked::at(path, columns)?.rows(flag, environment)?;
    Ok(rows
        .iter()
        .filter_map(|row| row.prompt().cloned())
        .collect())
}

impl Asked {
    /// A file, or `hub:owner/name`.
    fn at(path: &Path, columns: Columns) -> Result<Self, Failure> {
        let place = match path.to_str().and_then(|text| text.strip_prefix(HUB)) {
            Some(id) => Place::Hub(HubData::new(id, None, None, None)?),
            None => Place::File(path.to_owned(), None),
        };
        Ok(Self {
            place,
            columns,
            large_images: false,
        })
    }

    fn aime() -> Self {
        Self {
            place: Place::Aime,
            columns: Columns::Of(DatasetFormat::Aime),
            large_images: false,
        }
    }

    /// What the result file says of it.
    fn words(&self) -> String {
        match &self.place {
            Place::File(path, _) => path.display().to_string(),
            Place::Hub(data) => data.words(),
            Place::Aime => "aime".to_owned(),
        }
    }

    /// Reads them, after fetching what is not there yet.
    fn rows(&self, flag: &str, environment: Environment<'_>) -> Result<Vec<DatasetRow>, Failure> {
        match &self.place {
            Place::File(path, extension) => {
                let in_file = |why| Failure::usage(format!("{flag} {}: {why}", path.display()));
                let bytes = read(flag, path)?;
                let table = table::read(bytes, path, extension.as_deref(), &self.columns);
                let mut table = table.map_err(in_file)?;
                tell(path, &table);
                let folder = path.parent().unwrap_or(Path::new("."));
                pictures::open(&mut table.rows, folder, self.large_images).map_err(in_file)?;
                Ok(table.rows)
            }
            Place::Hub(data) => {
                let mut rows = Vec::new();
                for path in data.files(environment)? {
                    rows.extend(self.fetched(flag, &path)?);
                }
                let in_data = |why| Failure::failed(format!("{flag} {}: {why}", self.words()));
                pictures::refuse_paths(&rows).map_err(in_data)?;
                Ok(rows)
            }
            Place::Aime => {
                let rows = self.fetched(flag, &from_hub::aime(environment)?)?;
                Ok(aime::with_system_prompt(rows))
            }
        }
    }

    /// The rows of a file that came from the hub, whose contents are no mistake of the user's.
    fn fetched(&self, flag: &str, path: &Path) -> Result<Vec<DatasetRow>, Failure> {
        let table = table::read(read(flag, path)?, path, None, &self.columns);
        let table = table.map_err(|why| Failure::failed(format!("{}: {why}", path.display())))?;
        tell(path, &table);
        Ok(table.rows)
    }
}

/// Says which rows are not sent.
fn tell(path: &Path, table: &Rows) {
    if table.left_out > 0 {
        say(&format!(
            "Left out of {}: {} of {} rows, which have no question, or no answer to it where the format has one.",
            path.display(),
            table.left_out,
            table.left_out + table.rows.len()
        ));
    }
}

/// Says that rows have limits on their answers: nobody asked for them.
fn tell_limits(words: &str, rows: &[DatasetRow]) {
    let limited = rows.iter().filter(|row| row.max_tokens.is_some()).count();
    if limited > 0 {
        say(&format!(
            "Limits of {words}: {limited} of {} rows say how many tokens their answers may have (output_tokens or \
             the like), and --max-tokens is for the others.",
            rows.len()
        ));
    }
}
