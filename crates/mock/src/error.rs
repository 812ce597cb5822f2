//! Why the mock provider could not do what it was asked.

use crate::Fault;
use std::io;
use std::net::SocketAddr;

/// Why the mock provider could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// What was given as a timing is none.
    #[error(
        "`{text}` is no timing: 50, normal:50:5 (mean, deviation), lognormal:50:0.5 (median, sigma), gamma:50:2 (mean, \
         shape) or 50:80:120 (p50, p90, p99), in milliseconds up to an hour"
    )]
    Timing {
        /// What was given.
        text: String,
    },
    /// An embedding would have no numbers, or too many.
    #[error("embeddings cannot have {dimensions} dimensions; 1 to {most} are possible")]
    Dimensions {
        /// What was given.
        dimensions: u32,
        /// The limit.
        most: u32,
    },
    /// A count of the configuration is zero.
    #[error("the mock's `{field}` is 0; it must be at least 1, leave it out for the default")]
    ZeroCount {
        /// Name of the field in [`crate::MockConfig`].
        field: &'static str,
    },
    /// A line of a file of recorded timings is none.
    #[error(
        "line {line} is no recorded timing: {reason}; write it like {{\"ttft_ms\": 12.3, \"gaps_ms\": [1.0, 2.0]}}"
    )]
    RecordedTiming {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of recorded timings holds none.
    #[error(
        "no line holds a recorded timing; one for each request is written like \
         {{\"ttft_ms\": 12.3, \"gaps_ms\": [1.0, 2.0]}}"
    )]
    NoRecordedTiming,
    /// No fault of that name, or not with that argument.
    #[error(
        "`{given}` is not a fault the mock can play: {reason}; known are {}",
        Fault::known()
    )]
    UnknownFault {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error(
        "the mock cannot listen on {addr}: {source}; choose another port, or 0 for any free one"
    )]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// A system call that must work does not.
    #[error("the mock's event loop cannot go on, {call} failed: {source}")]
    System {
        /// The system call.
        call: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The truth log cannot be written.
    #[error("the mock's truth log cannot be written: {0}; what the log holds is incomplete")]
    WriteTruth(#[source] io::Error),
    /// The truth log cannot be read.
    #[error("the mock's truth log cannot be read: {0}")]
    ReadTruth(#[source] io::Error),
    /// A line of the truth log is not a record.
    #[error("line {line} of the mock's truth log is not a record: {source}")]
    TruthLine {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The server's thread panicked.
    #[error("the mock's thread panicked; its message is on stderr, and its counts are lost")]
    Panicked,
}

impl MockError {
    /// For `map_err`: names the system call that failed.
    pub(crate) fn system<E: Into<io::Error>>(call: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System {
            call,
            source: source.into(),
        }
    }
}
