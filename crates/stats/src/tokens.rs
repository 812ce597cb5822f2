//! Tokens per request, and where the counts came from.

use crate::{MeanStd, RequestMetrics, TokenSource, Tokens};
use trace::{Recounted, RunFacts};

/// Token counts of complete requests.
#[derive(Default)]
pub(crate) struct TokenTally {
    input: Vec<f64>,
    output: Vec<f64>,
    input_total: u64,
    output_total: u64,
    cached_total: Option<u64>,
    estimated: bool,
    uncounted: bool,
}

impl TokenTally {
    /// Adds one complete request.
    pub(crate) fn add(&mut self, metrics: &RequestMetrics) {
        if let Some(tokens) = metrics.input_tokens {
            self.input.push(tokens as f64);
            self.input_total = self.input_total.saturating_add(tokens);
        }
        if let Some(tokens) = metrics.output_tokens {
            self.output.push(tokens as f64);
            self.output_total = self.output_total.saturating_add(tokens);
        }
        if let Some(tokens) = metrics.cached_tokens {
            self.cached_total = Some(self.cached_total.unwrap_or(0).saturating_add(tokens));
        }
        self.estimated |= metrics.output_source == TokenSource::Estimated;
        self.uncounted |= metrics.output_source == TokenSource::None;
    }

    /// A total that lacks the tokens of some requests is an estimate too.
    pub(crate) fn finish(self) -> Tokens {
        Tokens {
            input_total: (!self.input.is_empty()).then_some(self.input_total),
            output_total: (!self.output.is_empty()).then_some(self.output_total),
            cached_total: self.cached_total,
            output_source: if self.output.is_empty() {
                TokenSource::None
            } else if self.estimated || self.uncounted {
                TokenSource::Estimated
            } else {
                TokenSource::Usage
            },
            input_per_request: MeanStd::of(&self.input),
            output_per_request: MeanStd::of(&self.output),
            recounted: None,
        }
    }
}

/// What was counted again in all runs together.
pub(crate) fn recounted(facts: &[&RunFacts]) -> Option<Recounted> {
    let known = facts.iter().filter_map(|facts| facts.recounted);
    known.reduce(|all, run| Recounted {
        answers: all.answers + run.answers,
        by_server: all.by_server.saturating_add(run.by_server),
        by_tokenizer: all.by_tokenizer.saturating_add(run.by_tokenizer),
    })
}
