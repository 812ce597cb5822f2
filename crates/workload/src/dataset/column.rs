//! Which column holds the prompts.

use crate::WorkloadError;
use crate::printable::{printable, quoted};

/// What data sets call the prompt, in the order in which they are looked for.
const USUAL: [&str; 7] = [
    "prompt",
    "question",
    "Question",
    "problem",
    "text",
    "input",
    "instruction",
];

/// Whether a column is one of them.
pub(crate) fn is_usual(column: &str) -> bool {
    USUAL.contains(&column)
}

/// The column asked for, or the usual one that is there.
pub(crate) fn choose<'a>(
    asked: Option<&'a str>,
    available: &[&str],
) -> Result<&'a str, WorkloadError> {
    if let Some(column) = asked {
        return Ok(column);
    }
    USUAL
        .into_iter()
        .find(|usual| available.contains(usual))
        .ok_or_else(|| WorkloadError::NoUsualColumn {
            usual: quoted(&USUAL),
            available: quoted(available),
        })
}

/// The error for a row that lacks its column.
pub(super) fn missing(row: usize, column: &str, available: &[&str]) -> WorkloadError {
    WorkloadError::MissingColumn {
        row,
        column: printable(column),
        available: quoted(available),
    }
}
