//! What one complete request measured.

use crate::TokenSource;
use crate::lumps::{Lump, lumps};
use crate::pace::{Pace, pace};
use crate::stream::{TokenStream, TokensPerEvent};
use trace::{Event, EventKind, Nanos, Record, Vectors};

/// The latencies and counts of one complete request. Absent where the response does not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMetrics {
    /// First token event − sent off: issued, or reissued.
    pub ttft: Option<Nanos>,
    /// First token event − due.
    pub ttft_from_due: Option<Nanos>,
    /// First event of content or tool call − sent off.
    pub ttfo: Option<Nanos>,
    /// Connected − sent off; absent on a kept-alive connection.
    pub connect: Option<Nanos>,
    /// Last token event − sent off; not streaming: body complete − sent off.
    pub e2e: Option<Nanos>,
    /// The same from due.
    pub e2e_from_due: Option<Nanos>,
    /// `[DONE]` or end of body − sent off; absent where no stream was asked for.
    pub stream_end: Option<Nanos>,
    /// (Last token event − first) / (output tokens − tokens in the first), in milliseconds; the
    /// mean over choices where there are several. Absent below two token events: one says nothing
    /// of the time between tokens. Where several tokens came at once with the first, what came after
    /// them; absent where that cannot be told.
    pub tpot_ms: Option<f64>,
    /// Tokens that came at once with the first; absent where that is not known.
    pub first_tokens: Option<f64>,
    /// Gaps between consecutive token events of the same choice.
    pub chunk_gaps: Vec<Nanos>,
    /// Each gap between reads ÷ tokens in the later one, in milliseconds; absent where the tokens of
    /// each event are not known.
    pub itl_ms: Option<Vec<f64>>,
    /// Generated tokens.
    pub output_tokens: Option<u64>,
    /// Of those, of its thoughts, where the server says so.
    pub reasoning_tokens: Option<u64>,
    /// Where `output_tokens` came from.
    pub output_source: TokenSource,
    /// Prompt tokens: the server's count, else the plan's.
    pub input_tokens: Option<u64>,
    /// Where `input_tokens` came from.
    pub input_source: TokenSource,
    /// The vectors or scores that came, where those were asked for.
    pub vectors: Option<Vectors>,
    /// Prompt tokens taken from the server's cache, where it said.
    pub cached_tokens: Option<u64>,
    /// Token events, over all choices.
    pub token_events: u64,
    /// Output tokens / `e2e`; absent where there were none.
    pub request_tokens_per_second: Option<f64>,
    /// 1 / `tpot`.
    pub decode_tokens_per_second: Option<f64>,
    /// Issued − due.
    pub issue_lag: Nanos,
}

impl RequestMetrics {
    /// Measures `record`; `None` unless it is complete: what failed has an outcome and no latency.
    pub fn from_record(record: &Record) -> Option<Self> {
        if !record.outcome.is_complete() {
            return None;
        }
        let streams = TokenStream::of(record);
        let events: u64 = streams.iter().map(TokenStream::events).sum();
        let (output_tokens, output_source) = count_output(record, &streams, events);
        let (input_tokens, input_source) = count_input(record);
        let shown_tokens = output_tokens.map(|tokens| shown_tokens(record, events, tokens));
        let per_event = tokens_per_event(record, &streams, events, shown_tokens);

        let first = streams.iter().map(|stream| stream.arrived[0]).min();
        let last = streams
            .iter()
            .filter_map(|stream| stream.arrived.last())
            .max();
        let finished = if record.stream {
            last.copied()
        } else {
            Some(record.done)
        };
        let shown = |kind| matches!(kind, EventKind::Content | EventKind::ToolCall);
        let output = record.events.iter().find(|event| shown(event.kind));
        let due = record.due.min(record.issued);

        let began = record.began();
        let e2e = finished.map(|at| at - began);
        let told = shown_tokens.filter(|_| !streams.is_empty());
        let told = told.map(|tokens| pace(&streams, began, tokens, per_event));
        let Pace {
            tpot_ms,
            first_tokens,
        } = told.unwrap_or_default();
        Some(Self {
            ttft: first.map(|at| at - began),
            ttft_from_due: first.map(|at| at - due),
            ttfo: output.map(|event| event.arrived - began),
            connect: record
                .connected
                .filter(|&at| at > began)
                .map(|at| at - began),
            e2e,
            e2e_from_due: finished.map(|at| at - due),
            stream_end: record.stream.then(|| record.done - began),
            tpot_ms,
            first_tokens,
            chunk_gaps: streams.iter().flat_map(TokenStream::gaps).collect(),
            itl_ms: inter_token_latencies(&streams, per_event),
            output_tokens,
            reasoning_tokens: record.usage.and_then(|usage| usage.reasoning_tokens),
            output_source,
            input_tokens,
            input_source,
            vectors: record.vectors,
            cached_tokens: record.usage.and_then(|usage| usage.cached_tokens),
            token_events: events,
            request_tokens_per_second: output_tokens
                .zip(e2e)
                .filter(|&(tokens, e2e)| tokens > 0 && e2e > Nanos::ZERO)
                .map(|(tokens, e2e)| tokens as f64 / e2e.seconds()),
            decode_tokens_per_second: tpot_ms.filter(|&tpot| tpot > 0.0).map(|tpot| 1e3 / tpot),
            issue_lag: record.issued - due,
        })
    }
}

/// The server's count; else what the plan says.
fn count_input(record: &Record) -> (Option<u64>, TokenSource) {
    let told = record.usage.and_then(|usage| usage.prompt_tokens);
    match (told, record.planned_tokens) {
        (Some(tokens), _) => (Some(tokens), TokenSource::Usage),
        (None, Some(planned)) if planned.exact => {
            (Some(planned.count.into()), TokenSource::Tokenizer)
        }
        (None, Some(planned)) => (Some(planned.count.into()), TokenSource::Estimated),
        (None, None) => (None, TokenSource::None),
    }
}

/// The server's total; else the sum of its counts per event; else one token per token event.
fn count_output(
    record: &Record,
    streams: &[TokenStream],
    events: u64,
) -> (Option<u64>, TokenSource) {
    if let Some(tokens) = record.usage.and_then(|usage| usage.completion_tokens) {
        return (Some(tokens), TokenSource::Usage);
    }
    if !record.stream {
        return (None, TokenSource::None);
    }
    let counted: Option<u64> = streams
        .iter()
        .map(|stream| Some(stream.tokens.as_ref()?.iter().sum::<u64>()))
        .sum();
    match counted {
        Some(tokens) if events > 0 => (Some(tokens), TokenSource::Usage),
        _ => (Some(events), TokenSource::Estimated),
    }
}

fn tokens_per_event(
    record: &Record,
    streams: &[TokenStream],
    events: u64,
    shown_tokens: Option<u64>,
) -> TokensPerEvent {
    if streams.iter().all(|stream| stream.tokens.is_some()) {
        return TokensPerEvent::Known;
    }
    let counted = record.usage.and_then(|usage| usage.completion_tokens);
    let usage = shown_tokens.filter(|_| counted.is_some());
    let end_of_sequence_max = streams.len() as u64;
    let is_all = |events: u64, more: u64| {
        usage.is_some_and(|tokens| (events..=events + more).contains(&tokens))
    };
    let between: u64 = streams.iter().map(TokenStream::events_between).sum();
    let trailing: u64 = streams.iter().map(|stream| stream.trailing).sum();
    // An exact sum says more than one that leaves an end-of-sequence token over.
    if between > events && is_all(between, 0) {
        return TokensPerEvent::Silent;
    }
    if is_all(events, end_of_sequence_max) {
        return TokensPerEvent::One;
    }
    if is_all(between, trailing.max(end_of_sequence_max)) {
        return TokensPerEvent::Silent;
    }
    TokensPerEvent::Mean(shown_tokens.unwrap_or(events) as f64 / events as f64)
}

/// Tokens of what was shown: without thoughts that the server counts and keeps to itself.
fn shown_tokens(record: &Record, events: u64, output_tokens: u64) -> u64 {
    let thinks = |event: &Event| event.kind == EventKind::Reasoning;
    let thoughts = record.usage.and_then(|usage| usage.reasoning_tokens);
    let hidden = thoughts.filter(|_| !record.events.iter().any(thinks));
    let shown = output_tokens.saturating_sub(hidden.unwrap_or(0));
    // Some count thoughts beside the rest, where taking them off leaves fewer than came.
    if shown < events { output_tokens } else { shown }
}

/// Gaps from one read to the next, each for the tokens that it took.
fn inter_token_latencies(streams: &[TokenStream], per_event: TokensPerEvent) -> Option<Vec<f64>> {
    if matches!(per_event, TokensPerEvent::Mean(_)) {
        return None;
    }
    let mut latencies = Vec::new();
    for stream in streams {
        let lumps = lumps(stream, per_event.counts(stream));
        let gap = |pair: &[Lump]| (pair[1].at - pair[0].at).millis() / pair[1].tokens as f64;
        latencies.extend(lumps.windows(2).map(gap));
    }
    Some(latencies)
}
