//! Why a child could not be started or kept.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a child could not be started or kept.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// A file that it needs could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The guard could not be started.
    #[error("cannot start the process that guards {name}: {source}")]
    Guard {
        /// The child's name.
        name: String,
        /// The system's words.
        source: io::Error,
    },
    /// There is no such program.
    #[error(
        "cannot start {name}: there is no program `{program}`; install it, or name another one"
    )]
    NoProgram {
        /// The child's name.
        name: String,
        /// The program that was looked for.
        program: String,
    },
    /// The system would not start it.
    #[error("cannot start {name} (`{program}`): {why}")]
    Start {
        /// The child's name.
        name: String,
        /// The program.
        program: String,
        /// The system's words.
        why: String,
    },
}
