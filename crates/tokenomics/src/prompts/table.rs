//! The rows of one file, whatever its format.

use crate::input::json_size::check_rows;
use crate::input::memory_left;
use serde_json::{Map, Value};
use std::path::Path;
use workload::{
    Dataset, DatasetColumns, DatasetFormat, DatasetReader, DatasetRow, Format, WorkloadError,
    parse_dataset, parse_rows, read_dataset,
};

/// How the columns of a file are to be understood.
pub(super) enum Columns {
    /// By what they are called.
    Detect,
    /// As that data set.
    Of(DatasetFormat),
    /// As somebody named them.
    Named(DatasetColumns),
}

/// What a file holds.
pub(super) struct Rows {
    /// At least one.
    pub(super) rows: Vec<DatasetRow>,
    /// Rows without anything to send.
    pub(super) left_out: usize,
}

impl Columns {
    /// A column of prompts, or else the usual one, and one of images.
    pub(super) fn named(prompt: Option<String>, image: Option<String>) -> Self {
        Self::Named(DatasetColumns {
            prompt,
            image,
            ..DatasetColumns::default()
        })
    }

    fn reader(&self) -> DatasetReader {
        match self {
            Self::Detect => DatasetReader::Detect,
            Self::Of(format) => DatasetReader::Named(*format),
            Self::Named(columns) => DatasetReader::Columns(columns.clone()),
        }
    }
}

/// Reads a file whose format is that of `extension`, or else of its name. Errors do not name the file.
pub(super) fn read(
    bytes: Vec<u8>,
    path: &Path,
    extension: Option<&str>,
    columns: &Columns,
) -> Result<Rows, String> {
    let own = path.extension().unwrap_or_default().to_string_lossy();
    let extension = extension.unwrap_or(&own);
    if extension.eq_ignore_ascii_case(PARQUET) {
        let records =
            store::read_table(&bytes.into(), memory_left()).map_err(|error| of_parquet(&error))?;
        let records: Vec<(usize, Map<String, Value>)> = (1..).zip(records).collect();
        return of_records(|reader| read_dataset(&records, reader), columns)
            .map_err(|error| error.to_string());
    }
    let format = Format::from_extension(extension).map_err(|error| error.to_string())?;
    if matches!(format, Format::Json | Format::JsonLines) {
        check_rows(&bytes, memory_left())?;
    }
    of_text(&bytes, format, columns).map_err(|error| error.to_string())
}

/// The extension of Parquet files.
pub(super) const PARQUET: &str = "parquet";

/// Records of ours can be found again in their parts; somebody else's rows cannot.
fn of_parquet(error: &store::StoreError) -> String {
    match error {
        store::StoreError::Damaged { what } => {
            format!("the Parquet file is damaged ({what}); fetch or write it again")
        }
        other => other.to_string(),
    }
}

fn of_text(bytes: &[u8], format: Format, columns: &Columns) -> Result<Rows, WorkloadError> {
    let plain = |column: Option<&str>| {
        let texts = parse_rows(bytes, format, column)?.into_iter();
        let rows = texts.map(|text| DatasetRow::question(text, None)).collect();
        Ok(Rows { rows, left_out: 0 })
    };
    let column = match columns {
        Columns::Named(DatasetColumns { prompt, .. }) => prompt.as_deref(),
        Columns::Detect | Columns::Of(_) => None,
    };
    let may_be_plain = match columns {
        Columns::Named(DatasetColumns { image, .. }) => image.is_none(),
        Columns::Detect => true,
        Columns::Of(_) => false,
    };
    if may_be_plain && format == Format::Text {
        return plain(column);
    }
    match of_records(|reader| parse_dataset(bytes, format, reader), columns) {
        // A list of texts rather than of objects.
        Err(WorkloadError::WrongField { row: 1, place, .. })
            if place.is_empty() && may_be_plain =>
        {
            plain(column)
        }
        read => read,
    }
}

/// Columns that are those of no known data set hold prompts under the usual name.
fn of_records(
    parse: impl Fn(&DatasetReader) -> Result<Dataset, WorkloadError>,
    columns: &Columns,
) -> Result<Rows, WorkloadError> {
    let parsed = match parse(&columns.reader()) {
        Err(WorkloadError::UnknownDataset { .. }) => {
            parse(&DatasetReader::Columns(DatasetColumns::default()))
        }
        parsed => parsed,
    };
    let Dataset { rows, left_out, .. } = parsed?;
    Ok(Rows { rows, left_out })
}
