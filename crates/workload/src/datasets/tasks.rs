//! Rows of one question.

use super::record::Record;
use super::{DatasetColumns, DatasetRow};
use crate::WorkloadError;
use std::sync::Arc;

/// The first of the columns that is there, and the first of the answers.
pub(super) fn question(
    record: &Record<'_>,
    prompts: &[&str],
    answers: &[&str],
) -> Result<DatasetRow, WorkloadError> {
    let prompt = record.first_of(prompts).unwrap_or(prompts[0]);
    let answer = match record.first_of(answers) {
        Some(answer) => record.optional_text(answer)?,
        None => None,
    };
    Ok(DatasetRow::question(record.text(prompt)?, answer))
}

/// The input, where there is one, stands below the instruction; Dolly's rows call it context.
pub(super) fn alpaca(record: &Record<'_>) -> Result<DatasetRow, WorkloadError> {
    let instruction = record.text("instruction")?;
    let input = record.first_of(&["input", "context"]).unwrap_or("input");
    let input = record.optional_text(input)?;
    // As the first versions of such files have it.
    let prompt = match input.filter(|input| !input.trim().eq_ignore_ascii_case("<noinput>")) {
        Some(input) => format!("{instruction}\n\n{input}").into(),
        None => instruction,
    };
    let output = record.first_of(&["output", "response"]).unwrap_or("output");
    let answer = record.optional_text(output)?;
    Ok(DatasetRow::question(prompt, answer))
}

/// Every column that was named has to be there, though its field may be empty but for the prompt.
pub(super) fn columns(
    record: &Record<'_>,
    prompt: &str,
    columns: &DatasetColumns,
) -> Result<DatasetRow, WorkloadError> {
    let optional = [
        &columns.system,
        &columns.reference,
        &columns.max_tokens,
        &columns.image,
    ];
    let named = optional.into_iter().flatten().map(String::as_str);
    for column in named.chain([prompt]) {
        if !record.has(column) {
            return Err(record.not_there(column));
        }
    }
    let text = |column: &Option<String>| match column {
        Some(column) => record.optional_text(column),
        None => Ok(None),
    };
    let row = DatasetRow::question(record.text(prompt)?, text(&columns.reference)?);
    Ok(DatasetRow {
        system: text(&columns.system)?,
        max_tokens: match &columns.max_tokens {
            Some(column) => record.optional_tokens(column)?,
            None => None,
        },
        images: match &columns.image {
            Some(column) => record.images(column)?,
            None => Arc::default(),
        },
        ..row
    })
}
