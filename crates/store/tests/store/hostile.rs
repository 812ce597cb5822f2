use crate::arbitrary::{facts, header, ordinary};
use bytes::Bytes;
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader,
    ParquetMetaDataWriter, RowGroupMetaDataBuilder,
};
use proptest::prelude::*;
use std::sync::LazyLock;
use store::{StoreError, encode_part, read, read_parquet};

static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| encode_part(&header(), &[facts(0)], &ordinary(40, 6)).unwrap());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_are_an_error(bytes: Vec<u8>) {
        let framed = [b"PAR1", bytes.as_slice(), b"PAR1"].concat();
        prop_assert!(read(Bytes::from(framed), u64::MAX).is_err());
        prop_assert!(read(Bytes::from(bytes), u64::MAX).is_err());
    }

    #[test]
    fn bad_input_50_flipped_bits_are_an_error_or_another_record_and_never_a_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4),
    ) {
        let mut bytes = FILE.clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = read_parquet(Bytes::from(bytes), u64::MAX);
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error(cut: prop::sample::Index) {
        let bytes = FILE[..cut.index(FILE.len())].to_vec();
        prop_assert!(read_parquet(Bytes::from(bytes), u64::MAX).is_err());
    }
}

/// The same file under another footer.
fn forged(forge: impl FnOnce(ParquetMetaDataBuilder) -> ParquetMetaData) -> Bytes {
    let file = Bytes::from(FILE.clone());
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .unwrap();
    let length: [u8; 4] = file[file.len() - 8..][..4].try_into().unwrap();
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap();
    let mut out = file[..file.len() - 8 - length].to_vec();
    let metadata = forge(metadata.into_builder());
    ParquetMetaDataWriter::new(&mut out, &metadata)
        .finish()
        .unwrap();
    Bytes::from(out)
}

/// The same file with other claims about its row groups.
fn forged_row_groups(forge: impl Fn(RowGroupMetaDataBuilder) -> RowGroupMetaDataBuilder) -> Bytes {
    forged(|mut builder| {
        let groups = builder.take_row_groups().into_iter();
        let groups = groups.map(|group| forge(group.into_builder()).build().unwrap());
        let groups = groups.collect();
        builder.set_row_groups(groups).build()
    })
}

/// The same file with other key-value metadata.
fn forged_entries(entries: Vec<KeyValue>) -> Bytes {
    forged(|builder| {
        let metadata = builder.build();
        let file = metadata.file_metadata();
        let schema = file.schema_descr_ptr();
        let (version, rows) = (file.version(), file.num_rows());
        let file = FileMetaData::new(version, rows, None, Some(entries), schema, None);
        ParquetMetaData::new(file, metadata.row_groups().to_vec())
    })
}

#[test]
fn bad_input_46_a_file_that_claims_a_trillion_rows_is_refused() {
    let bomb = forged_row_groups(|group| group.set_num_rows(1 << 40));
    let error = read_parquet(bomb, 8 << 30).unwrap_err();
    assert!(
        matches!(error, StoreError::NoMemory { found, .. } if found == 1 << 40),
        "{error}"
    );
}

#[test]
fn bad_input_46_a_file_that_claims_to_unpack_to_terabytes_is_refused() {
    let bomb = forged_row_groups(|group| group.set_total_byte_size(1 << 42));
    let error = read_parquet(bomb, u64::MAX).unwrap_err();
    assert!(
        matches!(error, StoreError::TooLarge { found, .. } if found == 1 << 42),
        "{error}"
    );
    assert!(error.to_string().contains("decompression bomb"), "{error}");
}

#[test]
fn bad_input_50_a_file_with_other_rows_than_it_claims_is_refused() {
    for rows in [-1, 39, 41] {
        let error = read_parquet(
            forged_row_groups(|group| group.set_num_rows(rows)),
            u64::MAX,
        )
        .unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{rows} rows: {error}"
        );
    }
}

#[test]
fn a_later_schema_is_named_before_its_header_is_read() {
    let entry = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let later = vec![
        entry("tokenomics.schema_version", "4000000000"),
        entry("tokenomics.header", "not even JSON"),
    ];
    let error = read_parquet(forged_entries(later), u64::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 4_000_000_000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_parquet_file_of_somebody_else_is_named_as_such() {
    let error = read_parquet(forged_entries(Vec::new()), u64::MAX).unwrap_err();
    assert!(
        matches!(error, StoreError::MetadataMissing { .. }),
        "{error}"
    );
}
