//! What texts that became vectors or scores add to the numbers of a point.

use crate::run::RunMetrics;
use crate::{Distribution, MeanStd, Pooling, RequestMetrics, TokenSource};
use trace::{AskedAgain, Nanos, RunFacts};

/// Counts of complete requests that answered with vectors or scores.
#[derive(Default)]
pub(crate) struct PoolingTally {
    answers_per_request_second: Vec<f64>,
    tokens_per_request_second: Vec<f64>,
    decoding: Vec<f64>,
    dimensions: Vec<u32>,
    source: Option<TokenSource>,
}

impl PoolingTally {
    /// Adds one complete request; one that asked for text adds nothing.
    pub(crate) fn add(&mut self, metrics: &RequestMetrics) {
        let Some(vectors) = metrics.vectors else {
            return;
        };
        let seconds = metrics.e2e.map(Nanos::seconds).filter(|&span| span > 0.0);
        let rate = |count: f64| seconds.map(|seconds| count / seconds);
        self.answers_per_request_second
            .extend(rate(f64::from(vectors.count)));
        let tokens = metrics.input_tokens.map(|tokens| tokens as f64);
        self.tokens_per_request_second.extend(tokens.and_then(rate));
        self.decoding.push(vectors.decoding.millis());
        if let Some(dimensions) = vectors.dimensions
            && !self.dimensions.contains(&dimensions)
        {
            self.dimensions.push(dimensions);
        }
        // One request whose tokens are a guess makes the whole one.
        self.source = self.source.max(Some(metrics.input_source));
    }

    /// The numbers over all runs; `None` where no request was answered so, and none `asked` to be.
    pub(crate) fn finish(
        self,
        runs: &[RunMetrics],
        facts: &[&RunFacts],
        asked: bool,
    ) -> Option<Pooling> {
        let source = self.source.or(asked.then_some(TokenSource::None))?;
        let again = facts.iter().filter_map(|facts| facts.asked_again);
        let over = |value: fn(&RunMetrics) -> Option<f64>| {
            MeanStd::of(&runs.iter().filter_map(value).collect::<Vec<_>>())
        };
        Some(Pooling {
            answers_per_batch: over(|run| run.answers),
            tokens_per_batch: over(|run| run.input_tokens),
            token_source: source,
            batch_answers_per_second: over(RunMetrics::batch_answers_per_second),
            batch_tokens_per_second: over(RunMetrics::batch_input_tokens_per_second),
            request_answers_per_second: MeanStd::of(&self.answers_per_request_second),
            request_tokens_per_second: MeanStd::of(&self.tokens_per_request_second),
            dimensions: self.dimensions,
            decoding: Distribution::of(self.decoding),
            asked_again: again.max_by(AskedAgain::by_distance),
        })
    }
}
