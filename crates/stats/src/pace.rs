//! The time per output token of a response.
//!
//! It is (last − first) / (tokens after the first) where the first token came alone. Where the first read brought
//! several, it counts what came after that read. How many those are is known where the server's total equals the
//! events; else it is told from the text, or from gaps so even that each is one token's, or not at all.

use crate::lumps::{Lump, lumps};
use crate::stream::{TokenStream, TokensPerEvent};
use trace::Nanos;

/// One gap between two lumps is as likely a timer's or a network's as a model's.
const LUMPS_MIN: usize = 3;

/// Two ways to count that should agree may be so far apart: so far may the answer be off.
const APART_MAX: f64 = 1.25;

/// No model makes a token of one stream in less: a buffer was emptied.
const TOKEN_MS_MIN: f64 = 0.02;

/// Where most of an answer came at once, what came after it must have been slow enough to explain a part of the wait.
const WAIT_EXPLAINED_MIN: f64 = 0.1;

/// Bytes in a token, of text in whatever language: fewer means that tokens leave no text, more that there are several.
const TEXT_TOKEN_BYTES: std::ops::RangeInclusive<f64> = 2.5..=8.0;

/// And of an event of one token, on average.
const SINGLE_BYTES_MAX: f64 = 6.0;

/// Standard deviation of a token's bytes, as a part of their mean.
const BYTES_SPREAD: f64 = 0.7;

/// Standard error of a count from bytes.
const COUNT_ERROR_MAX: f64 = 0.15;

/// A gap of one token among gaps of one token, as parts of the median: two would be twice as long.
const EVEN: std::ops::RangeInclusive<f64> = 0.5..=1.6;

/// So many of the gaps must be even, and so many there must be.
const EVEN_SHARE_MIN: f64 = 0.7;
const EVEN_MIN: usize = 5;

/// Tokens that were held back must have had the time to be made, at the pace of the others or a little faster.
const TIME_SLACK: f64 = 1.3;

/// What the token events of a response say of its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    /// Milliseconds per output token: the mean over choices that have it.
    pub(crate) tpot_ms: Option<f64>,
    /// Tokens that came at once with the first: the most over choices; absent where that is not known.
    pub(crate) first_tokens: Option<f64>,
}

/// Of one choice.
struct ChoicePace {
    tpot_ms: Option<f64>,
    first_tokens: Option<f64>,
}

/// The pace of `streams`, whose requests began then, with so many tokens together.
///
/// The total is shared among choices by their tokens where known, else by their events.
pub(crate) fn pace(
    streams: &[TokenStream],
    began: Nanos,
    output_tokens: u64,
    per_event: TokensPerEvent,
) -> Pace {
    let weight = |stream: &TokenStream| match per_event.counts(stream) {
        Some(tokens) => tokens.iter().sum::<u64>() as f64,
        None => stream.events() as f64,
    };
    let total: f64 = streams.iter().map(weight).sum();
    let (mut sum, mut choices) = (0.0, 0.0);
    let mut first_tokens = Some(0.0);
    for stream in streams {
        let tokens = output_tokens as f64 * (weight(stream) / total);
        let of_choice = choice_pace(stream, began, tokens, per_event);
        first_tokens = first_tokens
            .zip(of_choice.first_tokens)
            .map(|(most, tokens): (f64, f64)| most.max(tokens));
        if let Some(tpot) = of_choice.tpot_ms {
            sum += tpot;
            choices += 1.0;
        }
    }
    Pace {
        tpot_ms: (choices > 0.0).then(|| sum / choices),
        first_tokens: first_tokens.filter(|&tokens| tokens > 0.0),
    }
}

fn choice_pace(
    stream: &TokenStream,
    began: Nanos,
    tokens: f64,
    per_event: TokensPerEvent,
) -> ChoicePace {
    let counts = per_event.counts(stream);
    let lumps = lumps(stream, counts);
    let first = lumps[0];
    let after = |first_tokens: f64| ChoicePace {
        tpot_ms: (tokens > first_tokens && stream.events() > 1)
            .then(|| stream.span().millis() / (tokens - first_tokens)),
        first_tokens: Some(first_tokens),
    };
    let unknown = matches!(per_event, TokensPerEvent::Mean(mean) if mean > 1.0);
    if unknown {
        return Lumped {
            lumps: &lumps,
            began,
            tokens,
        }
        .unknown(stream, per_event);
    }
    if first.events == 1 {
        return after(match (per_event, counts) {
            (_, Some(counts)) => counts[0] as f64,
            (TokensPerEvent::Mean(mean), None) => mean,
            (_, None) => 1.0,
        });
    }
    ChoicePace {
        tpot_ms: Lumped {
            lumps: &lumps,
            began,
            tokens,
        }
        .known(),
        first_tokens: Some(first.tokens as f64),
    }
}

/// A choice whose first token came with others.
struct Lumped<'a> {
    lumps: &'a [Lump],
    began: Nanos,
    tokens: f64,
}

impl Lumped<'_> {
    fn first(&self) -> Lump {
        self.lumps[0]
    }

    fn last(&self) -> Lump {
        self.lumps[self.lumps.len() - 1]
    }

    /// From the first lump to another one.
    fn span_ms(&self, to: Lump) -> f64 {
        (to.at - self.first().at).millis()
    }

    /// From the request to the first lump.
    fn wait_ms(&self) -> f64 {
        (self.first().at - self.began).millis()
    }

    /// Where the tokens of each lump are known: all that came after the first. A last lump that is smaller than
    /// the others was not full when it was sent, and its time is that of no token: it is left out.
    fn known(&self) -> Option<f64> {
        let [first, .., before, last] = *self.lumps else {
            return None;
        };
        let later = &self.lumps[1..];
        let after: u64 = later.iter().map(|lump| lump.tokens).sum();
        let with = self.span_ms(last) / after as f64;
        let without = self.span_ms(before) / (after - last.tokens) as f64;
        let mut sizes: Vec<u64> = later.iter().map(|lump| lump.tokens).collect();
        sizes.sort_unstable();
        let usual = sizes[sizes.len() / 2];
        let tpot = if last.tokens < usual { without } else { with };
        let agree = usual == 1 || with.max(without) <= APART_MAX * with.min(without);
        let most_at_once = first.tokens as f64 > after as f64;
        let explained = tpot * first.tokens as f64 >= WAIT_EXPLAINED_MIN * self.wait_ms();
        (agree && tpot >= TOKEN_MS_MIN && (explained || !most_at_once)).then_some(tpot)
    }

    /// Where only the total is known, and is larger than the events.
    fn unknown(&self, stream: &TokenStream, per_event: TokensPerEvent) -> ChoicePace {
        let none = ChoicePace {
            tpot_ms: None,
            first_tokens: None,
        };
        let (first, last) = (self.first(), self.last());
        let after = |later: f64| ChoicePace {
            tpot_ms: Some(self.span_ms(last) / later)
                .filter(|&tpot| tpot >= TOKEN_MS_MIN && self.lumps.len() > 1),
            first_tokens: Some(self.tokens - later),
        };
        let events: u64 = self.lumps[1..].iter().map(|lump| lump.events).sum();
        if events == 0 {
            return none;
        }
        let events = events as f64;
        let bytes: u64 = self.lumps[1..].iter().map(|lump| lump.bytes).sum();
        // Each event is a token at least, those of the first lump too.
        let most = self.tokens - first.events as f64;
        let (TokensPerEvent::Mean(mean), true) = (per_event, most >= events) else {
            return none;
        };
        if most <= APART_MAX * events {
            return after(self.tokens - mean * first.events as f64);
        }
        let bytes = bytes as f64;
        let all_bytes = bytes + first.bytes as f64;
        let held_ms = (self.tokens - events) * self.span_ms(last) / events;
        let could_be_held = held_ms <= TIME_SLACK * self.wait_ms();
        let spread = TEXT_TOKEN_BYTES.contains(&(all_bytes / self.tokens));
        let single = bytes / events <= SINGLE_BYTES_MAX;
        if !stream.calls_tools && (!could_be_held || spread && !single) {
            let part = bytes / all_bytes;
            let error = BYTES_SPREAD * ((1.0 - part) / (self.tokens * part)).sqrt();
            let later = (self.tokens * part).clamp(events, most);
            let enough = error <= COUNT_ERROR_MAX && self.lumps.len() >= LUMPS_MIN;
            return if enough { after(later) } else { none };
        }
        if single && (stream.calls_tools || !spread) {
            return self.even().map_or(none, |tpot| ChoicePace {
                tpot_ms: Some(tpot),
                first_tokens: Some(self.tokens - events),
            });
        }
        // Between all and none of the unknown ones, where that is near enough to either.
        if most <= APART_MAX * APART_MAX * events {
            return after((most * events).sqrt());
        }
        none
    }

    /// Where later events hold one token each, save for some that others were held back with: the mean of their
    /// gaps.
    fn even(&self) -> Option<f64> {
        let mut gaps: Vec<f64> = self
            .lumps
            .windows(2)
            .filter(|pair| pair[1].events == 1)
            .map(|pair| (pair[1].at - pair[0].at).millis())
            .collect();
        crate::quantile::sort(&mut gaps);
        let median = crate::quantile::quantile(&gaps, 0.5)?;
        let even = gaps.iter().filter(|&gap| EVEN.contains(&(gap / median)));
        let (count, sum) = even.fold((0, 0.0), |(count, sum), gap| (count + 1, sum + gap));
        let share = count as f64 / (self.lumps.len() - 1) as f64;
        let tpot = sum / count as f64;
        // The rest of the tokens was made in the rest of the time.
        let rest_ms = (self.last().at - self.began).millis() - sum;
        let had_time = (self.tokens - count as f64) * tpot <= TIME_SLACK * rest_ms;
        (count >= EVEN_MIN && share >= EVEN_SHARE_MIN && had_time && tpot >= TOKEN_MS_MIN)
            .then_some(tpot)
    }
}
