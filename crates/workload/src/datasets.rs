//! The data sets of the field, by name: which columns hold what.
//!
//! [`crate::parse_rows`] reads one column of any file. What is here knows more of a row: its system
//! message, the turns of a conversation, the reference answer and the limit on the answer.

mod conversations;
mod detect;
mod dialogue;
mod images;
mod record;
mod tasks;

use crate::WorkloadError;
use crate::dataset::{Format, choose, decode};
use crate::printable::{printable, quoted};
use record::{Record, are_token_ids, records};
use serde_json::{Map, Value};
use std::str::FromStr;
use std::sync::Arc;

pub(crate) use dialogue::LISTS as MESSAGE_LISTS;
pub(crate) use record::is_message;

/// A data set with a name. Columns are those of its publication, or of its copy on the Hugging Face
/// hub where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatasetFormat {
    /// `conversations`, `conversation` or `items`: messages with `from` or `role`, and `value`, `content`
    /// or `text`. Those that do not begin with a question and an answer are left out, as
    /// `vllm bench serve` does.
    ShareGpt,
    /// `instruction`, `input` or `context`, and `output` or `response`.
    Alpaca,
    /// `question` and `answer`.
    Gsm8k,
    /// `problem`, and `solution` or `answer`.
    Math500,
    /// `prompt` and `canonical_solution`.
    HumanEval,
    /// `text` or `prompt`, and `code`.
    Mbpp,
    /// `turns` or `prompt`: texts, one per turn; `reference` likewise.
    MtBench,
    /// `turns`: objects with `content`; or `prompt` in its second version.
    ArenaHard,
    /// `Problem`, `problem` or `Question`; `Solution`, `solution`, `Answer` or `answer`.
    Aime,
    /// The input file of `OpenAI`'s batch interface: `body`, with `messages` and `max_tokens` or
    /// `max_completion_tokens`.
    OpenAiBatch,
    /// `messages`, or a list of them under `prompt`: messages as in `ShareGpt`, of which none needs an
    /// answer. Where the last word is not the model's, all of them are one request.
    Messages,
}

impl DatasetFormat {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ShareGpt,
        Self::Alpaca,
        Self::Gsm8k,
        Self::Math500,
        Self::HumanEval,
        Self::Mbpp,
        Self::MtBench,
        Self::ArenaHard,
        Self::Aime,
        Self::OpenAiBatch,
        Self::Messages,
    ];

    /// Its name in flags and errors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShareGpt => "sharegpt",
            Self::Alpaca => "alpaca",
            Self::Gsm8k => "gsm8k",
            Self::Math500 => "math-500",
            Self::HumanEval => "humaneval",
            Self::Mbpp => "mbpp",
            Self::MtBench => "mt-bench",
            Self::ArenaHard => "arena-hard",
            Self::Aime => "aime",
            Self::OpenAiBatch => "openai-batch",
            Self::Messages => "messages",
        }
    }

    fn known() -> String {
        quoted(&Self::ALL.map(Self::name))
    }
}

impl FromStr for DatasetFormat {
    type Err = WorkloadError;

    fn from_str(name: &str) -> Result<Self, WorkloadError> {
        let format = Self::ALL.into_iter().find(|format| format.name() == name);
        format.ok_or_else(|| WorkloadError::UnknownName {
            what: "data set format",
            name: printable(name),
            known: Self::known(),
        })
    }
}

/// How the columns of a file are to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetReader {
    /// By the columns of its first row.
    Detect,
    /// As that data set.
    Named(DatasetFormat),
    /// By columns that the user names.
    Columns(DatasetColumns),
}

/// Columns named by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetColumns {
    /// The user's message; where absent, the first of the usual names (see [`crate::parse_rows`]).
    pub prompt: Option<String>,
    /// The system message, where a row has one.
    pub system: Option<String>,
    /// The reference answer, where a row has one.
    pub reference: Option<String>,
    /// The limit on the answer, where a row has one.
    pub max_tokens: Option<String>,
    /// The image, or a list of them, where a row has one.
    pub image: Option<String>,
}

/// The rows of a data set, in the order of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What it was read as; absent where the user named the columns.
    pub format: Option<DatasetFormat>,
    /// At least one.
    pub rows: Vec<DatasetRow>,
    /// Rows of the file that are left out: conversations without a question and its answer.
    pub left_out: usize,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetRow {
    /// The system message, if any.
    pub system: Option<Arc<str>>,
    /// At least one.
    pub turns: Vec<DatasetTurn>,
    /// The limit on the answer in tokens, at least 1; absent where the data set names none.
    pub max_tokens: Option<u32>,
    /// What the first message shows: URLs, or whatever else the file has for an image.
    pub images: Arc<[Arc<str>]>,
    /// Fields of the request's body that the data set brings.
    pub body: Option<Arc<Map<String, Value>>>,
}

/// What a user says, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetTurn {
    /// The user's message, never blank and at most [`crate::PROMPT_BYTES_MAX`] long.
    pub user: Arc<str>,
    /// The recorded answer: the reference, and what stands before the next turn of a conversation.
    pub answer: Option<Arc<str>>,
}

impl DatasetRow {
    /// The first message of the user: the prompt, where only one is sent.
    pub fn prompt(&self) -> Option<&Arc<str>> {
        self.turns.first().map(|turn| &turn.user)
    }

    /// The answer that the data set gives to the first message.
    pub fn reference(&self) -> Option<&Arc<str>> {
        self.turns.first().and_then(|turn| turn.answer.as_ref())
    }

    /// What tells it from any other row. What most rows lack leaves no trace where it is absent, so that
    /// hashes stay what they were before it was thought of.
    pub(crate) fn fingerprint(&self) -> String {
        let Self {
            system,
            turns,
            max_tokens,
            images,
            body,
        } = self;
        let mut text = format!(
            "DatasetRow {{ system: {system:?}, turns: {turns:?}, max_tokens: {max_tokens:?} }}"
        );
        if !images.is_empty() {
            text = format!("{text} images: {images:?}");
        }
        if let Some(body) = body {
            text = format!("{text} body: {}", Value::Object(Map::clone(body)));
        }
        text
    }

    /// A row of one question.
    pub fn question(user: Arc<str>, answer: Option<Arc<str>>) -> Self {
        Self::of_turns(vec![DatasetTurn { user, answer }])
    }

    /// A row of those turns, of which there is at least one, and nothing else.
    pub fn of_turns(turns: Vec<DatasetTurn>) -> Self {
        Self {
            system: None,
            turns,
            max_tokens: None,
            images: Arc::default(),
            body: None,
        }
    }
}

/// Reads a data set that has columns. Rows are counted from 1: lines of JSON lines, records after the
/// header of a CSV, elements of a JSON array.
pub fn parse_dataset(
    bytes: &[u8],
    format: Format,
    reader: &DatasetReader,
) -> Result<Dataset, WorkloadError> {
    read_dataset(&records(decode(bytes)?, format)?, reader)
}

/// Reads a data set whose file was taken apart elsewhere, such as Parquet: its rows as objects, with
/// the numbers by which errors name them.
pub fn read_dataset(
    records: &[(usize, Map<String, Value>)],
    reader: &DatasetReader,
) -> Result<Dataset, WorkloadError> {
    let Some((_, first)) = records.first() else {
        return Err(WorkloadError::EmptyDataSet);
    };
    let named = match reader {
        DatasetReader::Detect => Some(detect::detect(first)?),
        DatasetReader::Named(format) => Some(*format),
        DatasetReader::Columns(_) => None,
    };
    let columns_there: Vec<&str> = first.keys().map(String::as_str).collect();
    let (mut rows, mut left_out) = (Vec::with_capacity(records.len()), 0);
    for (number, fields) in records {
        let record = Record::new(named.map_or("data set", kind), *number, fields);
        let row = match (named, reader) {
            (Some(format), _) => read(&record, format)?,
            (None, DatasetReader::Columns(columns)) => {
                let prompt = choose(columns.prompt.as_deref(), &columns_there)
                    .map_err(|error| of_token_ids(&record).unwrap_or(error))?;
                Some(tasks::columns(&record, prompt, columns)?)
            }
            (None, _) => None,
        };
        match row {
            // The body of a batch has its own.
            Some(mut row) => {
                if row.max_tokens.is_none() && named != Some(DatasetFormat::OpenAiBatch) {
                    row.max_tokens = record.usual_limit();
                }
                rows.push(row);
            }
            None => left_out += 1,
        }
    }
    if rows.is_empty() {
        return Err(WorkloadError::EmptyDataSet);
    }
    Ok(Dataset {
        format: named,
        rows,
        left_out,
    })
}

/// What is wrong with a row that has no column of texts, where it has one of token ids.
fn of_token_ids(record: &Record<'_>) -> Option<WorkloadError> {
    let is_ids = |value: &Value| matches!(value, Value::Array(list) if are_token_ids(list));
    let (column, _) = record.fields().iter().find(|(_, value)| is_ids(value))?;
    Some(record.token_ids(column))
}

/// One row; `None` where it is left out.
fn read(record: &Record<'_>, format: DatasetFormat) -> Result<Option<DatasetRow>, WorkloadError> {
    match format {
        DatasetFormat::ShareGpt => conversations::share_gpt(record),
        DatasetFormat::Messages => conversations::messages(record),
        DatasetFormat::MtBench => conversations::mt_bench(record).map(Some),
        DatasetFormat::ArenaHard => conversations::arena_hard(record).map(Some),
        DatasetFormat::OpenAiBatch => conversations::openai_batch(record).map(Some),
        DatasetFormat::Alpaca => tasks::alpaca(record).map(Some),
        DatasetFormat::Gsm8k => tasks::question(record, &["question"], &["answer"]).map(Some),
        DatasetFormat::Math500 => {
            tasks::question(record, &["problem"], &["solution", "answer"]).map(Some)
        }
        DatasetFormat::HumanEval => {
            tasks::question(record, &["prompt"], &["canonical_solution"]).map(Some)
        }
        DatasetFormat::Mbpp => tasks::question(record, &["text", "prompt"], &["code"]).map(Some),
        DatasetFormat::Aime => {
            let prompts = ["Problem", "problem", "Question"];
            let answers = ["Solution", "solution", "Answer", "answer"];
            tasks::question(record, &prompts, &answers).map(Some)
        }
    }
}

/// What errors call a file that is read as that data set.
const fn kind(format: DatasetFormat) -> &'static str {
    match format {
        DatasetFormat::ShareGpt => "sharegpt data set",
        DatasetFormat::Alpaca => "alpaca data set",
        DatasetFormat::Gsm8k => "gsm8k data set",
        DatasetFormat::Math500 => "math-500 data set",
        DatasetFormat::HumanEval => "humaneval data set",
        DatasetFormat::Mbpp => "mbpp data set",
        DatasetFormat::MtBench => "mt-bench data set",
        DatasetFormat::ArenaHard => "arena-hard data set",
        DatasetFormat::Aime => "aime data set",
        DatasetFormat::OpenAiBatch => "openai-batch data set",
        DatasetFormat::Messages => "messages data set",
    }
}
