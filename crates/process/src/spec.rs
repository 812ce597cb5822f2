//! What to start, and how to stop it.

use std::path::PathBuf;
use std::time::Duration;

/// What to start, and how to stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSpec {
    /// What people call it.
    pub name: String,
    /// The program, as a path or a name to look for in `PATH`.
    pub program: String,
    /// Its arguments. Secrets do not belong here: everybody on the machine can read them.
    pub args: Vec<String>,
    /// Variables beside those that are inherited.
    pub environment: Vec<(String, String)>,
    /// Where it runs; where we run, if absent.
    pub folder: Option<PathBuf>,
    /// Files that it needs, written before it starts; only their owner may read them.
    pub files: Vec<(PathBuf, String)>,
    /// How long it may take to end after `SIGTERM`; then comes `SIGKILL`.
    pub grace: Duration,
}

impl ChildSpec {
    /// The command as a person would type it, for messages and dry runs.
    pub fn command_line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_that_a_shell_would_take_apart_are_quoted() {
        for (word, expected) in [
            ("--port=1", "--port=1"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
