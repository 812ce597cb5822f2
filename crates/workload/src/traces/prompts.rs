//! Texts for requests of which only the blocks are known.

use super::TraceRow;
use crate::exact::failed;
use crate::seed::purpose_seed;
use crate::{TokenBudget, Tokenizer, WorkloadError, prose};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Prompts that share text where the requests of a trace shared blocks.
///
/// The text of a block follows from its id, the seed, the tokenizer and the block's size alone. It is
/// a paragraph of prose that begins with a capital letter and ends with a line break. Between the
/// two no usual tokenizer merges: those that cut texts into words before they merge cut there, and
/// those that do not have no token that goes on after a line break. A block is made to have exactly
/// its tokens between two others, not alone, since some tokenizers put a space before a text. So the
/// first tokens of two prompts whose first ids are the same are the same.
///
/// The last block of a prompt is cut, or changed at its end, to give the whole prompt its length,
/// with the chat template and whatever the joins have changed. Where the template takes more than
/// the last block has, blocks before it go too. Everything before is shared to the byte.
#[derive(Clone, Copy)]
pub struct HashedPrompts<'a> {
    /// Cuts blocks at tokens.
    pub tokenizer: &'a dyn Tokenizer,
    /// The tokens of the whole prompt with that text in it, as in [`TokenBudget::total`].
    pub total: &'a dyn Fn(&str) -> Result<usize, String>,
    /// The tokens of a block: those of the trace.
    pub block_tokens: u32,
    /// What texts are drawn from.
    pub seed: u64,
    /// The blocks that were made before, of this tokenizer, size and seed.
    pub known: &'a BlockCache,
}

/// Texts of blocks that are kept because they will be wanted again: a block takes milliseconds to
/// make.
#[derive(Debug, Default)]
pub struct BlockCache(Mutex<HashMap<u64, Arc<str>>>);

/// Blocks that are kept; some 2 kB each.
const KNOWN_MAX: usize = 65_536;

/// What stands before a block in the middle of a prompt.
const BEFORE: &str = "There is more to say.\n";

impl HashedPrompts<'_> {
    /// The text of a block: about 4 bytes per token.
    pub fn block(&self, id: u64) -> Result<Arc<str>, WorkloadError> {
        // A text is put in whole or not at all.
        let known = || self.known.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known().get(&id) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = self.new_block(id)?.into();
        let mut known = known();
        if known.len() < KNOWN_MAX {
            known.insert(id, Arc::clone(&text));
        }
        Ok(text)
    }

    fn new_block(&self, id: u64) -> Result<String, WorkloadError> {
        let before = self.tokenizer.encode(BEFORE).map_err(failed)?.len();
        let inside = |text: &str| {
            let text = format!("{BEFORE}{text}\n");
            Ok(self.tokenizer.encode(&text)?.len().saturating_sub(before))
        };
        let budget = TokenBudget {
            tokenizer: self.tokenizer,
            total: &inside,
            tokens: self.block_tokens as usize,
        };
        let mut text = budget.fill("", self.sentences(id))?;
        text.push('\n');
        Ok(text)
    }

    /// The text of a request; `number` is its position in the trace, and makes a prompt without
    /// blocks unique.
    ///
    /// [`TraceRow::input_tokens`] is the number of tokens of the whole prompt as `total` counts it.
    /// A block that is not known yet takes a few encodings of its length.
    pub fn prompt(&self, number: u64, row: &TraceRow) -> Result<String, WorkloadError> {
        let tokens = row.input_tokens as usize;
        let budget = TokenBudget {
            tokenizer: self.tokenizer,
            total: self.total,
            tokens,
        };
        let Some((last, shared)) = row.prefix_blocks.split_last() else {
            return budget.fill("", self.unique(number));
        };
        let mut text = String::new();
        let mut ends = vec![0];
        for &id in shared {
            text.push_str(&self.block(id)?);
            ends.push(text.len());
        }
        let mut tail = *last;
        while let Some(end) = ends.pop() {
            text.truncate(end);
            if ends.is_empty() || (self.total)(&text).map_err(failed)? < tokens {
                break;
            }
            tail = shared[ends.len() - 1];
        }
        // A trace may have fewer ids than blocks; what comes after them is the request's own.
        let covered = row.prefix_blocks.len() * self.block_tokens as usize;
        if covered >= tokens {
            return budget.fill(&text, self.sentences(tail));
        }
        let known = self.block(tail)?.to_string();
        budget.fill(&text, std::iter::once(known).chain(self.unique(number)))
    }

    fn sentences(&self, id: u64) -> impl Iterator<Item = String> + use<> {
        prose::pieces(purpose_seed(self.seed, "blocks"), id)
    }

    fn unique(&self, number: u64) -> impl Iterator<Item = String> + use<> {
        prose::pieces(purpose_seed(self.seed, "requests"), number)
    }
}
