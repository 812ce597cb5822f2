use crate::arbitrary::{facts, header, ordinary, records};
use bytes::Bytes;
use proptest::prelude::*;
use store::{JsonlWriter, StoreError, read, read_jsonl};
use trace::{Record, SCHEMA_VERSION};

fn written(records: &[Record]) -> Vec<u8> {
    let mut writer = JsonlWriter::new(Vec::new(), &header()).unwrap();
    for record in records {
        writer.record(record).unwrap();
    }
    writer.facts(&facts(0)).unwrap();
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn records_survive_json_lines(records in records()) {
        let file = read(Bytes::from(written(&records)), u64::MAX).unwrap();
        prop_assert_eq!(&file.run.header, &header());
        prop_assert_eq!(&file.run.facts, &[facts(0)]);
        prop_assert_eq!(&file.run.records, &records);
        prop_assert!(!file.truncated);
    }

    #[test]
    fn arbitrary_lines_never_panic(bytes: Vec<u8>, cut in 0_usize..2000) {
        let mut text = written(&ordinary(2, 2));
        text.truncate(cut);
        text.extend(bytes);
        let _ = read_jsonl(text.as_slice(), u64::MAX);
    }
}

#[test]
fn fault_34_a_last_line_cut_off_by_a_kill_costs_that_line_alone() {
    let text = written(&ordinary(3, 2));
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let whole = lines[..3].concat();
    for kept in 1..lines[3].len() - 1 {
        let cut = [&whole, &lines[3][..kept]].concat();
        let file = read_jsonl(cut.as_slice(), u64::MAX).unwrap();
        assert_eq!(file.run.records, ordinary(2, 2));
        assert!(file.truncated, "{kept} bytes of the line");
    }
}

#[test]
fn a_line_that_only_lacks_its_newline_is_kept() {
    let mut text = written(&ordinary(3, 2));
    text.pop();
    let file = read_jsonl(text.as_slice(), u64::MAX).unwrap();
    assert_eq!((file.run.facts.len(), file.truncated), (1, false));
}

#[test]
fn a_bad_line_in_the_middle_is_an_error_with_its_number() {
    let text = String::from_utf8(written(&ordinary(3, 2))).unwrap();
    let bad = text.replacen("\"id\":1,", "\"id\":-1,", 1);
    let error = read_jsonl(bad.as_bytes(), u64::MAX).unwrap_err();
    assert!(matches!(error, StoreError::Line { line: 3, .. }), "{error}");
}

#[test]
fn records_without_a_header_are_refused() {
    let text = written(&ordinary(1, 1));
    let body = text
        .split_inclusive(|byte| *byte == b'\n')
        .skip(1)
        .collect::<Vec<_>>()
        .concat();
    for (file, line) in [
        (&body[..], 1),
        (b"", 1),
        (&[&text[..], &text[..]].concat(), 4),
    ] {
        let error = read_jsonl(file, u64::MAX).unwrap_err();
        assert!(
            matches!(error, StoreError::LineOrder { line: at, .. } if at == line),
            "{error}"
        );
    }
}

#[test]
fn a_later_schema_is_named_even_where_its_header_has_another_shape() {
    let later = SCHEMA_VERSION + 1;
    let line = format!("{{\"header\":{{\"schema_version\":{later},\"shards\":[]}}}}\n");
    let error = read_jsonl(line.as_bytes(), u64::MAX).unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found, .. } if found == later),
        "{error}"
    );
}
