//! What a point's block says below its numbers.

use super::point_words::{is_estimated, tokens_per_second};
use super::{connections, pooled, queue};
use crate::escape;
use crate::number::{self, count, optional, percent, plural, significant};
use crate::style::{Ink, Style};
use crate::width::{TEXT_COLUMNS, clip, wrap};
use stats::{Interval, PointSummary, ServerView, SteadyState, TokenSource};
use trace::StampSource;

/// Columns of the names in front.
const NAME_COLUMNS: usize = 14;
/// A server's words are cut here; the result file has them whole.
const EXAMPLE_COLUMNS: usize = 120;
/// The steady state is shown from this relative difference on.
const STEADY_DIFFERENCE: f64 = 0.02;
/// A warm-up is shown from this part of the window on: requests that began together may be cut apart.
const WARMUP_SHARE: f64 = 0.001;
/// Coalesced reads are shown from this share on.
const COALESCED_SHARE: f64 = 0.01;

/// What is said of a point beside its latencies, a fact per line, its name in front.
pub(super) fn lines(point: &PointSummary, style: Style) -> Vec<String> {
    facts(point)
        .flat_map(|(name, fact)| fact_lines(name, &fact, style))
        .collect()
}

/// Names and facts. Nothing in them moves a cursor.
pub(crate) fn facts(point: &PointSummary) -> impl Iterator<Item = (&'static str, String)> {
    [
        ("tokens", tokens(point)),
        ("prompt length", prompt_lengths(point)),
        ("throughput", throughput(point)),
        ("vectors", point.pooling.as_ref().and_then(pooled::vectors)),
        (
            "again",
            point.pooling.as_ref().and_then(pooled::asked_again),
        ),
        ("steady state", steady_state(point)),
        ("in flight", in_flight(point)),
        ("queue", queue::slow(point)),
        ("goodput", goodput(point)),
        ("answers", answers(point)),
        ("failures", failures(point)),
        ("connections", connections::words(&point.reliability)),
        ("server", server(point)),
        ("client", client(point)),
    ]
    .into_iter()
    .filter_map(|(name, fact)| Some((name, fact?)))
}

/// Finish reasons other than the usual, another name of the model, what is counted by events, and a cache that will
/// know these prompts the next time.
fn answers(point: &PointSummary) -> Option<String> {
    let answers = point.answers.as_ref()?;
    let usual = |reason: &str| ["stop", "length"].contains(&reason);
    let reasons = answers.finish_reasons.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, count)| format!("{} {}", count, escape::terminal(reason)))
        .collect();
    let told = answers.finish_reasons.keys().any(|reason| !usual(reason));
    let alias = answers
        .models
        .keys()
        .next()
        .filter(|model| answers.models.len() == 1 && !answers.models_asked.contains(*model));
    let parts = [
        told.then(|| format!("ended by {}", reasons.join(", "))),
        alias.map(|model| format!("answered as {}", escape::terminal(model))),
        (answers.counted_by_events > 0)
            .then(|| format!("{} counted by events", count(answers.counted_by_events))),
        answers.has_prefix_cache.then(|| {
            "the server keeps prompts in a cache: a second run with this --seed finds its own there"
                .to_owned()
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What the server said of itself.
fn server(point: &PointSummary) -> Option<String> {
    let server = point.server.as_ref()?;
    let parts = [
        server
            .running_max
            .map(|running| format!("{} running at most", significant(running))),
        server
            .waiting_max
            .map(|waiting| format!("{} waiting at most", significant(waiting))),
        server
            .kv_use_max
            .map(|part| format!("KV memory {} full", percent(part))),
        server
            .prefix_hit_rate
            .map(|rate| format!("{} of prompt tokens from its prefix cache", percent(rate))),
        server
            .preemptions
            .filter(|count| *count > 0.0)
            .map(|count| format!("{} sequences put back", significant(count))),
        first_token(server),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `TTFT by its own clock: mean 26.6 ms, p50 20.0 to 40.0`.
fn first_token(server: &ServerView) -> Option<String> {
    let mean = server.ttft_mean_ms?;
    let within = |name: &str, bounds: Option<Interval>| {
        bounds.map_or_else(String::new, |Interval { low, high }| {
            format!(", {name} {} to {}", significant(low), significant(high))
        })
    };
    Some(format!(
        "TTFT by its own clock: mean {} ms{}{}",
        significant(mean),
        within("p50", server.ttft_p50_ms),
        within("p99", server.ttft_p99_ms)
    ))
}

fn fact_lines(name: &str, fact: &str, style: Style) -> Vec<String> {
    wrap(fact, TEXT_COLUMNS - 2 - NAME_COLUMNS)
        .into_iter()
        .enumerate()
        .map(|(index, line)| {
            let name = format!("{:NAME_COLUMNS$}", if index == 0 { name } else { "" });
            format!("  {}{line}", style.paint(Ink::Dim, &name))
        })
        .collect()
}

fn tokens(point: &PointSummary) -> Option<String> {
    if let Some(pooling) = &point.pooling {
        return pooled::tokens(pooling);
    }
    let tokens = &point.tokens;
    let input = tokens
        .input_per_request
        .map(|sample| format!("{} in", significant(sample.mean)));
    let output = tokens.output_per_request.map(|sample| {
        let mean = number::estimated(significant(sample.mean), is_estimated(point));
        format!("{mean} out")
    });
    let both: Vec<_> = [input, output].into_iter().flatten().collect();
    if both.is_empty() {
        return None;
    }
    let source = match tokens.output_source {
        TokenSource::Usage => ", counted by the server",
        TokenSource::Tokenizer => ", counted with the tokenizer",
        TokenSource::Estimated => ", estimated from token events",
        TokenSource::None => "",
    };
    let cached = tokens.cached_total.filter(|total| *total > 0);
    let cached = cached.map_or_else(String::new, |total| {
        format!("; {} from its cache", plural(total, "prompt token"))
    });
    let again = tokens.recounted.map_or_else(String::new, |counted| {
        let times = counted.by_server as f64 / counted.by_tokenizer.max(1) as f64;
        format!(
            "; ×{times:.2} of what the tokenizer counts in the text of {}",
            plural(counted.answers, "answer")
        )
    });
    Some(format!(
        "{} per request{source}{again}{cached}",
        both.join(", ")
    ))
}

fn prompt_lengths(point: &PointSummary) -> Option<String> {
    let lengths = point.prompt_lengths.as_ref()?;
    let off = &lengths.difference;
    if lengths.exact_share >= 1.0 {
        return Some("as planned in every request, by the server's count".to_owned());
    }
    Some(format!(
        "{} as planned; the server counted {:+.2} tokens on average beside it, from {:+} to {:+}",
        percent(lengths.exact_share),
        off.mean,
        off.min,
        off.max
    ))
}

fn throughput(point: &PointSummary) -> Option<String> {
    if let Some(pooling) = &point.pooling {
        return pooled::throughput(pooling);
    }
    let rates = &point.throughput;
    let batch = tokens_per_second(point, Some(rates.batch_tokens_per_second?));
    let request = rates
        .request_tokens_per_second
        .map_or_else(String::new, |rate| {
            format!(", {} per request", tokens_per_second(point, Some(rate)))
        });
    Some(format!("{batch} tokens/s{request}"))
}

fn steady_state(point: &PointSummary) -> Option<String> {
    let steady = point.steady_state.as_ref()?;
    let material = |seconds: &f64| *seconds >= WARMUP_SHARE * steady.seconds;
    let warmup = steady.warmup_seconds.filter(material).map(|seconds| {
        format!(
            "the first {} s were still warming up, by MSER-5",
            significant(seconds)
        )
    });
    let parts: Vec<String> = [steady_rate(point, steady), warmup]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The rate of the window, where it says something else than that of the whole run, or more.
fn steady_rate(point: &PointSummary, steady: &SteadyState) -> Option<String> {
    let rate = steady.output_tokens_per_second?;
    let whole = point.throughput.output_tokens_per_second?;
    let differs = (rate.mean - whole.mean).abs() > STEADY_DIFFERENCE * whole.mean;
    let interval = steady.output_tokens_per_second_interval;
    if !differs && interval.is_none() {
        return None;
    }
    let interval = interval.map_or_else(String::new, |interval| {
        format!(" {}", number::interval(interval))
    });
    Some(format!(
        "{} tokens/s{interval} over {} s, {} of the run",
        tokens_per_second(point, Some(rate)),
        significant(steady.seconds),
        percent(steady.share)
    ))
}

fn in_flight(point: &PointSummary) -> Option<String> {
    let concurrency = &point.concurrency;
    let mut parts = Vec::new();
    if let Some(asked) = concurrency.asked {
        parts.push(format!("{} asked", count(u64::from(asked))));
    }
    parts.push(format!("{} on average", optional(concurrency.achieved)));
    parts.push(format!(
        "{} at the peak",
        count(u64::from(concurrency.peak))
    ));
    if let Some(asked) = concurrency.asked_rate {
        let issued = optional(concurrency.issued_rate);
        parts.push(format!("{issued} of {} req/s released", significant(asked)));
    }
    concurrency.achieved.map(|_| parts.join(", "))
}

fn goodput(point: &PointSummary) -> Option<String> {
    let goodput = point.goodput.as_ref()?;
    Some(format!(
        "{} req/s, {} of those issued met every objective",
        significant(goodput.requests_per_second),
        percent(goodput.share)
    ))
}

fn failures(point: &PointSummary) -> Option<String> {
    let reliability = &point.reliability;
    let mut parts: Vec<_> = reliability
        .failures
        .iter()
        .map(|failure| {
            let kind = escape::terminal(&failure.kind);
            let example = failure
                .example
                .as_deref()
                .map_or_else(String::new, |example| {
                    format!(": “{}”", clip(&escape::terminal(example), EXAMPLE_COLUMNS))
                });
            format!("{} {kind}{example}", count(failure.count))
        })
        .collect();
    if reliability.cancelled > 0 {
        parts.push(format!("{} cancelled", count(reliability.cancelled)));
    }
    if reliability.complete_without_tokens > 0 {
        let responses = plural(reliability.complete_without_tokens, "complete response");
        parts.push(format!("{responses} without a token"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `; 2 of 60 seconds disturbed (0:17, 0:18, run and second)`.
fn disturbed(point: &PointSummary) -> String {
    const SHOWN: usize = 8;
    let Some(disturbed) = point
        .receipt
        .disturbed
        .as_ref()
        .filter(|some| !some.seconds.is_empty())
    else {
        return String::new();
    };
    let shown = disturbed.seconds.iter().take(SHOWN);
    let shown: Vec<String> = shown
        .map(|at| format!("{}:{}", at.run, at.second))
        .collect();
    let more = if disturbed.seconds.len() > SHOWN {
        ", …"
    } else {
        ""
    };
    format!(
        "; {} of {} seconds disturbed (by run and second {}{more})",
        disturbed.seconds.len(),
        disturbed.of,
        shown.join(", ")
    )
}

fn client(point: &PointSummary) -> Option<String> {
    let receipt = &point.receipt;
    let lag = receipt.client_lag.as_ref()?;
    let stamps = match receipt.stamps {
        Some(StampSource::Kernel) => ", arrivals stamped by the kernel",
        Some(StampSource::User) => ", arrivals stamped after the read",
        Some(StampSource::Virtual) => ", arrivals on a virtual clock",
        None => "",
    };
    let coalesced = receipt
        .coalesced_share
        .filter(|share| *share > COALESCED_SHARE);
    let coalesced = coalesced.map_or_else(String::new, |share| {
        let width = receipt.coalesced_width.map_or_else(String::new, |width| {
            format!(" (up to {} ms apart)", significant(width))
        });
        format!("; {} of token events shared a read{width}", percent(share))
    });
    Some(format!(
        "lag p99 {} ms{stamps}{coalesced}{}",
        number::significant(lag.p99.value),
        disturbed(point)
    ))
}
