//! Recorded traffic: who asked for how much, and when.
//!
//! Three public traces are read: Mooncake's (`mooncake`, JSON lines), `BurstGPT`'s (`burstgpt`, CSV)
//! and Azure's LLM inference traces of 2023 and 2024 (`azure`, CSV). None of them has texts;
//! [`HashedPrompts`] makes texts that share what the requests shared.

mod mooncake;
mod prompts;
mod records;
mod table;
mod timestamp;
mod transform;

use crate::WorkloadError;
use crate::dataset::decode;
use crate::printable::quoted;
use std::str::FromStr;
use trace::Nanos;

pub use prompts::{BlockCache, HashedPrompts};

/// Whose trace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceFormat {
    /// One object per line: `timestamp` in milliseconds, `input_length`, `output_length` and
    /// `hash_ids`, one id per block of 512 prompt tokens, of which the last may not be full. Equal
    /// leading ids are equal prefixes (Qin and others, "Mooncake", FAST '25).
    Mooncake,
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

/// The block size of Mooncake's traces, in tokens.
const MOONCAKE_BLOCK_TOKENS: u32 = 512;

impl TraceFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mooncake, Self::BurstGpt, Self::Azure];

    /// Its name in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake",
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

/// The format of a trace, by its first bytes: JSON lines are Mooncake's, and tables have their
/// columns.
pub fn detect_trace(bytes: &[u8]) -> Result<TraceFormat, WorkloadError> {
    let text = decode(bytes)?;
    let head = text.trim_start().lines().next().unwrap_or_default();
    if head.starts_with('{') {
        return Ok(TraceFormat::Mooncake);
    }
    let columns: Vec<&str> = head.split(',').map(str::trim).collect();
    let has = |names: &table::Columns| names.names().iter().all(|name| columns.contains(name));
    match () {
        () if head.is_empty() => Err(WorkloadError::EmptyTrace),
        () if has(&table::BURST_GPT) => Ok(TraceFormat::BurstGpt),
        () if has(&table::AZURE) => Ok(TraceFormat::Azure),
        () => Err(WorkloadError::UnknownTrace {
            available: quoted(&columns),
            known: quoted(&TraceFormat::ALL.map(TraceFormat::name)),
        }),
    }
}

/// Reads a trace. Rows are counted from 1: lines of JSON lines, records after the header of a CSV.
pub fn parse_trace(bytes: &[u8], format: TraceFormat) -> Result<Trace, WorkloadError> {
    let text = decode(bytes)?;
    let mut gathered = Gathered::default();
    match format {
        TraceFormat::Mooncake => mooncake::read(text, &mut gathered)?,
        TraceFormat::BurstGpt => table::read(text, &table::BURST_GPT, &mut gathered)?,
        TraceFormat::Azure => table::read(text, &table::AZURE, &mut gathered)?,
    }
    if gathered.rows.is_empty() {
        return Err(WorkloadError::EmptyTrace);
    }
    Ok(Trace {
        rows: gathered.rows,
        block_tokens: MOONCAKE_BLOCK_TOKENS,
        left_out: gathered.left_out,
    })
}

/// Gathers rows, whatever their file.
#[derive(Default)]
struct Gathered {
    rows: Vec<TraceRow>,
    left_out: usize,
    first: Option<u64>,
    last: u64,
}

impl Gathered {
    /// A row at a time of the trace's own clock, in nanoseconds.
    fn push(
        &mut self,
        number: usize,
        column: &'static str,
        time: u64,
        row: TraceRow,
    ) -> Result<(), WorkloadError> {
        let first = *self.first.get_or_insert(time);
        if time < self.last {
            return Err(WorkloadError::TraceOrder {
                row: number,
                column,
                back: Nanos(self.last - time),
            });
        }
        self.last = time;
        if row.input_tokens == 0 || row.output_tokens == 0 {
            self.left_out += 1;
            return Ok(());
        }
        self.rows.push(TraceRow {
            due: Nanos(time - first),
            ..row
        });
        Ok(())
    }
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
