//! Is what came back what was asked for?

use super::{Evidence, Finding, Grade, percent, suspect};
use crate::TokenSource;

/// An answer that ends early frees its place early: with one in a hundred the work is still that
/// which was asked for.
const EARLY_STOPS_MAX: f64 = 0.01;

/// Streams that come in one piece have no time between tokens, and a first token as late as the
/// last. A few may have waited for a busy client; one in ten is a buffer on the way.
const ONE_BURST_MAX: f64 = 0.1;

/// A server may count the token that ends a sequence, which nobody receives: one in a hundred or so.
pub(super) const BEYOND_MAX: f64 = 0.05;

/// The bounds of buckets are exact; clocks and roundings are not.
const SOONER_MAX: f64 = 0.05;
const SOONER_MS_MAX: f64 = 1.0;

/// Several times the server's own: what a network or a gateway adds is seldom as much as the prompt takes.
const LATER_TIMES_MAX: f64 = 2.0;
const LATER_MS_MAX: f64 = 20.0;

/// Too few to tell.
const TOKENS_MIN: f64 = 200.0;

/// A text can be cut into tokens otherwise than it was generated in, by a few of a hundred, and special tokens leave
/// no text. A server that counts pieces, or words, is farther off. Beside this part each answer may have a
/// token that is in no text, at its end or before its first word.
const RECOUNT_ERROR_MAX: f64 = 0.1;

impl Evidence<'_> {
    pub(super) fn judge_answers(&self) -> Vec<(Grade, &'static str, String)> {
        [
            self.early_stops(),
            self.short_answers(),
            self.one_burst(),
            self.server_shared(),
            self.output_counts(),
            self.before_the_server(),
            self.after_the_server(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn short_answers(&self) -> Finding {
        let counted = self.too_many_early(self.answers.short)?;
        suspect(
            "short_answers",
            format!(
                "{counted} have fewer tokens than were asked for, and do not say that the model ended them: prompt and \
                 answer together may be longer than the server's context, or its own limit is lower."
            ),
        )
    }

    fn early_stops(&self) -> Finding {
        let counted = self.too_many_early(self.answers.early_stops)?;
        suspect(
            "early_stops",
            format!(
                "{counted} ended by themselves, though the end of sequence was to be ignored: the server did less work \
                 than was asked for. Check that it knows `ignore_eos`, or compare by tokens and not by requests."
            ),
        )
    }

    /// `3 of 200 answers (1.5 %, limit 1.0 %)`, where that is too many.
    fn too_many_early(&self, early: u64) -> Option<String> {
        let complete = self.answers.complete;
        let share = early as f64 / complete as f64;
        (early > 0 && share > EARLY_STOPS_MAX).then(|| {
            format!(
                "{early} of {complete} answers ({}, limit {})",
                percent(share),
                percent(EARLY_STOPS_MAX)
            )
        })
    }

    /// Only where everything came back: what was cut off is generated and not received.
    fn server_shared(&self) -> Finding {
        let reliability = &self.summary.reliability;
        let generated = self.summary.server.as_ref()?.generation_tokens?;
        let received = self.summary.tokens.output_total? as f64;
        let by_server = self.summary.tokens.output_source == TokenSource::Usage;
        let all_came = reliability.complete == reliability.issued;
        if !by_server || !all_came || generated < TOKENS_MIN || received <= 0.0 {
            return None;
        }
        let beyond = generated / received - 1.0;
        if beyond <= BEYOND_MAX {
            return None;
        }
        suspect(
            "server_shared",
            format!(
                "The server says that it generated {generated:.0} tokens during the runs, and {received:.0} were \
                 received ({} more, limit {}): somebody else used it. Measure a server that nobody else uses.",
                percent(beyond),
                percent(BEYOND_MAX)
            ),
        )
    }

    fn output_counts(&self) -> Finding {
        let counted = self.summary.tokens.recounted?;
        let (server, text) = (counted.by_server as f64, counted.by_tokenizer as f64);
        let off = server - text;
        let limit = RECOUNT_ERROR_MAX * text + counted.answers as f64;
        // A model that is not to end goes on after its end token, often with more that are no text.
        let unseen = off > 0.0 && self.answers.full_length_asked;
        if server.max(text) < TOKENS_MIN || off.abs() <= limit || unseen {
            return None;
        }
        suspect(
            "output_counts_differ",
            format!(
                "The server counted {server:.0} generated tokens in {} answers whose text has {text:.0} by the \
                 tokenizer ({off:+.0}, limit ±{limit:.0}): tokens per second and tpot are off by as much. The server \
                 counts something else than tokens, or the tokenizer is not its own: name that with --tokenizer.",
                counted.answers
            ),
        )
    }

    /// The server's clock starts later than ours and stops before: no first token can come sooner here than there.
    fn before_the_server(&self) -> Finding {
        let server = self.summary.server.as_ref()?;
        let ours = self.summary.latency.ttft.as_ref()?;
        let reliability = &self.summary.reliability;
        // A single one of somebody else's may be the slowest of all.
        let alone = server.saw_only(reliability.issued, 0.0);
        if !alone || reliability.complete != reliability.issued {
            return None;
        }
        let known = [
            ("median", ours.p50.value, server.ttft_p50_ms),
            ("p99", ours.p99.value, server.ttft_p99_ms),
        ];
        let mut sooner = known.into_iter().filter_map(|(name, ours, theirs)| {
            let least = theirs?.low;
            let limit = least - (SOONER_MAX * least).max(SOONER_MS_MAX);
            (ours < limit).then_some((name, ours, least))
        });
        let (name, ours, least) = sooner.next()?;
        suspect(
            "before_the_server",
            format!(
                "The {name} time to first token is {ours:.1} ms here and at least {least:.1} ms by the server's own \
                 histogram: what came first is not what the server counts as its first token, or its clock starts \
                 before the request arrives."
            ),
        )
    }

    /// The mirror of it: a first token that the server had long ago was held back on its way.
    fn after_the_server(&self) -> Finding {
        let server = self.summary.server.as_ref()?;
        let ours = self.summary.latency.ttft.as_ref()?;
        if !server.saw_only(self.summary.reliability.issued, BEYOND_MAX) {
            return None;
        }
        let median = server
            .ttft_p50_ms
            .map(|most| ("median", ours.p50.value, most.high));
        let mean = server.ttft_mean_ms.map(|mean| ("mean", ours.mean, mean));
        let mut known = [median, mean].into_iter().flatten();
        let (name, ours, most) = known.find(|&(_, ours, theirs)| {
            ours > LATER_TIMES_MAX * theirs && ours > theirs + LATER_MS_MAX
        })?;
        suspect(
            "after_the_server",
            format!(
                "The {name} time to first token is {ours:.1} ms here and at most {most:.1} ms by the server's own \
                 histogram ({:.1} times, limit {LATER_TIMES_MAX}): first tokens were held back, by a server that shows \
                 a tool's call only when it knows its name, by a buffer in a proxy, or by a slow network. ttft is the \
                 time to what was let through.",
                ours / most
            ),
        )
    }

    fn one_burst(&self) -> Finding {
        let answers = self.answers;
        let share = answers.one_burst as f64 / answers.streams as f64;
        if answers.one_burst == 0 || share <= ONE_BURST_MAX {
            return None;
        }
        suspect(
            "one_burst_streams",
            format!(
                "{} of {} streams came in one piece ({}, limit {}): their first token is as late \
                 as their last. Look for a buffer in the server or in a proxy before it, and read \
                 e2e, not ttft and tpot.",
                answers.one_burst,
                answers.streams,
                percent(share),
                percent(ONE_BURST_MAX)
            ),
        )
    }
}
