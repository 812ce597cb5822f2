//! The AIME problems from 1983 to 2024. Fetching them is the caller's.

use crate::{DatasetFormat, DatasetReader, DatasetRow, Format, WorkloadError, parse_dataset};
use std::sync::Arc;

/// The data set's id on the Hugging Face hub.
pub const DATASET_ID: &str = "gneubig/aime-1983-2024";

/// Goes with every problem. AIME answers are integers from 0 to 999.
pub const SYSTEM_PROMPT: &str = "You are solving a contest problem. Reason step by step, then \
                                 state the answer, an integer from 0 to 999, on a line of its own.";

/// The problems in the bytes of the data set's file.
pub fn rows(bytes: &[u8], format: Format) -> Result<Arc<[DatasetRow]>, WorkloadError> {
    let reader = DatasetReader::Named(DatasetFormat::Aime);
    let dataset = parse_dataset(bytes, format, &reader)?;
    let row = |row| DatasetRow {
        system: Some(SYSTEM_PROMPT.into()),
        ..row
    };
    Ok(dataset.rows.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::{SYSTEM_PROMPT, rows};
    use crate::Format;

    #[test]
    fn problems_come_from_the_question_column_with_the_system_prompt() {
        let file = b"ID,Year,Problem Number,Question,Answer,Part\n\
                     1983-1,1983,1,\"Find $x$, if any.\",60,\n";
        let rows = rows(file, Format::Csv).unwrap();
        assert_eq!(rows[0].system.as_deref(), Some(SYSTEM_PROMPT));
        assert_eq!(&**rows[0].prompt().unwrap(), "Find $x$, if any.");
    }
}
