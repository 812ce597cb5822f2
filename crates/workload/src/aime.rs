//! The AIME problems from 1983 to 2024, as a source of prompts. Fetching them is the caller's.

use crate::{Format, PromptSource, WorkloadError, parse_rows};

/// The data set's id on the Hugging Face hub.
pub const DATASET_ID: &str = "gneubig/aime-1983-2024";

/// The column that holds the problems.
pub const COLUMN: &str = "Question";

/// Goes with every problem. AIME answers are integers from 0 to 999.
pub const SYSTEM_PROMPT: &str = "You are solving a contest problem. Reason step by step, then \
                                 state the answer, an integer from 0 to 999, on a line of its own.";

/// The problems in the bytes of the data set's file.
pub fn source(bytes: &[u8], format: Format) -> Result<PromptSource, WorkloadError> {
    Ok(PromptSource::Rows {
        rows: parse_rows(bytes, format, Some(COLUMN))?,
        system: Some(SYSTEM_PROMPT.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::{SYSTEM_PROMPT, source};
    use crate::Format;

    #[test]
    fn problems_come_from_the_question_column_with_the_system_prompt() {
        let file = b"ID,Year,Problem Number,Question,Answer,Part\n\
                     1983-1,1983,1,\"Find $x$, if any.\",60,\n";
        let prompts = source(file, Format::Csv).unwrap().prompts(0..1, 0).unwrap();
        let parts: Vec<_> = prompts[0].parts().collect();
        assert_eq!(parts, [SYSTEM_PROMPT, "Find $x$, if any."]);
    }
}
