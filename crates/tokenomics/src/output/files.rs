//! Files of a run: where they are, and how they are written so that none is ever half there.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::output::config::OutputConfig;
use crate::output::place::{Place, folder};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The files of one run, beside each other.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) results: PathBuf,
    pub(crate) plot: PathBuf,
    stem: PathBuf,
}

impl Paths {
    /// Beside `results_file`, or under `results/` with a name made of `verb`, `model` and `moment`.
    pub(crate) fn new(results_file: Option<&Path>, verb: &str, model: &str, moment: &str) -> Self {
        let results = match results_file {
            Some(path) => path.to_owned(),
            None => Path::new("results").join(format!("{verb}-{}-{moment}.json", file_name(model))),
        };
        let stem = results.with_extension("");
        Paths {
            plot: stem.with_added_extension("png"),
            results,
            stem,
        }
    }

    /// Of a run whose result file is there.
    pub(crate) fn of_results(path: &Path) -> Self {
        Paths::new(Some(path), "", "", "")
    }

    /// Of a run whose records are there: beside `x.records.parquet` the others are `x`.
    pub(crate) fn of_records(path: &Path) -> Self {
        let stem = path.with_extension("").with_extension("");
        Paths::of_results(&stem.with_added_extension("json"))
    }

    /// The raw records, with that extension.
    pub(crate) fn records(&self, extension: &str) -> PathBuf {
        self.stem
            .with_added_extension(format!("records.{extension}"))
    }

    /// Another file of the run, with that extension.
    pub(crate) fn beside(&self, extension: &str) -> PathBuf {
        self.stem.with_added_extension(extension)
    }

    /// A file of the run that nobody is to see.
    pub(super) fn hidden(&self, extension: &str) -> PathBuf {
        let name = format!(".{}.{extension}", self.stem_name());
        folder(&self.results).join(name)
    }

    /// The name that the files of the run have in common.
    pub(super) fn stem_name(&self) -> String {
        let name = self.stem.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Makes sure that everything can be written, and nothing twice.
    pub(super) fn check(&self, output: &OutputConfig) -> Result<(), Failure> {
        let records = output
            .records
            .extension()
            .map(|extension| self.records(extension));
        let plot = output.plot.then(|| self.plot.clone());
        let all = [
            Some(self.results.clone()),
            plot,
            records,
            output.file.clone(),
        ];
        let all: Vec<PathBuf> = all.into_iter().flatten().collect();
        if let Some(twice) = all
            .iter()
            .find(|path| all.iter().filter(|other| other == path).count() > 1)
        {
            return Err(Failure::usage(format!(
                "{} would be written twice; give the results another name, such as x.json",
                twice.display()
            )));
        }
        check_writable(&self.results)?;
        if output.plot {
            check_writable(&self.plot)?;
        }
        if let Some(extension) = output.records.extension() {
            check_writable(&self.records(extension))?;
        }
        output.file.as_deref().map_or(Ok(()), check_writable)
    }
}

impl Paths {
    /// Removes the plot and the records that this run did not write.
    pub(crate) fn remove_others(&self, records: RecordsFormat, has_plot: bool) {
        if !has_plot {
            let _ = fs::remove_file(&self.plot);
        }
        for format in [RecordsFormat::Parquet, RecordsFormat::Jsonl] {
            if let Some(extension) = format.extension().filter(|_| format != records) {
                let _ = fs::remove_file(self.records(extension));
            }
        }
    }
}

/// Makes sure that a file can be made at `path`, without making it.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let probe = || {
        fs::create_dir_all(folder(path))?;
        let Place::File(path) = Place::of(path)? else {
            return Ok(());
        };
        let probe = beside(&path);
        File::create(&probe)?;
        fs::remove_file(&probe)
    };
    probe().map_err(|error| cannot_write(path, &error))
}

pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!(
        "cannot write {}: {error}; choose another place for it",
        path.display()
    ))
}

/// Writes a file whole or not at all: beside it first, synced, then renamed over it. What is no file, as a device or a
/// pipe, is written to as it is.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with(path, |file| file.write_all(bytes))
}

/// The same, with the bytes written by `fill`.
pub(crate) fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), Failure> {
    let write = || {
        fs::create_dir_all(folder(path))?;
        match Place::of(path)? {
            Place::Stream(stream) => fill(&mut Place::open_stream(&stream)?),
            Place::File(path) => replace(&path, fill),
        }
    };
    write().map_err(|error| {
        Failure::failed(format!(
            "cannot write {}: {error}; what was there before is as it was",
            path.display()
        ))
    })
}

fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let partial = beside(path);
    let write = || {
        let mut whole = File::create(&partial)?;
        fill(&mut whole)?;
        whole.sync_all()?;
        fs::rename(&partial, path)
    };
    write().inspect_err(|_| {
        let _gone = fs::remove_file(&partial);
    })
}

/// A name in the same folder, so that the rename stays on one file system.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.partial", std::process::id()))
}

/// A model's name as part of a file's: `org/name` becomes `org-name`.
fn file_name(model: &str) -> String {
    let safe: String = model
        .chars()
        .take(60)
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .collect();
    safe.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{OutputConfig, Paths, RecordsFormat, file_name, write_atomically};
    use crate::args::OutputFormat;
    use std::path::Path;

    #[test]
    fn bad_input_47_a_name_with_a_slash_stays_in_its_folder() {
        assert_eq!(file_name("../../etc/pass wd"), "-..-etc-pass-wd");
        let paths = Paths::new(None, "chat", "org/model", "now");
        assert_eq!(paths.results, Path::new("results/chat-org-model-now.json"));
    }

    #[test]
    fn files_lie_beside_the_result_file_under_its_name() {
        let paths = Paths::new(Some(Path::new("out/my.v2.json")), "chat", "m", "now");
        assert_eq!(paths.plot, Path::new("out/my.v2.png"));
        assert_eq!(
            paths.records("parquet"),
            Path::new("out/my.v2.records.parquet")
        );
    }

    #[test]
    fn results_that_would_be_overwritten_by_their_own_plot_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(Some(&folder.path().join("x.png")), "chat", "m", "now");
        let mut output = OutputConfig {
            results_file: None,
            records: RecordsFormat::None,
            plot: true,
            format: OutputFormat::Text,
            file: None,
            assertions: Vec::new(),
            exports: Vec::new(),
        };
        assert!(paths.check(&output).is_err());
        output.plot = false;
        assert!(paths.check(&output).is_ok());
    }

    #[test]
    fn fault_36_a_failed_write_leaves_the_old_file_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_atomically(&path, b"old").unwrap();
        let full = |_: &mut std::fs::File| Err(std::io::ErrorKind::StorageFull.into());
        let failure = super::write_with(&path, full).unwrap_err().to_string();
        assert!(failure.contains("x.json"), "{failure}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
