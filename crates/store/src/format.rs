//! The formats of records.

use crate::{StoreError, read_jsonl, read_parquet};
use bytes::Bytes;
use trace::SavedRun;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Compact and typed, for pandas, polars and `DuckDB`.
    Parquet,
    /// One JSON object per line, for anything else.
    Jsonl,
}

/// What a file held.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedFile {
    /// The records, with what was known before and after them.
    pub run: SavedRun,
    /// The last line was cut off, as a kill in the middle of a write does: one record or fact is lost.
    pub truncated: bool,
}

impl Format {
    /// The format that `bytes` begin like: Parquet's magic is `PAR1`, a JSON object begins with a brace.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"PAR1") {
            Some(Self::Parquet)
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            Some(Self::Jsonl)
        } else {
            None
        }
    }
}

/// Reads a whole file of either format into at most `memory` bytes of memory.
pub fn read(bytes: Bytes, memory: u64) -> Result<SavedFile, StoreError> {
    match Format::detect(&bytes).ok_or(StoreError::UnknownFormat)? {
        Format::Parquet => Ok(SavedFile {
            run: read_parquet(bytes, memory)?,
            truncated: false,
        }),
        Format::Jsonl => read_jsonl(bytes.as_ref(), memory),
    }
}
