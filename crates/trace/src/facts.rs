//! What is known before a run and after it, beside its records.

use crate::{Asked, Nanos, Pacing, Record, RunId, Subject};
use serde::{Deserialize, Serialize};

/// What is known before the first request: everything a reader needs to turn records into a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// [`crate::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Tells this invocation's requests from those of others: see [`crate::request_id`].
    pub invocation: u64,
    /// The resolved configuration as the result file shows it, in order.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// One per batch size, concurrency or rate, in the order measured.
    pub points: Vec<PointInfo>,
    /// The service-level objectives of goodput, where some were given.
    pub slo: Option<Slo>,
    /// The classes of requests, where the traffic is mixed; empty where all are of one kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassInfo>,
    /// What was asked of every request; absent in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What was measured; absent in older records. Read it with [`RunHeader::subject`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

impl RunHeader {
    /// What was measured, of older records too.
    pub fn subject(&self) -> Subject {
        let older = || Subject::of_metadata(&self.metadata);
        self.subject.clone().unwrap_or_else(older)
    }
}

/// A class of requests with lengths, contents and objectives of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassInfo {
    /// Letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Its share of the requests, as it was asked for.
    pub share: f64,
    /// Its objectives, in place of the run's.
    pub slo: Option<Slo>,
}

/// One setting that is measured: a batch size, a concurrency, a rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointInfo {
    /// Its key in the result file: `64`, or `2.5` for a rate.
    pub key: String,
    /// The rule that releases its requests.
    pub pacing: Pacing,
}

/// Bounds that a request must meet to count as good; each absent one is not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Time to first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Time per output token, in milliseconds.
    pub tpot_ms: Option<f64>,
    /// End-to-end latency, in milliseconds.
    pub e2e_ms: Option<f64>,
}

/// What is known after one run, beside its records: what was asked of the client and how it fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Which run.
    pub run: RunId,
    /// The release of the first request.
    pub start: Nanos,
    /// The end of the last one.
    pub end: Nanos,
    /// Requests the plan held, or released where the run had a deadline.
    pub planned: u64,
    /// The user stopped the run before it was over.
    pub interrupted: bool,
    /// Who took the arrival stamps.
    pub stamps: StampSource,
    /// How the client itself fared.
    pub instrument: Instrument,
    /// What came of asking for the vector of one text twice, after the last run of a point of vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_again: Option<AskedAgain>,
    /// What the server said of itself: a look before the run, about one each second, and one after it; empty
    /// where it says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server: Vec<ServerSample>,
    /// Turns of conversations that were never sent, because the turn before had no whole answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turns_cut: u64,
    /// Generated text whose tokens were counted again; absent where no tokenizer was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recounted: Option<Recounted>,
    /// The server was seen closing connections right after an answer, and none was used again since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse_ended: bool,
}

impl RunFacts {
    /// A run from its `start` to its `end` of which nothing else is known.
    pub fn new(run: RunId, start: Nanos, end: Nanos, planned: u64, stamps: StampSource) -> Self {
        Self {
            run,
            start,
            end,
            planned,
            interrupted: false,
            stamps,
            instrument: Instrument::default(),
            asked_again: None,
            server: Vec::new(),
            turns_cut: 0,
            recounted: None,
            reuse_ended: false,
        }
    }
}

/// Answers whose tokens were counted by the server and by the model's tokenizer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recounted {
    /// How many answers.
    pub answers: u64,
    /// Tokens of all of them, by the server.
    pub by_server: u64,
    /// Tokens of their text.
    pub by_tokenizer: u64,
}

/// A look at what a server says of itself; each absent where it does not say. Counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerSample {
    /// When it was taken.
    pub at: Nanos,
    /// Requests that it works on.
    pub running: Option<f64>,
    /// Requests that wait.
    pub waiting: Option<f64>,
    /// The part of its KV memory that is in use, from 0 to 1.
    pub kv_use: Option<f64>,
    /// Prompt tokens that were looked for in the prefix cache.
    pub prefix_queries: Option<f64>,
    /// Prompt tokens that were found there.
    pub prefix_hits: Option<f64>,
    /// Sequences that were put back to make room.
    pub preemptions: Option<f64>,
    /// Prompt tokens.
    pub prompt_tokens: Option<f64>,
    /// Generated tokens.
    pub generation_tokens: Option<f64>,
    /// Sum of the times to first token, in seconds.
    pub ttft_seconds: Option<f64>,
    /// How many those are.
    pub ttft_count: Option<f64>,
    /// How they are spread, by rising bounds; empty where it does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttft_buckets: Vec<Bucket>,
}

/// So many values were at most this large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// In seconds, and finite.
    pub up_to: f64,
    /// Since the server's start.
    pub count: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Two vectors of the same text, asked for one after the other, outside of every run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedAgain {
    /// Numbers at the same place that are not the same.
    pub differing: u32,
    /// Numbers in each vector.
    pub dimensions: u32,
    /// The largest difference between two of them.
    pub difference_max: f32,
    /// 1 − the cosine of the angle between the vectors.
    pub cosine_distance: f32,
}

impl AskedAgain {
    /// Compares two vectors; `None` where they have no number, or not as many as each other.
    pub fn of(first: &[f32], second: &[f32]) -> Option<Self> {
        if first.is_empty() || first.len() != second.len() {
            return None;
        }
        let pairs = || first.iter().zip(second);
        let sum = |of: fn(f64, f64) -> f64| -> f64 {
            let pairs = pairs().map(|(a, b)| of(f64::from(*a), f64::from(*b)));
            pairs.sum()
        };
        let differing = pairs().filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        let lengths = (sum(|a, _| a * a) * sum(|_, b| b * b)).sqrt();
        let cosine = if differing == 0 {
            // Also of vectors of zeros, which have no angle.
            1.0
        } else {
            sum(|a, b| a * b) / lengths.max(f64::MIN_POSITIVE)
        };
        #[allow(
            clippy::cast_possible_truncation,
            reason = "seven digits of a difference are enough"
        )]
        let cosine_distance = (1.0 - cosine).max(0.0) as f32;
        Some(Self {
            differing: u32::try_from(differing).unwrap_or(u32::MAX),
            dimensions: u32::try_from(first.len()).unwrap_or(u32::MAX),
            difference_max: pairs().fold(0.0, |most, (a, b)| (a - b).abs().max(most)),
            cosine_distance,
        })
    }

    /// The nearer first.
    pub fn by_distance(&self, other: &Self) -> std::cmp::Ordering {
        let key = |again: &Self| (again.cosine_distance, again.difference_max);
        let ((here, step), (there, other_step)) = (key(self), key(other));
        here.total_cmp(&there).then(step.total_cmp(&other_step))
    }
}

/// Who took the arrival stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampSource {
    /// The kernel, on receipt.
    Kernel,
    /// This process, after the read returned.
    User,
    /// A virtual clock, in tests.
    Virtual,
}

/// How the client fared during a run. Absent means not measured on this platform.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// When the watch began, a little before the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Nanos>,
    /// How long the following was watched: a little longer than the run.
    pub watched: Option<Nanos>,
    /// How late a timer thread that does nothing else woke: median, in nanoseconds.
    pub canary_late_p50: Option<Nanos>,
    /// The same, 99th percentile.
    pub canary_late_p99: Option<Nanos>,
    /// The same, at worst.
    pub canary_late_max: Option<Nanos>,
    /// How late the open-loop pacer released requests: 99th percentile.
    pub pacer_late_p99: Option<Nanos>,
    /// CPU time of this process during the run, user and system.
    pub cpu: Option<Nanos>,
    /// CPU time of the receiving thread alone: it is the one that can be saturated.
    pub receiver_cpu: Option<Nanos>,
    /// Time the receiving thread was runnable and not running.
    pub receiver_run_queue_wait: Option<Nanos>,
    /// CPU time that the hypervisor took from the machine, over all processors.
    pub steal: Option<Nanos>,
    /// Time this process's control group was throttled.
    pub throttled: Option<Nanos>,
    /// How many files this process may have open at once.
    pub file_descriptor_limit: Option<u64>,
    /// What else ran on the client's processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// The same second by second, of runs that last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seconds: Vec<WatchedSecond>,
}

/// Who used the processors that this process may run on, during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// How long that was watched.
    pub watched: Nanos,
    /// So many processors.
    pub processors: u32,
    /// Their time that neither this process nor the server took, nor what either has started.
    pub others: Nanos,
    /// What the server took; absent where it does not run on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Nanos>,
}

/// How the client fared in one second of a run. Absent means not measured on this platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchedSecond {
    /// Since the watch began, from 0.
    pub number: u32,
    /// How late the timer thread woke at worst.
    pub canary_late_max: Option<Nanos>,
    /// Time the receiving thread was runnable and not running.
    pub receiver_run_queue_wait: Option<Nanos>,
    /// CPU time that the hypervisor took from the machine, over all processors.
    pub steal: Option<Nanos>,
    /// Time this process's control group was throttled.
    pub throttled: Option<Nanos>,
    /// Files and sockets that were open at its end.
    pub open_files: Option<u64>,
    /// TCP sockets of the whole machine at its end, with those that wait to be forgotten: each takes a port.
    pub tcp_sockets: Option<u64>,
    /// Connections and segments that the machine dropped in it because a socket's queue was full.
    pub queue_drops: Option<u64>,
}

/// A run as it is stored: enough to recompute every number.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedRun {
    /// What was known before.
    pub header: RunHeader,
    /// What was known after each run; a run that was killed has none.
    pub facts: Vec<RunFacts>,
    /// What came back.
    pub records: Vec<Record>,
}

#[cfg(test)]
mod tests {
    use super::AskedAgain;

    #[test]
    fn two_vectors_of_a_text_are_compared_by_number_and_by_angle() {
        let same = AskedAgain::of(&[0.6, 0.8], &[0.6, 0.8]).unwrap();
        assert_eq!((same.differing, same.dimensions), (0, 2));
        assert!(same.difference_max == 0.0 && same.cosine_distance == 0.0);
        let turned = AskedAgain::of(&[1.0, 0.0], &[0.0, 1.0]).unwrap();
        assert_eq!(turned.differing, 2);
        assert!((turned.difference_max - 1.0).abs() < 1e-6);
        assert!((turned.cosine_distance - 1.0).abs() < 1e-6);
        let opposite = AskedAgain::of(&[1.0, 0.0], &[-1.0, 0.0]).unwrap();
        assert!((opposite.cosine_distance - 2.0).abs() < 1e-6);
        let nothing = AskedAgain::of(&[0.0, 0.0], &[0.0, 0.0]).unwrap();
        assert!(nothing.cosine_distance == 0.0);
        assert_eq!(AskedAgain::of(&[1.0], &[1.0, 0.0]), None);
        assert_eq!(AskedAgain::of(&[], &[]), None);
    }
}
