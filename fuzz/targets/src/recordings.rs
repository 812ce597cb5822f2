//! Traffic that somebody recorded: data sets, traces, and the mock's own files.

use workload::{DatasetFormat, DatasetReader, Format, PROMPT_BYTES_MAX, TraceFormat, TraceReader};

const FORMATS: [Format; 4] = [Format::Text, Format::Csv, Format::Json, Format::JsonLines];

/// A data set in every format, read as each that has a name: no row is without a prompt that can be sent.
pub(crate) fn dataset(bytes: &[u8]) {
    let named = DatasetFormat::ALL.map(DatasetReader::Named);
    for format in FORMATS {
        if let Ok(rows) = workload::parse_rows(bytes, format, None) {
            assert!(!rows.is_empty() && rows.iter().all(|row| !row.trim().is_empty()));
        }
        for reader in named.iter().chain([&DatasetReader::Detect]) {
            let Ok(data) = workload::parse_dataset(bytes, format, reader) else {
                continue;
            };
            assert!(!data.rows.is_empty() && data.rows.len() <= bytes.len());
            for row in &data.rows {
                assert!(!row.turns.is_empty() && row.max_tokens != Some(0));
                let fine = |text: &str| !text.trim().is_empty() && text.len() <= PROMPT_BYTES_MAX;
                assert!(row.turns.iter().all(|turn| fine(&turn.user)));
            }
        }
    }
}

/// A trace, read as what it looks like and as each kind: its times never fall, and every request has tokens.
pub(crate) fn trace(bytes: &[u8]) {
    let formats = TraceFormat::ALL.map(Some).into_iter().chain([None]);
    for format in formats {
        let reader = TraceReader {
            format,
            ..TraceReader::default()
        };
        let Ok((trace, _, _)) = reader.read(bytes) else {
            continue;
        };
        let rows = &trace.rows;
        assert!(!rows.is_empty() && rows.len() + trace.left_out <= bytes.len());
        assert!(rows.is_sorted_by_key(|row| row.due));
        assert!(
            rows.iter()
                .all(|row| row.input_tokens > 0 && row.output_tokens > 0)
        );
    }
}

/// Timings that the mock plays again, and the truth that it wrote.
pub(crate) fn mock_files(bytes: &[u8]) {
    let _any = mock::RecordedTimings::parse(bytes);
    if let Ok(truth) = mock::read_truth(bytes) {
        assert!(truth.len() <= bytes.len());
    }
}
