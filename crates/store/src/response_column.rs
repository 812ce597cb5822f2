//! The columns that version 2 added: what an answer said beside its events, and what was sent.
//!
//! All are optional, and files of version 1 have none of them.

use crate::StoreError;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::sync::Arc;
use trace::{Nanos, Record, ResponseFacts, TextFacts};

type Number = fn(&Record) -> Option<u64>;
type Text = fn(&Record) -> Option<Cow<'_, str>>;

/// `response_choices` has a value in the rows that have the facts of a response.
const NUMBERS: [(&str, Number); 15] = [
    ("reissued_ns", |row| row.reissued.map(|at| at.0)),
    ("released_ns", |row| row.released.map(|at| at.0)),
    ("total_tokens", |row| row.usage?.total_tokens),
    ("response_choices", |row| Some(facts(row)?.choices.into())),
    ("text_bytes", |row| Some(facts(row)?.text.bytes)),
    ("text_characters", |row| Some(facts(row)?.text.characters)),
    ("text_ascii", |row| Some(facts(row)?.text.ascii)),
    ("text_words", |row| Some(facts(row)?.text.words)),
    ("tool_calls", |row| Some(facts(row)?.tool_calls.into())),
    ("gateway_retries", |row| facts(row)?.retries.map(u64::from)),
    ("gateway_fallbacks", |row| {
        facts(row)?.fallbacks.map(u64::from)
    }),
    ("prompt_bytes", |row| Some(row.prompt_text?.bytes)),
    ("prompt_characters", |row| Some(row.prompt_text?.characters)),
    ("prompt_ascii", |row| Some(row.prompt_text?.ascii)),
    ("prompt_words", |row| Some(row.prompt_text?.words)),
];

/// Lists are JSON.
const TEXTS: [(&str, Text); 4] = [
    ("response_model", |row| {
        facts(row)?.model.as_deref().map(Cow::Borrowed)
    }),
    ("other_finish_reasons", |row| {
        json(&facts(row)?.other_finish_reasons)
    }),
    ("usage_excerpt", |row| {
        facts(row)?.usage_excerpt.as_deref().map(Cow::Borrowed)
    }),
    ("left_out", |row| json(&facts(row)?.left_out)),
];

fn facts(record: &Record) -> Option<&ResponseFacts> {
    record.response.as_deref()
}

fn json<T: Serialize>(list: &[T]) -> Option<Cow<'static, str>> {
    if list.is_empty() {
        return None;
    }
    serde_json::to_string(list).ok().map(Cow::Owned)
}

/// Their names, numbers first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let numbers = NUMBERS.iter().map(|(name, _)| *name);
    numbers.chain(TEXTS.iter().map(|(name, _)| *name))
}

pub(crate) fn fields() -> Vec<Field> {
    let field = |name, kind| Field::new(name, kind, true);
    let numbers = NUMBERS
        .iter()
        .map(|(name, _)| field(*name, DataType::UInt64));
    let texts = TEXTS.iter().map(|(name, _)| field(*name, DataType::Utf8));
    numbers.chain(texts).collect()
}

/// In the order of [`fields`].
pub(crate) fn to_arrays(records: &[Record]) -> Vec<ArrayRef> {
    let numbers = NUMBERS.iter().map(|(_, number)| -> ArrayRef {
        Arc::new(records.iter().map(number).collect::<UInt64Array>())
    });
    let texts = TEXTS.iter().map(|(_, text)| -> ArrayRef {
        Arc::new(records.iter().map(text).collect::<StringArray>())
    });
    numbers.chain(texts).collect()
}

/// The bytes of free text in a batch.
pub(crate) fn text_bytes(batch: &RecordBatch) -> u64 {
    let texts = TEXTS.iter().filter_map(|(name, _)| texts(batch, name));
    texts.map(|column| column.value_data().len() as u64).sum()
}

/// What these columns say of a row, beside its other columns.
pub(crate) struct Added {
    pub(crate) reissued: Option<Nanos>,
    pub(crate) released: Option<Nanos>,
    pub(crate) total_tokens: Option<u64>,
    pub(crate) response: Option<Box<ResponseFacts>>,
    pub(crate) prompt_text: Option<TextFacts>,
}

/// The columns of a batch.
pub(crate) struct AddedColumns<'a>(&'a RecordBatch);

impl<'a> AddedColumns<'a> {
    pub(crate) const fn of(batch: &'a RecordBatch) -> Self {
        Self(batch)
    }

    /// What they say of a row.
    ///
    /// # Errors
    /// A list that is none, of a file that something else wrote.
    pub(crate) fn row(&self, row: usize) -> Result<Added, StoreError> {
        Ok(Added {
            reissued: self.number("reissued_ns", row).map(Nanos),
            released: self.number("released_ns", row).map(Nanos),
            total_tokens: self.number("total_tokens", row),
            response: self.response(row)?.map(Box::new),
            prompt_text: self.text_facts("prompt", row),
        })
    }

    fn response(&self, row: usize) -> Result<Option<ResponseFacts>, StoreError> {
        let small = |name| self.number(name, row).map(small);
        let Some(choices) = small("response_choices") else {
            return Ok(None);
        };
        Ok(Some(ResponseFacts {
            model: self.text("response_model", row).map(str::to_owned),
            choices,
            other_finish_reasons: self.list("other_finish_reasons", row)?,
            text: self.text_facts("text", row).unwrap_or_default(),
            tool_calls: small("tool_calls").unwrap_or(0),
            usage_excerpt: self.text("usage_excerpt", row).map(str::to_owned),
            left_out: self.list("left_out", row)?,
            retries: small("gateway_retries"),
            fallbacks: small("gateway_fallbacks"),
        }))
    }

    fn text_facts(&self, of: &str, row: usize) -> Option<TextFacts> {
        let number = |what: &str| self.number(&format!("{of}_{what}"), row);
        Some(TextFacts {
            bytes: number("bytes")?,
            characters: number("characters")?,
            ascii: number("ascii")?,
            words: number("words")?,
        })
    }

    fn number(&self, name: &str, row: usize) -> Option<u64> {
        let column = self.0.column_by_name(name)?;
        let column = column.as_any().downcast_ref::<UInt64Array>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        let column = texts(self.0, name)?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn list<T: DeserializeOwned>(
        &self,
        name: &'static str,
        row: usize,
    ) -> Result<Vec<T>, StoreError> {
        let Some(text) = self.text(name, row) else {
            return Ok(Vec::new());
        };
        serde_json::from_str(text).map_err(|error| StoreError::Cell {
            name,
            what: format!("holds no list ({error})"),
        })
    }
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

/// What was written from 32 bits; a foreign file's larger number is the largest.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
