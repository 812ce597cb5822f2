//! What the server said of itself, beside what was measured.

use serde::{Deserialize, Serialize};
use trace::{RunFacts, ServerSample};

/// The server's own numbers over the measured runs of a point; each absent where it does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Looks that were taken.
    pub samples: u64,
    /// Mean number of requests that it worked on, over the looks within the runs.
    pub running_mean: Option<f64>,
    /// The most that waited at a look.
    pub waiting_max: Option<f64>,
    /// The largest part of its KV memory that was in use at a look, from 0 to 1.
    pub kv_use_max: Option<f64>,
    /// Prompt tokens found in its prefix cache ÷ prompt tokens looked for, within the runs.
    pub prefix_hit_rate: Option<f64>,
    /// Sequences that it put back to make room.
    pub preemptions: Option<f64>,
    /// Tokens that it generated.
    pub generation_tokens: Option<f64>,
    /// Mean time to first token by its own clock, in milliseconds, without the network.
    pub ttft_mean_ms: Option<f64>,
}

impl ServerView {
    /// `None` where the server was not looked at.
    pub(crate) fn of(facts: &[&RunFacts]) -> Option<Self> {
        let runs: Vec<&[ServerSample]> = facts.iter().map(|facts| &facts.server[..]).collect();
        let all = || runs.iter().copied().flatten();
        all().next()?;
        // The first look came before the first request, and the last after the last answer.
        let within = || {
            let inner = runs
                .iter()
                .map(|run| run.get(1..run.len().saturating_sub(1)));
            inner.flatten().flatten()
        };
        let running: Vec<f64> = within().filter_map(|sample| sample.running).collect();
        let most =
            |field: fn(&ServerSample) -> Option<f64>| all().filter_map(field).reduce(f64::max);
        let grown = |field: fn(&ServerSample) -> Option<f64>| -> Option<f64> {
            let of_run = |run: &&[ServerSample]| Some(field(run.last()?)? - field(run.first()?)?);
            let grown = runs
                .iter()
                .filter(|run| run.len() > 1)
                .map(of_run)
                .sum::<Option<f64>>();
            // A server that was started again counts from nothing.
            grown.filter(|grown| *grown >= 0.0 && runs.iter().any(|run| run.len() > 1))
        };
        let ratio = |above: Option<f64>, below: Option<f64>| {
            let below = below.filter(|below| *below > 0.0)?;
            Some(above? / below)
        };
        let (hits, queries) = (
            grown(|sample| sample.prefix_hits),
            grown(|sample| sample.prefix_queries).or_else(|| grown(|sample| sample.prompt_tokens)),
        );
        let seconds = grown(|sample| sample.ttft_seconds);
        let first_tokens = grown(|sample| sample.ttft_count);
        Some(Self {
            samples: all().count() as u64,
            running_mean: (!running.is_empty())
                .then(|| running.iter().sum::<f64>() / running.len() as f64),
            waiting_max: most(|sample| sample.waiting),
            kv_use_max: most(|sample| sample.kv_use),
            prefix_hit_rate: ratio(hits, queries),
            preemptions: grown(|sample| sample.preemptions),
            generation_tokens: grown(|sample| sample.generation_tokens),
            ttft_mean_ms: ratio(seconds, first_tokens).map(|seconds| seconds * 1e3),
        })
    }
}
