//! Why a model could not be loaded.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a model could not be loaded.
#[derive(Debug, Error)]
pub enum ModelsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the value and the limit.
        what: String,
    },
    /// The model's name means nothing.
    #[error("{0}")]
    Spec(String),
    /// Text and tokens.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl ModelsError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        ModelsError::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn file(path: &Path, what: impl Into<String>) -> Self {
        ModelsError::File {
            path: path.to_owned(),
            // A name of a file's own can be as long as the file.
            what: crate::contained::cut(&what.into()),
        }
    }
}

/// Why text did not become tokens, or messages text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// A tokenizer's file is not what it should be.
    #[error("the tokenizer{from} cannot be used: {what}")]
    Tokenizer {
        /// ` of FILE`, or nothing.
        from: String,
        /// What is wrong with it.
        what: String,
    },
    /// A text could not be encoded.
    #[error("the text cannot be turned into tokens: {0}")]
    Encode(String),
    /// A chat template could not be parsed or rendered.
    #[error("the chat template cannot be used: {0}")]
    Template(String),
}
