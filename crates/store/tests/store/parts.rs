use crate::arbitrary::{facts, header, ordinary, records};
use bytes::Bytes;
use proptest::prelude::*;
use std::io::{self, Write};
use store::{Format, StoreError, encode_part, merge_parts, read, read_parquet, read_parts};
use trace::SavedRun;

fn merged(parts: &[Vec<u8>]) -> Result<Bytes, StoreError> {
    let mut out = Vec::new();
    merge_parts(&mut each(parts), &mut out)?;
    Ok(Bytes::from(out))
}

fn each(parts: &[Vec<u8>]) -> impl Iterator<Item = io::Result<Bytes>> {
    parts.iter().map(|part| Ok(Bytes::from(part.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn records_survive_parts_and_their_merging(first in records(), second in records()) {
        let parts = [
            encode_part(&header(), &[facts(0)], &first).unwrap(),
            encode_part(&header(), &[], &[]).unwrap(),
            encode_part(&header(), &[facts(1), facts(2)], &second).unwrap(),
        ];
        let expected = SavedRun {
            header: header(),
            facts: vec![facts(0), facts(1), facts(2)],
            records: [first, second].concat(),
        };
        prop_assert_eq!(&read_parquet(merged(&parts).unwrap(), u64::MAX).unwrap(), &expected);
        prop_assert_eq!(&read_parts(&mut each(&parts), u64::MAX).unwrap(), &expected);
    }
}

#[test]
fn many_small_parts_become_one_row_group() {
    let parts: Vec<_> = ordinary(600, 8)
        .chunks(10)
        .map(|records| encode_part(&header(), &[], records).unwrap())
        .collect();
    let file = merged(&parts).unwrap();
    let apart: usize = parts.iter().map(Vec::len).sum();
    assert!(file.len() * 5 < apart, "{} of {apart} bytes", file.len());
    assert_eq!(
        read_parquet(file, u64::MAX).unwrap().records,
        ordinary(600, 8)
    );
}

#[test]
fn the_format_is_told_from_the_bytes() {
    let part = encode_part(&header(), &[], &ordinary(3, 2)).unwrap();
    assert_eq!(Format::detect(&part), Some(Format::Parquet));
    let file = read(Bytes::from(part), u64::MAX).unwrap();
    assert_eq!(file.run.records, ordinary(3, 2));
    assert!(!file.truncated);
    assert!(matches!(
        read(Bytes::from_static(b"GGUF...."), u64::MAX),
        Err(StoreError::UnknownFormat)
    ));
}

#[test]
fn parts_of_two_invocations_are_not_mixed() {
    let mut other = header();
    other.metadata.insert("model".to_owned(), "another".into());
    let parts = [
        encode_part(&header(), &[], &[]).unwrap(),
        encode_part(&other, &[], &[]).unwrap(),
    ];
    assert!(matches!(
        merged(&parts),
        Err(StoreError::MixedParts { number: 2 })
    ));
    assert!(matches!(
        read_parts(&mut each(&parts), u64::MAX),
        Err(StoreError::MixedParts { number: 2 })
    ));
}

#[test]
fn no_parts_make_no_file() {
    assert!(matches!(merged(&[]), Err(StoreError::NoParts)));
    assert!(matches!(
        read_parts(&mut each(&[]), u64::MAX),
        Err(StoreError::NoParts)
    ));
}

#[test]
fn a_part_that_was_cut_off_is_named() {
    let whole = encode_part(&header(), &[], &ordinary(3, 2)).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    let message = merged(&[whole, cut]).unwrap_err().to_string();
    assert!(
        message.starts_with("part 2: the Parquet file is damaged"),
        "{message}"
    );
}

/// A disk with so many bytes left.
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn fault_36_a_full_disk_is_the_systems_own_error() {
    let part = encode_part(&header(), &[], &ordinary(300, 20)).unwrap();
    for left in [0, 100, 4000] {
        let error = merge_parts(&mut each(std::slice::from_ref(&part)), FullDisk(left));
        assert!(
            matches!(&error, Err(StoreError::Io(io)) if io.kind() == io::ErrorKind::StorageFull),
            "{error:?}"
        );
    }
}
