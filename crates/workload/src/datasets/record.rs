//! Rows as objects, whatever their file, and checked fields of them.

use crate::dataset::{elements, filled_lines, json_line, malformed_csv};
use crate::printable::{printable, quoted, shown_value, type_name};
use crate::{Format, PROMPT_BYTES_MAX, WorkloadError};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) type Fields = Map<String, Value>;

/// The rows with their numbers.
pub(super) fn records(text: &str, format: Format) -> Result<Vec<(usize, Fields)>, WorkloadError> {
    match format {
        Format::Text => Err(WorkloadError::NotRows {
            found: "plain text".to_owned(),
        }),
        Format::Csv => table(text),
        Format::Json => (1..)
            .zip(elements(text)?)
            .map(|(row, value)| object(row, value))
            .collect(),
        Format::JsonLines => filled_lines(text)
            .map(|(row, line)| object(row, json_line(row, line)?))
            .collect(),
    }
}

fn object(row: usize, value: Value) -> Result<(usize, Fields), WorkloadError> {
    match value {
        Value::Object(fields) => Ok((row, fields)),
        other => Err(WorkloadError::WrongField {
            kind: "data set",
            row,
            place: String::new(),
            found: type_name(&other).to_owned(),
            expected: "an object with a field for every column",
        }),
    }
}

/// All fields of a table are texts.
fn table(text: &str) -> Result<Vec<(usize, Fields)>, WorkloadError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| malformed_csv(1, &error))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    (1..)
        .zip(reader.records())
        .map(|(row, record)| {
            let record = record.map_err(|error| malformed_csv(row, &error))?;
            let values = record.iter().map(|field| Value::String(field.to_owned()));
            Ok((row, names.iter().cloned().zip(values).collect()))
        })
        .collect()
}

/// One row, or an object within one.
pub(super) struct Record<'a> {
    kind: &'static str,
    row: usize,
    /// Where its fields are within the row, with a dot behind it.
    path: String,
    fields: &'a Fields,
}

impl<'a> Record<'a> {
    pub(super) fn new(kind: &'static str, row: usize, fields: &'a Fields) -> Self {
        Self {
            kind,
            row,
            path: String::new(),
            fields,
        }
    }

    pub(super) const fn fields(&self) -> &'a Fields {
        self.fields
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.fields.contains_key(column)
    }

    /// The first of the columns that the row has.
    pub(super) fn first_of<'c>(&self, columns: &[&'c str]) -> Option<&'c str> {
        columns.iter().copied().find(|column| self.has(column))
    }

    pub(super) fn missing(&self, column: &str) -> WorkloadError {
        let names: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        WorkloadError::MissingField {
            kind: self.kind,
            row: self.row,
            column: format!("{}{}", self.path, printable(column)),
            available: quoted(&names),
        }
    }

    /// A column that the user named is not there.
    pub(super) fn not_there(&self, column: &str) -> WorkloadError {
        let names: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        WorkloadError::MissingColumn {
            row: self.row,
            column: printable(column),
            available: quoted(&names),
        }
    }

    pub(super) fn wrong(
        &self,
        column: &str,
        found: impl Into<String>,
        expected: &'static str,
    ) -> WorkloadError {
        WorkloadError::WrongField {
            kind: self.kind,
            row: self.row,
            place: format!(" in column `{}{}`", self.path, printable(column)),
            found: found.into(),
            expected,
        }
    }

    fn field(&self, column: &str) -> Result<&'a Value, WorkloadError> {
        self.fields.get(column).ok_or_else(|| self.missing(column))
    }

    /// A text that is not blank.
    pub(super) fn text(&self, column: &str) -> Result<Arc<str>, WorkloadError> {
        let value = self.field(column)?;
        self.optional_of(column, value)?
            .ok_or_else(|| self.wrong(column, "an empty text", "a text"))
    }

    /// A text, or a number as text; `None` where the column is absent, null or blank.
    pub(super) fn optional_text(&self, column: &str) -> Result<Option<Arc<str>>, WorkloadError> {
        match self.fields.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.to_string().into())),
            Some(value) => self.optional_of(column, value),
        }
    }

    /// A value as text; `None` where it is blank.
    pub(super) fn optional_of(
        &self,
        column: &str,
        value: &Value,
    ) -> Result<Option<Arc<str>>, WorkloadError> {
        let Value::String(text) = value else {
            return Err(self.wrong(column, type_name(value), "a text"));
        };
        if text.len() > PROMPT_BYTES_MAX {
            let found = format!("a text of {} bytes", text.len());
            return Err(self.wrong(column, found, "a text of at most 8 MiB"));
        }
        Ok((!text.trim().is_empty()).then(|| text.as_str().into()))
    }

    /// A number of tokens from 1 on, also as text; `None` where the column is absent, null or blank.
    pub(super) fn optional_tokens(&self, column: &str) -> Result<Option<u32>, WorkloadError> {
        let Some(value) = self.fields.get(column) else {
            return Ok(None);
        };
        let tokens = match value {
            Value::Null => return Ok(None),
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().and_then(|tokens| u32::try_from(tokens).ok()),
        };
        let expected = "a whole number of tokens, from 1 on";
        match tokens {
            Some(tokens) if tokens > 0 => Ok(Some(tokens)),
            _ => Err(self.wrong(column, shown_value(value), expected)),
        }
    }

    /// A list that is not empty.
    pub(super) fn list(
        &self,
        column: &str,
        expected: &'static str,
    ) -> Result<&'a [Value], WorkloadError> {
        match self.field(column)? {
            Value::Array(list) if !list.is_empty() => Ok(list),
            Value::Array(_) => Err(self.wrong(column, "an empty array", expected)),
            other => Err(self.wrong(column, type_name(other), expected)),
        }
    }

    /// The objects of a list that is not empty.
    pub(super) fn objects(
        &self,
        column: &str,
        expected: &'static str,
    ) -> Result<Vec<Record<'a>>, WorkloadError> {
        let list = self.list(column, expected)?;
        (0_usize..)
            .zip(list)
            .map(|(number, value)| self.inner(&format!("{column}[{number}]"), value, expected))
            .collect()
    }

    /// The object in a column.
    pub(super) fn object(
        &self,
        column: &str,
        expected: &'static str,
    ) -> Result<Record<'a>, WorkloadError> {
        self.inner(column, self.field(column)?, expected)
    }

    fn inner(
        &self,
        place: &str,
        value: &'a Value,
        expected: &'static str,
    ) -> Result<Record<'a>, WorkloadError> {
        match value {
            Value::Object(fields) => Ok(Record {
                kind: self.kind,
                row: self.row,
                path: format!("{}{place}.", self.path),
                fields,
            }),
            other => Err(self.wrong(place, type_name(other), expected)),
        }
    }

    /// The texts of a list that is not empty; none of them is blank.
    pub(super) fn texts(
        &self,
        column: &str,
        expected: &'static str,
    ) -> Result<Vec<Arc<str>>, WorkloadError> {
        let list = self.list(column, expected)?;
        (0_usize..)
            .zip(list)
            .map(|(number, value)| {
                let place = format!("{column}[{number}]");
                self.optional_of(&place, value)?
                    .ok_or_else(|| self.wrong(&place, "an empty text", "a text"))
            })
            .collect()
    }

    /// Whether a column holds a list.
    pub(super) fn is_list(&self, column: &str) -> bool {
        self.fields.get(column).is_some_and(Value::is_array)
    }
}
