//! Records and rows that take more memory than there is: refused in a sentence before the memory is taken, and read where
//! there is enough.
#![allow(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables of cases, and values made on the spot"
)]

use crate::arbitrary::{facts, header, ordinary};
use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::sync::Arc;
use store::{StoreError, encode_part, read, read_jsonl, read_parts, read_table};
use trace::{Event, EventKind, Nanos, Outcome, Record, RunId};

/// Requests of so many equal events each.
fn requests(count: u64, events: usize) -> Vec<Record> {
    let event = Event {
        kind: EventKind::Content,
        arrived: Nanos(1),
        read: Nanos(1),
        read_index: 0,
        text_bytes: 1,
        tokens: Some(1),
        choice: 0,
    };
    let request = |id| Record {
        done: Nanos(2),
        done_read: Nanos(2),
        stream: true,
        events: vec![event; events],
        outcome: Outcome::Complete,
        ..Record::begun(RunId::default(), id, Nanos(0))
    };
    (0..count).map(request).collect()
}

fn parquet(records: &[Record]) -> Bytes {
    Bytes::from(encode_part(&header(), &[facts(0)], records).unwrap())
}

/// The error of a file that does not fit; it says how much there is.
fn refused(file: Bytes, memory: u64) -> String {
    let error = read(file, memory).unwrap_err();
    assert!(matches!(error, StoreError::NoMemory { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("MiB are left for it"), "{error}");
    error
}

const MIB: u64 = 1 << 20;

#[test]
fn bad_input_60_a_small_file_of_many_events_is_refused_where_they_do_not_fit_and_read_where_they_do()
 {
    // 400,000 events: 32 MB as records and numbers, 29 MB more while they are read at once.
    for (count, events, memory) in [(1, 400_000, 64), (400, 1_000, 40), (100_000, 4, 136)] {
        let file = parquet(&requests(count, events));
        assert!(file.len() < 1 << 20, "{} bytes", file.len());
        let read = read(file.clone(), memory * MIB).unwrap();
        assert_eq!(read.run.records.len() as u64, count);
        let error = refused(file, memory * MIB / 2);
        assert!(
            error.contains("events") || error.contains("records"),
            "{error}"
        );
    }
}

#[test]
fn bad_input_60_one_request_of_all_events_needs_the_memory_of_the_columns_too() {
    let file = |count, events| parquet(&requests(count, events));
    let memory = 36 * MIB;
    assert!(read(file(400, 1_000), memory).is_ok());
    let error = refused(file(1, 400_000), memory);
    assert!(error.contains("400000 events in a few requests"), "{error}");
}

#[test]
fn bad_input_60_parts_share_the_memory_of_all() {
    let part = parquet(&requests(10, 1_000));
    let mut ten = (0..10).map(|_| Ok(part.clone()));
    let error = read_parts(&mut ten, 4 * MIB).unwrap_err().to_string();
    assert!(
        error.starts_with("part 5: the file holds 10000 events"),
        "{error}"
    );
    let mut ten = (0..10).map(|_| Ok(part.clone()));
    assert_eq!(read_parts(&mut ten, 9 * MIB).unwrap().records.len(), 100);
}

/// A table of one column, of which a dictionary repeats what it has once.
fn table(schema: &str, write: impl FnOnce(&mut SerializedFileWriter<Vec<u8>>)) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(64 << 20);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    write(&mut writer);
    writer.into_inner().unwrap().into()
}

fn texts(text: &str, rows: usize) -> Bytes {
    table(
        "message rows { required binary text (STRING); }",
        |writer| {
            let mut group = writer.next_row_group().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            let values = vec![ByteArray::from(text); rows];
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, None, None)
                .unwrap();
            column.close().unwrap();
            group.close().unwrap();
        },
    )
}

/// One row with a list of so many numbers.
fn list(values: usize) -> Bytes {
    let schema = "message rows { required group turns (LIST) { repeated group list { required int32 element; } } }";
    table(schema, |writer| {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let mut repetitions = vec![1; values];
        repetitions[0] = 0;
        let (numbers, definitions) = (vec![7; values], vec![1; values]);
        column
            .typed::<Int32Type>()
            .write_batch(&numbers, Some(&definitions), Some(&repetitions))
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
    })
}

#[test]
fn bad_input_61_rows_that_repeat_a_text_or_a_number_for_ever_are_refused_before_they_are_made() {
    let long = "x".repeat(1 << 20);
    for (name, file, words) in [
        (
            "a text of a megabyte, 500 times",
            texts(&long, 500),
            "524288000 bytes of text",
        ),
        (
            "a short text, 4 million times",
            texts("ab", 4_000_000),
            "4000000 values",
        ),
        (
            "one row of a million numbers",
            list(1_000_000),
            "1000000 values",
        ),
    ] {
        assert!(file.len() < 64 << 10, "{name}: {} bytes", file.len());
        let error = read_table(&file, 128 * MIB).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    assert_eq!(read_table(&texts(&long, 20), 128 * MIB).unwrap().len(), 20);
    assert_eq!(
        read_table(&texts("ab", 100_000), 128 * MIB).unwrap().len(),
        100_000
    );
    assert_eq!(read_table(&list(100_000), 128 * MIB).unwrap().len(), 1);
}

#[test]
fn bad_input_61_a_page_that_claims_gigabytes_is_refused_before_it_is_unpacked() {
    // The claim is a number of 32 bits in the page's header, in units of seven bits with a sign.
    let file = texts(&"x".repeat(3_000_000), 1).to_vec();
    let size: Vec<u8> = leb128(2 * 3_000_004);
    let at = file
        .windows(size.len())
        .position(|bytes| bytes == size)
        .unwrap();
    let mut lies = file.clone();
    lies[at..at + size.len()].copy_from_slice(&leb128(2 * ((1 << 27) - 1))[..size.len()]);
    let error = read_table(&lies.into(), 100 * MIB).unwrap_err().to_string();
    assert!(error.contains("134217727 bytes in one page"), "{error}");
}

fn leb128(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

#[test]
fn bad_input_62_lines_of_json_that_take_more_than_there_is_are_refused() {
    let header = serde_json::json!({ "header": header() }).to_string();
    let record = serde_json::json!({ "record": ordinary(1, 3)[0] }).to_string();
    let many = "0,".repeat(1 << 20);
    let cases = [
        (
            format!(
                "{}\n",
                header.replacen(
                    "\"metadata\":{",
                    &format!("\"metadata\":{{\"x\":[{many}0],"),
                    1
                )
            ),
            "values in one line",
        ),
        (
            format!(
                "{header}\n{}\n",
                record.replacen("\"record\":{", &format!("\"record\":{{\"x\":[{many}0],"), 1)
            ),
            "values in one line",
        ),
        (
            format!("{header}\n{{\"record\":{}", "[".repeat(1 << 20)),
            "values in one line",
        ),
        (
            format!("{header}\n{}", format!("{record}\n").repeat(20_000)),
            "values in one line",
        ),
        (
            format!("{header}\n{{\"record\":{{\"id\":1e400}}}}\n"),
            "line 2",
        ),
        (
            format!(
                "{header}\n{{\"record\":{{\"id\":{}}}}}\n",
                "9".repeat(100_000)
            ),
            "line 2",
        ),
        (
            format!("{header}\n{{\"record\":{}\n", "{\"a\":".repeat(10_000)),
            "line 2",
        ),
        (format!("{header}\n{{\"facts\":[]}}\n"), "line 2"),
        (format!("{}{header}\n", "{\"header\":{}}\n"), "line 1"),
    ];
    for (text, words) in cases {
        let error = read_jsonl(text.as_bytes(), 8 * MIB)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(words) && error.len() < 1_000,
            "{words}: {error}"
        );
    }
    let honest = format!("{header}\n{}", format!("{record}\n").repeat(1_000));
    assert_eq!(
        read_jsonl(honest.as_bytes(), 8 * MIB)
            .unwrap()
            .run
            .records
            .len(),
        1_000
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn bad_input_61_damaged_rows_are_read_or_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
        which in 0..3_usize,
    ) {
        let file = match which {
            0 => texts("abc", 50),
            1 => list(50),
            _ => parquet(&ordinary(4, 3)),
        };
        let mut bytes = file.to_vec();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            let length = cut.index(bytes.len());
            bytes.truncate(length);
        }
        let bytes = Bytes::from(bytes);
        let _rows = read_table(&bytes, 64 * MIB);
        let _records = read(bytes, 64 * MIB);
    }
}
