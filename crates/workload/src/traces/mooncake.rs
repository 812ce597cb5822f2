//! Mooncake's traces.

use super::{Gathered, MOONCAKE_BLOCK_TOKENS, TraceRow, missing, wrong};
use crate::WorkloadError;
use crate::dataset::{filled_lines, json_line};
use crate::printable::{shown_value, type_name};
use serde_json::{Map, Value};
use trace::Nanos;

const TIMESTAMP: &str = "timestamp";
const HASH_IDS: &str = "hash_ids";

pub(super) fn read(text: &str, gathered: &mut Gathered) -> Result<(), WorkloadError> {
    for (number, line) in filled_lines(text) {
        let object = match json_line(number, line)? {
            Value::Object(object) => object,
            other => {
                return Err(WorkloadError::WrongField {
                    kind: "trace",
                    row: number,
                    place: String::new(),
                    found: type_name(&other).to_owned(),
                    expected: "an object with a field for every column",
                });
            }
        };
        let line = Line { number, object };
        let row = TraceRow {
            due: Nanos::ZERO,
            input_tokens: line.tokens("input_length")?,
            output_tokens: line.tokens("output_length")?,
            prefix_blocks: line.blocks()?,
        };
        let blocks = row.input_tokens.div_ceil(MOONCAKE_BLOCK_TOKENS) as usize;
        if row.input_tokens > 0 && row.prefix_blocks.len() > blocks {
            let found = format!("{} ids", row.prefix_blocks.len());
            let expected = "at most one id for every 512 tokens of `input_length`";
            return Err(wrong(number, HASH_IDS, found, expected));
        }
        gathered.push(number, TIMESTAMP, line.time()?, row)?;
    }
    Ok(())
}

struct Line {
    number: usize,
    object: Map<String, Value>,
}

impl Line {
    fn field(&self, column: &str) -> Result<&Value, WorkloadError> {
        self.object.get(column).ok_or_else(|| {
            let names: Vec<&str> = self.object.keys().map(String::as_str).collect();
            missing(self.number, column, &names)
        })
    }

    fn time(&self) -> Result<u64, WorkloadError> {
        let value = self.field(TIMESTAMP)?;
        match value.as_f64() {
            Some(millis) if millis >= 0.0 => Ok(Nanos::from_seconds(millis / 1e3).0),
            _ => Err(wrong(
                self.number,
                TIMESTAMP,
                shown_value(value),
                "a time in milliseconds, from 0 on",
            )),
        }
    }

    fn tokens(&self, column: &str) -> Result<u32, WorkloadError> {
        let value = self.field(column)?;
        let tokens = value.as_u64().and_then(|tokens| u32::try_from(tokens).ok());
        tokens.ok_or_else(|| {
            let expected = "a whole number of tokens, from 0 on";
            wrong(self.number, column, shown_value(value), expected)
        })
    }

    fn blocks(&self) -> Result<Vec<u64>, WorkloadError> {
        let value = self.field(HASH_IDS)?;
        let ids = value.as_array().map(|ids| ids.iter().map(Value::as_u64));
        ids.and_then(Iterator::collect).ok_or_else(|| {
            let expected = "a list of whole numbers";
            wrong(self.number, HASH_IDS, shown_value(value), expected)
        })
    }
}
