//! The first answers of a run, whose text is kept so that its tokens can be counted again.

use crate::packet::{Listener, Said};
use openai::Answer;
use tokio::sync::oneshot;
use trace::{PlannedRequest, RunId};

/// What a whole answer said, and how many tokens that is by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardAnswer {
    /// All text that was generated.
    pub text: String,
    /// The server's count.
    pub completion_tokens: u64,
}

/// Listens to the first requests of a run.
pub(crate) struct Heard {
    left: u32,
    waiting: Vec<oneshot::Receiver<Said>>,
}

impl Heard {
    /// Of so many requests of a run, and of none that only warms up.
    pub(crate) const fn of(run: RunId, requests: u32) -> Self {
        Self {
            left: if run.warmup { 0 } else { requests },
            waiting: Vec::new(),
        }
    }

    /// For the next request; `None` once there are enough, and for a conversation, which listens itself.
    pub(crate) fn listener(&mut self, planned: &PlannedRequest) -> Option<Listener> {
        if !planned.turns.is_empty() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let (listener, said) = oneshot::channel();
        self.waiting.push(said);
        Some(listener)
    }

    /// Once everything is decoded: the answers whose text holds all of their tokens. Reasoning, tools
    /// and what was cut within a character leave tokens out, or change them.
    pub(crate) fn finish(self) -> Vec<HeardAnswer> {
        let said = self.waiting.into_iter();
        said.filter_map(|mut said| answer(said.try_recv().ok()?))
            .collect()
    }
}

fn answer(said: Said) -> Option<HeardAnswer> {
    let has_only_text = |answer: &Answer| answer.tool_calls.is_empty() && !answer.has_reasoning;
    let answer = said.answer.filter(has_only_text)?;
    let text = Some(answer.text).filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))?;
    Some(HeardAnswer {
        text,
        completion_tokens: said.text_tokens?,
    })
}
