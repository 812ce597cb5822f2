//! Which column holds the prompts.

use crate::WorkloadError;

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

/// Names shown in an error: enough to choose from, short enough to read.
const SHOWN_MAX: usize = 20;
const SHOWN_CHARS_MAX: usize = 60;

/// The column asked for, or the usual one that is there.
pub(super) fn choose<'a>(
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

/// A name from a file, fit for a terminal: no control characters, and not endless.
pub(super) fn printable(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(SHOWN_CHARS_MAX)
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect();
    if name.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Names in backticks, with commas between them.
pub(super) fn quoted(names: &[&str]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| format!("`{}`", printable(name)))
        .collect();
    let list = shown.join(", ");
    if names.len() > SHOWN_MAX {
        format!("{list} and {} more", names.len() - SHOWN_MAX)
    } else {
        list
    }
}
