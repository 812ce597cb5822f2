//! Rows as objects, whatever their file, and checked fields of them.

use crate::dataset::{TableReader, elements, filled_lines, json_format, json_line};
use crate::printable::{printable, quoted, shown_value, type_name};
use crate::{Format, PROMPT_BYTES_MAX, WorkloadError};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) type Fields = Map<String, Value>;

/// What files call who says a message.
pub(super) const ROLES: [&str; 2] = ["from", "role"];

/// Whether that is something that somebody says.
pub(crate) fn is_message(value: &Value) -> bool {
    ROLES.into_iter().any(|role| value.get(role).is_some())
}

/// The rows with their numbers.
pub(super) fn records(text: &str, format: Format) -> Result<Vec<(usize, Fields)>, WorkloadError> {
    match json_format(text, format) {
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
        // A conversation without anything around it.
        Value::Array(list) if list.first().is_some_and(is_message) => {
            let messages = ("messages".to_owned(), Value::Array(list));
            Ok((row, Fields::from_iter([messages])))
        }
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
    let mut reader = TableReader::new(text)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        let fields = row.fields.iter();
        let values = fields.map(|field| Value::String(field.to_owned()));
        rows.push((row.number, row.names.iter().cloned().zip(values).collect()));
    }
    Ok(rows)
}

/// What files call the tokens that an answer may have, or had.
const LIMITS: [&str; 8] = [
    "output_tokens",
    "output_tokens_count",
    "output_length",
    "output_len",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_new_tokens",
];

/// Whether a list is a prompt as a tokenizer leaves it, or several.
pub(super) fn are_token_ids(list: &[Value]) -> bool {
    match list.first() {
        Some(Value::Array(inner)) => are_token_ids(inner),
        Some(_) => list.iter().all(Value::is_u64),
        None => false,
    }
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

    /// The first of the columns that is neither absent nor null.
    pub(super) fn first_filled<'c>(&self, columns: &[&'c str]) -> Option<&'c str> {
        let is_filled = |column: &&str| self.fields.get(*column).is_some_and(|it| !it.is_null());
        columns.iter().copied().find(is_filled)
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
        let text = match value {
            Value::String(text) => text,
            Value::Array(list) if are_token_ids(list) => return Err(self.token_ids(column)),
            other => return Err(self.wrong(column, type_name(other), "a text")),
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

    /// The limit on the answer, where a column that usually has one holds a number from 1 on: it may also
    /// say by -1 or by nothing that a row has none.
    pub(super) fn usual_limit(&self) -> Option<u32> {
        let column = self.first_filled(&LIMITS)?;
        let number = match self.fields.get(column)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let whole = number.filter(|number| number.fract() == 0.0)?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the number is whole and in range where it is cast"
        )]
        (1.0..=f64::from(u32::MAX))
            .contains(&whole)
            .then_some(whole as u32)
    }

    /// The row has tokens where a text should be.
    pub(super) fn token_ids(&self, column: &str) -> WorkloadError {
        WorkloadError::TokenIds {
            row: self.row,
            column: format!("{}{}", self.path, printable(column)),
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

    pub(super) fn inner(
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

    /// Whether a column holds a text.
    pub(super) fn is_text(&self, column: &str) -> bool {
        self.fields.get(column).is_some_and(Value::is_string)
    }

    /// Whether a column holds a list.
    pub(super) fn is_list(&self, column: &str) -> bool {
        self.fields.get(column).is_some_and(Value::is_array)
    }
}
