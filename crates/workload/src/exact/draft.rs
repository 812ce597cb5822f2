//! A text on its way to its length.

use super::{TokenBudget, failed};
use crate::WorkloadError;

/// Words that are one token each in most vocabularies, and adverse ones for those in which a word
/// merges with what is before it.
const WORDS: [&str; 24] = [
    " and", " the", " of", " a", " to", " in", " so", " on", " it", " we", " now", " day", " one",
    " two", ".", ",", "!", ";", " 7", " x", "a", "e", "z", "q",
];

/// How often a text is cut before what cannot be cut is given up.
const CUTS: usize = 64;

/// How many words may add no token, where a token is several words long.
const WITHOUT_GAIN_MAX: usize = 24;

/// How many bytes are counted for one prompt before it is given up: some seconds' work of a usual
/// tokenizer. A long text is counted so many times all the same.
const COUNTED_BYTES_MAX: usize = 16 << 20;
const COUNTS_MIN: usize = 40;

pub(super) struct Draft<'a> {
    budget: &'a TokenBudget<'a>,
    pub(super) text: String,
    /// Bytes of the text that are never cut.
    fixed: usize,
    /// The prompt's tokens with the text as it is.
    pub(super) count: usize,
    /// The count that came nearest to the budget.
    pub(super) nearest: usize,
    counted_bytes: usize,
}

impl<'a> Draft<'a> {
    pub(super) fn new(budget: &'a TokenBudget<'a>, fixed: &str) -> Result<Self, WorkloadError> {
        let count = (budget.total)(fixed).map_err(failed)?;
        Ok(Self {
            budget,
            text: fixed.to_owned(),
            fixed: fixed.len(),
            count,
            nearest: count,
            counted_bytes: 0,
        })
    }

    pub(super) fn is_exact(&self) -> bool {
        self.count == self.budget.tokens
    }

    /// Appends pieces until the prompt has the tokens of the budget, or more.
    pub(super) fn grow(
        &mut self,
        pieces: &mut impl Iterator<Item = String>,
    ) -> Result<(), WorkloadError> {
        while self.count < self.budget.tokens {
            let before = self.count;
            let missing = self.budget.tokens - self.count;
            // By the tokens of the pieces alone, because counting the whole text after each piece
            // would take a time that grows with the square of its length.
            let (mut grown, mut taken) = (0, 0);
            while grown < missing && taken < missing.saturating_add(8) {
                let Some(piece) = pieces.next() else { break };
                grown += self.encode(&piece)?.len();
                taken += 1;
                self.text.push_str(&piece);
            }
            self.recount()?;
            if self.count <= before {
                return Err(WorkloadError::TokenBudgetMissed {
                    budget: self.budget.tokens,
                    nearest: self.nearest,
                });
            }
        }
        Ok(())
    }

    /// Cuts the end until the prompt has at least `spare` tokens less than the budget, or nothing is
    /// left to be cut.
    pub(super) fn cut(&mut self, spare: usize) -> Result<(), WorkloadError> {
        for extra in 0..CUTS {
            let wanted = self.budget.tokens.saturating_sub(spare);
            if self.count <= wanted || self.text.len() == self.fixed {
                return Ok(());
            }
            let tail = &self.text[self.fixed..];
            let tokens = self.encode(tail)?;
            let keep = tokens
                .len()
                .saturating_sub(self.count - wanted)
                .saturating_sub(extra);
            let decoded = self
                .budget
                .tokenizer
                .decode(&tokens[..keep])
                .map_err(failed)?;
            let kept = cut_place(tail, &decoded, keep, tokens.len());
            self.text.truncate(self.fixed + kept);
            self.recount()?;
        }
        Ok(())
    }

    /// Appends words that add a token each, or lead to one; whether the budget is hit.
    pub(super) fn top_up(&mut self, first: usize) -> Result<bool, WorkloadError> {
        let mut words = WORDS.map(str::to_owned).to_vec();
        words.rotate_left(first % WORDS.len());
        words.extend(self.own_words()?);
        let mut without_gain = 0;
        while self.count < self.budget.tokens {
            if !self.append_one(&words)? {
                if without_gain == WITHOUT_GAIN_MAX || self.is_exhausted() {
                    return Ok(false);
                }
                without_gain += 1;
                // A word that adds nothing here is a part of a token that the next one may end.
                self.text.push_str(&words[0]);
                self.recount()?;
            }
            words.rotate_left(1);
        }
        Ok(self.is_exact())
    }

    /// Whether counting has taken all the time that it is worth.
    pub(super) fn is_exhausted(&self) -> bool {
        self.counted_bytes > COUNTED_BYTES_MAX.max(COUNTS_MIN * self.text.len())
    }

    /// Appends the first of the words that brings the prompt nearer to the budget and not beyond.
    fn append_one(&mut self, words: &[String]) -> Result<bool, WorkloadError> {
        let (length, before) = (self.text.len(), self.count);
        for word in words {
            if self.is_exhausted() {
                break;
            }
            self.text.push_str(word);
            self.recount()?;
            if before < self.count && self.count <= self.budget.tokens {
                return Ok(true);
            }
            self.text.truncate(length);
            self.count = before;
        }
        Ok(false)
    }

    /// Tokens of the text itself, for vocabularies in which [`WORDS`] are not.
    fn own_words(&self) -> Result<Vec<String>, WorkloadError> {
        const LOOKED_AT: usize = 64;
        let begin = self
            .text
            .floor_char_boundary(self.text.len().saturating_sub(512));
        let tokens = self.encode(&self.text[begin..])?;
        let mut words = Vec::new();
        for token in tokens.iter().rev().take(LOOKED_AT) {
            let word = self
                .budget
                .tokenizer
                .decode(std::slice::from_ref(token))
                .map_err(failed)?;
            let fits = !word.contains(['\u{fffd}', '\n', '\r']) && !word.trim().is_empty();
            if fits && !words.contains(&word) {
                words.push(word);
            }
        }
        Ok(words)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, WorkloadError> {
        self.budget.tokenizer.encode(text).map_err(failed)
    }

    fn recount(&mut self) -> Result<(), WorkloadError> {
        self.counted_bytes += self.text.len();
        self.count = (self.budget.total)(&self.text).map_err(failed)?;
        let distance = |count: usize| count.abs_diff(self.budget.tokens);
        if distance(self.count) < distance(self.nearest) {
            self.nearest = self.count;
        }
        Ok(())
    }
}

/// Where to cut a text so that about `keep` of its `tokens` stay: after what `decoded` shares with
/// it or, where the tokenizer changes texts, at that share of its length.
fn cut_place(text: &str, decoded: &str, keep: usize, tokens: usize) -> usize {
    let space = text.len() - text.trim_start().len();
    let shared: usize = text[space..]
        .chars()
        .zip(decoded.trim_start().chars())
        .take_while(|(own, other)| own == other)
        .map(|(own, _)| own.len_utf8())
        .sum();
    let share = text.len() as u128 * keep as u128 / tokens.max(1) as u128;
    let share = usize::try_from(share).unwrap_or(0);
    // A text that is given back with few changes, at most some bytes of a last character.
    let faithful = space + shared + 4 >= decoded.len().min(share);
    let place = if keep == 0 {
        0
    } else if faithful {
        space + shared
    } else {
        share
    };
    let place = text.floor_char_boundary(place.min(text.len()));
    text[..place].trim_end().len()
}
