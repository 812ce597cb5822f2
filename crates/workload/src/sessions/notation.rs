//! Conversations as they are typed.

use super::{ThinkTime, TurnCount};
use crate::printable::printable;
use crate::{WorkloadError, parse_span};
use std::str::FromStr;

impl FromStr for TurnCount {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let refuse = || WorkloadError::TurnCount {
            text: printable(text),
        };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| refuse());
        let text = text.trim();
        if text.eq_ignore_ascii_case("dataset") {
            return Ok(Self::OfRows);
        }
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        Ok(Self::Between {
            min: number(min)?,
            max: number(max)?,
        })
    }
}

impl FromStr for ThinkTime {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        Ok(match parts[..] {
            [span] => Self::Constant {
                span: parse_span(span)?,
            },
            ["exp", mean] => Self::Exponential {
                mean: parse_span(mean)?,
            },
            ["lognormal", mean, std] => Self::LogNormal {
                mean: parse_span(mean)?,
                std: parse_span(std)?,
            },
            _ => {
                return Err(WorkloadError::ThinkTimeText {
                    text: printable(text),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ThinkTime, TurnCount};
    use proptest::prelude::*;
    use trace::Nanos;

    #[test]
    fn turns_are_a_number_a_range_or_those_of_the_rows() {
        let between = |min, max| Ok(TurnCount::Between { min, max });
        assert_eq!("3".parse(), between(3, 3));
        assert_eq!("2-6".parse(), between(2, 6));
        assert_eq!("dataset".parse(), Ok(TurnCount::OfRows));
        for text in ["", "-", "2-", "a", "1.5", "2-3-4"] {
            let refused = text.parse::<TurnCount>().unwrap_err().to_string();
            assert!(refused.contains("such as 3, 2-6 or dataset"), "{refused}");
        }
    }

    #[test]
    fn think_times_are_constant_or_drawn() {
        let seconds = |count: u64| Nanos::from_millis(count * 1_000);
        assert_eq!("2s".parse(), Ok(ThinkTime::Constant { span: seconds(2) }));
        assert_eq!(
            "exp:2s".parse(),
            Ok(ThinkTime::Exponential { mean: seconds(2) })
        );
        assert_eq!(
            "lognormal:2s:1s".parse(),
            Ok(ThinkTime::LogNormal {
                mean: seconds(2),
                std: seconds(1)
            })
        );
        for text in ["", "soon", "exp", "gauss:1s", "exp:-1s", "lognormal:1s"] {
            assert!(text.parse::<ThinkTime>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = (text.parse::<ThinkTime>(), text.parse::<TurnCount>());
        }
    }
}
