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

/// A lump of fewer tokens than this part of the usual one was sent before it was full.
const PARTIAL: f64 = 0.75;

/// Two ways to count that should agree may be so far apart: so far may the answer be off.
const APART_MAX: f64 = 1.25;

const FEW_APART_MAX: f64 = 1.05;

/// Where tokens may be anywhere, their mean is no farther off than the root of this.
const BETWEEN_MAX: f64 = 1.4;

/// No model makes a token of one stream in less: a buffer was emptied.
const TOKEN_MS_MIN: f64 = 0.02;

/// Where most of an answer came at once, what came after it must have been slow enough to explain a part of the wait.
const WAIT_EXPLAINED_MIN: f64 = 0.1;

/// And there must be so many of it.
const AFTER_MIN: f64 = 4.0;

/// Bytes in a token, of text in whatever language: fewer means that tokens leave no text, more that there are several.
const TEXT_TOKEN_BYTES: std::ops::RangeInclusive<f64> = 2.5..=8.0;

/// And of an event of one token, on average.
const SINGLE_BYTES_MAX: f64 = 6.0;

/// Of fewer, nothing is told from bytes and gaps.
const TOKENS_MIN: f64 = 12.0;

/// Standard deviation of a token's bytes, as a part of their mean.
const BYTES_SPREAD: f64 = 0.7;

/// Standard error of a count from bytes.
const COUNT_ERROR_MAX: f64 = 0.15;

/// A gap of one token among gaps of one token, as parts of the median: two would be twice as long.
const EVEN: std::ops::RangeInclusive<f64> = 0.6..=1.6;

/// So many of the gaps must be even, and so many there must be.
const EVEN_SHARE_MIN: f64 = 0.7;
const EVEN_MIN: usize = 5;

/// Of those, events of one byte, and the mean of their gaps as a part of that of all.
const BYTES_MIN: usize = 2;
const ALIKE: std::ops::RangeInclusive<f64> = 0.85..=1.2;

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
    let mut events: Vec<u64> = lumps[1..].iter().map(|lump| lump.events).collect();
    events.sort_unstable();
    let usual = events.get(events.len() / 2).copied();
    if first.events == 1 && usual.is_none_or(|events| events == 1) {
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
        .known(|lump| lump.tokens as f64),
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

    /// Where the tokens of each lump are known, or about: all that came after the first. A last lump that is smaller
    /// than the others was not full when it was sent, and its time is that of no token: it is left out.
    fn known(&self, tokens_of: impl Fn(&Lump) -> f64) -> Option<f64> {
        self.paced(tokens_of, APART_MAX)
    }

    /// The same where the tokens of each lump are told from its text: two gaps have to say nearly the same.
    fn told(&self, tokens_of: impl Fn(&Lump) -> f64) -> Option<f64> {
        let few = self.lumps.len() <= LUMPS_MIN + 1;
        self.paced(tokens_of, if few { FEW_APART_MAX } else { APART_MAX })
    }

    fn paced(&self, tokens_of: impl Fn(&Lump) -> f64, apart_max: f64) -> Option<f64> {
        let mut sizes: Vec<f64> = self.lumps[1..].iter().map(&tokens_of).collect();
        let last = *sizes.last()?;
        let usual = {
            let mut sorted = sizes.clone();
            crate::quantile::sort(&mut sorted);
            sorted[sorted.len() / 2]
        };
        if last < PARTIAL * usual {
            sizes.pop();
        }
        if sizes.len() + 1 < LUMPS_MIN {
            return None;
        }
        let later: f64 = sizes.iter().sum();
        let tpot = self.span_ms(self.lumps[sizes.len()]) / later;
        let before = later - sizes[sizes.len() - 1];
        let without = self.span_ms(self.lumps[sizes.len() - 1]) / before;
        let agree = usual <= 1.0 || tpot.max(without) <= apart_max * tpot.min(without);
        let first = tokens_of(&self.first());
        let explained = tpot * first >= WAIT_EXPLAINED_MIN * self.wait_ms();
        let credible = first <= later || explained && later >= AFTER_MIN;
        (agree && credible && tpot >= TOKEN_MS_MIN).then_some(tpot)
    }

    /// Where only the total is known, and is larger than the events.
    fn unknown(&self, stream: &TokenStream, per_event: TokensPerEvent) -> ChoicePace {
        let none = ChoicePace {
            tpot_ms: None,
            first_tokens: None,
        };
        let (first, last) = (self.first(), self.last());
        let events: u64 = self.lumps[1..].iter().map(|lump| lump.events).sum();
        if events == 0 {
            return none;
        }
        let events = events as f64;
        // Each event is a token at least, those of the first lump too.
        let most = self.tokens - first.events as f64;
        let after = |later: f64| {
            let tokens_of = |lump: &Lump| lump.events as f64 * later / events;
            let nearly_one_each = first.events == 1 && most <= APART_MAX * events;
            let tpot_ms = if nearly_one_each {
                Some(self.span_ms(last) / later)
            } else {
                self.told(tokens_of)
            };
            ChoicePace {
                tpot_ms,
                first_tokens: Some(self.tokens - later),
            }
        };
        let bytes: u64 = self.lumps[1..].iter().map(|lump| lump.bytes).sum();
        let enough = most >= events && self.tokens >= TOKENS_MIN;
        let (TokensPerEvent::Mean(mean), true) = (per_event, enough) else {
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
            let tokens_of = |lump: &Lump| lump.bytes as f64 * later / bytes;
            return ChoicePace {
                tpot_ms: self.told(tokens_of).filter(|_| error <= COUNT_ERROR_MAX),
                first_tokens: Some(self.tokens - later),
            };
        }
        if single && (stream.calls_tools || !spread) {
            return self.even().map_or(none, |tpot| ChoicePace {
                tpot_ms: Some(tpot),
                first_tokens: Some(self.tokens - events),
            });
        }
        // Between all and none of the unknown ones, where that is near enough to either.
        if most <= BETWEEN_MAX * events {
            return after((most * events).sqrt());
        }
        none
    }

    /// Where later events hold one token each, save for some that others were held back with: the mean of their
    /// gaps. An event of one byte holds no more than one, and takes no less time than the others.
    fn even(&self) -> Option<f64> {
        let alone = self.lumps.windows(2).filter(|pair| pair[1].events == 1);
        let gap = |pair: &[Lump]| ((pair[1].at - pair[0].at).millis(), pair[1].bytes);
        let gaps: Vec<(f64, u64)> = alone.map(gap).collect();
        let mut sorted: Vec<f64> = gaps.iter().map(|&(gap, _)| gap).collect();
        crate::quantile::sort(&mut sorted);
        let median = crate::quantile::quantile(&sorted, 0.5)?;
        let even = || {
            gaps.iter()
                .filter(|(gap, _)| EVEN.contains(&(gap / median)))
        };
        let mean = |gaps: &[f64]| gaps.iter().sum::<f64>() / gaps.len() as f64;
        let all: Vec<f64> = even().map(|&(gap, _)| gap).collect();
        let of_a_byte = even().filter(|&&(_, bytes)| bytes == 1);
        let of_a_byte: Vec<f64> = of_a_byte.map(|&(gap, _)| gap).collect();
        let tpot = mean(&all);
        let share = all.len() as f64 / (self.lumps.len() - 1) as f64;
        let alike = ALIKE.contains(&(mean(&of_a_byte) / tpot));
        // The rest of the tokens was made in the rest of the time.
        let rest_ms = (self.last().at - self.began).millis() - all.iter().sum::<f64>();
        let had_time = (self.tokens - all.len() as f64) * tpot <= TIME_SLACK * rest_ms;
        let enough = all.len() >= EVEN_MIN && of_a_byte.len() >= BYTES_MIN;
        let certain = enough && share >= EVEN_SHARE_MIN && alike && had_time;
        (certain && tpot >= TOKEN_MS_MIN).then_some(tpot)
    }
}
