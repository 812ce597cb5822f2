//! Texts that wait for an encoder, and which of them are computed together.

use crate::{TextBatch, TokenId};
use std::collections::BTreeMap;
use thiserror::Error;

/// A text that was submitted; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextId(pub u64);

/// How much is computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Texts of a batch, at least 1.
    pub texts_max: usize,
    /// Tokens of a batch. A text is never cut, so this is also the longest that is taken.
    pub tokens_max: usize,
}

/// Why a text was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextRefusal {
    /// It has no token.
    #[error("the text has no token; at least one is needed")]
    Empty,
    /// No batch has room for it.
    #[error("the text has {tokens} tokens, and a batch has room for {tokens_max}")]
    TooLong {
        /// Those of the text.
        tokens: usize,
        /// Those of a batch.
        tokens_max: usize,
    },
}

/// Texts that a batch looks at beyond the first one that it has no room for: each look costs time, and those that are
/// left over are looked at again.
const LOOKS_MAX: usize = 256;

/// Texts in the order in which they came.
///
/// A batch begins with the oldest text and takes, in order of age, whatever still fits. What is passed over is older than
/// all that come later, and so it is in the next batch but for those before it: a text waits for no more batches than
/// there were texts when it came.
#[derive(Debug)]
pub struct TextQueue {
    limits: BatchLimits,
    waiting: BTreeMap<TextId, Vec<TokenId>>,
    /// Of all that wait.
    tokens: usize,
    next: u64,
}

impl TextQueue {
    /// An empty one.
    pub fn new(limits: BatchLimits) -> Self {
        TextQueue {
            limits,
            waiting: BTreeMap::new(),
            tokens: 0,
            next: 0,
        }
    }

    /// Texts that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tokens that wait.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Takes a text.
    pub fn submit(&mut self, tokens: Vec<TokenId>) -> Result<TextId, TextRefusal> {
        if tokens.is_empty() {
            return Err(TextRefusal::Empty);
        }
        if tokens.len() > self.limits.tokens_max {
            return Err(TextRefusal::TooLong {
                tokens: tokens.len(),
                tokens_max: self.limits.tokens_max,
            });
        }
        let id = TextId(self.next);
        self.next += 1;
        self.tokens += tokens.len();
        self.waiting.insert(id, tokens);
        Ok(id)
    }

    /// Forgets a text; false where it does not wait, because it is in a batch or was forgotten before.
    pub fn abort(&mut self, text: TextId) -> bool {
        self.take(text).is_some()
    }

    fn take(&mut self, text: TextId) -> Option<Vec<TokenId>> {
        let tokens = self.waiting.remove(&text)?;
        self.tokens -= tokens.len();
        Some(tokens)
    }

    /// Moves the texts that are computed next into `batch`, which it empties first; false where none waits.
    pub fn next_batch(&mut self, batch: &mut TextBatch) -> bool {
        batch.clear();
        let mut room = self.limits.tokens_max;
        let mut looks = 0;
        let mut chosen = Vec::new();
        for (text, tokens) in &self.waiting {
            if chosen.len() == self.limits.texts_max.max(1) || room == 0 || looks == LOOKS_MAX {
                break;
            }
            let fits = tokens.len() <= room;
            if fits {
                room -= tokens.len();
                chosen.push((*text, tokens.len()));
            }
            looks += usize::from(!fits || looks > 0);
        }
        // Threads share a batch by texts: the longest first, so that none is left alone with one at the end.
        chosen.sort_by_key(|(text, tokens)| (std::cmp::Reverse(*tokens), *text));
        for (text, _) in chosen {
            if let Some(tokens) = self.take(text) {
                batch.push(text, &tokens);
            }
        }
        !batch.texts.is_empty()
    }
}
