use crate::StoreError;
use crate::error::StoreError::TooLarge;
use bytes::Bytes;
use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;

/// Text of all rows together, in bytes. A dictionary lets a small file repeat a long string for ever.
pub(crate) const TEXT_BYTES_MAX: u64 = 1 << 30;

/// How far a file of a given size may unfold.
///
/// The ratios are far above what measured records reach: the jitter of a stamp costs a byte or more, which no
/// compression takes away. Simulated runs have none (128 tokens of 100,000 requests at equal gaps fit in
/// 90 kB), so that every file has an allowance besides: a gigabyte of columns, which is unpacked a page at a
/// time, and 32 Mi events, which take 1.3 GB of memory as records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    file_bytes: u64,
    /// Encoded bytes of all columns together.
    bytes_max: u64,
    /// Values of any one column: rows, or events.
    values_max: u64,
}

impl Limits {
    pub(crate) fn of_file(file_bytes: u64) -> Self {
        let bytes_max = file_bytes.saturating_mul(200).saturating_add(1 << 30);
        Self {
            file_bytes,
            bytes_max: bytes_max.min(8 << 30),
            values_max: file_bytes.saturating_mul(64).saturating_add(32 << 20),
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
        self.check_values(rows.max(claim(metadata.file_metadata().num_rows())?))
    }

    /// Unpacks every page once, one at a time, and checks what is really there: the footer may lie, and a
    /// run-length encoded page may hold billions of values in a few bytes.
    pub(crate) fn check_pages(
        self,
        file: &Bytes,
        metadata: &ParquetMetaData,
    ) -> Result<(), StoreError> {
        let columns_count = metadata.file_metadata().schema_descr().num_columns();
        let mut values = vec![0_u64; columns_count];
        let mut bytes = 0_u64;
        for group in metadata.row_groups() {
            let rows = usize::try_from(claim(group.num_rows())?).unwrap_or(usize::MAX);
            for (column, values) in group.columns().iter().zip(&mut values) {
                let mut pages = pages(file, column, rows)?;
                while let Some(page) = pages.get_next_page()? {
                    bytes = bytes.saturating_add(page.buffer().len() as u64);
                    if page.is_data_page() {
                        *values = values.saturating_add(u64::from(page.num_values()));
                    }
                    self.check_bytes(bytes)?;
                    self.check_values(*values)?;
                }
            }
        }
        Ok(())
    }

    /// Checks the text of the rows so far.
    pub(crate) fn check_text(self, found: u64) -> Result<(), StoreError> {
        self.check(found, TEXT_BYTES_MAX, "bytes of text")
    }

    fn check_bytes(self, found: u64) -> Result<(), StoreError> {
        self.check(found, self.bytes_max, "bytes")
    }

    fn check_values(self, found: u64) -> Result<(), StoreError> {
        self.check(found, self.values_max, "values in one column")
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
            values_max: 1000,
        };
        assert!(limits.check_pages(&file, &metadata).is_ok());

        limits.values_max = 999;
        assert!(limits.check_claims(&metadata).is_ok(), "it claims one row");
        let error = limits.check_pages(&file, &metadata).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { found: 1000, .. }));
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
            values_max: u64::MAX,
        };
        for result in [
            limits.check_claims(&metadata),
            limits.check_pages(&file, &metadata),
        ] {
            assert!(matches!(
                result,
                Err(StoreError::TooLarge { limit: 40, .. })
            ));
        }
    }
}
