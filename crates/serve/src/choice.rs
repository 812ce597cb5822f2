//! One choice of a running request.

use crate::answer::{Delta, Finish};
use crate::stop::StopMatcher;
use engine::TokenLogprobs;
use models::Detokenizer;
use std::time::Instant;

/// One choice of a running request, on the engine thread: its tokens become text here.
pub(crate) struct Choice {
    detokenizer: Detokenizer,
    stops: StopMatcher,
    /// Tokens so far.
    pub(crate) tokens: usize,
    /// When the first one came.
    pub(crate) first_token: Option<Instant>,
    /// When the last one came.
    pub(crate) last_token: Option<Instant>,
    /// Prompt tokens from the prefix cache, where known.
    pub(crate) cached_tokens: Option<usize>,
    /// What the step brought; sent when the step's events are through.
    delta: Delta,
    /// It has ended; what the engine still computes for it is dropped.
    pub(crate) ended: bool,
}

impl Choice {
    pub(crate) fn new(index: usize, detokenizer: Detokenizer, stop: &[String]) -> Self {
        Choice {
            detokenizer,
            stops: StopMatcher::new(stop),
            tokens: 0,
            first_token: None,
            last_token: None,
            cached_tokens: None,
            delta: Delta {
                choice: index,
                ..Delta::default()
            },
            ended: false,
        }
    }

    /// A token came. Its text counts unless it is a `stop_token`; stop strings are looked for from
    /// token number `tokens_min` on. True where one is complete: the choice has ended.
    pub(crate) fn push(
        &mut self,
        token: u32,
        logprobs: Option<TokenLogprobs>,
        stop_token: bool,
        tokens_min: usize,
    ) -> bool {
        self.tokens += 1;
        self.delta.tokens += 1;
        self.delta.logprobs.extend(logprobs);
        if stop_token {
            return false;
        }
        let text = self.detokenizer.push(token);
        if self.tokens <= tokens_min {
            self.delta.text.push_str(text);
            return false;
        }
        let stopped = self.stops.push(text, &mut self.delta.text);
        if stopped {
            self.end("stop", self.cached_tokens);
        }
        stopped
    }

    /// The engine ended it: what was held back is text.
    pub(crate) fn finish(&mut self, reason: &'static str, cached_tokens: usize) {
        let rest = self.detokenizer.finish();
        if !self.stops.push(rest, &mut self.delta.text) {
            self.stops.finish(&mut self.delta.text);
        }
        self.end(reason, Some(cached_tokens));
    }

    fn end(&mut self, reason: &'static str, cached_tokens: Option<usize>) {
        self.ended = true;
        self.delta.finish = Some(Finish {
            reason,
            cached_tokens,
        });
    }

    /// What the step brought, where there is something to say: text or an end. Tokens that complete
    /// no character wait for the one that does.
    pub(crate) fn take(&mut self) -> Option<Delta> {
        if self.delta.text.is_empty() && self.delta.finish.is_none() {
            return None;
        }
        let next = Delta {
            choice: self.delta.choice,
            ..Delta::default()
        };
        Some(std::mem::replace(&mut self.delta, next))
    }
}
