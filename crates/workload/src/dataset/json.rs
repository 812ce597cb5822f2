//! Rows of JSON: texts, or objects with a column of texts.

use super::{Format, column, filled_lines, prompt};
use crate::WorkloadError;
use crate::datasets::{MESSAGE_LISTS, is_message};
use crate::printable::{printable, quoted, type_name};
use serde_json::{Map, Value};
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

/// Whether JSON is one document or one value per line, whatever its name says: many files are called
/// `.json` and hold lines, and some the other way round. Other formats stay what they are.
pub(crate) fn json_format(text: &str, named: Format) -> Format {
    if !matches!(named, Format::Json | Format::JsonLines) {
        return named;
    }
    let mut lines = filled_lines(text).map(|(_, line)| line);
    let (Some(first), second) = (lines.next(), lines.next()) else {
        return named;
    };
    if second.is_none() && named == Format::Json {
        return named;
    }
    match (serde_json::from_str::<Value>(first), second) {
        // Where a value ends with its line, what comes next is another one.
        (Ok(_), Some(_)) => Format::JsonLines,
        (Ok(Value::Array(list)), None) if !list.first().is_some_and(is_message) => Format::Json,
        // Where it is no document either, its lines say what is wrong.
        (Err(_), _) if named == Format::JsonLines && is_json(text) => Format::Json,
        (Ok(_), None) | (Err(_), _) => named,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
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

fn wrapped(mut object: Map<String, Value>) -> Result<Vec<Value>, WorkloadError> {
    let key = rows_key(&object).map(str::to_owned);
    if let Some(Value::Array(elements)) = key.and_then(|key| object.get_mut(&key)) {
        return Ok(std::mem::take(elements));
    }
    // A conversation alone.
    if object.values().any(is_list_of(is_message)) {
        return Ok(vec![Value::Object(object)]);
    }
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    Err(WorkloadError::NotRows {
        found: format!("an object with {}", quoted(&keys)),
    })
}

/// Where an object around rows has them: under a usual key, or else in the only list of objects.
fn rows_key(object: &Map<String, Value>) -> Option<&str> {
    let usual = WRAPPERS
        .into_iter()
        .find(|key| object.get(*key).is_some_and(Value::is_array));
    if usual.is_some() {
        return usual;
    }
    let is_rows = |key: &str, value: &Value| {
        is_list_of(Value::is_object)(value)
            && !is_list_of(is_message)(value)
            && !MESSAGE_LISTS.contains(&key)
    };
    let mut lists = object.iter().filter(|(key, value)| is_rows(key, value));
    let (key, _) = lists.next()?;
    // A row that has such a list among its texts and numbers is a row.
    let is_alone = lists.next().is_none() && !object.keys().any(|key| column::is_usual(key));
    is_alone.then_some(key.as_str())
}

fn is_list_of(what: impl Fn(&Value) -> bool) -> impl Fn(&Value) -> bool {
    move |value| matches!(value, Value::Array(list) if list.first().is_some_and(&what))
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
