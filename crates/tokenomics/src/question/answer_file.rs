//! The file that the answer to a question goes to.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::output::{Claim, OutputConfig, Paths};
use std::path::{Path, PathBuf};

/// Where the answer goes, from before anything is measured until it is written: nobody else writes there meanwhile.
pub(super) struct AnswerFile {
    pub(super) path: PathBuf,
    /// None of a stream.
    claim: Option<Claim>,
}

impl AnswerFile {
    /// What was typed, or `results/KIND-TIME.json`. A figure may be beside it, and no records are.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn claim(output: &OutputConfig, kind: &str, figure: bool) -> Result<Self, Failure> {
        let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let unnamed = || Path::new("results").join(format!("{kind}-{moment}.json"));
        let path = output.results_file.clone().unwrap_or_else(unnamed);
        let written = OutputConfig {
            records: RecordsFormat::None,
            plot: output.plot && figure,
            ..output.clone()
        };
        let claim = Paths::of_results(&path).claim(&written)?;
        Ok(Self { path, claim })
    }

    /// The file of a measurement that is a part of the answer: `x.json` to `x-base.json`.
    pub(super) fn part(&self, name: &str) -> PathBuf {
        let stem = self.path.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        self.path.with_file_name(format!("{stem}-{name}.json"))
    }

    /// Makes sure, before anything is measured, that such parts can be written; `output` is what is kept of them.
    ///
    /// # Errors
    /// One cannot, or there is no file that they could lie beside.
    pub(super) fn check_parts(
        &self,
        output: &OutputConfig,
        names: impl IntoIterator<Item = String>,
    ) -> Result<(), Failure> {
        if self.claim.is_none() {
            return Err(Failure::usage(format!(
                "{} is no file that those of each measurement could lie beside; name a file with --results-file",
                self.path.display()
            )));
        }
        for name in names {
            Paths::of_results(&self.part(&name)).claim(output)?;
        }
        Ok(())
    }
}
