//! How much memory a file of records may take.

use crate::StoreError;
use crate::error::StoreError::TooLarge;
use crate::footer::page_sizes;
use bytes::Bytes;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;
use trace::Record;

/// Text of all rows together, in bytes. A dictionary lets a small file repeat a long string for ever.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 30;

/// Memory of an event: 40 bytes in a record, and as much again for what is computed from it; of one that is being read,
/// which is one of a few hundred requests, besides in Arrow's columns.
pub(crate) const EVENT_BYTES: u64 = 80;
const EVENT_READ_BYTES: u64 = 72;
/// Memory of a record without its events and texts.
pub(crate) const RECORD_BYTES: u64 = 1 << 10;
/// Memory of a value of somebody else's row, as JSON with its name. Rows of numbers take some 200.
const CELL_BYTES: u64 = 240;

/// How far a file may unfold: to what fits into the memory that there is, whatever its own size is. A run of equal gaps has
/// a hundred million events in a few kilobytes, and is no worse for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    file_bytes: u64,
    /// Encoded bytes of all columns together, which are unpacked a page at a time: it bounds time and not memory.
    bytes_max: u64,
    /// Bytes of memory that may be taken.
    memory: u64,
}

/// What the pages of a column hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColumnSizes {
    pub(crate) values: u64,
    /// The largest page, and the largest dictionary.
    page: u64,
    pub(crate) dictionary: u64,
}

impl Limits {
    pub(crate) fn of_file(file_bytes: u64, memory: u64) -> Self {
        let bytes_max = file_bytes.saturating_mul(200).saturating_add(1 << 30);
        Self {
            file_bytes,
            bytes_max: bytes_max.min(8 << 30),
            memory,
        }
    }

    /// Checks what the footer claims, before anything is unpacked.
    pub(crate) fn check_claims(self, metadata: &ParquetMetaData) -> Result<(), StoreError> {
        let mut bytes = 0_u64;
        let mut rows = 0_u64;
        for group in metadata.row_groups() {
            rows = rows.saturating_add(claim(group.num_rows())?);
            let columns = group.columns().iter();
            let sizes: Vec<u64> = columns
                .map(|column| claim(column.uncompressed_size()))
                .collect::<Result<_, _>>()?;
            let columns_bytes = sizes.into_iter().fold(0, u64::saturating_add);
            bytes = bytes.saturating_add(columns_bytes.max(claim(group.total_byte_size())?));
        }
        self.check_bytes(bytes)?;
        let rows = rows.max(claim(metadata.file_metadata().num_rows())?);
        self.check_memory(rows, "rows", 1)
    }

    /// Unpacks every page once, one at a time, and says what is really there: the footer may lie, and a
    /// run-length encoded page may hold billions of values in a few bytes.
    pub(crate) fn check_pages(
        self,
        file: &Bytes,
        metadata: &ParquetMetaData,
    ) -> Result<Vec<ColumnSizes>, StoreError> {
        let columns_count = metadata.file_metadata().schema_descr().num_columns();
        let mut columns = vec![ColumnSizes::default(); columns_count];
        let mut bytes = 0_u64;
        for group in metadata.row_groups() {
            let rows = usize::try_from(claim(group.num_rows())?).unwrap_or(usize::MAX);
            for (column, sizes) in group.columns().iter().zip(&mut columns) {
                self.check_headers(file, column, sizes)?;
                let mut pages = pages(file, column, rows)?;
                while let Some(page) = pages.get_next_page()? {
                    bytes = bytes.saturating_add(page.buffer().len() as u64);
                    if page.is_data_page() {
                        sizes.values = sizes.values.saturating_add(u64::from(page.num_values()));
                    }
                    self.check_bytes(bytes)?;
                    self.check_memory(sizes.values, "values in one column", 1)?;
                }
            }
        }
        Ok(columns)
    }

    /// Checks that no page of a column claims more than there is memory for.
    fn check_headers(
        self,
        file: &Bytes,
        column: &ColumnChunkMetaData,
        sizes: &mut ColumnSizes,
    ) -> Result<(), StoreError> {
        let damaged = || StoreError::Damaged {
            what: "a page of it lies outside".to_owned(),
        };
        let start = column.dictionary_page_offset();
        let start = claim(start.unwrap_or_else(|| column.data_page_offset()))?;
        let length = claim(column.compressed_size())?;
        let end = start.checked_add(length).ok_or_else(damaged)?;
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let mut rest = range
            .and_then(|(start, end)| file.get(start..end))
            .ok_or_else(damaged)?;
        while !rest.is_empty() {
            let page = page_sizes(rest).ok_or_else(damaged)?;
            self.check_memory(page.uncompressed, "bytes in one page", 2)?;
            sizes.page = sizes.page.max(page.uncompressed);
            if page.is_dictionary {
                sizes.dictionary = sizes.dictionary.max(page.uncompressed);
            }
            // A page that does not end in its column is the reader's to refuse: no memory is taken for it.
            let next = usize::try_from(page.compressed).ok();
            let next = next.and_then(|compressed| rest.get(page.header.checked_add(compressed)?..));
            rest = next.unwrap_or_default();
        }
        Ok(())
    }

    /// Checks that so many records with so many events fit into memory, and says whether they do so too where one request
    /// has all the events.
    pub(crate) fn check_records(self, rows: u64, events: u64) -> Result<bool, StoreError> {
        self.check_memory(rows, "records", RECORD_BYTES)?;
        let left = Self {
            memory: self
                .memory
                .saturating_sub(rows.saturating_mul(RECORD_BYTES)),
            ..self
        };
        left.check_memory(events, "events", EVENT_BYTES)?;
        Ok(left.check_batch(events, events).is_ok())
    }

    /// Checks that the requests that are read at once fit beside the events of all.
    pub(crate) fn check_batch(self, events: u64, at_once: u64) -> Result<(), StoreError> {
        let left = Self {
            memory: self
                .memory
                .saturating_sub(events.saturating_mul(EVENT_BYTES / 2)),
            ..self
        };
        left.check_memory(at_once, "events in a few requests", EVENT_READ_BYTES)
    }

    /// Rows of a batch, of which each may repeat the longest text of every column.
    pub(crate) fn batch_rows(self, texts: impl Iterator<Item = ColumnSizes>, most: usize) -> usize {
        let longest = texts.fold(0, |sum: u64, column| sum.saturating_add(column.page));
        let rows = (self.memory / 8).checked_div(longest);
        let rows = rows.map_or(most, |rows| usize::try_from(rows).unwrap_or(most));
        rows.clamp(1, most)
    }

    /// Checks that rows of JSON fit into memory: so many values, and so many bytes of text.
    pub(crate) fn check_cells(self, values: u64, text_bytes: u64) -> Result<(), StoreError> {
        self.check_memory(values, "values", CELL_BYTES)?;
        let left = Self {
            memory: self
                .memory
                .saturating_sub(values.saturating_mul(CELL_BYTES)),
            ..self
        };
        left.check_memory(text_bytes, "bytes of text", 2)
    }

    /// Checks the text of the rows so far.
    pub(crate) fn check_text(self, found: u64) -> Result<(), StoreError> {
        self.check(found, TEXT_BYTES_MAX, "bytes of text")
    }

    fn check_bytes(self, found: u64) -> Result<(), StoreError> {
        self.check(found, self.bytes_max, "bytes")
    }

    /// Checks that `found` things of `bytes` bytes each fit into memory.
    pub(crate) fn check_memory(
        self,
        found: u64,
        unit: &'static str,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let needed = found.saturating_mul(bytes);
        if needed <= self.memory {
            return Ok(());
        }
        Err(StoreError::NoMemory {
            found,
            unit,
            needed_mib: needed.div_ceil(1 << 20),
            left_mib: self.memory >> 20,
        })
    }

    fn check(self, found: u64, limit: u64, unit: &'static str) -> Result<(), StoreError> {
        if found <= limit {
            return Ok(());
        }
        Err(TooLarge {
            file_bytes: self.file_bytes,
            found,
            limit,
            unit,
        })
    }
}

/// Memory that a record takes, and what is computed from it.
pub(crate) fn memory_of(record: &Record) -> u64 {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len) as u64;
    (record.events.len() as u64)
        .saturating_mul(EVENT_BYTES)
        .saturating_add(RECORD_BYTES + text(&record.detail) + text(&record.finish_reason))
}

fn pages(
    file: &Bytes,
    column: &ColumnChunkMetaData,
    rows: usize,
) -> Result<impl PageReader, ParquetError> {
    SerializedPageReader::new(Arc::new(file.clone()), column, rows, None)
}

/// A size or count of the footer, where the format has a signed number.
fn claim(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Damaged {
        what: format!("its footer claims a size of {value}"),
    })
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::{StoreError, encode_part, example};
    use bytes::Bytes;
    use parquet::file::metadata::ParquetMetaDataReader;
    use trace::RunHeader;

    /// One record of a thousand equal events: a few bytes, run-length encoded.
    fn small_file_of_many_events() -> Bytes {
        let record = example::record(1000);
        let header = RunHeader {
            schema_version: 1,
            invocation: 7,
            metadata: serde_json::Map::new(),
            points: Vec::new(),
            slo: None,
            classes: Vec::new(),
            asked: None,
            subject: None,
        };
        Bytes::from(encode_part(&header, &[], &[record]).unwrap())
    }

    #[test]
    fn what_the_footer_does_not_claim_is_found_in_the_pages() {
        let file = small_file_of_many_events();
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .unwrap();
        let mut limits = Limits {
            file_bytes: 10,
            bytes_max: u64::MAX,
            memory: 20_000,
        };
        let columns = limits.check_pages(&file, &metadata).unwrap();
        let events = columns.iter().map(|column| column.values).max();
        assert_eq!(events, Some(1000));
        assert!(limits.check_records(1, 1000).is_err());

        limits.memory = 999;
        assert!(limits.check_claims(&metadata).is_ok(), "it claims one row");
        let error = limits.check_pages(&file, &metadata).unwrap_err();
        assert!(matches!(error, StoreError::NoMemory { .. }), "{error}");
    }

    #[test]
    fn both_the_claimed_and_the_real_size_are_bounded() {
        let file = small_file_of_many_events();
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .unwrap();
        let limits = Limits {
            file_bytes: 10,
            bytes_max: 40,
            memory: u64::MAX,
        };
        for result in [
            limits.check_claims(&metadata),
            limits.check_pages(&file, &metadata).map(drop),
        ] {
            assert!(matches!(
                result,
                Err(StoreError::TooLarge { limit: 40, .. })
            ));
        }
    }
}
