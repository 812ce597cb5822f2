//! Which data set a file is, by the columns of its first row.

use super::DatasetFormat;
use super::record::Fields;
use crate::WorkloadError;
use crate::printable::quoted;
use serde_json::Value;

pub(super) fn detect(first: &Fields) -> Result<DatasetFormat, WorkloadError> {
    by_shape(first)
        .or_else(|| by_columns(first))
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
    let first_turn = turns.as_array()?.first();
    match first_turn {
        Some(Value::Object(_)) => Some(DatasetFormat::ArenaHard),
        _ => Some(DatasetFormat::MtBench),
    }
}

fn by_columns(first: &Fields) -> Option<DatasetFormat> {
    let any = |columns: &[&str]| columns.iter().any(|column| first.contains_key(*column));
    let all = |columns: &[&str]| columns.iter().all(|column| first.contains_key(*column));
    if all(&["instruction", "output"]) {
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
