//! `/metrics`. Names and meanings are those of vLLM where it has the same number.

mod encoder;

use crate::histogram::Histogram;
use engine::Gauges;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Ends of vLLM's buckets for the time to first token, in seconds.
const FIRST_TOKEN_ENDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
/// Ends of vLLM's buckets for times between tokens, with finer ones below: a tiny model's gaps would
/// all lie in vLLM's first.
const TOKEN_ENDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
    0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
];
/// Ends of vLLM's buckets for whole requests.
const REQUEST_ENDS: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

/// What is counted beside the engine's own gauges.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) prompt_tokens: u64,
    pub(crate) generation_tokens: u64,
    /// By finish reason; each choice counts, as each sequence does in vLLM.
    finished: BTreeMap<&'static str, u64>,
    /// By reason: requests that were not let in.
    rejected: BTreeMap<&'static str, u64>,
    /// Requests whose clients went away.
    pub(crate) aborted: u64,
    /// Requests whose clients read too slowly.
    pub(crate) slow_readers: u64,
    /// Steps that the model failed.
    pub(crate) failed_steps: u64,
    /// Batches of an encoder.
    pub(crate) batches: u64,
    /// Texts in them.
    pub(crate) batched_texts: u64,
    pub(crate) time_to_first_token: Histogram,
    pub(crate) inter_token: Histogram,
    pub(crate) time_per_output_token: Histogram,
    pub(crate) request: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics {
            prompt_tokens: 0,
            generation_tokens: 0,
            finished: [("stop", 0), ("length", 0), ("abort", 0)].into(),
            rejected: [("queue_full", 0), ("draining", 0), ("engine_failed", 0)].into(),
            aborted: 0,
            slow_readers: 0,
            failed_steps: 0,
            batches: 0,
            batched_texts: 0,
            time_to_first_token: Histogram::new(FIRST_TOKEN_ENDS),
            inter_token: Histogram::new(TOKEN_ENDS),
            time_per_output_token: Histogram::new(TOKEN_ENDS),
            request: Histogram::new(REQUEST_ENDS),
        }
    }

    /// `choices` ended for this reason.
    pub(crate) fn finish(&mut self, reason: &'static str, choices: usize) {
        *self.finished.entry(reason).or_default() += choices as u64;
    }

    /// The times of a choice that ended `request` after its arrival and `decode` after its first
    /// token.
    pub(crate) fn times(&mut self, request: Duration, decode: Duration, tokens: usize) {
        self.request.observe(request);
        let gaps = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        if gaps > 0 {
            self.time_per_output_token.observe(decode / gaps);
        }
    }

    /// A request was not let in.
    pub(crate) fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    /// In Prometheus' text format 0.0.4.
    #[allow(clippy::too_many_lines, reason = "one table of all metrics")]
    pub(crate) fn text(&self, model: &str, gauges: &Gauges) -> String {
        let labels = format!("model_name=\"{}\"", escape(model));
        let mut out = String::with_capacity(12_000);
        let used = gauges.blocks_owned as f64 / gauges.blocks_total.max(1) as f64;
        one(
            &mut out,
            &labels,
            "vllm:num_requests_running",
            "gauge",
            "Sequences that run.",
            gauges.running,
        );
        one(
            &mut out,
            &labels,
            "vllm:num_requests_waiting",
            "gauge",
            "Sequences that wait.",
            gauges.waiting,
        );
        one(
            &mut out,
            &labels,
            "vllm:kv_cache_usage_perc",
            "gauge",
            "KV blocks in use; 1 is all of them.",
            format!("{used:?}"),
        );
        one(
            &mut out,
            &labels,
            "vllm:prefix_cache_queries_total",
            "counter",
            "Prompt tokens looked up in the prefix cache.",
            gauges.prefix_queried_tokens,
        );
        one(
            &mut out,
            &labels,
            "vllm:prefix_cache_hits_total",
            "counter",
            "Prompt tokens found in the prefix cache.",
            gauges.prefix_hit_tokens,
        );
        one(
            &mut out,
            &labels,
            "vllm:num_preemptions_total",
            "counter",
            "Sequences that lost their blocks and were computed again.",
            gauges.preemptions,
        );
        one(
            &mut out,
            &labels,
            "vllm:prompt_tokens_total",
            "counter",
            "Prompt tokens processed.",
            self.prompt_tokens,
        );
        one(
            &mut out,
            &labels,
            "vllm:generation_tokens_total",
            "counter",
            "Tokens generated.",
            self.generation_tokens,
        );
        self.write_finished(&mut out, &labels);
        for (histogram, name, help) in [
            (
                &self.time_to_first_token,
                "vllm:time_to_first_token_seconds",
                "From a request's arrival to its first token.",
            ),
            (
                &self.inter_token,
                "vllm:inter_token_latency_seconds",
                "Between the tokens of a sequence.",
            ),
            (
                &self.inter_token,
                "vllm:time_per_output_token_seconds",
                "The older name of vllm:inter_token_latency_seconds.",
            ),
            (
                &self.time_per_output_token,
                "vllm:request_time_per_output_token_seconds",
                "Mean time between the tokens of a sequence.",
            ),
            (
                &self.request,
                "vllm:e2e_request_latency_seconds",
                "From a request's arrival to its end.",
            ),
        ] {
            head(&mut out, name, "histogram", help);
            histogram.write(&mut out, name, &labels);
        }
        one(
            &mut out,
            &labels,
            "tokenomics:requests_aborted_total",
            "counter",
            "Requests whose clients went away.",
            self.aborted,
        );
        one(
            &mut out,
            &labels,
            "tokenomics:slow_readers_total",
            "counter",
            "Requests aborted because their clients read too slowly.",
            self.slow_readers,
        );
        one(
            &mut out,
            &labels,
            "tokenomics:failed_steps_total",
            "counter",
            "Steps that the model could not compute.",
            self.failed_steps,
        );
        self.write_rejected(&mut out, &labels);
        for (state, count) in [
            ("free", gauges.blocks_free),
            ("cached", gauges.blocks_cached),
            ("owned", gauges.blocks_owned),
        ] {
            if state == "free" {
                head(
                    &mut out,
                    "tokenomics:kv_blocks",
                    "gauge",
                    "KV blocks, by state.",
                );
            }
            let _ = writeln!(
                out,
                "tokenomics:kv_blocks{{state=\"{state}\",{labels}}} {count}"
            );
        }
        out
    }

    fn write_finished(&self, out: &mut String, labels: &str) {
        head(
            out,
            "vllm:request_success_total",
            "counter",
            "Sequences that ended, by reason.",
        );
        for (reason, count) in &self.finished {
            let _ = writeln!(
                out,
                "vllm:request_success_total{{finished_reason=\"{reason}\",{labels}}} {count}"
            );
        }
    }

    fn write_rejected(&self, out: &mut String, labels: &str) {
        head(
            out,
            "tokenomics:requests_rejected_total",
            "counter",
            "Requests that were not let in, by reason.",
        );
        for (reason, count) in &self.rejected {
            let _ = writeln!(
                out,
                "tokenomics:requests_rejected_total{{reason=\"{reason}\",{labels}}} {count}"
            );
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn one(
    out: &mut String,
    labels: &str,
    name: &str,
    kind: &str,
    help: &str,
    value: impl std::fmt::Display,
) {
    head(out, name, kind, help);
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
