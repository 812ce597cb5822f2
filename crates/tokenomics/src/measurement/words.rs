//! What servers say, within our own sentences.

use crate::config::{ServerConfig, secrets};

/// Somebody's words, to be gone on with.
pub(super) fn as_clause(words: &str) -> &str {
    words.trim().trim_end_matches(['.', ';', ',', ':', '!'])
}

/// What a server said, without the keys that it was asked with.
pub(super) fn without_keys(asked: &ServerConfig, words: &str) -> String {
    secrets(asked.api_key.as_ref(), &asked.headers).redact(words)
}
