//! Records as lines of JSON.

use crate::limits::{self, Limits};
use crate::{SavedFile, StoreError};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use trace::{Record, RunFacts, RunHeader, SCHEMA_VERSION, SavedRun};

/// One line of the file, read.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header(RunHeader),
    Record(Record),
    Facts(RunFacts),
}

/// The same, written without a copy.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LineRef<'a> {
    Header(&'a RunHeader),
    Record(&'a Record),
    Facts(&'a RunFacts),
}

/// As much of the header as every version has.
#[derive(Deserialize)]
struct VersionLine {
    header: Version,
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

/// Events of a record whose line is made whole before it is written.
const LINE_EVENTS_MAX: usize = 1 << 16;

/// Writes one JSON object per line: the header first, then records and facts as they come.
///
/// Each line of usual length reaches the writer in one call, so that a kill cuts at most the last one.
#[derive(Debug)]
pub struct JsonlWriter<W: Write> {
    writer: W,
}

impl<W: Write> JsonlWriter<W> {
    /// Writes the header's line.
    pub fn new(writer: W, header: &RunHeader) -> Result<Self, StoreError> {
        let mut this = Self { writer };
        this.line("header", &LineRef::Header(header))?;
        Ok(this)
    }

    /// Writes a record's line. One of very many events is written as it is made: its text would be larger than it.
    pub fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        let line = LineRef::Record(record);
        if record.events.len() <= LINE_EVENTS_MAX {
            return self.line("record", &line);
        }
        serde_json::to_writer(&mut self.writer, &line).map_err(|source| StoreError::Encode {
            what: "record",
            source,
        })?;
        Ok(self.writer.write_all(b"\n")?)
    }

    /// Writes the line of what is known after a run.
    pub fn facts(&mut self, facts: &RunFacts) -> Result<(), StoreError> {
        self.line("run's facts", &LineRef::Facts(facts))
    }

    /// Flushes the writer.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        Ok(self.writer.flush()?)
    }

    /// Flushes the writer and hands it back.
    pub fn finish(mut self) -> Result<W, StoreError> {
        self.writer.flush()?;
        Ok(self.writer)
    }

    fn line(&mut self, what: &'static str, line: &LineRef<'_>) -> Result<(), StoreError> {
        let mut text =
            serde_json::to_vec(line).map_err(|source| StoreError::Encode { what, source })?;
        text.push(b'\n');
        Ok(self.writer.write_all(&text)?)
    }
}

/// Reads what [`JsonlWriter`] wrote. A last line without its end that cannot be read was cut off by a kill:
/// it is dropped and reported; any other line that cannot be read is an error, and so are records that take more than
/// `memory` bytes of memory.
pub fn read_jsonl(mut reader: impl BufRead, memory: u64) -> Result<SavedFile, StoreError> {
    let mut header = None;
    let (mut records, mut facts) = (Vec::new(), Vec::new());
    let mut truncated = false;
    let mut text = Vec::new();
    let mut taken = 0_u64;
    for line in 1_u64.. {
        text.clear();
        if reader.read_until(b'\n', &mut text)? == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        check_line(&text, memory.saturating_sub(taken))?;
        if header.is_none() {
            refuse_newer(&text)?;
        }
        match serde_json::from_slice(&text) {
            Ok(Line::Header(found)) if header.is_none() => header = Some(found),
            Ok(Line::Header(_)) => {
                let what = "is a second header; keep the records of two invocations apart";
                return Err(StoreError::LineOrder { line, what });
            }
            Ok(_) if header.is_none() => {
                let what = "comes before the header, which is the first line";
                return Err(StoreError::LineOrder { line, what });
            }
            Ok(Line::Record(record)) => {
                taken = taken.saturating_add(limits::memory_of(&record));
                records.push(record);
            }
            Ok(Line::Facts(found)) => facts.push(found),
            Err(_) if header.is_some() && text.last() != Some(&b'\n') => truncated = true,
            Err(source) => return Err(StoreError::Line { line, source }),
        }
    }
    let header = header.ok_or(StoreError::LineOrder {
        line: 1,
        what: "should be the header, and the file is empty",
    })?;
    Ok(SavedFile {
        run: SavedRun {
            header,
            facts,
            records,
        },
        truncated,
    })
}

/// Refuses a line whose values take more memory than there is, before it is parsed: a value of JSON takes up to 80 bytes,
/// and two in the file.
fn check_line(line: &[u8], memory: u64) -> Result<(), StoreError> {
    const VALUE_BYTES: u64 = 80;
    let values = line
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'));
    let values = values.count() as u64;
    Limits::of_file(0, memory).check_memory(values, "values in one line", VALUE_BYTES)
}

/// A later version may have changed everything but the place of its number.
fn refuse_newer(line: &[u8]) -> Result<(), StoreError> {
    match serde_json::from_slice::<VersionLine>(line) {
        Ok(VersionLine { header }) if header.schema_version > SCHEMA_VERSION => {
            Err(StoreError::NewerSchema {
                found: header.schema_version,
                supported: SCHEMA_VERSION,
            })
        }
        _ => Ok(()),
    }
}
