//! Rows of prompts from the bytes of a file.

mod column;
mod json;
mod table;

use crate::WorkloadError;
use crate::printable::printable;
use std::sync::Arc;

pub(crate) use column::{choose, is_usual};
pub(crate) use json::{elements, json_format, json_line};
pub(crate) use table::TableReader;

/// The longest prompt that is taken from a data set: 8 MiB, some two million tokens.
pub const PROMPT_BYTES_MAX: usize = 8 << 20;

/// How a data set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One prompt per line; blank lines are passed over.
    Text,
    /// Comma-separated, with a header.
    Csv,
    /// An array of texts or objects, or an object with such an array under `data` or `rows`.
    Json,
    /// One text or object per line; blank lines are passed over.
    JsonLines,
}

impl Format {
    /// The format of a file-name extension, in any case, with or without its dot.
    pub fn from_extension(extension: &str) -> Result<Self, WorkloadError> {
        let name = extension.strip_prefix('.').unwrap_or(extension);
        match name.to_ascii_lowercase().as_str() {
            "txt" => Ok(Self::Text),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            _ => Err(WorkloadError::UnknownFormat {
                extension: printable(extension),
            }),
        }
    }
}

/// The prompts of a data set, in the order of the file; never empty.
///
/// Without a `column`, the first of `prompt`, `question`, `Question`, `problem`, `text`, `input`
/// and `instruction` that the first row has is taken. Rows are counted from 1: lines of text and
/// of JSON lines, records after the header of a CSV, elements of a JSON array.
pub fn parse_rows(
    bytes: &[u8],
    format: Format,
    column: Option<&str>,
) -> Result<Vec<Arc<str>>, WorkloadError> {
    let text = decode(bytes)?;
    let rows = match json_format(text, format) {
        Format::Text => lines(text, column),
        Format::Csv => table::rows(text, column),
        Format::Json => json::array_rows(text, column),
        Format::JsonLines => json::line_rows(text, column),
    }?;
    if rows.is_empty() {
        return Err(WorkloadError::EmptyDataSet);
    }
    Ok(rows)
}

/// How packed files begin, and what unpacks them.
const PACKED: [(&[u8], &str); 4] = [
    (&[0x1f, 0x8b], "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "unzstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "unxz"),
    (b"PK\x03\x04", "unzip"),
];

/// The bytes as text, without the byte-order mark that some editors put first.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, WorkloadError> {
    if let Some((_, packer)) = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(WorkloadError::Packed { packer });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let lines_begun = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n');
        WorkloadError::NotUtf8 {
            line: lines_begun.count(),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn lines(text: &str, column: Option<&str>) -> Result<Vec<Arc<str>>, WorkloadError> {
    filled_lines(text)
        .map(|(row, line)| match column {
            Some(column) => Err(WorkloadError::NoColumns {
                row,
                column: printable(column),
            }),
            None => prompt(row, line),
        })
        .collect()
}

/// The lines that are not blank, with their number from 1.
pub(crate) fn filled_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
}

/// One field as a prompt, if a server could take it.
fn prompt(row: usize, text: &str) -> Result<Arc<str>, WorkloadError> {
    if text.len() > PROMPT_BYTES_MAX {
        return Err(WorkloadError::PromptTooLong {
            row,
            bytes: text.len(),
            limit: PROMPT_BYTES_MAX,
        });
    }
    if text.trim().is_empty() {
        return Err(WorkloadError::EmptyPrompt { row });
    }
    Ok(text.into())
}
