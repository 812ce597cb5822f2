//! Rows of JSON: texts, or objects with a column of texts.

use super::{column, filled_lines, prompt};
use crate::WorkloadError;
use crate::printable::{printable, quoted, type_name};
use serde_json::Value;
use std::sync::Arc;

/// Where a wrapped data set keeps its rows.
const WRAPPERS: [&str; 2] = ["data", "rows"];

pub(super) fn array_rows(text: &str, asked: Option<&str>) -> Result<Vec<Arc<str>>, WorkloadError> {
    let elements = elements(text)?;
    let mut reader = RowReader::new(asked);
    (1..)
        .zip(&elements)
        .map(|(row, element)| reader.read(row, element))
        .collect()
}

/// The rows of a JSON file.
pub(crate) fn elements(text: &str) -> Result<Vec<Value>, WorkloadError> {
    if text.trim().is_empty() {
        return Err(WorkloadError::EmptyDataSet);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| WorkloadError::Malformed {
        format: "JSON",
        place: String::new(),
        reason: error.to_string(),
    })?;
    match value {
        Value::Array(elements) => Ok(elements),
        Value::Object(object) => wrapped(object),
        other => Err(WorkloadError::NotRows {
            found: type_name(&other).to_owned(),
        }),
    }
}

/// One line of JSON lines.
pub(crate) fn json_line(row: usize, line: &str) -> Result<Value, WorkloadError> {
    serde_json::from_str(line).map_err(|error| WorkloadError::Malformed {
        format: "JSON lines",
        place: format!("row {row}: "),
        // The parser sees one line at a time, so that its own line number is always 1.
        reason: error.to_string().replace(" at line 1 column", " at column"),
    })
}

pub(super) fn line_rows(text: &str, asked: Option<&str>) -> Result<Vec<Arc<str>>, WorkloadError> {
    let mut reader = RowReader::new(asked);
    filled_lines(text)
        .map(|(row, line)| {
            let value = json_line(row, line)?;
            reader.read(row, &value)
        })
        .collect()
}

fn wrapped(mut object: serde_json::Map<String, Value>) -> Result<Vec<Value>, WorkloadError> {
    for key in WRAPPERS {
        if let Some(Value::Array(elements)) = object.get_mut(key) {
            return Ok(std::mem::take(elements));
        }
    }
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    Err(WorkloadError::NotRows {
        found: format!("an object with {}", quoted(&keys)),
    })
}

/// Reads row after row; the column is settled at the first object.
struct RowReader<'a> {
    asked: Option<&'a str>,
    column: Option<&'a str>,
}

impl<'a> RowReader<'a> {
    fn new(asked: Option<&'a str>) -> Self {
        Self {
            asked,
            column: asked,
        }
    }

    fn read(&mut self, row: usize, value: &Value) -> Result<Arc<str>, WorkloadError> {
        match (value, self.asked) {
            (Value::String(_), Some(asked)) => Err(WorkloadError::NoColumns {
                row,
                column: printable(asked),
            }),
            (Value::String(text), None) => prompt(row, text),
            (Value::Object(object), _) => self.read_object(row, object),
            (other, _) => Err(WorkloadError::NotText {
                row,
                place: String::new(),
                found: type_name(other),
            }),
        }
    }

    fn read_object(
        &mut self,
        row: usize,
        object: &serde_json::Map<String, Value>,
    ) -> Result<Arc<str>, WorkloadError> {
        let names = || object.keys().map(String::as_str).collect::<Vec<_>>();
        let column = match self.column {
            Some(column) => column,
            None => *self.column.insert(column::choose(None, &names())?),
        };
        match object.get(column) {
            Some(Value::String(text)) => prompt(row, text),
            Some(other) => Err(WorkloadError::NotText {
                row,
                place: format!(" in column `{}`", printable(column)),
                found: type_name(other),
            }),
            None => Err(column::missing(row, column, &names())),
        }
    }
}
