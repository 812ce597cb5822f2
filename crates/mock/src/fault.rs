//! Things that a client must survive.

use crate::MockError;
use std::str::FromStr;
use std::time::Duration;

/// Something a client must survive. One is played on every completion request, unless its text says
/// else.
///
/// `N` counts the content events of a stream from 1; as the number of events before something
/// happens it may be 0. A fault that has no meaning for a response that is not a stream leaves it
/// as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `reset:N`: the connection is reset (RST) after N events, or after half of a whole body.
    Reset(u32),
    /// `fin:N`: the connection is closed (FIN) after N events or half a body, the HTTP body
    /// unfinished.
    Fin(u32),
    /// `truncate:N`: the HTTP body ends well after N events, with no `finish_reason` and no
    /// `[DONE]`.
    Truncate(u32),
    /// `stall:N` or `stall:N:SPAN`: nothing more comes after N events, or half of a whole body, for
    /// SPAN, or for ever where SPAN is left out.
    Stall {
        /// Events before it.
        after: u32,
        /// How long.
        span: Option<Duration>,
    },
    /// `never`: the request is received and never answered.
    Never,
    /// `drip:SPAN`: one byte per write, SPAN apart.
    Drip(Duration),
    /// `split:OFFSET`: every write is cut in two at this byte, the halves 1 ms apart.
    Split(u32),
    /// `coalesce:N`: N events in every write.
    Coalesce(u32),
    /// `dialect:NAME`: another way to write the same events.
    Dialect(Dialect),
    /// `pings`: comments and `event: ping` between events.
    Pings,
    /// `empty_deltas`: a delta without text between events.
    EmptyDeltas,
    /// `ragged:MAX`: every event has 1 to MAX tokens, at random.
    Ragged(u32),
    /// `status:CODE` or `status:CODE:SECONDS`: an error status, with `Retry-After` where SECONDS is
    /// given.
    Status {
        /// 400 to 599.
        code: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u32>,
    },
    /// `redirect:URL`: 302 to URL.
    Redirect(String),
    /// `html`: an HTML page with status 200.
    Html,
    /// `malformed:N`: the JSON of event N is cut short.
    Malformed(u32),
    /// `invalid_utf8:N`: the text of event N is not UTF-8.
    InvalidUtf8(u32),
    /// `utf8_split`: text of three-byte characters, every write cut inside one.
    Utf8Split,
    /// `endless_line`: a line of a stream that never ends.
    EndlessLine,
    /// `endless_pings`: comments for ever, and no token.
    EndlessPings,
    /// `endless_tokens`: tokens for ever, at the configured pace, whatever `max_tokens` says.
    EndlessTokens,
    /// `gzip`: a compressed body that nobody asked for.
    Gzip,
    /// `error_event:N`: `event: error` after N events, then a proper end.
    ErrorEvent(u32),
    /// `error_object`: an error object with status 200.
    ErrorObject,
    /// `stale`: a kept-alive connection is closed, unanswered, when its second request arrives.
    Stale,
    /// `reasoning:N`: the first N events are reasoning.
    Reasoning(u32),
    /// `freeze:SPAN:AFTER`: the whole server stops once for SPAN, AFTER the first request (1 s if
    /// left out).
    Freeze {
        /// How long it stops.
        span: Duration,
        /// Counted from the first completion request.
        after: Duration,
    },
    /// `ack_comb:SPAN`: events leave only at multiples of SPAN, as with Nagle against delayed ACK.
    AckComb(Duration),
}

/// Ways to write server-sent events that mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Lines end in CR.
    Cr,
    /// Lines end in CR LF.
    CrLf,
    /// A byte order mark in front of the stream.
    Bom,
    /// The data of an event on several `data:` lines.
    MultiLine,
    /// No space after `data:`.
    NoSpace,
}

/// Every fault as it is spelled, with its argument's default.
const KNOWN: [&str; 28] = [
    "reset:3",
    "fin:3",
    "truncate:3",
    "stall:3[:SPAN]",
    "never",
    "drip:20us",
    "split:1",
    "coalesce:64",
    "dialect:cr|crlf|bom|multiline|nospace",
    "pings",
    "empty_deltas",
    "ragged:16",
    "status:CODE[:SECONDS]",
    "redirect:URL",
    "html",
    "malformed:2",
    "invalid_utf8:2",
    "utf8_split",
    "endless_line",
    "endless_pings",
    "endless_tokens",
    "gzip",
    "error_event:3",
    "error_object",
    "stale",
    "reasoning:4",
    "freeze:1500ms[:1s]",
    "ack_comb:40ms",
];

impl Fault {
    /// Every fault as it is spelled, with its argument's default, separated by commas.
    pub fn known() -> String {
        KNOWN.join(", ")
    }
}

impl FromStr for Fault {
    type Err = MockError;

    fn from_str(given: &str) -> Result<Self, MockError> {
        parse(given).map_err(|reason| MockError::UnknownFault {
            given: given.to_owned(),
            reason,
        })
    }
}

fn parse(given: &str) -> Result<Fault, String> {
    let (name, argument) = match given.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (given, None),
    };
    let fault = match name {
        "reset" => Fault::Reset(count(argument, 3, 0)?),
        "fin" => Fault::Fin(count(argument, 3, 0)?),
        "truncate" => Fault::Truncate(count(argument, 3, 0)?),
        "stall" => stall(argument)?,
        "drip" => Fault::Drip(span(argument, Duration::from_micros(20))?),
        "split" => Fault::Split(count(argument, 1, 1)?),
        "coalesce" => Fault::Coalesce(count(argument, 64, 1)?),
        "dialect" => Fault::Dialect(dialect(argument)?),
        "ragged" => Fault::Ragged(count(argument, 16, 1)?),
        "status" => status(argument)?,
        "redirect" => Fault::Redirect(redirect(argument)?),
        "malformed" => Fault::Malformed(count(argument, 2, 1)?),
        "invalid_utf8" => Fault::InvalidUtf8(count(argument, 2, 1)?),
        "error_event" => Fault::ErrorEvent(count(argument, 3, 0)?),
        "reasoning" => Fault::Reasoning(count(argument, 4, 1)?),
        "freeze" => freeze(argument)?,
        "ack_comb" => Fault::AckComb(span(argument, Duration::from_millis(40))?),
        _ => return without_argument(name, argument),
    };
    Ok(fault)
}

fn without_argument(name: &str, argument: Option<&str>) -> Result<Fault, String> {
    let fault = match name {
        "never" => Fault::Never,
        "pings" => Fault::Pings,
        "empty_deltas" => Fault::EmptyDeltas,
        "html" => Fault::Html,
        "utf8_split" => Fault::Utf8Split,
        "endless_line" => Fault::EndlessLine,
        "endless_pings" => Fault::EndlessPings,
        "endless_tokens" => Fault::EndlessTokens,
        "gzip" => Fault::Gzip,
        "error_object" => Fault::ErrorObject,
        "stale" => Fault::Stale,
        _ => return Err(format!("there is no fault `{name}`")),
    };
    match argument {
        None => Ok(fault),
        Some(argument) => Err(format!("`{name}` takes no argument, got `{argument}`")),
    }
}

fn count(argument: Option<&str>, default: u32, least: u32) -> Result<u32, String> {
    let Some(argument) = argument else {
        return Ok(default);
    };
    match argument.parse() {
        Ok(count) if count >= least => Ok(count),
        _ => Err(format!(
            "`{argument}` is not a whole number of at least {least}"
        )),
    }
}

fn span(argument: Option<&str>, default: Duration) -> Result<Duration, String> {
    let Some(argument) = argument else {
        return Ok(default);
    };
    let wrong = || format!("`{argument}` is not a span above zero such as 20us, 40ms or 2s");
    let digits = argument
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(wrong)?;
    let (number, unit) = argument.split_at(digits);
    // Eleven digits of seconds are 3,000 years: no unit can overflow the nanoseconds of a
    // `Duration`.
    let number: u64 = number
        .parse()
        .ok()
        .filter(|&n| n > 0 && digits < 12)
        .ok_or_else(wrong)?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(wrong()),
    }
}

fn dialect(argument: Option<&str>) -> Result<Dialect, String> {
    match argument {
        Some("cr") => Ok(Dialect::Cr),
        Some("crlf") => Ok(Dialect::CrLf),
        Some("bom") => Ok(Dialect::Bom),
        Some("multiline") => Ok(Dialect::MultiLine),
        Some("nospace") => Ok(Dialect::NoSpace),
        _ => Err("`dialect` needs one of cr, crlf, bom, multiline, nospace".to_owned()),
    }
}

fn status(argument: Option<&str>) -> Result<Fault, String> {
    let argument = argument.unwrap_or_default();
    let (code, retry_after) = match argument.split_once(':') {
        Some((code, seconds)) => (code, Some(count(Some(seconds), 0, 0)?)),
        None => (argument, None),
    };
    match code.parse() {
        Ok(code @ 400..=599) => Ok(Fault::Status { code, retry_after }),
        _ => Err(format!(
            "`status` needs a code from 400 to 599, got `{code}`"
        )),
    }
}

fn redirect(argument: Option<&str>) -> Result<String, String> {
    match argument {
        Some(url) if !url.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(url.to_owned())
        }
        _ => Err("`redirect` needs a URL without spaces".to_owned()),
    }
}

fn stall(argument: Option<&str>) -> Result<Fault, String> {
    let (after, length) = match argument.and_then(|argument| argument.split_once(':')) {
        Some((after, length)) => (Some(after), Some(length)),
        None => (argument, None),
    };
    Ok(Fault::Stall {
        after: count(after, 3, 0)?,
        span: length
            .map(|length| span(Some(length), Duration::ZERO))
            .transpose()?,
    })
}

fn freeze(argument: Option<&str>) -> Result<Fault, String> {
    let (first, second) = match argument.and_then(|argument| argument.split_once(':')) {
        Some((first, second)) => (Some(first), Some(second)),
        None => (argument, None),
    };
    Ok(Fault::Freeze {
        span: span(first, Duration::from_millis(1_500))?,
        after: span(second, Duration::from_secs(1))?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Fault, KNOWN};
    use std::time::Duration;

    #[test]
    fn every_fault_that_is_listed_can_be_played() {
        for spelled in KNOWN {
            let given = spelled
                .replace("cr|crlf|bom|multiline|nospace", "crlf")
                .replace("CODE[:SECONDS]", "503")
                .replace("URL", "http://elsewhere/")
                .replace("[:1s]", ":1s")
                .replace("[:SPAN]", "");
            let with_argument: Fault = given.parse().unwrap();
            let (name, argument) = given.split_once(':').unwrap_or((&given, ""));
            if !matches!(name, "dialect" | "status" | "redirect") && !argument.is_empty() {
                let by_default: Fault = name.parse().unwrap();
                assert_eq!(
                    with_argument, by_default,
                    "{given} is not what {name} stands for"
                );
            }
        }
    }

    #[test]
    fn arguments_are_read_with_their_units() {
        assert_eq!("reset:0".parse::<Fault>().unwrap(), Fault::Reset(0));
        assert_eq!(
            "status:429:7".parse::<Fault>().unwrap(),
            Fault::Status {
                code: 429,
                retry_after: Some(7)
            }
        );
        assert_eq!(
            "dialect:nospace".parse::<Fault>().unwrap(),
            Fault::Dialect(Dialect::NoSpace)
        );
        assert_eq!(
            "redirect:http://127.0.0.1:9/v1".parse::<Fault>().unwrap(),
            Fault::Redirect("http://127.0.0.1:9/v1".to_owned())
        );
        let stall = Fault::Stall {
            after: 0,
            span: Some(Duration::from_secs(2)),
        };
        assert_eq!("stall:0:2s".parse::<Fault>().unwrap(), stall);
        let freeze = Fault::Freeze {
            span: Duration::from_millis(1_500),
            after: Duration::from_micros(300),
        };
        assert_eq!("freeze:1500ms:300us".parse::<Fault>().unwrap(), freeze);
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_the_reason_and_the_list() {
        for given in [
            "",
            "resett",
            "never:1",
            "status",
            "status:200",
            "status:99:1",
            "drip:20",
            "drip:0ms",
            "drip:ms",
            "split:0",
            "coalesce:-1",
            "redirect",
            "redirect:http://a b",
            "dialect",
            "dialect:lf",
            "freeze:1h",
            "stall:3:2",
            "stall:x",
            "drip:999999999999999999s",
        ] {
            let error = given.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{given}`")), "{error}");
            assert!(error.contains("ack_comb:40ms"), "{error}");
        }
    }
}
