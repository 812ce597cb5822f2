//! Data sets of the hub.

use super::table::PARQUET;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output::say;
use hub::{Hub, HubConfig, HubError, Repo, RepoKind};
use std::path::{Path, PathBuf};
use workload::{Format, aime};

/// Splits that are taken where none is asked for, the first that is there.
const SPLITS: [&str; 2] = ["train", "test"];

/// A data set of the hub.
pub(super) struct HubData {
    repo: Repo,
    /// A part of its files, such as `test`.
    split: Option<String>,
    /// One of its configurations, such as `main`.
    name: Option<String>,
}

impl HubData {
    pub(super) fn new(
        id: &str,
        split: Option<String>,
        name: Option<String>,
        revision: Option<&str>,
    ) -> Result<Self, Failure> {
        let repo = Repo::new(RepoKind::Dataset, id).map_err(Failure::usage)?;
        let repo = match revision {
            Some(revision) => repo.at(revision).map_err(Failure::usage)?,
            None => repo,
        };
        Ok(Self { repo, split, name })
    }

    /// `hub:openai/gsm8k main test`.
    pub(super) fn words(&self) -> String {
        let parts = [&self.name, &self.split].into_iter().flatten();
        parts.fold(format!("hub:{}", self.repo.id()), |words, part| {
            format!("{words} {part}")
        })
    }

    /// Its files on this machine, fetched where they are not in the cache yet.
    pub(super) fn files(&self, environment: Environment<'_>) -> Result<Vec<PathBuf>, Failure> {
        let choose = |names: &[&str]| choose(names, self.split.as_deref(), self.name.as_deref());
        fetch(&self.repo, &choose, environment).map_err(|error| {
            let asked = match (&self.split, &self.name) {
                (None, None) => "",
                _ => " with the split and the name that were asked for",
            };
            let why = match error {
                HubError::NoMatch { .. } => {
                    format!("{error} (of .parquet, .jsonl, .json and .csv{asked})")
                }
                other => other.to_string(),
            };
            Failure::failed(format!(
                "cannot get the data set {}: {why}; --dataset-path takes a file of yours",
                self.repo.id()
            ))
        })
    }
}

/// The file of the AIME problems.
pub(super) fn aime(environment: Environment<'_>) -> Result<PathBuf, Failure> {
    let way_out = |error: &dyn std::error::Error| {
        Failure::failed(format!(
            "cannot get the AIME problems: {error}; --dataset-key math needs no network, --dataset-path takes a file"
        ))
    };
    let repo = Repo::new(RepoKind::Dataset, aime::DATASET_ID).map_err(|error| way_out(&error))?;
    let first_table = |names: &[&str]| {
        let mut tables = names.iter().filter(|name| extension(name) == "csv");
        tables
            .next()
            .map(|&name| name.to_owned())
            .into_iter()
            .collect()
    };
    let files = fetch(&repo, &first_table, environment).map_err(|error| way_out(&error))?;
    files.into_iter().next().ok_or_else(|| {
        Failure::failed(format!(
            "the data set {} has no .csv file any more; --dataset-path takes one of yours",
            aime::DATASET_ID
        ))
    })
}

fn fetch(
    repo: &Repo,
    choose: &dyn Fn(&[&str]) -> Vec<String>,
    environment: Environment<'_>,
) -> Result<Vec<PathBuf>, HubError> {
    let hub = Hub::new(HubConfig::from_env(environment)?)?;
    let mut told = String::new();
    let mut tell = |progress: hub::Progress| {
        if told != progress.file {
            progress.file.clone_into(&mut told);
            say(&format!("Fetching {} from the hub …", progress.file));
        }
    };
    hub.resolve_chosen(repo, choose, &mut tell)
}

fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

/// The files of a split, all of one format. Without a split those of training, else those of testing;
/// where no name speaks of a split, the first file.
fn choose(names: &[&str], split: Option<&str>, name: Option<&str>) -> Vec<String> {
    let is_about = |path: &str, word: &str| {
        let mut words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.any(|part| part.eq_ignore_ascii_case(word))
            // A configuration may have a dash in its name, and is then a folder or the beginning of one.
            || path.split('/').any(|folder| folder.starts_with(word))
    };
    let described = [
        "dataset_infos.json",
        "dataset_info.json",
        "config.json",
        "metadata.json",
    ];
    let rows = |path: &&&str| {
        let file = path.rsplit('/').next().unwrap_or_default();
        let known = extension(path) == PARQUET
            || Format::from_extension(&extension(path)).is_ok_and(|format| format != Format::Text);
        known && !described.contains(&file)
    };
    let of_name = |path: &&&str| name.is_none_or(|name| is_about(path, name));
    let all: Vec<&str> = names.iter().filter(rows).filter(of_name).copied().collect();
    let of_split = |split: &str| -> Vec<&str> {
        all.iter()
            .filter(|path| is_about(path, split))
            .copied()
            .collect()
    };
    let chosen = if let Some(split) = split {
        of_split(split)
    } else {
        let mut splits = SPLITS.into_iter().map(of_split);
        let found = splits.find(|files| !files.is_empty());
        found.unwrap_or_else(|| all.iter().take(1).copied().collect())
    };
    // A data set may be there in several formats and under several configurations.
    let first = [PARQUET, "jsonl", "ndjson", "json", "csv"]
        .into_iter()
        .find_map(|format| chosen.iter().find(|path| extension(path) == format));
    let Some(first) = first else {
        return Vec::new();
    };
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let alike = |path: &&&str| extension(path) == extension(first) && folder(path) == folder(first);
    chosen
        .iter()
        .filter(alike)
        .map(|&path| path.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_files_of_one_split_one_format_and_one_configuration_are_chosen() {
        let gsm8k = [
            "README.md",
            "dataset_infos.json",
            "main/test-00000-of-00001.parquet",
            "main/train-00000-of-00001.parquet",
            "socratic/test-00000-of-00001.parquet",
            "socratic/train-00000-of-00001.parquet",
        ];
        assert_eq!(choose(&gsm8k, None, None), [gsm8k[3]]);
        assert_eq!(choose(&gsm8k, Some("test"), None), [gsm8k[2]]);
        assert_eq!(choose(&gsm8k, Some("test"), Some("socratic")), [gsm8k[4]]);
        assert!(choose(&gsm8k, Some("validation"), None).is_empty());
        let parts = [
            "data/train-0-of-2.parquet",
            "data/train-1-of-2.parquet",
            "train.csv",
        ];
        assert_eq!(choose(&parts, None, None), parts[..2]);
        let math = [".gitattributes", "README.md", "test.jsonl"];
        assert_eq!(choose(&math, None, None), ["test.jsonl"]);
        let share_gpt = ["ShareGPT_V3.json", "old/ShareGPT_V2.json"];
        assert_eq!(choose(&share_gpt, None, None), ["ShareGPT_V3.json"]);
        assert!(choose(&["README.md", "a.bin"], None, None).is_empty());
    }
}
