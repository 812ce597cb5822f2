//! Which of the prompt tokens from the server's cache every prompt has in common.
//!
//! A chat template's own system prompt and the descriptions of tools begin every prompt alike. A server with a prefix
//! cache computes them once, and a benchmark of unique prompts is none the worse for it.

use super::linear_fit::LinearFit;
use std::collections::BTreeMap;
use trace::Record;

/// Caches keep blocks of 16 tokens, vLLM's and llama.cpp's on the processor up to 128.
const BLOCK: u64 = 16;

/// Of the answers with tokens from the cache, so many have the same number, within a block.
const COMMON_SHARE_MIN: f64 = 0.8;

/// Counts of tokens follow the length of a text at least as well as this.
const FOLLOWS_MIN: f64 = 0.5;

/// Prompt tokens from the server's cache.
#[derive(Debug, Default)]
pub(crate) struct CacheTally {
    /// Cached tokens of an answer, and how often.
    counts: BTreeMap<u64, u64>,
    /// The most that every prompt can have in common beside its own words.
    common_most: Option<u64>,
    /// Prompt tokens over characters, and over words: text follows the one more closely, formulas and code the other.
    by_characters: LinearFit,
    by_words: LinearFit,
    input: u64,
    cached: u64,
    /// Cached tokens of the first answer of all, warm-up runs among them.
    first_cached: Option<u64>,
}

/// How much of the prompts came from the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CacheShare {
    /// Of all prompt tokens, without what every prompt has in common.
    pub(crate) share: f64,
    /// Tokens that every prompt has in common, as far as that is known.
    pub(crate) common: u64,
}

impl CacheTally {
    /// Looks at the first answer of all, a warm-up's perhaps: it tells what the server knew before.
    pub(crate) fn look(&mut self, record: &Record) {
        let usage = record.usage.unwrap_or_default();
        self.first_cached = Some(usage.cached_tokens.unwrap_or(0));
    }

    /// Adds a complete answer.
    pub(crate) fn add(&mut self, record: &Record) {
        let usage = record.usage.unwrap_or_default();
        let Some(input) = usage.prompt_tokens else {
            return;
        };
        self.input = self.input.saturating_add(input);
        if let Some(text) = record.prompt_text {
            self.by_characters.add(text.characters as f64, input as f64);
            self.by_words.add(text.words as f64, input as f64);
            // Words are counted with each sign by itself, and tokenizers join some of those.
            let room = input.saturating_sub(text.words / 3 * 2);
            self.common_most = Some(self.common_most.map_or(room, |most| most.min(room)));
        }
        let Some(cached) = usage.cached_tokens else {
            return;
        };
        self.cached = self.cached.saturating_add(cached);
        *self.counts.entry(cached).or_default() += 1;
    }

    /// What came from the cache; `None` where the server does not say. `template` is what the model's chat template
    /// adds to every prompt, where a tokenizer tells.
    pub(crate) fn share(&self, template: Option<u64>) -> Option<CacheShare> {
        if self.counts.is_empty() || self.input == 0 {
            return None;
        }
        let common = self.common(template).unwrap_or(0);
        let explained: u64 = self
            .counts
            .iter()
            .map(|(&cached, &answers)| cached.min(common).saturating_mul(answers))
            .fold(0, u64::saturating_add);
        Some(CacheShare {
            share: self.cached.saturating_sub(explained) as f64 / self.input as f64,
            common,
        })
    }

    /// The tokens from the cache that every prompt has in common: as many in nearly all answers, no more than there is
    /// room for beside the prompts' own words, and known to be the template's, or not yet known to the server when the
    /// first request came.
    fn common(&self, template: Option<u64>) -> Option<u64> {
        let (&most_often, _) = self
            .counts
            .iter()
            .filter(|(cached, _)| **cached > 0)
            .max_by_key(|(_, answers)| **answers)?;
        let near = |cached: u64| cached.abs_diff(most_often) <= BLOCK;
        let hits = self.counts.iter().filter(|(cached, _)| **cached > 0);
        let (mut alike, mut all) = (0, 0);
        for (&cached, &answers) in hits {
            all += answers;
            alike += if near(cached) { answers } else { 0 };
        }
        let common = most_often.saturating_add(BLOCK);
        let has_room = self.common_most.is_some_and(|room| most_often <= room);
        if (alike as f64) < COMMON_SHARE_MIN * all as f64 || !has_room {
            return None;
        }
        let was_cold = self.first_cached.is_some_and(|cached| cached < most_often);
        let known = |overhead: u64| most_often <= overhead.saturating_add(BLOCK);
        let is_common =
            was_cold || template.is_some_and(known) || self.overhead().is_some_and(known);
        is_common.then_some(common)
    }

    /// Tokens of a prompt without text, by the closer line through all prompts, where they differ in length.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates"
    )]
    fn overhead(&self) -> Option<u64> {
        let lines = [&self.by_characters, &self.by_words].map(LinearFit::line);
        let line = lines
            .into_iter()
            .flatten()
            .max_by(|a, b| a.r_squared.total_cmp(&b.r_squared))?;
        let follows = line.slope > 0.0 && line.r_squared >= FOLLOWS_MIN;
        follows.then_some(line.intercept.max(0.0) as u64)
    }

    /// The part of a prompt that all have in common, as far as the lengths of prompts tell.
    pub(crate) fn overhead_share(&self, answers: u64) -> f64 {
        let overhead = self.overhead().unwrap_or(0).saturating_mul(answers);
        overhead as f64 / self.input.max(1) as f64
    }

    /// Whether the server has a cache of prompts, by what it says of its answers.
    pub(crate) fn says_something(&self) -> bool {
        self.cached > 0
    }
}

#[cfg(test)]
mod tests {
    use super::CacheTally;
    use trace::{Nanos, Outcome, Record, RunId, TextFacts, Usage};

    /// An answer to a prompt of so many words, five characters each, at the second `at`.
    fn answer(at: u64, words: u64, prompt: u64, cached: u64) -> Record {
        Record {
            outcome: Outcome::Complete,
            usage: Some(Usage {
                prompt_tokens: Some(prompt),
                cached_tokens: Some(cached),
                ..Usage::default()
            }),
            prompt_text: Some(TextFacts {
                bytes: words * 5,
                characters: words * 5,
                ascii: words * 5,
                words,
            }),
            ..Record::begun(RunId::default(), at, Nanos::from_millis(1000 * at))
        }
    }

    fn tally(answers: impl IntoIterator<Item = Record>) -> CacheTally {
        let answers: Vec<Record> = answers.into_iter().collect();
        let mut tally = CacheTally::default();
        tally.look(&answers[0]);
        for record in &answers {
            tally.add(record);
        }
        tally
    }

    #[test]
    fn what_a_template_puts_before_every_prompt_is_no_hit_on_a_fresh_server() {
        let fresh = (0..20).map(|at| answer(at, 30, 40 + 31, if at == 0 { 0 } else { 31 }));
        let share = tally(fresh).share(None).unwrap();
        assert!(share.share == 0.0, "{share:?}");
    }

    #[test]
    fn what_a_template_puts_before_every_prompt_is_no_hit_on_a_server_that_has_served_others() {
        let warm = (0..20).map(|at| answer(at, 30 + at, 40 + at * 4 / 3 + 31, 31));
        assert!(tally(warm).share(None).unwrap().share == 0.0);
        let alike = (0..20).map(|at| answer(at, 30, 40 + 31, 31));
        let alike = tally(alike);
        assert!(alike.share(Some(31)).unwrap().share == 0.0);
        // Prompts of one length, and no tokenizer: nothing tells what is shared.
        assert!(alike.share(None).unwrap().share > 0.4);
    }

    /// Of problems in arithmetic at llama-server: signs that a tokenizer joins make a prompt of fewer tokens than words, and
    /// how many follows from its words, not from its characters.
    #[test]
    fn a_template_before_prompts_of_formulas_is_no_hit() {
        let prompts = [
            (370, 90, 110),
            (300, 79, 102),
            (354, 114, 129),
            (356, 90, 103),
            (355, 114, 130),
        ];
        let asked = |first_cached: u64| {
            let answers = prompts.iter().cycle().take(40).enumerate();
            answers.map(move |(at, (characters, words, prompt))| {
                let cached = if at == 0 { first_cached } else { 30 };
                let mut record = answer(at as u64, *words, *prompt, cached);
                record.prompt_text = Some(TextFacts {
                    bytes: *characters,
                    characters: *characters,
                    ascii: *characters,
                    words: *words,
                });
                record
            })
        };
        for first_cached in [0, 30] {
            let share = tally(asked(first_cached)).share(None).unwrap();
            assert!(share.share == 0.0, "{share:?}");
        }
    }

    #[test]
    fn prompts_that_the_server_knew_are_hits_though_all_are_of_one_length() {
        let again = tally((0..20).map(|at| answer(at, 400, 512, 496)));
        assert!(again.share(None).unwrap().share > 0.9);
        // More requests than prompts, on a fresh server.
        let repeated = (0..20).map(|at| answer(at, 400, 512, if at < 4 { 0 } else { 496 }));
        assert!(tally(repeated).share(None).unwrap().share > 0.7);
        let told_alike = tally((0..8).map(|at| answer(at, 10 + at, 100, 80)));
        assert!(told_alike.share(None).unwrap().share > 0.7);
    }

    #[test]
    fn a_warm_up_run_tells_that_the_server_was_fresh_and_enters_no_share() {
        let mut tally = CacheTally::default();
        tally.look(&answer(0, 30, 71, 0));
        (1..20).for_each(|at| tally.add(&answer(at, 30, 71, 31)));
        assert!(tally.share(None).unwrap().share == 0.0);
        let mut known = CacheTally::default();
        known.look(&answer(0, 30, 71, 31));
        (1..20).for_each(|at| known.add(&answer(at, 30, 71, 31)));
        assert!(known.share(None).unwrap().share > 0.4);
    }

    #[test]
    fn a_server_that_says_nothing_of_its_cache_has_no_share() {
        let mut record = answer(0, 30, 71, 0);
        record.usage = Some(Usage {
            prompt_tokens: Some(71),
            ..Usage::default()
        });
        assert_eq!(tally([record]).share(None), None);
    }
}
