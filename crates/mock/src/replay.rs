//! Timings that were recorded, to be played again. Pure: the program reads the file.

use crate::MockError;
use serde::Deserialize;
use std::sync::Arc;

/// Recorded timings, one after another; after the last the first comes again. Clones are the same
/// list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTimings(Arc<[RecordedTiming]>);

/// When the tokens of one answer left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedTiming {
    /// From the request to the first token, in nanoseconds.
    pub(crate) ttft: u64,
    /// From the first token to each token, itself included.
    pub(crate) sums: Vec<u64>,
}

#[derive(Deserialize)]
struct Line {
    ttft_ms: f64,
    gaps_ms: Vec<f64>,
}

/// An hour: what is longer is no latency but a mistake in the unit.
const MS_MAX: f64 = 3_600_000.0;
/// Gaps of one answer, at most.
const GAPS_MAX: usize = 10_000_000;

impl RecordedTimings {
    /// Reads JSON Lines: an object of `ttft_ms` and `gaps_ms` in each, other fields and empty lines
    /// aside. An answer has a token more than gaps.
    pub fn parse(text: &[u8]) -> Result<Self, MockError> {
        let mut timings = Vec::new();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let timing = timing(line).map_err(|reason| MockError::RecordedTiming {
                line: index + 1,
                reason,
            })?;
            timings.push(timing);
        }
        if timings.is_empty() {
            return Err(MockError::NoRecordedTiming);
        }
        Ok(Self(timings.into()))
    }

    /// The timing of request number `sequence`.
    pub(crate) fn of(&self, sequence: u64) -> Option<&RecordedTiming> {
        let index = sequence.checked_rem(self.0.len() as u64)?;
        self.0.get(usize::try_from(index).ok()?)
    }
}

impl RecordedTiming {
    /// Tokens of the answer.
    pub(crate) fn tokens(&self) -> u32 {
        u32::try_from(self.sums.len()).unwrap_or(u32::MAX)
    }
}

fn timing(line: &[u8]) -> Result<RecordedTiming, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if line.gaps_ms.len() > GAPS_MAX {
        let count = line.gaps_ms.len();
        return Err(format!(
            "`gaps_ms` has {count} entries; it may have {GAPS_MAX} at most"
        ));
    }
    let mut at = 0_u64;
    let mut sums = vec![0];
    for (index, &gap) in line.gaps_ms.iter().enumerate() {
        at =
            at.saturating_add(nanos(gap).ok_or_else(|| refuse(&format!("gaps_ms[{index}]"), gap))?);
        sums.push(at);
    }
    Ok(RecordedTiming {
        ttft: nanos(line.ttft_ms).ok_or_else(|| refuse("ttft_ms", line.ttft_ms))?,
        sums,
    })
}

fn refuse(field: &str, value: f64) -> String {
    format!("`{field}` is {value}; it must be 0 to {MS_MAX} milliseconds")
}

fn nanos(ms: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and an hour"
    )]
    (0.0..=MS_MAX)
        .contains(&ms)
        .then(|| (ms * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::RecordedTimings;

    #[test]
    fn lines_are_read_in_order_and_come_again_after_the_last() {
        let text = b"{\"ttft_ms\":12.5,\"gaps_ms\":[1,2.25],\"id\":\"x\"}\n\n{\"ttft_ms\":0,\"gaps_ms\":[]}\r\n";
        let timings = RecordedTimings::parse(text).unwrap();
        let first = timings.of(0).unwrap();
        assert_eq!(first.ttft, 12_500_000);
        assert_eq!(first.sums, [0, 1_000_000, 3_250_000]);
        assert_eq!(first.tokens(), 3);
        assert_eq!(timings.of(1).unwrap().tokens(), 1);
        assert_eq!(timings.of(2), Some(first));
        assert_eq!(timings.of(u64::MAX), timings.of(1));
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number_and_the_reason() {
        for (line, reason) in [
            ("{", "EOF"),
            ("5", "expected struct"),
            (r#"{"gaps_ms":[]}"#, "`ttft_ms`"),
            (r#"{"ttft_ms":1}"#, "`gaps_ms`"),
            (
                r#"{"ttft_ms":-1,"gaps_ms":[]}"#,
                "`ttft_ms` is -1; it must be 0 to",
            ),
            (
                r#"{"ttft_ms":1,"gaps_ms":[1,1e9]}"#,
                "`gaps_ms[1]` is 1000000000",
            ),
            (r#"{"ttft_ms":null,"gaps_ms":[]}"#, "null"),
        ] {
            let text = format!("{{\"ttft_ms\":1,\"gaps_ms\":[]}}\n\n{line}\n");
            let error = RecordedTimings::parse(text.as_bytes()).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("line 3 "), "{error}");
            assert!(error.contains(reason), "{line}: {error}");
        }
        let error = RecordedTimings::parse(b" \n\n").unwrap_err().to_string();
        assert!(error.contains("no line"), "{error}");
    }
}
