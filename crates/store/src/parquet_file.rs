//! Records as one Parquet file.

use crate::StoreError;
use crate::arrays;
use crate::column;
use crate::event_column;
use crate::footer;
use crate::limits::{ColumnSizes, Limits};
use arrow_array::{Array, ListArray, RecordBatch};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use serde::de::DeserializeOwned;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trace::{RunFacts, RunHeader, SCHEMA_VERSION, SavedRun};

/// Metadata key of the [`RunHeader`], as JSON.
pub(crate) const HEADER_KEY: &str = "tokenomics.header";
/// Metadata key of the list of [`RunFacts`], as JSON.
pub(crate) const FACTS_KEY: &str = "tokenomics.facts";
/// Metadata key of [`SCHEMA_VERSION`], as a decimal number.
pub(crate) const SCHEMA_VERSION_KEY: &str = "tokenomics.schema_version";

/// Rows per batch: small, because each carries all its events.
pub(crate) const BATCH_ROWS: usize = 256;

/// Reads a whole Parquet file that [`crate::encode_part`] or [`crate::merge_parts`] wrote, into at most `memory` bytes of
/// memory; what takes more is refused before any is taken.
pub fn read_parquet(bytes: Bytes, memory: u64) -> Result<SavedRun, StoreError> {
    unpanicking(|| read_all(bytes, memory))
}

/// The parquet crate (59) panics on a good part of damaged files instead of saying so: flipping each bit of
/// a small file once found seven places, from an offset below zero to a dictionary that is not there. In a
/// panic nothing but the reader and the rows so far are lost, and both are dropped.
pub(crate) fn unpanicking<T>(
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(StoreError::Damaged {
            what: "its decoder cannot make sense of it".to_owned(),
        })
    })
}

fn read_all(bytes: Bytes, memory: u64) -> Result<SavedRun, StoreError> {
    let mut file = ParquetFile::open(bytes, memory)?;
    let mut records = Vec::new();
    let mut text_bytes = 0;
    while let Some(batch) = file.next_batch()? {
        text_bytes += column::text_bytes(&batch)?;
        file.limits.check_text(text_bytes)?;
        records.extend(column::from_batch(&batch)?);
    }
    Ok(SavedRun {
        header: file.header,
        facts: file.facts,
        records,
    })
}

/// An open file, checked against bombs, whose rows have not been read.
pub(crate) struct ParquetFile {
    pub(crate) header: RunHeader,
    pub(crate) facts: Vec<RunFacts>,
    limits: Limits,
    batches: ParquetRecordBatchReader,
    /// Rows that the footer claims and that have not been read.
    rows_left: i64,
}

impl ParquetFile {
    pub(crate) fn open(bytes: Bytes, memory: u64) -> Result<Self, StoreError> {
        footer::check(&bytes)?;
        // The Arrow schema that a file may carry adds nothing to Parquet's own types and is one more thing to parse.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let arrow = ArrowReaderMetadata::load(&bytes, options)?;
        let metadata = arrow.metadata();
        let entries = metadata.file_metadata().key_value_metadata();
        let entries = entries.map_or(&[][..], Vec::as_slice);
        let version: u32 = entry(entries, SCHEMA_VERSION_KEY)?;
        if version > SCHEMA_VERSION {
            return Err(StoreError::NewerSchema {
                found: version,
                supported: SCHEMA_VERSION,
            });
        }
        let header = entry(entries, HEADER_KEY)?;
        let facts = entry(entries, FACTS_KEY)?;
        column::check_schema(arrow.schema())?;

        let limits = Limits::of_file(bytes.len() as u64, memory);
        limits.check_claims(metadata)?;
        let columns = limits.check_pages(&bytes, metadata)?;
        let sizes = Sizes::of(&columns, metadata)?;
        let fits_anyhow = limits.check_records(sizes.rows, sizes.events)?;
        if !fits_anyhow {
            limits.check_batch(sizes.events, most_at_once(&bytes, &arrow)?)?;
        }

        let rows_left = metadata.file_metadata().num_rows();
        let names = column::SCHEMA.fields().iter().map(|field| field.name());
        let ours = ProjectionMask::columns(arrow.parquet_schema(), names.map(String::as_str));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, arrow.clone());
        let batches = builder
            .with_projection(ours)
            .with_batch_size(limits.batch_rows(sizes.texts.into_iter(), BATCH_ROWS))
            .build()?;
        Ok(Self {
            header,
            facts,
            limits,
            batches,
            rows_left,
        })
    }

    /// The next rows; none where all that the footer claims were read.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        let batch = self.batches.next().transpose()?;
        let rows = batch.as_ref().map_or(0, RecordBatch::num_rows);
        self.rows_left = self.rows_left.saturating_sub_unsigned(rows as u64);
        if batch.is_none() && self.rows_left != 0 {
            return Err(StoreError::Damaged {
                what: format!("{} of its rows are not there", self.rows_left),
            });
        }
        Ok(batch)
    }
}

/// What the columns of a file hold together.
struct Sizes {
    rows: u64,
    events: u64,
    /// The columns of texts.
    texts: Vec<ColumnSizes>,
}

impl Sizes {
    fn of(columns: &[ColumnSizes], metadata: &ParquetMetaData) -> Result<Self, StoreError> {
        /// The names of the kinds of events, of which each event repeats one. Ours take some 60 bytes.
        const KINDS_BYTES_MAX: u64 = 4 << 10;
        let mut sizes = Sizes {
            rows: 0,
            events: 0,
            texts: Vec::new(),
        };
        let described = metadata.file_metadata().schema_descr().columns();
        for (column, sized) in described.iter().zip(columns) {
            let is_text = column.physical_type() == Type::BYTE_ARRAY;
            if column.max_rep_level() == 0 {
                sizes.rows = sizes.rows.max(sized.values);
                sizes.texts.extend(is_text.then_some(*sized));
                continue;
            }
            sizes.events = sizes.events.max(sized.values);
            if is_text && sized.dictionary > KINDS_BYTES_MAX {
                return Err(StoreError::Damaged {
                    what: format!("its kinds of events have {} bytes", sized.dictionary),
                });
            }
        }
        Ok(sizes)
    }
}

/// The most events that come at once, counted without the memory of all their columns: a small one is enough.
fn most_at_once(bytes: &Bytes, arrow: &ArrowReaderMetadata) -> Result<u64, StoreError> {
    let choice = ProjectionMask::columns(arrow.parquet_schema(), [event_column::CHOICE]);
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), arrow.clone());
    let batches = builder
        .with_projection(choice)
        .with_batch_size(BATCH_ROWS)
        .build()?;
    let mut most = 0;
    for batch in batches {
        let batch = batch?;
        let lists = arrays::typed::<ListArray>(&batch, event_column::CHOICE)?;
        most = most.max(lists.values().len() as u64);
    }
    Ok(most)
}

fn entry<T: DeserializeOwned>(entries: &[KeyValue], key: &'static str) -> Result<T, StoreError> {
    let text = entries.iter().find(|entry| entry.key == key);
    let text = text
        .and_then(|entry| entry.value.as_deref())
        .ok_or(StoreError::MetadataMissing { key })?;
    serde_json::from_str(text).map_err(|source| StoreError::Metadata { key, source })
}
