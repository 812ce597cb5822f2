//! Why records could not be written or read.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use std::io;

/// Why records could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The reader or the writer failed.
    #[error("the records could not be read or written: {0}")]
    Io(#[from] io::Error),

    /// Neither of the two formats.
    #[error(
        "these bytes are neither Parquet (they would begin with `PAR1`) nor JSON Lines (they would begin with `{{`); give a records file that tokenomics wrote"
    )]
    UnknownFormat,

    /// A Parquet file that somebody else wrote.
    #[error(
        "the Parquet file has no `{key}` in its metadata, so it does not hold records; give a records file that tokenomics wrote, unaltered"
    )]
    MetadataMissing {
        /// The key that is not there.
        key: &'static str,
    },

    /// JSON in the Parquet metadata does not say what it should.
    #[error("`{key}` in the metadata of the Parquet file cannot be read: {source}")]
    Metadata {
        /// The key whose value is wrong.
        key: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// A value does not fit into JSON.
    #[error("a {what} cannot be written as JSON: {source}")]
    Encode {
        /// What was to be written.
        what: &'static str,
        /// Why it does not fit.
        source: serde_json::Error,
    },

    /// The bytes are not what the Parquet format says.
    #[error(
        "the Parquet file is damaged ({what}); a run that was killed leaves its records in its parts"
    )]
    Damaged {
        /// Where the reader gave up.
        what: String,
    },

    /// The Parquet encoder gave up.
    #[error("the records cannot be written as Parquet: {what}")]
    Write {
        /// Why.
        what: String,
    },

    /// The file would grow beyond reason when it is read.
    #[error(
        "the Parquet file has {file_bytes} bytes and would unfold to {found} {unit}, more than the {limit} that a file of this size may hold; it is refused as a decompression bomb"
    )]
    TooLarge {
        /// The size of the file.
        file_bytes: u64,
        /// What it claims, or was seen, to hold.
        found: u64,
        /// The most it may.
        limit: u64,
        /// Of what: bytes, values or bytes of text.
        unit: &'static str,
    },

    /// What the file holds does not fit into memory.
    #[error(
        "the file holds {found} {unit}, which take {needed_mib} MiB of memory, and {left_mib} MiB are left for it; read it where there is more"
    )]
    NoMemory {
        /// What was found, before memory was taken for it.
        found: u64,
        /// Of what.
        unit: &'static str,
        /// What it takes.
        needed_mib: u64,
        /// What may be taken.
        left_mib: u64,
    },

    /// Written by a later version of this program.
    #[error(
        "the records have schema version {found}, and this program reads up to {supported}; read them with the version of tokenomics that wrote them, or a later one"
    )]
    NewerSchema {
        /// The version in the file.
        found: u32,
        /// [`trace::SCHEMA_VERSION`].
        supported: u32,
    },

    /// A column is absent or has another type.
    #[error("the column `{name}` of the Parquet file is {found}, and should be {expected}")]
    Column {
        /// The column.
        name: String,
        /// Its type here.
        found: String,
        /// Its type in a records file.
        expected: String,
    },

    /// A cell holds something that no record can.
    #[error("the column `{name}` of the Parquet file {what}")]
    Cell {
        /// The column.
        name: &'static str,
        /// What is wrong.
        what: String,
    },

    /// A line of JSON does not say what it should.
    #[error("line {line} of the JSON Lines file cannot be read: {source}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// A line is out of place.
    #[error("line {line} of the JSON Lines file {what}")]
    LineOrder {
        /// Counted from 1.
        line: u64,
        /// What is wrong with its place.
        what: &'static str,
    },

    /// There was nothing to read.
    #[error("there is no part to read, so there are no records")]
    NoParts,

    /// One of several parts could not be read.
    #[error("part {number}: {source}")]
    Part {
        /// Counted from 1.
        number: usize,
        /// Why.
        source: Box<StoreError>,
    },

    /// Parts of two invocations were mixed.
    #[error(
        "part {number} has another header than part 1, so they come from different invocations; keep the parts of each apart"
    )]
    MixedParts {
        /// Counted from 1.
        number: usize,
    },
}

impl StoreError {
    /// What the parquet crate says while it writes: the system's own words where the writer failed.
    pub(crate) fn writing(error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(io) => Self::Io(*io),
                Err(other) => Self::Write {
                    what: other.to_string(),
                },
            },
            other => Self::Write {
                what: other.to_string(),
            },
        }
    }
}

/// While reading bytes from memory, the only reason is that they are wrong.
impl From<ParquetError> for StoreError {
    fn from(error: ParquetError) -> Self {
        Self::Damaged {
            what: error.to_string(),
        }
    }
}

impl From<ArrowError> for StoreError {
    fn from(error: ArrowError) -> Self {
        Self::Damaged {
            what: error.to_string(),
        }
    }
}
