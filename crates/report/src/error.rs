//! Why a report could not be made.

use std::fmt::Display;
use thiserror::Error;

/// Why a report could not be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The bytes are no JSON.
    #[error(
        "the result file is not JSON ({problem}); it may be cut short: give one that \
         `--results_file` wrote"
    )]
    NotJson {
        /// What the parser met, and where.
        problem: String,
    },
    /// JSON, but not of a result file.
    #[error(
        "this is not a result file of tokenomics: {place} should be {expected}, and is {found}; \
         give one that `--results_file` wrote"
    )]
    Foreign {
        /// Where in the file: a path of keys between backticks.
        place: String,
        /// What a result file has there.
        expected: &'static str,
        /// What this one has.
        found: &'static str,
    },
    /// A point is named by something that cannot stand on an axis.
    #[error(
        "the result file has a point named `{key}`, which should be a batch size, a concurrency or a \
         rate: a number"
    )]
    Key {
        /// The name.
        key: String,
    },
    /// Written by a later release.
    #[error(
        "the result file has schema version {found}, and this release reads up to {known}: use the \
         release that wrote it, or a later one"
    )]
    Schema {
        /// The file's version.
        found: u64,
        /// The newest this release knows.
        known: u32,
    },
    /// No file was given, or none of them holds a rate or a latency.
    #[error(
        "there is nothing to draw: none of the {files} result files given holds a throughput or a \
         latency; give at least one of a run in which a request succeeded"
    )]
    NothingToDraw {
        /// How many files were given.
        files: usize,
    },
    /// A file of a search for a capacity, in which a count cannot be.
    #[error(
        "probe {number} of the search has a rate or a count that cannot be: a rate is above 0, and no more requests \
         are good than were sent; give a file that `--find-capacity` wrote"
    )]
    Probe {
        /// Counted from 1.
        number: usize,
    },
    /// The page's template refused.
    #[error("the page could not be made: {problem}")]
    Page {
        /// Its words.
        problem: String,
    },
    /// The drawing libraries refused.
    #[error("the figure could not be drawn: {problem}")]
    Figure {
        /// Their words.
        problem: String,
    },
}

impl ReportError {
    pub(crate) fn page(problem: impl Display) -> Self {
        Self::Page {
            problem: problem.to_string(),
        }
    }

    pub(crate) fn figure(problem: impl Display) -> Self {
        Self::Figure {
            problem: problem.to_string(),
        }
    }
}
