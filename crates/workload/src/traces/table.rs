//! Traces that are comma-separated tables.

use super::{Gathered, TraceRow, missing, timestamp, wrong};
use crate::WorkloadError;
use crate::dataset::malformed_csv;
use crate::printable::printable;
use trace::Nanos;

/// Where a table has what is needed.
pub(super) struct Columns {
    time: &'static str,
    input: &'static str,
    output: &'static str,
    read_time: fn(&str) -> Option<u64>,
    time_form: &'static str,
}

impl Columns {
    /// Those that a file must have.
    pub(super) const fn names(&self) -> [&'static str; 3] {
        [self.time, self.input, self.output]
    }
}

pub(super) const BURST_GPT: Columns = Columns {
    time: "Timestamp",
    input: "Request tokens",
    output: "Response tokens",
    read_time: seconds,
    time_form: "a time in seconds, from 0 on",
};

pub(super) const AZURE: Columns = Columns {
    time: "TIMESTAMP",
    input: "ContextTokens",
    output: "GeneratedTokens",
    read_time: timestamp::nanos,
    time_form: "a date and time such as 2023-11-16 18:17:03.9799600",
};

pub(super) fn read(
    text: &str,
    columns: &Columns,
    gathered: &mut Gathered,
) -> Result<(), WorkloadError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| malformed_csv(1, &error))?;
    let names: Vec<&str> = header.iter().collect();
    if names.is_empty() {
        return Err(WorkloadError::EmptyTrace);
    }
    let place = |column| {
        let place = names.iter().position(|name| *name == column);
        place.ok_or_else(|| missing(1, column, &names))
    };
    let places = [
        place(columns.time)?,
        place(columns.input)?,
        place(columns.output)?,
    ];
    let mut record = csv::StringRecord::new();
    for number in 1.. {
        let more = reader.read_record(&mut record);
        if !more.map_err(|error| malformed_csv(number, &error))? {
            break;
        }
        let [time, input, output] = places.map(|place| &record[place]);
        let row = TraceRow {
            due: Nanos::ZERO,
            input_tokens: tokens(number, columns.input, input)?,
            output_tokens: tokens(number, columns.output, output)?,
            prefix_blocks: Vec::new(),
        };
        let time = (columns.read_time)(time)
            .ok_or_else(|| wrong(number, columns.time, quoted(time), columns.time_form))?;
        gathered.push(number, columns.time, time, row)?;
    }
    Ok(())
}

fn tokens(row: usize, column: &str, field: &str) -> Result<u32, WorkloadError> {
    let expected = "a whole number of tokens, from 0 on";
    field
        .parse()
        .map_err(|_| wrong(row, column, quoted(field), expected))
}

fn quoted(field: &str) -> String {
    format!("`{}`", printable(field))
}

fn seconds(field: &str) -> Option<u64> {
    let seconds: f64 = field.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Nanos::from_seconds(seconds).0)
}
