//! Cards to prompts.

use super::deck::row;
use super::{ChatSource, Traffic, TrafficClass};
use crate::{
    Content, DatasetRow, HashedPrompts, PromptTokenizer, TokenBudget, TraceRow, WorkloadError,
};
use std::sync::Arc;
use trace::{PlannedRequest, Prompt};

impl Traffic {
    /// The prompt of a card. Prompts of a given length have no system message but that of their
    /// class: a built-in one would take a part of short prompts.
    pub(super) fn make(
        &self,
        number: u64,
        planned: &PlannedRequest,
    ) -> Result<Prompt, WorkloadError> {
        let class = &self.classes[row(planned.class.into())];
        if let Some(turn) = super::later_turn::of_card(number) {
            return self.make_turn(class, turn, planned);
        }
        let system = class.system(self.prefix(planned.id));
        let exact = class.lengths.and(planned.input_tokens);
        match (&class.source, exact) {
            (ChatSource::Content(content), None) => Ok(self.content(system, *content, number)),
            (ChatSource::Content(content), Some(tokens)) => self.exact(
                system.as_ref(),
                tokens.count,
                content.pieces(self.seed, number),
            ),
            (ChatSource::Rows(rows) | ChatSource::Replay(rows), None) => {
                Ok(of_row(system, &rows[row(number)]))
            }
            (ChatSource::Rows(rows) | ChatSource::Replay(rows), Some(tokens)) => {
                let texts = rows.iter().cycle().skip(row(number));
                self.exact(system.as_ref(), tokens.count, texts.flat_map(row_pieces))
            }
            (ChatSource::Trace(trace), _) => {
                let mut recorded = trace.rows[row(number)].clone();
                if let Some(tokens) = planned.input_tokens {
                    recorded.input_tokens = tokens.count;
                }
                self.of_trace(class, trace.block_tokens, number, &recorded)
            }
        }
    }

    fn content(&self, system: Option<Arc<str>>, content: Content, number: u64) -> Prompt {
        let system = system.unwrap_or_else(|| content.system_prompt().into());
        Prompt::chat(Some(system), content.prompt(self.seed, number))
    }

    fn exact(
        &self,
        system: Option<&Arc<str>>,
        tokens: u32,
        pieces: impl Iterator<Item = String>,
    ) -> Result<Prompt, WorkloadError> {
        let tokenizer = self.counter()?;
        let whole = |text: &str| Prompt::chat(system.cloned(), text);
        let budget = TokenBudget {
            tokenizer: &**tokenizer,
            total: &|text| tokenizer.prompt_tokens(&whole(text)),
            tokens: tokens as usize,
        };
        Ok(whole(&budget.fill("", pieces)?))
    }

    fn of_trace(
        &self,
        class: &TrafficClass,
        block_tokens: u32,
        number: u64,
        recorded: &TraceRow,
    ) -> Result<Prompt, WorkloadError> {
        let tokenizer = self.counter()?;
        let whole = |text: &str| Prompt::chat(class.system.clone(), text);
        let prompts = HashedPrompts {
            tokenizer: &**tokenizer,
            total: &|text| tokenizer.prompt_tokens(&whole(text)),
            block_tokens,
            seed: self.seed,
            known: &self.blocks,
        };
        Ok(whole(&prompts.prompt(number, recorded)?))
    }

    pub(super) fn counter(&self) -> Result<&Arc<dyn PromptTokenizer>, WorkloadError> {
        self.tokenizer.as_ref().ok_or(WorkloadError::NoTokenizer)
    }
}

/// The first question of a row.
fn of_row(system: Option<Arc<str>>, row: &DatasetRow) -> Prompt {
    let system = row.system.clone().or(system);
    let user = row.prompt().cloned().unwrap_or_default();
    Prompt::chat(system, user).with_images(&row.images)
}

/// Its text in sentences, roughly: what a prompt of a given length is cut from.
pub(super) fn row_pieces(row: &DatasetRow) -> impl Iterator<Item = String> {
    let text = row.prompt().map_or("", |text| text);
    let pieces = text.split_inclusive(['.', '\n']).map(str::to_owned);
    pieces.chain(std::iter::once("\n\n".to_owned()))
}
