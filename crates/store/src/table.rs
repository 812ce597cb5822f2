//! Parquet files of others: their rows as JSON.

use crate::StoreError;
use crate::footer;
use crate::limits::Limits;
use crate::parquet_file::unpanicking;
use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

/// The rows of any Parquet file, in its order, each with a field per column. Bytes come as base64, and
/// what JSON has no word for, such as a time, as text.
///
/// A file whose values and texts take more than `memory` bytes of memory is refused before any is taken for them.
pub fn read_table(bytes: &Bytes, memory: u64) -> Result<Vec<Map<String, Value>>, StoreError> {
    unpanicking(|| rows(bytes, memory))
}

fn rows(bytes: &Bytes, memory: u64) -> Result<Vec<Map<String, Value>>, StoreError> {
    footer::check(bytes)?;
    let limits = Limits::of_file(bytes.len() as u64, memory);
    let file = SerializedFileReader::new(bytes.clone())?;
    limits.check_claims(file.metadata())?;
    let columns = limits.check_pages(bytes, file.metadata())?;
    let values = columns
        .iter()
        .map(|column| column.values)
        .fold(0, u64::saturating_add);
    limits.check_cells(values, 0)?;
    let text_bytes = text_bytes(&file)?;
    limits.check_text(text_bytes)?;
    limits.check_cells(values, text_bytes)?;
    let mut rows = Vec::new();
    let mut text_bytes = 0;
    for row in file.get_row_iter(None)? {
        let Value::Object(fields) = row?.to_json_value() else {
            return Err(StoreError::Damaged {
                what: "a row has no columns".to_owned(),
            });
        };
        text_bytes += fields.values().map(size).sum::<u64>();
        limits.check_text(text_bytes)?;
        rows.push(fields);
    }
    let claimed = file.metadata().file_metadata().num_rows();
    if u64::try_from(claimed).is_ok_and(|claimed| claimed == rows.len() as u64) {
        return Ok(rows);
    }
    Err(StoreError::Damaged {
        what: format!(
            "its footer claims {claimed} rows, and it has {}",
            rows.len()
        ),
    })
}

/// The texts of all rows, counted as they are in the file: a dictionary repeats one for ever, and each time it is another
/// text in a row.
fn text_bytes(file: &dyn FileReader) -> Result<u64, StoreError> {
    let mut bytes = 0_u64;
    for number in 0..file.num_row_groups() {
        let group = file.get_row_group(number)?;
        for column in 0..group.num_columns() {
            if let ColumnReader::ByteArrayColumnReader(reader) = group.get_column_reader(column)? {
                bytes = bytes.saturating_add(texts_of(reader)?);
            }
        }
    }
    Ok(bytes)
}

fn texts_of(mut reader: ColumnReaderImpl<ByteArrayType>) -> Result<u64, StoreError> {
    const RECORDS_AT_ONCE: usize = 1024;
    let mut bytes = 0_u64;
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        values.clear();
        definitions.clear();
        repetitions.clear();
        let (records, ..) = reader.read_records(
            RECORDS_AT_ONCE,
            Some(&mut definitions),
            Some(&mut repetitions),
            &mut values,
        )?;
        if records == 0 {
            return Ok(bytes);
        }
        let lengths = values.iter().map(|value: &ByteArray| value.len() as u64);
        bytes = lengths.fold(bytes, u64::saturating_add);
    }
}

/// Bytes that a value takes in memory, roughly: a dictionary repeats a long text in a few bytes.
fn size(value: &Value) -> u64 {
    let own = size_of::<Value>() as u64;
    own + match value {
        Value::String(text) => text.len() as u64,
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::read_table;
    use crate::StoreError;
    use bytes::Bytes;
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// Texts, and how deep each row's is defined and repeated.
    type Column<'a> = (Vec<ByteArray>, &'a [i16], Option<&'a [i16]>);

    const SCHEMA: &str = "message rows {
        optional binary question (STRING);
        required int64 year;
        optional group image { optional binary bytes; }
        optional group turns (LIST) { repeated group list { optional binary element (STRING); } }
    }";

    /// Two rows: all there, and all that may be absent absent.
    fn file(compression: Compression, text: &str) -> Bytes {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|&text| ByteArray::from(text)).collect();
        let columns: [Column; 4] = [
            (texts(&[text]), &[1, 0], None),
            (Vec::new(), &[], None),
            (vec![ByteArray::from(vec![0, 255])], &[2, 0], None),
            (texts(&["a", "b"]), &[3, 3, 0], Some(&[0, 1, 0])),
        ];
        for (values, definitions, repetitions) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            if definitions.is_empty() {
                let column = column.typed::<Int64Type>();
                column.write_batch(&[1983, 2024], None, None).unwrap();
            } else {
                let column = column.typed::<ByteArrayType>();
                column
                    .write_batch(&values, Some(definitions), repetitions)
                    .unwrap();
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn rows_come_with_a_field_for_every_column() {
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::ZSTD(parquet::basic::ZstdLevel::default()),
        ] {
            let rows = read_table(&file(compression, "How far?"), u64::MAX).unwrap();
            let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
            let first = json!({
                "question": "How far?", "year": 1983, "image": {"bytes": "AP8="}, "turns": ["a", "b"],
            });
            let second = json!({ "question": null, "year": 2024, "image": null, "turns": null });
            assert_eq!(rows, [first, second]);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_panic() {
        let whole = file(Compression::SNAPPY, "How far?");
        for length in 0..whole.len() {
            let error = read_table(&whole.slice(..length), u64::MAX).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.to_vec();
                bytes[place] ^= 1 << bit;
                // Either refused or read: a flipped bit of a text is a text.
                let _ = read_table(&bytes.into(), u64::MAX);
            }
        }
    }

    #[test]
    fn input_46_a_small_file_that_unfolds_to_gigabytes_is_refused() {
        let schema = Arc::new(
            parse_message_type("message rows { required binary text (STRING); }").unwrap(),
        );
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
            .build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        // One long text, which the dictionary holds once and two thousand rows repeat.
        let text = ByteArray::from("x".repeat(1 << 20).as_str());
        let rows = vec![text; 2_000];
        column
            .typed::<ByteArrayType>()
            .write_batch(&rows, None, None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
        let file: Bytes = writer.into_inner().unwrap().into();
        assert!(file.len() < 1 << 20, "{} bytes", file.len());
        let error = read_table(&file, u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }
}
