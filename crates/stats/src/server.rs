//! What the server said of itself, beside what was measured.

use crate::Interval;
use serde::{Deserialize, Serialize};
use trace::{Bucket, RunFacts, ServerSample};

/// Fewer looks are no line over time.
pub(crate) const LOOKS_MIN: usize = 5;

/// Of fewer the 99th percentile is the largest value, or none.
const P99_MIN: f64 = 100.0;

/// The server's own numbers over the measured runs of a point; each absent where it does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Looks that were taken.
    pub samples: u64,
    /// The most that it worked on at a look. Of a look a second there is no mean: some servers read 0 in long steps,
    /// others keep time with the looks.
    #[serde(default)]
    pub running_max: Option<f64>,
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
    /// Requests whose time to first token it measured.
    #[serde(default)]
    pub ttft_count: Option<f64>,
    /// Between these bounds of its histogram lies its own median time to first token, in milliseconds.
    #[serde(default)]
    pub ttft_p50_ms: Option<Interval>,
    /// The same of the 99th percentile.
    #[serde(default)]
    pub ttft_p99_ms: Option<Interval>,
}

impl ServerView {
    /// Whether it saw about as many first tokens as there were requests of ours, which `others` of its own, as a share of
    /// ours, may be off. `false` where it does not say.
    pub(crate) fn saw_only(&self, issued: u64, others: f64) -> bool {
        let issued = issued as f64;
        self.ttft_count
            .is_some_and(|count| (count - issued).abs() <= others * issued)
    }

    /// `None` where the server was not looked at.
    pub(crate) fn of(facts: &[&RunFacts]) -> Option<Self> {
        let runs: Vec<&[ServerSample]> = facts.iter().map(|facts| &facts.server[..]).collect();
        let all = || runs.iter().copied().flatten();
        all().next()?;
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
        let spread = spread(&runs);
        let rank = |q: f64| bracket(&spread, lower_rank(q, first_tokens?));
        Some(Self {
            samples: all().count() as u64,
            running_max: most(|sample| sample.running),
            waiting_max: most(|sample| sample.waiting),
            kv_use_max: most(|sample| sample.kv_use),
            prefix_hit_rate: ratio(hits, queries),
            preemptions: grown(|sample| sample.preemptions),
            generation_tokens: grown(|sample| sample.generation_tokens),
            ttft_mean_ms: ratio(seconds, first_tokens).map(|seconds| seconds * 1e3),
            ttft_count: first_tokens,
            ttft_p50_ms: rank(0.5),
            ttft_p99_ms: rank(0.99).filter(|_| first_tokens >= Some(P99_MIN)),
        })
    }
}

/// How the times of all runs together are spread: what each bucket gained.
fn spread(runs: &[&[ServerSample]]) -> Vec<Bucket> {
    let mut all: Vec<Bucket> = Vec::new();
    for run in runs {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        for bucket in &last.ttft_buckets {
            let same = |known: &&Bucket| known.up_to.total_cmp(&bucket.up_to).is_eq();
            let before = first.ttft_buckets.iter().find(same);
            let gained = bucket.count - before.map_or(0.0, |before| before.count);
            match all.iter_mut().find(|known| same(&&**known)) {
                Some(known) => known.count += gained,
                None => all.push(Bucket {
                    count: gained,
                    ..*bucket
                }),
            }
        }
    }
    all
}

/// The lower of the two values between which the percentile of `n` values is interpolated, counted from 1: that of the
/// client lies at or above the bucket in which it is.
fn lower_rank(q: f64, n: f64) -> f64 {
    (q * (n - 1.0)).floor() + 1.0
}

/// The bucket in which the value of that rank lies, in milliseconds; `None` beyond the last bound.
fn bracket(spread: &[Bucket], rank: f64) -> Option<Interval> {
    let index = spread.iter().position(|bucket| bucket.count >= rank)?;
    let below = index
        .checked_sub(1)
        .map_or(0.0, |below| spread[below].up_to);
    (rank > 0.0).then_some(Interval {
        low: 1e3 * below,
        high: 1e3 * spread[index].up_to,
    })
}
