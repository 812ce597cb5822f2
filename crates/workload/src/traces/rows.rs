//! The rows of a trace, whatever its file: JSON lines, a JSON document, or comma-separated values.

use super::{missing, wrong};
use crate::dataset::{TableReader, elements, filled_lines, json_format, json_line};
use crate::printable::{printable, shown_value, type_name};
use crate::{Format, WorkloadError};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What holds the rows.
enum Container {
    /// One object per line.
    Lines,
    /// An array of objects, or an object around one.
    Document(Vec<Value>),
    Table,
}

/// One row, with its number from 1.
pub(super) struct Row<'a> {
    pub(super) number: usize,
    fields: Fields<'a>,
}

enum Fields<'a> {
    Json(&'a Map<String, Value>),
    Table {
        names: &'a [String],
        record: &'a csv::StringRecord,
    },
}

/// A field that is there and says something.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    Json(&'a Value),
    Text(&'a str),
}

/// Calls `each` with row after row, until one is refused.
pub(super) fn for_each(
    text: &str,
    mut each: impl FnMut(&Row<'_>) -> Result<(), WorkloadError>,
) -> Result<(), WorkloadError> {
    match container(text) {
        Container::Lines => {
            for (number, line) in filled_lines(text) {
                object(number, &json_line(number, line)?, &mut each)?;
            }
        }
        Container::Document(rows) => {
            for (number, value) in (1..).zip(&rows) {
                object(number, value, &mut each)?;
            }
        }
        Container::Table => {
            let mut reader = TableReader::new(text)?;
            while let Some(row) = reader.next()? {
                each(&Row {
                    number: row.number,
                    fields: Fields::Table {
                        names: row.names,
                        record: row.fields,
                    },
                })?;
            }
        }
    }
    Ok(())
}

/// The columns of the first row; of a table, those of its header.
pub(super) fn columns(text: &str) -> Result<Vec<String>, WorkloadError> {
    if text.trim().is_empty() {
        return Err(WorkloadError::EmptyTrace);
    }
    let keys = |number, value: &Value| match value {
        Value::Object(object) => Ok(object.keys().cloned().collect()),
        other => Err(no_object(number, other)),
    };
    match container(text) {
        Container::Lines => match filled_lines(text).next() {
            Some((number, line)) => keys(number, &json_line(number, line)?),
            None => Err(WorkloadError::EmptyTrace),
        },
        Container::Document(rows) => match rows.first() {
            Some(first) => keys(1, first),
            None => Err(WorkloadError::EmptyTrace),
        },
        Container::Table => Ok(TableReader::new(text)?.names().to_vec()),
    }
}

fn container(text: &str) -> Container {
    let text = text.trim_start();
    if !text.starts_with(['{', '[']) {
        return Container::Table;
    }
    match json_format(text, Format::JsonLines) {
        // Where it is no list of rows, the first line says what is wrong with it.
        Format::JsonLines if filled_lines(text).nth(1).is_some() => Container::Lines,
        _ => elements(text).map_or(Container::Lines, Container::Document),
    }
}

fn object(
    number: usize,
    value: &Value,
    each: &mut impl FnMut(&Row<'_>) -> Result<(), WorkloadError>,
) -> Result<(), WorkloadError> {
    match value {
        Value::Object(object) => each(&Row {
            number,
            fields: Fields::Json(object),
        }),
        other => Err(no_object(number, other)),
    }
}

fn no_object(row: usize, found: &Value) -> WorkloadError {
    WorkloadError::WrongField {
        kind: "trace",
        row,
        place: String::new(),
        found: type_name(found).to_owned(),
        expected: "an object with a field for every column",
    }
}

/// Whether two columns are the same but for how words are spelled and joined: `Request tokens` is
/// `request_tokens`.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let letters = |name: &str| {
        name.chars()
            .filter(|char| !matches!(char, ' ' | '_' | '-'))
            .map(|char| char.to_ascii_lowercase())
            .collect::<String>()
    };
    one == other || letters(one) == letters(other)
}

impl<'a> Row<'a> {
    fn names(&self) -> Vec<&'a str> {
        match self.fields {
            Fields::Json(object) => object.keys().map(String::as_str).collect(),
            Fields::Table { names, .. } => names.iter().map(String::as_str).collect(),
        }
    }

    /// Whether there is such a column, whatever it holds.
    pub(super) fn has(&self, column: &str) -> bool {
        self.names().iter().any(|name| is_same(name, column))
    }

    /// What a column holds: nothing where it is absent, null, blank or what is written for no number.
    pub(super) fn cell(&self, column: &str) -> Option<Cell<'a>> {
        let cell = match self.fields {
            Fields::Json(object) => {
                let exact = object.get(column);
                let alike = || object.iter().find(|(name, _)| is_same(name, column));
                Cell::Json(exact.or_else(|| alike().map(|(_, value)| value))?)
            }
            Fields::Table { names, record } => {
                let exact = names.iter().position(|name| name == column);
                let alike = || names.iter().position(|name| is_same(name, column));
                Cell::Text(record.get(exact.or_else(alike)?)?)
            }
        };
        match cell {
            Cell::Json(Value::Null) => None,
            other => match other.text() {
                Some(text) if is_nothing(text) => None,
                _ => Some(other),
            },
        }
    }

    pub(super) fn missing(&self, column: &str) -> WorkloadError {
        missing(self.number, column, &self.names())
    }

    pub(super) fn wrong(
        &self,
        column: &str,
        cell: Cell<'_>,
        expected: &'static str,
    ) -> WorkloadError {
        wrong(self.number, column, cell.shown(), expected)
    }
}

/// As pandas and spreadsheets write a missing number.
fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || ["nan", "null", "none", "na", "<na>"]
            .iter()
            .any(|none| text.eq_ignore_ascii_case(none))
}

impl<'a> Cell<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Cell::Json(Value::String(text)) => Some(text),
            Cell::Text(text) => Some(text),
            Cell::Json(_) => None,
        }
    }

    /// A finite number, also where it is written as a text.
    pub(super) fn number(self) -> Option<f64> {
        let number: Option<f64> = match self {
            Cell::Json(Value::Number(number)) => number.as_f64(),
            other => other.text().and_then(|text| text.trim().parse().ok()),
        };
        number.filter(|number| number.is_finite())
    }

    /// Whether it is written as a whole number, without a point or an exponent.
    pub(super) fn is_whole(self) -> bool {
        match self {
            Cell::Json(Value::Number(number)) => !number.is_f64(),
            other => other
                .text()
                .is_some_and(|text| text.trim().parse::<i64>().is_ok()),
        }
    }

    /// A list, also where it is written as a text.
    pub(super) fn list(self) -> Option<Cow<'a, [Value]>> {
        match self {
            Cell::Json(Value::Array(list)) => Some(Cow::Borrowed(list)),
            other => serde_json::from_str(other.text()?).ok().map(Cow::Owned),
        }
    }

    fn shown(self) -> String {
        match self {
            Cell::Json(value) => shown_value(value),
            Cell::Text(text) => format!("`{}`", printable(text)),
        }
    }
}
