//! Parquet files of others: their rows as JSON.

use crate::StoreError;
use crate::footer;
use crate::limits::Limits;
use crate::parquet_file::unpanicking;
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

/// The rows of any Parquet file, in its order, each with a field per column. Bytes come as base64, and
/// what JSON has no word for, such as a time, as text.
///
/// A file whose claims, pages or texts unfold beyond what is sensible for its size is refused before
/// memory is taken for them.
pub fn read_table(bytes: &Bytes) -> Result<Vec<Map<String, Value>>, StoreError> {
    unpanicking(|| rows(bytes))
}

fn rows(bytes: &Bytes) -> Result<Vec<Map<String, Value>>, StoreError> {
    footer::check(bytes)?;
    let limits = Limits::of_file(bytes.len() as u64);
    let file = SerializedFileReader::new(bytes.clone())?;
    limits.check_claims(file.metadata())?;
    limits.check_pages(bytes, file.metadata())?;
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
            let rows = read_table(&file(compression, "How far?")).unwrap();
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
            let error = read_table(&whole.slice(..length)).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.to_vec();
                bytes[place] ^= 1 << bit;
                // Either refused or read: a flipped bit of a text is a text.
                let _ = read_table(&bytes.into());
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
        let error = read_table(&file).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }
}
