//! What becomes of a measurement.

use crate::args::{ExportFormat, OutputFormat, RecordsFormat};
use stats::Assertion;
use std::path::PathBuf;

/// Where results go.
#[derive(Clone)]
pub(crate) struct OutputConfig {
    pub(crate) results_file: Option<PathBuf>,
    pub(crate) records: RecordsFormat,
    pub(crate) plot: bool,
    pub(crate) format: OutputFormat,
    pub(crate) file: Option<PathBuf>,
    /// What the numbers must keep.
    pub(crate) assertions: Vec<Assertion>,
    /// Formats of others.
    pub(crate) exports: Vec<ExportFormat>,
}

impl OutputConfig {
    /// Whether nothing is said on standard error that is no error.
    pub(crate) fn is_quiet(&self) -> bool {
        self.format == OutputFormat::Quiet
    }
}
