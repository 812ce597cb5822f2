//! Which columns of a trace hold what.

use super::rows::{Row, is_same};
use super::time::{Stamp, TimeUnit};
use super::{BAILIAN_BLOCK_TOKENS, Found, MOONCAKE_BLOCK_TOKENS, TraceFormat, TraceRow};
use crate::TOKENS_MAX;
use crate::WorkloadError;
use crate::printable::printable;
use serde_json::Value;
use trace::Nanos;

const HASH_IDS: &str = "hash_ids";

/// What Qwen-Bailian's traces have and Mooncake's do not.
const OF_CHATS: [&str; 2] = ["chat_id", "parent_chat_id"];

/// What `AIPerf` takes in place of a length.
const TEXTS: [&str; 3] = ["text_input", "messages", "payload"];

pub(super) struct Schema {
    pub(super) time: &'static str,
    input: &'static str,
    output: &'static str,
    /// Whether requests have blocks, and rows may be of sessions.
    has_blocks: bool,
    /// What its times count where they are numbers; where absent, they are dates.
    pub(super) unit: Option<TimeUnit>,
    pub(super) time_form: &'static str,
    pub(super) block_tokens: u32,
    /// Whether ids beyond the prompt may stand for what was answered.
    ids_go_on: bool,
}

const MOONCAKE: Schema = Schema {
    time: "timestamp",
    input: "input_length",
    output: "output_length",
    has_blocks: true,
    unit: Some(TimeUnit::Millis),
    time_form: "a time in milliseconds, from 0 on",
    block_tokens: MOONCAKE_BLOCK_TOKENS,
    ids_go_on: false,
};

const BAILIAN: Schema = Schema {
    unit: Some(TimeUnit::Seconds),
    time_form: SECONDS_FORM,
    block_tokens: BAILIAN_BLOCK_TOKENS,
    ids_go_on: true,
    ..MOONCAKE
};

const BURST_GPT: Schema = Schema {
    time: "Timestamp",
    input: "Request tokens",
    output: "Response tokens",
    has_blocks: false,
    unit: Some(TimeUnit::Seconds),
    time_form: SECONDS_FORM,
    ..MOONCAKE
};

const AZURE: Schema = Schema {
    time: "TIMESTAMP",
    input: "ContextTokens",
    output: "GeneratedTokens",
    has_blocks: false,
    unit: None,
    time_form: "a date and time such as 2023-11-16 18:17:03.9799600",
    ..MOONCAKE
};

const SECONDS_FORM: &str = "a time in seconds, from 0 on";

/// Whose columns these are.
pub(super) fn detect(columns: &[&str]) -> Option<TraceFormat> {
    let has = |column: &str| columns.iter().any(|name| is_same(name, column));
    let is = |schema: &Schema| has(schema.time) && has(schema.input) && has(schema.output);
    let is_chat = OF_CHATS.into_iter().any(has) || has("turn") && has("type");
    match () {
        () if has(MOONCAKE.input) && is_chat => Some(TraceFormat::Bailian),
        () if has(MOONCAKE.input) || has(HASH_IDS) || TEXTS.into_iter().any(has) => {
            Some(TraceFormat::Mooncake)
        }
        () if is(&BURST_GPT) => Some(TraceFormat::BurstGpt),
        () if is(&AZURE) => Some(TraceFormat::Azure),
        () => None,
    }
}

impl Schema {
    pub(super) const fn of(format: TraceFormat) -> Self {
        match format {
            TraceFormat::Mooncake => MOONCAKE,
            TraceFormat::Bailian => BAILIAN,
            TraceFormat::BurstGpt => BURST_GPT,
            TraceFormat::Azure => AZURE,
        }
    }

    /// Refuses what was named as Mooncake's and looks like Qwen-Bailian's, in which nothing is out of
    /// range: it would be replayed a thousand times too fast.
    pub(super) fn refuse_others(&self, columns: &[String]) -> Result<(), WorkloadError> {
        let of_chats = |name: &&String| OF_CHATS.into_iter().any(|known| is_same(name, known));
        match columns.iter().find(of_chats) {
            Some(column) if self.has_blocks && self.unit == MOONCAKE.unit => {
                Err(WorkloadError::BailianTrace {
                    column: printable(column),
                })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn read(&self, row: &Row<'_>, block_tokens: u32) -> Result<Found, WorkloadError> {
        let stamp = self.stamp(row)?;
        let mut found = TraceRow {
            due: Nanos::ZERO,
            input_tokens: self.input_tokens(row)?,
            output_tokens: tokens(row, self.output)?,
            prefix_blocks: Vec::new(),
        };
        if self.has_blocks {
            found.prefix_blocks = self.blocks(row, &found, block_tokens)?;
        }
        Ok(Found {
            number: row.number,
            stamp,
            row: found,
        })
    }

    fn stamp(&self, row: &Row<'_>) -> Result<Stamp, WorkloadError> {
        let Some(cell) = row.cell(self.time) else {
            return Err(if self.has_blocks && row.cell("delay").is_some() {
                WorkloadError::TraceDelay { row: row.number }
            } else {
                row.missing(self.time)
            });
        };
        Stamp::read(cell).ok_or_else(|| row.wrong(self.time, cell, self.time_form))
    }

    fn input_tokens(&self, row: &Row<'_>) -> Result<u32, WorkloadError> {
        if self.has_blocks && row.cell(self.input).is_none() {
            let text = TEXTS.into_iter().find(|column| row.cell(column).is_some());
            if let Some(column) = text {
                return Err(WorkloadError::TraceTexts {
                    row: row.number,
                    column,
                });
            }
        }
        tokens(row, self.input)
    }

    fn blocks(
        &self,
        row: &Row<'_>,
        lengths: &TraceRow,
        block_tokens: u32,
    ) -> Result<Vec<u64>, WorkloadError> {
        let Some(cell) = row.cell(HASH_IDS) else {
            return Ok(Vec::new());
        };
        let list = cell.list();
        let ids = list.as_ref().map(|list| list.iter().map(id));
        let ids: Option<Vec<u64>> = ids.and_then(Iterator::collect);
        let mut ids = ids.ok_or_else(|| row.wrong(HASH_IDS, cell, "a list of whole numbers"))?;
        let blocks = |tokens: u32| tokens.div_ceil(block_tokens) as usize;
        let of_prompt = blocks(lengths.input_tokens);
        let most = if self.ids_go_on {
            blocks(lengths.input_tokens.saturating_add(lengths.output_tokens))
        } else {
            of_prompt
        };
        if lengths.input_tokens > 0 && ids.len() > most {
            return Err(WorkloadError::TraceBlocks {
                row: row.number,
                ids: ids.len(),
                input_tokens: lengths.input_tokens,
                block_tokens,
            });
        }
        ids.truncate(of_prompt);
        Ok(ids)
    }
}

/// An id, whichever half of the numbers it is of.
#[allow(
    clippy::cast_sign_loss,
    reason = "an id is bits, and only ever compared"
)]
fn id(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_i64().map(|id| id as u64))
}

/// A number of tokens, and 0 where the column is there and holds none, as that of a request that failed.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is whole and in range where it is cast"
)]
fn tokens(row: &Row<'_>, column: &str) -> Result<u32, WorkloadError> {
    let Some(cell) = row.cell(column) else {
        return if row.has(column) {
            Ok(0)
        } else {
            Err(row.missing(column))
        };
    };
    let whole =
        |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(TOKENS_MAX)).contains(number);
    // Where some rows have no number, pandas writes the others with a point.
    match cell.number().filter(whole) {
        Some(number) => Ok(number as u32),
        None => Err(row.wrong(column, cell, "a whole number of tokens, from 0 to 10000000")),
    }
}
