//! The numbers of a run, as values: what the screen, the result file and the figures show.
//!
//! Every latency is in milliseconds, every duration of a batch in seconds, every rate per second.
//! Absent means that it was not measured; it is never zero instead.

use crate::{
    AssertionResult, Certificate, Disturbed, PrecisionResult, ServerView, SlowQueue, Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trace::{Pacing, PointInfo, Recounted, Subject};

/// All points of an invocation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`trace::SCHEMA_VERSION`] of the records it was made from.
    pub schema_version: u32,
    /// The resolved configuration, in order.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// What was measured.
    #[serde(default)]
    pub subject: Subject,
    /// In the order measured.
    pub points: Vec<PointSummary>,
    /// The worst of the points' verdicts, with its reasons.
    pub verdict: Verdict,
    /// Thresholds that were asked for, at each point; empty where there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<AssertionResult>,
    /// How precise the numbers became that were measured until they were precise; empty where none was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision: Vec<PrecisionResult>,
    /// What the instrument added, where it was asked to show that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// The numbers of one batch size, concurrency or rate, over all its measured runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointSummary {
    /// Its key and pacing.
    pub point: PointInfo,
    /// Measured runs; warm-up runs enter nothing.
    pub runs: u32,
    /// How requests ended.
    pub reliability: Reliability,
    /// Tokens per complete request.
    pub tokens: Tokens,
    /// Durations of each run.
    pub timings: Timings,
    /// Tokens and requests per second.
    pub throughput: Throughput,
    /// Latencies per request, pooled over runs.
    pub latency: Latency,
    /// The same where the load was steady; absent where no such window exists.
    pub steady_state: Option<SteadyState>,
    /// Requests in flight.
    pub concurrency: Concurrency,
    /// Requests that met every objective; absent where none was given.
    pub goodput: Option<Goodput>,
    /// What came of texts to embed, to score or to rank; absent of generated text.
    pub pooling: Option<Pooling>,
    /// Planned lengths of prompts against the server's count; absent where none was planned exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_lengths: Option<PromptLengths>,
    /// Each class of a mix for itself; empty where all requests are of one kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassSummary>,
    /// Conversations of several turns; absent where every request stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversations: Option<Conversations>,
    /// What the server said of itself; absent where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerView>,
    /// That the server's queue may move too slowly for runs as short as these; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_queue: Option<SlowQueue>,
    /// How the arrival stamps fared.
    pub receipt: Receipt,
    /// What answers said of themselves; absent where records do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// Whether all this can be believed.
    pub verdict: Verdict,
}

/// What complete answers of a point said of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Why choices ended, and how often.
    pub finish_reasons: BTreeMap<String, u64>,
    /// The names of the models that answered, and how often.
    pub models: BTreeMap<String, u64>,
    /// The names of the models that were asked for.
    pub models_asked: Vec<String>,
    /// Answers whose tokens are counted by events, because no count came, or one that cannot be.
    pub counted_by_events: u64,
    /// How often a gateway says that it tried again.
    pub gateway_retries: u64,
    /// How often a gateway says that it went on to another model.
    pub gateway_fallbacks: u64,
    /// Whether the server says that prompt tokens came from its cache.
    pub has_prefix_cache: bool,
}

/// Prompts that were made to have a length, by the tokenizer, and what the server counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptLengths {
    /// Of the requests that both know the length of: those on which they agree.
    pub exact_share: f64,
    /// The server's count − the planned length, in tokens.
    pub difference: MeanStd,
}

/// The numbers of one class of a mix, over all measured runs of the point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSummary {
    /// As the mix names it.
    pub name: String,
    /// Of all requests, as asked for.
    pub asked_share: f64,
    /// Of all requests, as drawn; absent where there were none.
    pub share: Option<f64>,
    /// How its requests ended.
    pub reliability: Reliability,
    /// Tokens per complete request.
    pub tokens: Tokens,
    /// Its output tokens / the duration of the runs.
    pub output_tokens_per_second: Option<f64>,
    /// Latencies per request.
    pub latency: Latency,
    /// Requests that met the objectives of the class, or of the run; absent where there are none.
    pub goodput: Option<Goodput>,
}

/// Conversations of several turns, over all measured runs of the point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversations {
    /// How many were begun.
    pub count: u64,
    /// Turns that were sent of each.
    pub turns_per_conversation: MeanStd,
    /// First release to the end of the last answer, in seconds, of those whose answers are all whole.
    pub seconds: Option<Distribution>,
    /// Turns that were never sent, because the answer before was not whole.
    pub turns_cut: u64,
    /// Each turn for itself, over all conversations that came to it.
    pub turns: Vec<TurnSummary>,
}

/// One turn of conversations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnSummary {
    /// From 1.
    pub number: u32,
    /// Requests released.
    pub issued: u64,
    /// Whole responses.
    pub complete: u64,
    /// Tokens per complete request; the prompt is everything that was said before.
    pub tokens: Tokens,
    /// First token event − issued, in milliseconds.
    pub ttft: Option<Distribution>,
    /// Time per output token, in milliseconds.
    pub tpot: Option<Distribution>,
    /// End to end, in milliseconds.
    pub e2e: Option<Distribution>,
}

/// How requests ended. `issued = complete + failed + cancelled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Requests the plan held; of a run that left no facts, those released.
    pub planned: u64,
    /// Requests released.
    pub issued: u64,
    /// Whole responses.
    pub complete: u64,
    /// Everything else but cancelled.
    pub failed: u64,
    /// Stopped by us.
    pub cancelled: u64,
    /// `complete / issued`; absent where none was issued.
    pub success_rate: Option<f64>,
    /// Counts by [`trace::Outcome::name`] and, for HTTP, status (`http_429`), most frequent first.
    pub failures: Vec<FailureCount>,
    /// Complete responses whose stream carried no token event.
    pub complete_without_tokens: u64,
    /// Requests that were sent once more, on a new connection, because the reused one had been closed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reissued: u64,
    /// The server was seen closing connections right after an answer, and none was used again since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse_ended: bool,
}

/// One kind of failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureCount {
    /// [`trace::Outcome::name`], with the status for HTTP.
    pub kind: String,
    /// How many requests.
    pub count: u64,
    /// The first one's own words.
    pub example: Option<String>,
}

/// Mean and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanStd {
    /// How many values.
    pub n: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); 0 for a single value, as the first result files had it.
    pub std: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// A sample with its percentiles (Hyndman–Fan type 7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many values.
    pub n: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); 0 for a single value.
    pub std: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// So many independent values would tell as much of the median; absent where their order is not
    /// known, or where they are too few against how long they depend on each other.
    #[serde(default)]
    pub n_effective: Option<f64>,
    /// 95 % interval of the mean; absent for the same reasons.
    #[serde(default)]
    pub mean_interval: Option<Interval>,
    /// The median.
    pub p50: Quantile,
    /// 90th percentile.
    pub p90: Quantile,
    /// 95th percentile.
    pub p95: Quantile,
    /// 99th percentile.
    pub p99: Quantile,
}

/// A percentile and its distribution-free 95 % interval from order statistics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The estimate.
    pub value: f64,
    /// The interval; absent where the sample is too small for one to exist.
    pub interval: Option<Interval>,
}

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Tokens per complete request, and where the counts came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// Prompt tokens; absent where the server did not say.
    pub input_per_request: Option<MeanStd>,
    /// Generated tokens.
    pub output_per_request: Option<MeanStd>,
    /// Of all complete requests together.
    pub input_total: Option<u64>,
    /// Of all complete requests together.
    pub output_total: Option<u64>,
    /// Prompt tokens that the server took from its cache, where it says.
    pub cached_total: Option<u64>,
    /// Where `output` came from.
    pub output_source: TokenSource,
    /// Answers whose text was counted again with the model's tokenizer; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recounted: Option<Recounted>,
}

/// Vectors, or scores, and the tokens they were made of. An answer is one of either: one for each text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pooling {
    /// Answers of each run.
    pub answers_per_batch: Option<MeanStd>,
    /// Input tokens of each run.
    pub tokens_per_batch: Option<MeanStd>,
    /// Where input tokens came from, at the worst.
    pub token_source: TokenSource,
    /// Answers of a run / its duration, over runs.
    pub batch_answers_per_second: Option<MeanStd>,
    /// Input tokens of a run / its duration, over runs.
    pub batch_tokens_per_second: Option<MeanStd>,
    /// Answers / end-to-end latency of each complete request, pooled over runs.
    pub request_answers_per_second: Option<MeanStd>,
    /// Input tokens / end-to-end latency of each complete request, pooled over runs.
    pub request_tokens_per_second: Option<MeanStd>,
    /// Every length of vector that came; one, where all is well, and none of scores.
    pub dimensions: Vec<u32>,
    /// The client's own work to decode an answer, in milliseconds: in no latency.
    pub decoding: Option<Distribution>,
    /// Two vectors of one text, asked for after the runs; of several comparisons the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_again: Option<trace::AskedAgain>,
}

/// Where token counts came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server's own counts, in `usage` or with every event, for every complete request.
    Usage,
    /// Counted with the model's own tokenizer by the client.
    Tokenizer,
    /// Counted as token events, or missing, for at least one request: an estimate.
    Estimated,
    /// Nothing to count.
    None,
}

/// Durations, each over the measured runs, in seconds.
///
/// Time counts from the batch's start: the release of the run's first request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// The whole run.
    pub batch_total_seconds: Option<MeanStd>,
    /// The first request to finish. In a burst from the batch's start, otherwise its own latency.
    pub fastest_seconds: Option<MeanStd>,
    /// The last one, or the slowest.
    pub slowest_seconds: Option<MeanStd>,
    /// Slowest − fastest.
    pub spread_seconds: Option<MeanStd>,
}

/// Rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Output tokens of a run's complete requests / the run's duration, over runs.
    pub batch_tokens_per_second: Option<MeanStd>,
    /// Bootstrap 95 % interval of the median of the above over runs, from three runs on.
    pub batch_tokens_per_second_interval: Option<Interval>,
    /// Output tokens / end-to-end latency of each complete request, pooled over runs.
    pub request_tokens_per_second: Option<MeanStd>,
    /// 1 / time per output token of each complete request, pooled over runs.
    pub decode_tokens_per_second: Option<MeanStd>,
    /// Prompt tokens per second, over runs.
    pub input_tokens_per_second: Option<MeanStd>,
    /// Output tokens / (last token event − first issued), over runs.
    pub output_tokens_per_second: Option<MeanStd>,
    /// Complete requests per second, over runs.
    pub requests_per_second: Option<MeanStd>,
}

/// Latencies in milliseconds; metrics.md's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// First token event − issued.
    pub ttft: Option<Distribution>,
    /// First token event − due: open loop and bursts.
    pub ttft_from_due: Option<Distribution>,
    /// First event of content or tool call − issued; where it differs from `ttft`.
    pub ttfo: Option<Distribution>,
    /// (Last token event − first) / (output tokens − tokens in the first).
    pub tpot: Option<Distribution>,
    /// Gap ÷ tokens of the later event, where the tokens of each event are known.
    pub itl: Option<Distribution>,
    /// Gap between consecutive token events.
    pub chunk_gap: Option<Distribution>,
    /// Last token event − issued; not streaming: body complete − issued.
    pub e2e: Option<Distribution>,
    /// The same from due.
    pub e2e_from_due: Option<Distribution>,
    /// `[DONE]` or end of body − issued.
    pub stream_end: Option<Distribution>,
    /// Connected − issued, of requests that opened a connection.
    pub connect: Option<Distribution>,
    /// Issued − due: how late we were. Open loop and bursts.
    pub issue_lag: Option<Distribution>,
}

/// Throughput and latency in the window where the load was at its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyState {
    /// Mean length of the window over runs, in seconds.
    pub seconds: f64,
    /// Its mean share of the run.
    pub share: f64,
    /// Token events inside it / its length, scaled to tokens, over runs.
    pub output_tokens_per_second: Option<MeanStd>,
    /// 95 % interval of that rate, from short windows of all runs; absent of bursts, and where the
    /// windows are too few against how long they depend on each other.
    #[serde(default)]
    pub output_tokens_per_second_interval: Option<Interval>,
    /// Whole answers that came inside it / its length, over runs.
    #[serde(default)]
    pub requests_per_second: Option<MeanStd>,
    /// 95 % interval of that rate, in the same way.
    #[serde(default)]
    pub requests_per_second_interval: Option<Interval>,
    /// How long the run that took longest was still warming up, from its first request on; absent
    /// where no run was.
    #[serde(default)]
    pub warmup_seconds: Option<f64>,
    /// Of requests issued inside it.
    pub ttft: Option<Distribution>,
    /// Of requests issued inside it.
    pub tpot: Option<Distribution>,
    /// Of requests issued inside it.
    pub e2e: Option<Distribution>,
}

/// Requests in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// What the pacing asks for; absent in open loop.
    pub asked: Option<u32>,
    /// The most at any moment.
    pub peak: u32,
    /// Time average over each run, mean over runs.
    pub achieved: Option<f64>,
    /// Requests per second × mean end-to-end latency: Little's law says this is `achieved`.
    pub littles_law: Option<f64>,
    /// Open loop: requests per second asked.
    pub asked_rate: Option<f64>,
    /// Open loop: requests released per second.
    pub issued_rate: Option<f64>,
}

/// Requests that met every objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goodput {
    /// Per second.
    pub requests_per_second: f64,
    /// Of all issued: a failed request met nothing.
    pub share: f64,
    /// 95 % interval of the share; absent for the same reason.
    #[serde(default)]
    pub share_interval: Option<Interval>,
    /// How many independent requests would tell as much of the share; absent where there are too few to know.
    #[serde(default)]
    pub n_effective: Option<f64>,
}

/// How the arrival stamps fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who took them; absent where the run left no facts.
    pub stamps: Option<trace::StampSource>,
    /// User-space stamp − arrival stamp, in milliseconds: the client's own lag.
    pub client_lag: Option<Distribution>,
    /// Token events that shared a read with an earlier one, of all token events.
    pub coalesced_share: Option<f64>,
    /// Mean gap to the previous read of the reads that held several token events, in
    /// milliseconds: by so much may the stamps of coalesced events be late.
    pub coalesced_width: Option<f64>,
    /// CPU time of this process ÷ wall time: 1.0 is one core.
    pub client_cpu_share: Option<f64>,
    /// Seconds in which the machine kept the client from its work; absent of runs shorter than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<Disturbed>,
}

impl PointSummary {
    /// The batch size, the concurrency or the rate, as a position on an axis.
    pub fn position(&self) -> f64 {
        match self.point.pacing {
            Pacing::Burst { size } => f64::from(size),
            Pacing::Closed { concurrency } => f64::from(concurrency),
            Pacing::Open { arrival, .. } => arrival.rate(),
        }
    }
}

impl Timings {
    /// All measured runs together that something was answered in; `None` where there is none.
    pub(crate) fn measured_seconds(&self) -> Option<f64> {
        let runs = self.batch_total_seconds?;
        Some(runs.mean * runs.n as f64)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
