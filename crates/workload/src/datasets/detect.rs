//! Which data set a file is, by the columns of its first row.

use super::DatasetFormat;
use super::dialogue::LISTS;
use super::record::Fields;
use super::record::is_message;
use crate::WorkloadError;
use crate::dataset::is_usual;
use crate::printable::quoted;
use serde_json::Value;

pub(super) fn detect(first: &Fields) -> Result<DatasetFormat, WorkloadError> {
    by_shape(first)
        .or_else(|| by_columns(first))
        .or_else(|| by_messages(first))
        .ok_or_else(|| {
            let names: Vec<&str> = first.keys().map(String::as_str).collect();
            WorkloadError::UnknownDataset {
                available: quoted(&names),
                known: DatasetFormat::known(),
            }
        })
}

/// Columns that no other data set has, or that hold more than a text.
fn by_shape(first: &Fields) -> Option<DatasetFormat> {
    if first.contains_key("conversations") {
        return Some(DatasetFormat::ShareGpt);
    }
    if first.contains_key("body") {
        return Some(DatasetFormat::OpenAiBatch);
    }
    let turns = first.get("turns").or_else(|| first.get("prompt"))?;
    match turns.as_array()?.first() {
        Some(message) if is_message(message) => Some(DatasetFormat::Messages),
        Some(Value::Object(_)) => Some(DatasetFormat::ArenaHard),
        // Token ids.
        Some(Value::Number(_) | Value::Array(_)) => None,
        _ => Some(DatasetFormat::MtBench),
    }
}

/// Lists of messages under other names than `conversations`, where no column is a prompt of its own.
fn by_messages(first: &Fields) -> Option<DatasetFormat> {
    let has_prompt = first
        .iter()
        .any(|(name, value)| is_usual(name) && value.is_string());
    let has_list = |name: &&str| first.get(*name).is_some_and(may_be_messages);
    match LISTS.iter().copied().find(has_list) {
        _ if has_prompt => None,
        Some("messages" | "prompt" | "turns") => Some(DatasetFormat::Messages),
        Some(_) => Some(DatasetFormat::ShareGpt),
        None => None,
    }
}

/// A list of messages, or of such lists; also one without any, which says nothing else.
fn may_be_messages(value: &Value) -> bool {
    value.as_array().is_some_and(|list| {
        list.first()
            .is_none_or(|first| is_message(first) || may_be_messages(first))
    })
}

fn by_columns(first: &Fields) -> Option<DatasetFormat> {
    let any = |columns: &[&str]| columns.iter().any(|column| first.contains_key(*column));
    let all = |columns: &[&str]| columns.iter().all(|column| first.contains_key(*column));
    if all(&["instruction", "output"]) || is_task(first) {
        Some(DatasetFormat::Alpaca)
    } else if all(&["prompt"]) && any(&["canonical_solution", "entry_point"]) {
        Some(DatasetFormat::HumanEval)
    } else if all(&["test_list"]) && any(&["text", "prompt"]) {
        Some(DatasetFormat::Mbpp)
    } else if all(&["prompt"]) && any(&["subcategory", "cluster"]) {
        Some(DatasetFormat::ArenaHard)
    } else if all(&["question", "answer"]) {
        Some(DatasetFormat::Gsm8k)
    } else if all(&["problem"]) && any(&["subject", "level", "unique_id"]) {
        Some(DatasetFormat::Math500)
    } else if all(&["Problem", "Answer"])
        || all(&["Question", "Year"])
        || all(&["problem", "answer"]) && any(&["year", "url", "id"])
    {
        Some(DatasetFormat::Aime)
    } else {
        None
    }
}

/// An instruction and what it is about, without any other column that would be the prompt.
fn is_task(first: &Fields) -> bool {
    let has = |column: &str| first.contains_key(column);
    let mut others = first.keys().filter(|name| is_usual(name));
    has("instruction")
        && (has("input") || has("context"))
        && others.all(|name| name == "instruction" || name == "input")
}
