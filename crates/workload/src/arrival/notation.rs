//! Arrival processes as flags write them.

use crate::WorkloadError;
use crate::printable::printable;
use trace::{Arrival, Gaps, Nanos};

/// The longest span that is read: longer than any benchmark.
const SECONDS_MAX: f64 = 1e7;

/// A span of time: a number with `ms`, `s`, `m` or `h` behind it, or of seconds.
///
/// ```
/// use trace::Nanos;
/// assert_eq!(workload::parse_span("1.5m")?, Nanos::from_millis(90_000));
/// assert_eq!(workload::parse_span("2")?, Nanos::from_millis(2_000));
/// # Ok::<(), workload::WorkloadError>(())
/// ```
pub fn parse_span(text: &str) -> Result<Nanos, WorkloadError> {
    let text = text.trim();
    // `ms` before `m` and `s`.
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0)];
    let in_unit = units.into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        Some((number, seconds))
    });
    let (number, unit) = in_unit.unwrap_or((text, 1.0));
    let seconds = number.trim().parse::<f64>().ok();
    let seconds = seconds.filter(|seconds| !seconds.is_nan());
    match seconds.map(|seconds| seconds * unit) {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Nanos::from_seconds(seconds)),
        _ => Err(WorkloadError::Span {
            text: printable(text),
            limit: SECONDS_MAX,
        }),
    }
}

/// `1:50:120s`: from 1 to 50 requests per second in 120 seconds.
pub fn parse_ramp(text: &str, gaps: Gaps) -> Result<Arrival, WorkloadError> {
    let notation = Notation::new("--ramp", "1:50:120s", text);
    let [from, to, duration] = notation.parts()?;
    Ok(Arrival::Ramp {
        from: notation.rate(from)?,
        to: notation.rate(to)?,
        duration: notation.span(duration)?,
        gaps,
    })
}

/// `2:10:2:30s`: from 2 to 10 requests per second, 2 more after every 30 seconds.
pub fn parse_steps(text: &str, gaps: Gaps) -> Result<Arrival, WorkloadError> {
    let notation = Notation::new("--steps", "2:10:2:30s", text);
    let [from, to, step, hold] = notation.parts()?;
    Ok(Arrival::Steps {
        from: notation.rate(from)?,
        to: notation.rate(to)?,
        step: notation.rate(step)?,
        hold: notation.span(hold)?,
        gaps,
    })
}

/// `20:10s`: 20 requests at once every 10 seconds, over a base of `rate` requests per second.
pub fn parse_bursts(text: &str, rate: f64, gaps: Gaps) -> Result<Arrival, WorkloadError> {
    let notation = Notation::new("--bursts", "20:10s", text);
    let [size, every] = notation.parts()?;
    let size = size.parse().ok().filter(|size| *size > 0);
    Ok(Arrival::Bursts {
        rate,
        size: size.ok_or_else(|| notation.refuse())?,
        every: notation.span(every)?,
        gaps,
    })
}

/// `10s:20s`: `rate` requests per second for 10 seconds, none for 20, and again.
pub fn parse_on_off(text: &str, rate: f64, gaps: Gaps) -> Result<Arrival, WorkloadError> {
    let notation = Notation::new("--on-off", "10s:20s", text);
    let [on, off] = notation.parts()?;
    Ok(Arrival::OnOff {
        rate,
        on: notation.span(on)?,
        off: notation.span(off)?,
        gaps,
    })
}

/// A flag's value with colons in it.
struct Notation<'a> {
    flag: &'static str,
    example: &'static str,
    text: &'a str,
}

impl<'a> Notation<'a> {
    const fn new(flag: &'static str, example: &'static str, text: &'a str) -> Self {
        Self {
            flag,
            example,
            text,
        }
    }

    fn refuse(&self) -> WorkloadError {
        WorkloadError::ArrivalNotation {
            flag: self.flag,
            text: printable(self.text),
            example: self.example,
        }
    }

    fn parts<const N: usize>(&self) -> Result<[&'a str; N], WorkloadError> {
        let parts: Vec<&str> = self.text.split(':').map(str::trim).collect();
        parts.try_into().map_err(|_| self.refuse())
    }

    /// Whether it makes sense is judged where all arrivals are.
    fn rate(&self, text: &str) -> Result<f64, WorkloadError> {
        let rate = text.parse::<f64>().ok();
        let rate = rate.filter(|rate| rate.is_finite() && *rate >= 0.0);
        rate.ok_or_else(|| self.refuse())
    }

    fn span(&self, text: &str) -> Result<Nanos, WorkloadError> {
        let span = parse_span(text).map_err(|_| self.refuse())?;
        if span == Nanos::ZERO {
            return Err(self.refuse());
        }
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_bursts, parse_on_off, parse_ramp, parse_span, parse_steps};
    use proptest::prelude::*;
    use trace::{Arrival, Gaps, Nanos};

    const GAPS: Gaps = Gaps::Exponential;

    #[test]
    fn each_notation_is_read_as_it_is_written() {
        let seconds = |seconds: f64| Nanos::from_seconds(seconds);
        let ramp = parse_ramp("1:50:120s", GAPS).unwrap();
        let (from, to, duration) = (1.0, 50.0, seconds(120.0));
        assert_eq!(
            ramp,
            Arrival::Ramp {
                from,
                to,
                duration,
                gaps: GAPS
            }
        );
        let steps = parse_steps("2:10:2:500ms", GAPS).unwrap();
        let (from, to, step, hold) = (2.0, 10.0, 2.0, seconds(0.5));
        assert_eq!(
            steps,
            Arrival::Steps {
                from,
                to,
                step,
                hold,
                gaps: GAPS
            }
        );
        let bursts = parse_bursts("20:10", 3.0, GAPS).unwrap();
        assert!((bursts.rate() - 5.0).abs() < 1e-12, "{bursts:?}");
        let on_off = parse_on_off("10s:0.5m", 4.0, GAPS).unwrap();
        assert!((on_off.rate() - 1.0).abs() < 1e-12, "{on_off:?}");
    }

    #[test]
    fn what_is_no_notation_is_refused_with_one_that_is() {
        for text in [
            "", "1", "1:2", "1:2:", "1:2:0s", "a:2:3s", "-1:2:3s", "1:2:3s:4", "1:2:3d",
        ] {
            let error = parse_ramp(text, GAPS).unwrap_err().to_string();
            assert!(error.contains("--ramp") && error.contains("1:50:120s"));
        }
        assert!(parse_bursts("0:10s", 1.0, GAPS).is_err());
        assert!(parse_bursts("1.5:10s", 1.0, GAPS).is_err());
        assert!(parse_on_off("10s:0s", 1.0, GAPS).is_err());
        assert!(parse_steps("1:2:nan:3s", GAPS).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_span_or_refused(text: String) {
            if let Ok(span) = parse_span(&text) {
                prop_assert!(span.seconds() <= 1e7);
            }
        }
    }
}
