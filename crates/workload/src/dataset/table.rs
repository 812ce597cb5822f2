//! Comma-separated rows under a header.

use super::{column, prompt};
use crate::WorkloadError;
use std::sync::Arc;

pub(super) fn rows(text: &str, asked: Option<&str>) -> Result<Vec<Arc<str>>, WorkloadError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| malformed_csv(1, &error))?;
    if header.is_empty() {
        return Err(WorkloadError::EmptyDataSet);
    }
    let names: Vec<&str> = header.iter().collect();
    let column = column::choose(asked, &names)?;
    let index = names
        .iter()
        .position(|&name| name == column)
        .ok_or_else(|| column::missing(1, column, &names))?;
    (1..)
        .zip(reader.records())
        .map(|(row, record)| {
            let record = record.map_err(|error| malformed_csv(row, &error))?;
            prompt(row, &record[index])
        })
        .collect()
}

pub(crate) fn malformed_csv(row: usize, error: &csv::Error) -> WorkloadError {
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "it has {len} fields where the header has {expected_len}; put fields that hold commas \
             or line breaks in double quotes"
        ),
        _ => error.to_string(),
    };
    WorkloadError::Malformed {
        format: "CSV",
        place: format!("row {row}: "),
        reason,
    }
}
