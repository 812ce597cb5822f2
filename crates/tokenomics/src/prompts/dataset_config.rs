//! `--dataset-config`: a file that says where a data set is and which of its columns hold what.

use super::from_hub::HubData;
use super::table::Columns;
use super::{Asked, Place};
use crate::failure::Failure;
use crate::input::read;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// As genai-bench has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetConfig {
    source: Source,
    prompt_column: Option<String>,
    image_column: Option<String>,
    #[serde(default)]
    unsafe_allow_large_images: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Source {
    File {
        path: PathBuf,
        /// Where it is not that of the file's name.
        file_format: Option<String>,
    },
    HuggingFace {
        /// `owner/name`.
        path: String,
        #[serde(default)]
        huggingface_kwargs: HubArguments,
    },
    Aime {},
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HubArguments {
    split: Option<String>,
    name: Option<String>,
    revision: Option<String>,
}

impl DatasetConfig {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = read("--dataset-config", path)?;
        let mut config: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::usage(format!(
                "--dataset-config {}: {error}; write it like {{\"source\": {{\"type\": \"file\", \"path\": \
                 \"prompts.csv\"}}, \"prompt_column\": \"question\"}}",
                path.display()
            ))
        })?;
        if let Source::File { path: data, .. } = &mut config.source {
            // As somebody who writes the two files into one folder expects.
            *data = path.parent().unwrap_or(Path::new("")).join(&data);
        }
        Ok(config)
    }

    pub(super) fn asked(self) -> Result<Asked, Failure> {
        let columns = match (self.prompt_column, self.image_column) {
            (None, None) => Columns::Detect,
            (prompt, image) => Columns::named(prompt, image),
        };
        let place = match self.source {
            Source::File { path, file_format } => Place::File(path, file_format),
            Source::HuggingFace {
                path,
                huggingface_kwargs: asked,
            } => Place::Hub(HubData::new(
                &path,
                asked.split,
                asked.name,
                asked.revision.as_deref(),
            )?),
            Source::Aime {} => return Ok(Asked::aime()),
        };
        Ok(Asked {
            place,
            columns,
            large_images: self.unsafe_allow_large_images,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::DatasetConfig;
    use std::fs;
    use std::path::Path;

    #[test]
    fn any_file_that_names_a_data_set_is_taken_or_refused_by_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configurations");
        let scratch = tempfile::tempdir().unwrap().keep();
        let path = scratch.join("data.json");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            if let Err(failure) = DatasetConfig::read(&path) {
                assert!(failure.to_string().contains("data.json"), "{failure}");
            } else {
                let _an_id_that_is_none = DatasetConfig::read(&path).unwrap().asked();
            }
        };
        targets::exercise("dataset_config", read, 2_000, &folder, &scratch);
        fs::remove_dir_all(&scratch).unwrap();
    }
}
