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
        if let Some(line) = open_quote(text) {
            return Err(WorkloadError::Malformed {
                format: "CSV",
                place: format!("line {line}: "),
                reason: "a double quote is opened there and never closed".to_owned(),
            });
        }
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

/// The line, from 1, of a quote that begins a field and is not closed: the reader would take the rest of the file for that
/// field.
fn open_quote(text: &str) -> Option<usize> {
    let (mut line, mut opened, mut begins) = (1, None, true);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        line += usize::from(byte == b'\n');
        match byte {
            b'"' if opened.is_some() && bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            b'"' if opened.is_some() => opened = None,
            b'"' if begins => opened = Some(line),
            _ => {}
        }
        begins = opened.is_none() && matches!(byte, b',' | b'\n' | b'\r');
    }
    opened
}

fn malformed(row: usize, reason: String) -> WorkloadError {
    WorkloadError::Malformed {
        format: "CSV",
        place: format!("row {row}: "),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::open_quote;
    use proptest::prelude::*;

    #[test]
    fn bad_input_54_a_quote_that_is_never_closed_is_found_with_its_line() {
        for (text, line) in [
            ("a\nb\n", None),
            ("a\n\"b, c\"\n", None),
            ("a\n\"b \"\"c\"\" d\"\n", None),
            ("a\n5\" pipe, 6\"\n", None),
            ("a\n\"\"\n", None),
            ("a\n\"b\nc", Some(2)),
            ("a\nb,\"c\"\"\nd", Some(2)),
            ("\"", Some(1)),
        ] {
            assert_eq!(open_quote(text), line, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_writer_wrote_has_none(fields in prop::collection::vec(".*", 1..6)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(open_quote(&text), None);
        }
    }
}
