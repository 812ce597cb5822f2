//! Recorded traffic: who asked for how much, and when.
//!
//! Four public traces are read: Mooncake's (`mooncake`) and Qwen-Bailian's (`bailian`), which are JSON
//! lines, `BurstGPT`'s (`burstgpt`) and Azure's LLM inference traces of 2023 and 2024 (`azure`), which
//! are CSV; each may lie in the other kind of file too. None of them has texts; [`HashedPrompts`] makes
//! texts that share what the requests shared.

mod prompts;
mod records;
mod rows;
mod schema;
mod time;
mod timestamp;
mod transform;

use crate::WorkloadError;
use crate::dataset::decode;
use crate::printable::quoted;
use schema::Schema;
use std::str::FromStr;
use time::Stamp;
use trace::Nanos;

pub use prompts::{BlockCache, HashedPrompts};
pub use time::TimeUnit;

/// Whose trace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// `timestamp` in milliseconds, `input_length`, `output_length` and, where prefixes are known,
    /// `hash_ids`, one id per block of 512 prompt tokens, of which the last may not be full. Equal
    /// leading ids are equal prefixes (Qin and others, "Mooncake", FAST '25). `AIPerf` writes the same,
    /// with more that is optional.
    Mooncake,
    /// The same columns with `timestamp` in seconds and blocks of 16 tokens, beside `chat_id` and
    /// `parent_chat_id` (Wang and others, "`KVCache` Cache in the Wild", ATC '25). The turns of a chat
    /// are requests of their own, each with all that was said before it.
    Bailian,
    /// Columns `Timestamp` in seconds, `Request tokens` and `Response tokens`; others are not needed
    /// (Wang and others, "`BurstGPT`", KDD '25). Failed requests have no response tokens.
    BurstGpt,
    /// Columns `TIMESTAMP`, such as `2023-11-16 18:17:03.9799600` with or without an offset,
    /// `ContextTokens` and `GeneratedTokens` (Patel and others, "Splitwise", ISCA '24).
    Azure,
}

/// A trace, in the order of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// At least one; their due times never fall.
    pub rows: Vec<TraceRow>,
    /// Prompt tokens that one of [`TraceRow::prefix_blocks`] stands for; the last block of a request
    /// may have fewer.
    pub block_tokens: u32,
    /// Rows of the file that are no requests here, because they had no prompt or no answer.
    pub left_out: usize,
}

/// One request of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRow {
    /// Counted from the first row of the file.
    pub due: Nanos,
    /// At least 1.
    pub input_tokens: u32,
    /// At least 1.
    pub output_tokens: u32,
    /// What stands for the blocks of the prompt, from its start on: requests whose first ids are the
    /// same had the same first blocks. Empty where the trace does not tell.
    pub prefix_blocks: Vec<u64>,
}

/// What a trace is read as. What is absent is found in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceReader {
    /// Whose it is.
    pub format: Option<TraceFormat>,
    /// What its times count, where they are numbers.
    pub unit: Option<TimeUnit>,
    /// Prompt tokens that an id of `hash_ids` stands for, at least 1.
    pub block_tokens: Option<u32>,
}

/// The block size of Mooncake's traces, in tokens.
const MOONCAKE_BLOCK_TOKENS: u32 = 512;

/// The block size of Qwen-Bailian's traces, in tokens.
const BAILIAN_BLOCK_TOKENS: u32 = 16;

impl TraceFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mooncake, Self::Bailian, Self::BurstGpt, Self::Azure];

    /// Its name in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake",
            Self::Bailian => "bailian",
            Self::BurstGpt => "burstgpt",
            Self::Azure => "azure",
        }
    }
}

impl FromStr for TraceFormat {
    type Err = WorkloadError;

    fn from_str(name: &str) -> Result<Self, WorkloadError> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| WorkloadError::UnknownName {
            what: "trace format",
            name: crate::printable::printable(name),
            known: quoted(&Self::ALL.map(Self::name)),
        })
    }
}

/// The format of a trace, by the columns of its first row.
pub fn detect_trace(bytes: &[u8]) -> Result<TraceFormat, WorkloadError> {
    let columns = rows::columns(decode(bytes)?)?;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    schema::detect(&columns).ok_or_else(|| WorkloadError::UnknownTrace {
        available: quoted(&columns),
        known: quoted(&TraceFormat::ALL.map(TraceFormat::name)),
    })
}

/// Reads a trace of that format as [`TraceReader::read`] does.
pub fn parse_trace(bytes: &[u8], format: TraceFormat) -> Result<Trace, WorkloadError> {
    let reader = TraceReader {
        format: Some(format),
        ..TraceReader::default()
    };
    reader.read(bytes).map(|(trace, _, _)| trace)
}

impl TraceReader {
    /// Reads a trace, and says whose it is and what its times count, unless they are dates in words.
    /// Rows are counted from 1: lines of
    /// JSON lines, elements of a JSON array, records after the header of a CSV.
    ///
    /// Where the unit of the times is neither given nor known, or where a trace in seconds would look
    /// as this one does, it is refused.
    pub fn read(
        &self,
        bytes: &[u8],
    ) -> Result<(Trace, TraceFormat, Option<TimeUnit>), WorkloadError> {
        let text = decode(bytes)?;
        let format = match self.format {
            Some(format) => format,
            None => detect_trace(bytes)?,
        };
        let schema = Schema::of(format);
        let block_tokens = self.block_tokens.unwrap_or(schema.block_tokens).max(1);
        if self.unit.is_none() && !text.trim().is_empty() {
            schema.refuse_others(&rows::columns(text)?)?;
        }
        let mut found: Vec<Found> = Vec::new();
        rows::for_each(text, |row| {
            found.push(schema.read(row, block_tokens)?);
            Ok(())
        })?;
        let stamps = found.iter().map(|row| row.stamp);
        let unit = match self.unit {
            Some(unit) => unit,
            None => time::unit(schema.unit, stamps)?,
        };
        let are_dates = found.first().is_some_and(|first| first.stamp.is_date());
        let trace = gather(found, &schema, unit, block_tokens)?;
        Ok((trace, format, (!are_dates).then_some(unit)))
    }
}

/// A row of which the time is not settled yet.
struct Found {
    number: usize,
    stamp: Stamp,
    /// With 0 tokens where there are none.
    row: TraceRow,
}

/// Counts times from the first, and leaves out what is no request.
fn gather(
    found: Vec<Found>,
    schema: &Schema,
    unit: TimeUnit,
    block_tokens: u32,
) -> Result<Trace, WorkloadError> {
    let is_date = found.first().is_some_and(|first| first.stamp.is_date());
    let all = found.len();
    let (mut rows, mut first, mut last) = (Vec::with_capacity(all), None, 0);
    for Found { number, stamp, row } in found {
        if stamp.is_date() != is_date {
            let (found, expected) = if is_date {
                ("a number", "a date and time, as in row 1")
            } else {
                ("a date and time", "a number, as in row 1")
            };
            return Err(wrong(number, schema.time, found, expected));
        }
        let time = stamp.nanos(unit).ok_or_else(|| {
            let found = format!(
                "a time that is not before the year 2286 in {}",
                unit.words()
            );
            wrong(number, schema.time, found, schema.time_form)
        })?;
        let first = *first.get_or_insert(time);
        if time < last {
            return Err(WorkloadError::TraceOrder {
                row: number,
                column: schema.time,
                back: Nanos(last - time),
            });
        }
        last = time;
        if row.input_tokens > 0 && row.output_tokens > 0 {
            rows.push(TraceRow {
                due: Nanos(time - first),
                ..row
            });
        }
    }
    if rows.is_empty() {
        return Err(WorkloadError::EmptyTrace);
    }
    Ok(Trace {
        left_out: all - rows.len(),
        rows,
        block_tokens,
    })
}

/// A field that is not what it must be.
fn wrong(
    row: usize,
    column: &str,
    found: impl Into<String>,
    expected: &'static str,
) -> WorkloadError {
    WorkloadError::WrongField {
        kind: "trace",
        row,
        place: format!(" in column `{column}`"),
        found: found.into(),
        expected,
    }
}

fn missing(row: usize, column: &str, available: &[&str]) -> WorkloadError {
    WorkloadError::MissingField {
        kind: "trace",
        row,
        column: column.to_owned(),
        available: quoted(available),
    }
}
