//! Whether answers came as they were asked for: as long, and as streams.

use crate::{RequestMetrics, TokenSource};
use serde_json::{Map, Value};
use trace::{Nanos, Record, RunHeader};

/// A stream of fewer tokens may well come in one piece.
const BURST_TOKENS_MIN: u64 = 5;

/// Tokens of a first event, told from text, are no whole numbers.
const TOGETHER_MIN: f64 = 1.75;

/// Counts of complete responses that are not what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AnswerTally {
    /// Whether every answer was to be as long as its limit.
    pub(crate) full_length_asked: bool,
    /// Answers to each request, of which every one has the limit.
    choices: u64,
    /// Complete responses.
    pub(crate) complete: u64,
    /// Of those, ended by the model where they were to go on to their limit.
    pub(crate) early_stops: u64,
    /// Complete responses that are shorter than the limit to which they were to go on, though they do not say
    /// that the model ended them.
    pub(crate) short: u64,
    /// Streams long enough to come in several pieces.
    pub(crate) streams: u64,
    /// Of those, came in one read, or as one event.
    pub(crate) one_burst: u64,
    /// Complete responses whose tokens were not counted by the server.
    pub(crate) estimated: u64,
    /// Of those that did not, began with several tokens at once.
    pub(crate) first_together: u64,
    /// By so much the first of those may have been held back, in milliseconds, summed.
    pub(crate) held_back_ms: f64,
    /// Of those that did not come in one read, have no time per token.
    pub(crate) no_pace: u64,
}

impl AnswerTally {
    /// For a run with that configuration.
    pub(crate) fn new(header: &RunHeader) -> Self {
        if let Some(asked) = &header.asked {
            return Self {
                choices: asked.choices.into(),
                full_length_asked: asked.ignore_eos,
                ..Self::default()
            };
        }
        // Records of version 1 have it in what the result file shows.
        let metadata = &header.metadata;
        let asks =
            |object: &Map<String, Value>| object.get("ignore_eos") == Some(&Value::Bool(true));
        let extra_body = metadata.get("extra_body").and_then(Value::as_object);
        Self {
            choices: metadata.get("n").and_then(Value::as_u64).unwrap_or(1),
            full_length_asked: asks(metadata) || extra_body.is_some_and(asks),
            ..Self::default()
        }
    }

    /// Adds one complete response.
    pub(crate) fn add(&mut self, record: &Record, metrics: &RequestMetrics) {
        self.complete += 1;
        self.estimated += u64::from(metrics.output_source == TokenSource::Estimated);
        let stopped = record.finish_reason.as_deref() == Some("stop");
        self.early_stops += u64::from(self.full_length_asked && stopped);
        let short = record.max_tokens.zip(metrics.output_tokens);
        let short = short.is_some_and(|(limit, tokens)| tokens < self.choices * u64::from(limit));
        let by_server = metrics.output_source == TokenSource::Usage;
        self.short += u64::from(self.full_length_asked && by_server && short && !stopped);
        let long = metrics
            .output_tokens
            .is_some_and(|tokens| tokens >= BURST_TOKENS_MIN);
        if !record.stream || !long || metrics.token_events == 0 {
            return;
        }
        self.streams += 1;
        let mut reads = record
            .events
            .iter()
            .filter(|event| event.kind.is_token())
            .map(|event| event.read_index);
        let first = reads.next();
        if reads.all(|read| Some(read) == first) {
            self.one_burst += 1;
            return;
        }
        self.no_pace += u64::from(metrics.tpot_ms.is_none());
        let together = metrics
            .first_tokens
            .filter(|&tokens| tokens >= TOGETHER_MIN);
        if let Some((tokens, tpot)) = together.zip(metrics.tpot_ms) {
            let wait = metrics.ttft.map_or(0.0, Nanos::millis);
            self.first_together += 1;
            // No token was held back for longer than all of them took.
            self.held_back_ms += ((tokens - 1.0) * tpot).min(wait);
        }
    }
}
