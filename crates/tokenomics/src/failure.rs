//! How the process ends: exit codes, and failures as sentences.

use std::fmt;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; the measurement is valid, or suspect with its reasons.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A threshold is not kept, or something has become worse.
    Missed = 3,
    /// The measurement is invalid.
    Invalid = 4,
    /// The user stopped it; what was measured is kept.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// Why the process ends early: a sentence for a person and an exit code for a script.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    sentence: String,
    /// Lines of somebody else's that show why.
    excerpt: Vec<String>,
}

impl Failure {
    /// The command line, or a file that it names, is wrong.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Usage,
            sentence: sentence.to_string(),
            excerpt: Vec::new(),
        }
    }

    /// With lines of a log, say, below it.
    pub(crate) fn with_excerpt(mut self, text: &str) -> Self {
        self.excerpt = text.lines().map(str::to_owned).collect();
        self
    }

    /// The user stopped it before there was anything to keep.
    pub(crate) fn interrupted(sentence: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Interrupted,
            ..Failure::failed(sentence)
        }
    }

    /// The system or the server does not let it be done.
    pub(crate) fn failed(sentence: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Failed,
            sentence: sentence.to_string(),
            excerpt: Vec::new(),
        }
    }
}

/// A model that cannot compute a step.
impl From<engine::ModelError> for Failure {
    fn from(error: engine::ModelError) -> Self {
        Failure::failed(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parts of the sentence may come from a server or a file.
        f.write_str(&report::escape::terminal(&self.sentence))?;
        for line in &self.excerpt {
            write!(f, "\n  {}", report::escape::terminal(line))?;
        }
        Ok(())
    }
}
