//! Does what came back carry what is read into it?

use super::answers::BEYOND_MAX;
use super::{Evidence, Finding, Grade, invalid, percent, suspect};
use crate::TokenSource;
use crate::judge::Fault;

/// When more than half of the requests fail, those that succeed are not a sample of the load.
const FAILED_SHARE_MAX: f64 = 0.5;

/// From six values on the median has an interval. Higher percentiles that the sample cannot carry
/// are shown without one; only a sample that carries no percentile at all makes a run suspect.
const COMPLETE_MIN: u64 = 6;

/// A surer change than this is none that anybody reads a benchmark for.
const DRIFT_MAX: f64 = 0.1;

/// Two-sided 2.5 % of the normal distribution: simulated servers that do not drift, queues at up to
/// 90 % load among them, are accused in fewer than 5 of 100 runs.
const DRIFT_SCORE_MIN: f64 = 2.241;

/// Chance beginnings in common explain some cached tokens, but hardly a fifth of the prompt.
const CACHED_SHARE_MAX: f64 = 0.2;

/// Delayed acknowledgements are a comb when they make this part of the gaps between reads.
const DELAYED_ACK_SHARE_MAX: f64 = 0.2;

/// And when gaps are typically much shorter, or else the server has simply a step of 40 ms.
const COMB_MEDIAN_GAP_MS_MAX: f64 = 20.0;

/// A server that adds a token or two of its own has another template, and no other load.
const LENGTH_ERROR_MAX: f64 = 0.01;

/// Another batch adds numbers in another order: in 16 bits that turns a vector by some 1e-5. A hundred
/// times that is another vector.
const COSINE_DISTANCE_MAX: f32 = 1e-3;

impl Evidence<'_> {
    pub(super) fn judge_responses(&self) -> Vec<(Grade, &'static str, String)> {
        [
            self.failures(),
            self.few_samples(),
            self.without_tokens(),
            self.estimated(),
            self.delayed_ack_comb(),
            self.cache_hits(),
            self.drifted(),
            self.vector_sizes(),
            self.other_vectors(),
            self.estimated_input(),
            self.other_lengths(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Prompts of a planned length that the server counts otherwise.
    fn other_lengths(&self) -> Finding {
        let lengths = self.summary.prompt_lengths.as_ref()?;
        let off = &lengths.difference;
        let input = self.summary.tokens.input_per_request.as_ref()?;
        let worst = off.min.abs().max(off.max.abs());
        if off.mean.abs() <= LENGTH_ERROR_MAX * input.mean && worst <= 0.1 * input.mean {
            return None;
        }
        suspect(
            "prompt_lengths_differ",
            format!(
                "The server counted {:+.1} tokens per prompt beside what was planned (from {:+.0} to {:+.0}); the \
                 tokenizer or the chat template is not the server's: name its own with --tokenizer.",
                off.mean, off.min, off.max
            ),
        )
    }

    fn failures(&self) -> Finding {
        let r = &self.summary.reliability;
        let most = r.failures.first().map_or_else(String::new, |failure| {
            let example = failure.example.as_deref();
            let words = example.map_or_else(String::new, |words| {
                format!(": {}", words.trim_end_matches('.'))
            });
            format!(
                " Most often {} ({} times{words}).",
                failure.kind, failure.count
            )
        });
        if r.issued == 0 {
            return invalid(
                "nothing_succeeded",
                "No request was released; check that the plan holds some.".to_owned(),
            );
        }
        if r.complete == 0 {
            return invalid(
                "nothing_succeeded",
                format!(
                    "None of {} requests was answered in full.{most} {}",
                    r.issued,
                    self.way_out()
                ),
            );
        }
        let share = r.failed as f64 / r.issued as f64;
        let counts = format!(
            "{} of {} requests failed ({})",
            r.failed,
            r.issued,
            percent(share)
        );
        if share > FAILED_SHARE_MAX {
            return invalid(
                "most_failed",
                format!(
                    "{counts}, more than {}: the rest is no sample of the load.{most} {}",
                    percent(FAILED_SHARE_MAX),
                    self.way_out()
                ),
            );
        }
        (r.failed > 0).then_some(())?;
        suspect(
            "failures",
            format!(
                "{counts}, where none should; latencies are those of the others, who had the \
                 server more to themselves.{most}"
            ),
        )
    }

    fn few_samples(&self) -> Finding {
        let complete = self.summary.reliability.complete;
        if complete == 0 || complete >= COMPLETE_MIN {
            return None;
        }
        suspect(
            "few_samples",
            format!(
                "Only {complete} requests were complete, and a median has an interval from \
                 {COMPLETE_MIN} on; ask for more requests or runs."
            ),
        )
    }

    /// One model gives vectors of one size.
    fn vector_sizes(&self) -> Finding {
        let sizes = &self.summary.pooling.as_ref()?.dimensions;
        (sizes.len() > 1).then_some(())?;
        let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
        invalid(
            "vector_sizes",
            format!(
                "Vectors of {} numbers came back where one model gives one size; check what \
                 answers behind this address.",
                sizes.join(" and ")
            ),
        )
    }

    /// A text has one vector.
    fn other_vectors(&self) -> Finding {
        let again = self.summary.pooling.as_ref()?.asked_again?;
        if again.cosine_distance <= COSINE_DISTANCE_MAX {
            return None;
        }
        suspect(
            "vectors_differ",
            format!(
                "The same text, asked for twice after the runs, had two vectors with a cosine distance of {:.2e} \
                 (limit {COSINE_DISTANCE_MAX:e}), with differences of up to {:.2e}; check whether several models \
                 answer behind this address.",
                again.cosine_distance, again.difference_max
            ),
        )
    }

    fn estimated_input(&self) -> Finding {
        let source = self.summary.pooling.as_ref()?.token_source;
        (source == TokenSource::Estimated).then_some(())?;
        suspect(
            "input_tokens_estimated",
            "The server gives no usage, so that input tokens are estimated as 1.3 for each word; \
             vectors per second are measured, tokens per second are a guess."
                .to_owned(),
        )
    }

    /// What helps against the most frequent failure.
    fn way_out(&self) -> &'static str {
        let Some(most) = self.summary.reliability.failures.first() else {
            return "Look into the server's log.";
        };
        // Some servers refuse a key with another status, and who asked them knows that.
        if most
            .example
            .as_deref()
            .is_some_and(|words| words.contains("check the key"))
        {
            return "Check the key.";
        }
        match most.kind.as_str() {
            "http_401" | "http_403" => "Check the key.",
            "http_400" | "http_404" | "http_422" => "Check the address and the model.",
            "http_429" | "http_503" => "Lower the load.",
            "connect" | "stale_connection" | "closed_before_answer" | "timeout_connect" => {
                "Check that the server still runs and takes connections."
            }
            _ => "Look into the server's log.",
        }
    }

    fn without_tokens(&self) -> Finding {
        let r = &self.summary.reliability;
        if r.complete_without_tokens == 0 {
            return None;
        }
        let sentence = format!(
            "{} of {} complete streams carried no generated text (limit 0) and have no latency; \
             check the prompts, the token limit, and whether the server serves so many at once.",
            r.complete_without_tokens, r.complete
        );
        // Where most answers are empty, the numbers are those of a server that does not answer.
        let grade = if 2 * r.complete_without_tokens > r.complete {
            invalid
        } else {
            suspect
        };
        grade("complete_without_tokens", sentence)
    }

    fn estimated(&self) -> Finding {
        // Counts that cannot be have a reason of their own.
        let impossible = self.faults.share(Fault::ImpossibleOutput);
        let explained = impossible.is_some_and(|share| share.count >= self.answers.estimated);
        if self.summary.tokens.output_source != TokenSource::Estimated || explained {
            return None;
        }
        suspect(
            "tokens_estimated",
            "The server gave no token counts for at least one of its responses (limit 0): a \
             stream's events were taken for its tokens, and what was no stream counts none. Ask \
             the server for usage in streams (`stream_options.include_usage`)."
                .to_owned(),
        )
    }

    fn delayed_ack_comb(&self) -> Finding {
        let share = self
            .gaps
            .delayed_ack_share
            .filter(|&share| share > DELAYED_ACK_SHARE_MAX)?;
        let median = self
            .gaps
            .chunk_gap_ms
            .filter(|&median| median < COMB_MEDIAN_GAP_MS_MAX)?;
        suspect(
            "delayed_ack_comb",
            format!(
                "{} of the gaps between reads are 40 ± 2 ms (limit {}), though the median gap \
                 between tokens is {median:.2} ms: the mark of Nagle's algorithm waiting for \
                 delayed acknowledgements. Set TCP_NODELAY on the server and on every proxy.",
                percent(share),
                percent(DELAYED_ACK_SHARE_MAX)
            ),
        )
    }

    fn cache_hits(&self) -> Finding {
        let cache = &self.faults.cache;
        let told = cache.share(self.template_tokens);
        // vLLM says nothing of it with an answer unless it is asked to, and always in its own counts, which are
        // everybody's.
        let counted = || {
            let server = self.summary.server.as_ref()?;
            let reliability = &self.summary.reliability;
            let ours = server.saw_only(reliability.issued, BEYOND_MAX);
            let rate = server.prefix_hit_rate.filter(|_| ours)?;
            Some((rate - self.common_share()).max(0.0))
        };
        let share = told.map(|told| told.share).or_else(counted)?;
        if self.shares_prompts || share <= CACHED_SHARE_MAX || !share.is_finite() {
            return None;
        }
        let common = told.map_or(0, |told| told.common);
        let beyond = if common > 0 {
            format!(", beyond about {common} that every prompt has in common")
        } else {
            String::new()
        };
        suspect(
            "cache_hits",
            format!(
                "The server took {} of the prompt tokens from its cache{beyond} (limit {}): time to first token is \
                 that of known prompts. If they were meant to be unique: another --seed, where an earlier run sent \
                 these; more prompts than requests; or no prefix caching. If it is a system prompt that every request \
                 shares, name the model's tokenizer with --tokenizer.",
                percent(share),
                percent(CACHED_SHARE_MAX)
            ),
        )
    }

    /// The part of the prompts that a template adds to every one, as far as it is known.
    fn common_share(&self) -> f64 {
        let complete = self.summary.reliability.complete;
        let by_lengths = self.faults.cache.overhead_share(complete);
        let input = self.summary.tokens.input_per_request.as_ref();
        let by_template = self.template_tokens.zip(input);
        let by_template = by_template.map_or(0.0, |(tokens, input)| tokens as f64 / input.mean);
        by_lengths.max(by_template)
    }

    fn drifted(&self) -> Finding {
        let drift = self.drift?;
        let change = drift.last / drift.first - 1.0;
        let sure = drift.score.abs() > DRIFT_SCORE_MIN && drift.score * change > 0.0;
        if !sure || !change.is_finite() || change.abs() <= DRIFT_MAX {
            return None;
        }
        suspect(
            "drift",
            format!(
                "End-to-end latency changed by {:+.1} % from the first third of the steady part to \
                 the last (limit ±{}), from {:.1} to {:.1} ms, and by more than chance explains \
                 (Mann-Kendall {:+.1}, limit ±{DRIFT_SCORE_MIN:.2}): the server warms up, or a \
                 queue grows. Warm up longer, or lower the load.",
                change * 100.0,
                percent(DRIFT_MAX),
                drift.first,
                drift.last,
                drift.score
            ),
        )
    }
}
