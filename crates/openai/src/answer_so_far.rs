//! What an answer said so far, gathered from its chunks or from its one body.

use crate::calls::Calls;
use crate::choice::Choice;
use crate::chunk_template::plain_text;
use crate::error::excerpt;
use crate::left_out::{LeftOuts, Path};
use crate::message::{Call, Message};
use crate::usage_so_far::UsageSoFar;
use crate::value::Value;
use crate::{AnswerFacts, EventKind, TextCounts, Usage};

/// Characters of a model's name that are kept.
const MODEL_CHARS_MAX: usize = 200;

/// Texts, choices and calls that are told apart: more than anybody asks for.
const TOLD_APART_MAX: usize = 256;

/// Gathers an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswerSoFar {
    pub(crate) usage: UsageSoFar,
    pub(crate) odd: LeftOuts,
    model: Option<String>,
    text: TextCounts,
    /// Texts that go on from piece to piece.
    texts: Vec<RunningText>,
    /// Choices that came with text.
    spoke: Vec<u32>,
    /// Choices that ended, and why.
    finished: Vec<(u32, String)>,
    calls: Calls,
}

/// A text of one choice and one kind.
#[derive(Clone, Debug)]
struct RunningText {
    choice: u32,
    kind: EventKind,
    /// Its last piece ended within a word.
    in_word: bool,
}

/// What an answer came to.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) usage: Option<Usage>,
    /// Why the first choice ended.
    pub(crate) finish_reason: Option<String>,
    pub(crate) facts: AnswerFacts,
}

impl AnswerSoFar {
    /// Notes who answers: the first name that is one.
    pub(crate) fn note_model(&mut self, model: Option<Value<'_, '_>>) {
        let Some(model) = model.filter(|_| self.model.is_none()) else {
            return;
        };
        match model.string() {
            Some(name) if name.is_empty() => {}
            Some(name) => self.model = Some(excerpt(&name, MODEL_CHARS_MAX)),
            None => self.odd.note(&Path::of("model"), &model),
        }
    }

    /// Adds what a choice said, and why it ended. Gives the tokens that it says it has generated so far.
    pub(crate) fn add_choice(&mut self, choice: &Choice<'_, '_>) -> Option<u64> {
        self.add_message(choice.index, &choice.message);
        if let Some(reason) = &choice.finish_reason {
            self.finish_choice(choice.index, reason);
        }
        let value = choice.usage?;
        let path = Path::of("choices");
        let usage = Usage::read(&value, &path.field("usage"), &mut self.odd);
        self.usage.add_choice(choice.index, usage, value.raw());
        usage.completion_tokens
    }

    /// Adds text.
    pub(crate) fn add_message(&mut self, choice: u32, message: &Message<'_>) {
        for (kind, texts) in [
            (EventKind::Content, &message.content),
            (EventKind::Reasoning, &message.reasoning),
        ] {
            if !texts.is_empty() {
                let place = self.text_place(choice, kind);
                texts.iter().for_each(|text| self.add_piece(place, text));
            }
        }
        for call in &message.calls {
            self.add_call(choice, call);
        }
    }

    /// Where the text of a choice and a kind goes on.
    pub(crate) fn text_place(&mut self, choice: u32, kind: EventKind) -> usize {
        let is_it = |text: &RunningText| text.choice == choice && text.kind == kind;
        if let Some(place) = self.texts.iter().position(is_it) {
            return place;
        }
        note_choice(&mut self.spoke, choice);
        if self.texts.len() < TOLD_APART_MAX {
            self.texts.push(RunningText {
                choice,
                kind,
                in_word: false,
            });
        }
        self.texts.len() - 1
    }

    /// Adds the next piece of the text at that place.
    pub(crate) fn add_piece(&mut self, place: usize, text: &str) {
        self.text.add_piece(text, &mut self.texts[place].in_word);
    }

    /// Adds the next piece of the text at that place, as it stands in a JSON string; `None`, and nothing added, where
    /// a parser must look at it.
    pub(crate) fn add_bytes(&mut self, place: usize, bytes: &[u8]) -> Option<()> {
        let in_word = &mut self.texts[place].in_word;
        let text = &mut self.text;
        text.add_plain(bytes, in_word).or_else(|| {
            text.add_piece(plain_text(bytes)?, in_word);
            Some(())
        })
    }

    fn add_call(&mut self, choice: u32, call: &Call<'_>) {
        if !call.name.is_empty() {
            note_choice(&mut self.spoke, choice);
            self.text.add(&call.name);
        }
        if !call.arguments.is_empty() {
            let place = self.text_place(choice, EventKind::ToolCall);
            self.add_piece(place, &call.arguments);
        }
        self.calls.place(choice, call);
    }

    /// Notes why a choice ended; a later reason counts.
    pub(crate) fn finish_choice(&mut self, choice: u32, reason: &str) {
        let known = self.finished.iter_mut().find(|(index, _)| *index == choice);
        if let Some((_, known)) = known {
            reason.clone_into(known);
        } else if self.finished.len() < TOLD_APART_MAX {
            self.finished.push((choice, reason.to_owned()));
        }
    }

    /// Choices that have ended.
    pub(crate) const fn finished(&self) -> usize {
        self.finished.len()
    }

    /// Whether any text came.
    pub(crate) const fn has_text(&self) -> bool {
        self.text.bytes > 0
    }

    /// Calls that came.
    pub(crate) const fn calls(&self) -> usize {
        self.calls.len()
    }

    /// What it came to.
    pub(crate) fn finish(mut self) -> Gathered {
        for &(choice, _) in &self.finished {
            note_choice(&mut self.spoke, choice);
        }
        self.finished.sort_by_key(|&(choice, _)| choice);
        // Some servers count choices from 1. The first that ended is the first only where no other goes on.
        let is_zero = self
            .finished
            .first()
            .is_some_and(|&(choice, _)| choice == 0);
        let all_ended = self.finished.len() == self.spoke.len();
        let mut reasons = self.finished.into_iter().map(|(_, reason)| reason);
        let finish_reason = (is_zero || all_ended).then(|| reasons.next()).flatten();
        let (usage, usage_excerpt) = self.usage.finish();
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        Gathered {
            usage,
            finish_reason,
            facts: AnswerFacts {
                model: self.model,
                choices: size(self.spoke.len()),
                other_finish_reasons: reasons.collect(),
                text: self.text,
                tool_calls: size(self.calls.len()),
                usage_excerpt,
                left_out: self.odd.finish(),
            },
        }
    }
}

fn note_choice(choices: &mut Vec<u32>, choice: u32) {
    if choices.len() < TOLD_APART_MAX && !choices.contains(&choice) {
        choices.push(choice);
    }
}
