//! The AIME problems from 1983 to 2024. Fetching them is the caller's.

use crate::DatasetRow;

/// The data set's id on the Hugging Face hub.
pub const DATASET_ID: &str = "gneubig/aime-1983-2024";

/// Goes with every problem. AIME answers are integers from 0 to 999.
pub const SYSTEM_PROMPT: &str = "You are solving a contest problem. Reason step by step, then \
                                 state the answer, an integer from 0 to 999, on a line of its own.";

/// The problems with that in front.
pub fn with_system_prompt(rows: Vec<DatasetRow>) -> Vec<DatasetRow> {
    let row = |row| DatasetRow {
        system: Some(SYSTEM_PROMPT.into()),
        ..row
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{SYSTEM_PROMPT, with_system_prompt};
    use crate::{DatasetFormat, DatasetReader, Format, parse_dataset};

    #[test]
    fn problems_come_from_the_question_column_with_the_system_prompt() {
        let file = b"ID,Year,Problem Number,Question,Answer,Part\n\
                     1983-1,1983,1,\"Find $x$, if any.\",60,\n";
        let reader = DatasetReader::Named(DatasetFormat::Aime);
        let rows = parse_dataset(file, Format::Csv, &reader).unwrap().rows;
        let rows = with_system_prompt(rows);
        assert_eq!(rows[0].system.as_deref(), Some(SYSTEM_PROMPT));
        assert_eq!(&**rows[0].prompt().unwrap(), "Find $x$, if any.");
    }
}
