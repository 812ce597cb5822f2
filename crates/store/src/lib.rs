//! Records as Parquet or JSON Lines, over any reader or writer.
//!
//! A Parquet file cannot be read before its footer is written, and a run that is killed must keep what
//! it had. So a run is written as *parts*, each a small whole Parquet file ([`encode_part`]), and joined at
//! the end ([`merge_parts`]); what a killed run left is read from its parts ([`read_parts`]).
//!
//! Parquet files of others, such as data sets, are read as rows of JSON ([`read_table`]).
//!
//! This crate never opens a path: it takes bytes, readers and writers.

mod arrays;
mod column;
mod error;
mod event_column;
#[cfg(test)]
mod example;
mod footer;
mod format;
mod jsonl;
mod limits;
mod parquet_file;
mod part;
mod response_column;
mod table;

pub use error::StoreError;
pub use format::{Format, SavedFile, read};
pub use jsonl::{JsonlWriter, read_jsonl};
pub use parquet_file::read_parquet;
pub use part::{encode_part, merge_parts, read_parts};
pub use table::read_table;
