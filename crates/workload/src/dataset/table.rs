//! Comma-separated rows under a header.

use super::{column, prompt};
use crate::WorkloadError;
use std::sync::Arc;

pub(super) fn rows(text: &str, asked: Option<&str>) -> Result<Vec<Arc<str>>, WorkloadError> {
    let mut reader = TableReader::new(text)?;
    if reader.names().is_empty() {
        return Err(WorkloadError::EmptyDataSet);
    }
    let names: Vec<&str> = reader.names().iter().map(String::as_str).collect();
    let column = column::choose(asked, &names)?;
    let index = names
        .iter()
        .position(|&name| name == column)
        .ok_or_else(|| column::missing(1, column, &names))?;
    let mut prompts = Vec::new();
    while let Some(row) = reader.next()? {
        let text = row.fields.get(index).unwrap_or_default();
        prompts.push(prompt(row.number, text)?);
    }
    Ok(prompts)
}

/// A record of a table.
pub(crate) struct TableRow<'a> {
    /// From 1, the header not counted.
    pub(crate) number: usize,
    /// The columns, in their order.
    pub(crate) names: &'a [String],
    /// One for every column that has a name.
    pub(crate) fields: &'a csv::StringRecord,
}

/// A table, record by record.
pub(crate) struct TableReader<'a> {
    reader: csv::Reader<&'a [u8]>,
    names: Vec<String>,
    record: csv::StringRecord,
    row: usize,
}

impl<'a> TableReader<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, WorkloadError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::Headers)
            // The length of each record is checked below, where a comma at its end is forgiven.
            .flexible(true)
            .from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| malformed(1, error.to_string()))?;
        let names = header.iter().map(str::to_owned).collect();
        Ok(Self {
            reader,
            names,
            record: csv::StringRecord::new(),
            row: 0,
        })
    }

    /// The columns, in their order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Result<Option<TableRow<'_>>, WorkloadError> {
        self.row += 1;
        let more = self.reader.read_record(&mut self.record);
        if !more.map_err(|error| malformed(self.row, error.to_string()))? {
            return Ok(None);
        }
        let (found, expected) = (self.record.len(), self.names.len());
        let surplus_is_blank = self
            .record
            .iter()
            .skip(expected)
            .all(|field| field.trim().is_empty());
        let lacking_are_nameless = self.names.iter().skip(found).all(String::is_empty);
        if !surplus_is_blank || !lacking_are_nameless {
            return Err(malformed(
                self.row,
                format!(
                    "it has {found} fields where the header has {expected}; put fields that hold commas \
                     or line breaks in double quotes"
                ),
            ));
        }
        Ok(Some(TableRow {
            number: self.row,
            names: &self.names,
            fields: &self.record,
        }))
    }
}

fn malformed(row: usize, reason: String) -> WorkloadError {
    WorkloadError::Malformed {
        format: "CSV",
        place: format!("row {row}: "),
        reason,
    }
}
