//! Parts of a file that a killed run leaves whole.

use crate::StoreError;
use crate::column;
use crate::event_column;
use crate::limits;
use crate::parquet_file::{
    BATCH_ROWS, FACTS_KEY, HEADER_KEY, ParquetFile, SCHEMA_VERSION_KEY, read_parquet, unpanicking,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;
use trace::{Record, RunFacts, RunHeader, SavedRun};

/// A row group is held in memory, compressed, until it is whole.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// A whole small Parquet file: the header, the facts that are known by now and no earlier part has, and some
/// records.
pub fn encode_part(
    header: &RunHeader,
    facts: &[RunFacts],
    records: &[Record],
) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::new();
    let mut writer = writer(&mut part)?;
    for rows in records.chunks(BATCH_ROWS) {
        let batch = column::to_batch(rows).map_err(|error| StoreError::Write {
            what: error.to_string(),
        })?;
        writer.write(&batch).map_err(StoreError::writing)?;
    }
    close(writer, header, facts)?;
    Ok(part)
}

/// Joins parts into one file, in order: their common header, all their facts and all their records.
///
/// Rows are encoded again, so that a hundred row groups of a second each become one that compresses and
/// scans well. Memory holds one part and one row group.
pub fn merge_parts(
    parts: &mut dyn Iterator<Item = io::Result<Bytes>>,
    out: impl Write + Send,
) -> Result<(), StoreError> {
    let mut writer = writer(out)?;
    let mut header = None;
    let mut facts = Vec::new();
    for (number, part) in (1..).zip(parts) {
        let part = part?;
        let mut part =
            unpanicking(|| append(&mut writer, part)).map_err(|source| in_part(number, source))?;
        same_header(&mut header, part.header, number)?;
        facts.append(&mut part.facts);
    }
    close(writer, &header.ok_or(StoreError::NoParts)?, &facts)
}

/// Writes the rows of a part; hands back what else it holds.
fn append<W: Write + Send>(
    writer: &mut ArrowWriter<W>,
    part: Bytes,
) -> Result<ParquetFile, StoreError> {
    // What this process wrote a moment ago.
    let mut part = ParquetFile::open(part, u64::MAX)?;
    while let Some(batch) = part.next_batch()? {
        // A file's batch has a schema of its own, equal to ours but for metadata.
        let batch = batch.with_schema(Arc::clone(&column::SCHEMA))?;
        writer.write(&batch).map_err(StoreError::writing)?;
    }
    Ok(part)
}

/// Reads what a killed run left: its parts, in order, all together into at most `memory` bytes of memory.
pub fn read_parts(
    parts: &mut dyn Iterator<Item = io::Result<Bytes>>,
    memory: u64,
) -> Result<SavedRun, StoreError> {
    let mut header = None;
    let (mut facts, mut records) = (Vec::new(), Vec::new());
    let mut left = memory;
    for (number, part) in (1..).zip(parts) {
        let mut part = read_parquet(part?, left).map_err(|source| in_part(number, source))?;
        left = part.records.iter().fold(left, |left, record| {
            left.saturating_sub(limits::memory_of(record))
        });
        same_header(&mut header, part.header, number)?;
        facts.append(&mut part.facts);
        records.append(&mut part.records);
    }
    Ok(SavedRun {
        header: header.ok_or(StoreError::NoParts)?,
        facts,
        records,
    })
}

/// A part is read from memory, so that a failure of input or output is the writer's and no part is to blame.
fn in_part(number: usize, source: StoreError) -> StoreError {
    match source {
        StoreError::Io(_) | StoreError::Write { .. } => source,
        _ => StoreError::Part {
            number,
            source: Box::new(source),
        },
    }
}

fn same_header(
    first: &mut Option<RunHeader>,
    next: RunHeader,
    number: usize,
) -> Result<(), StoreError> {
    match first {
        Some(first) if *first != next => Err(StoreError::MixedParts { number }),
        Some(_) => Ok(()),
        None => {
            *first = Some(next);
            Ok(())
        }
    }
}

fn writer<W: Write + Send>(out: W) -> Result<ArrowWriter<W>, StoreError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_offset_index_disabled(true);
    let events = event_column::ASCENDING.map(|name| {
        ColumnPath::from(vec![
            name.to_owned(),
            "list".to_owned(),
            "element".to_owned(),
        ])
    });
    for path in column::ASCENDING
        .map(ColumnPath::from)
        .into_iter()
        .chain(events)
    {
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(out, Arc::clone(&column::SCHEMA), options)
        .map_err(StoreError::writing)
}

fn close<W: Write + Send>(
    mut writer: ArrowWriter<W>,
    header: &RunHeader,
    facts: &[RunFacts],
) -> Result<(), StoreError> {
    let version = header.schema_version.to_string();
    let entries = [
        (SCHEMA_VERSION_KEY, version),
        (HEADER_KEY, json("header", header)?),
        (FACTS_KEY, json("run's facts", facts)?),
    ];
    for (key, value) in entries {
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
    }
    writer.close().map_err(StoreError::writing)?;
    Ok(())
}

fn json(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Encode { what, source })
}
