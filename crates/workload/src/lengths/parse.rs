//! The notation of length scenarios.

use super::{Bounds, LengthScenario, Lengths, Spread, TOKENS_MAX};
use crate::WorkloadError;
use crate::printable::printable;
use std::ops::RangeInclusive;
use std::str::FromStr;

const TOKENS: RangeInclusive<u32> = 1..=TOKENS_MAX;

impl FromStr for LengthScenario {
    type Err = WorkloadError;

    /// Spaces may stand anywhere but within numbers.
    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let mut cursor = Cursor {
            text,
            rest: text.trim_start(),
        };
        let scenario = match cursor.kind()? {
            'D' => {
                let (input_tokens, output_tokens) = cursor.pair(TOKENS, TOKENS)?;
                let lengths = Lengths {
                    input_tokens,
                    output_tokens,
                };
                Self::Deterministic { lengths }
            }
            'N' => {
                let (input, output) = cursor.spreads()?;
                Self::Normal { input, output }
            }
            'L' => {
                let (input, output) = cursor.spreads()?;
                Self::LogNormal { input, output }
            }
            _ => cursor.uniform()?,
        };
        if cursor.rest.is_empty() {
            Ok(scenario)
        } else {
            Err(cursor.refusal("the end"))
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    /// Never begins with a space.
    rest: &'a str,
}

impl Cursor<'_> {
    /// What stands here is not what must.
    fn refusal(&self, expected: &str) -> WorkloadError {
        let before = &self.text[..self.text.len() - self.rest.len()];
        WorkloadError::LengthScenario {
            scenario: printable(self.text),
            place: if self.rest.is_empty() {
                "its end".to_owned()
            } else {
                format!("character {}", before.chars().count() + 1)
            },
            expected: expected.to_owned(),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest[bytes..].trim_start();
    }

    fn kind(&mut self) -> Result<char, WorkloadError> {
        let kind = self
            .rest
            .chars()
            .next()
            .map(|kind| kind.to_ascii_uppercase());
        match kind {
            Some(kind @ ('D' | 'N' | 'U' | 'L')) => {
                self.skip(1);
                Ok(kind)
            }
            _ => Err(self.refusal("D, N, U or L")),
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), WorkloadError> {
        if self.rest.starts_with(sign) {
            self.skip(sign.len_utf8());
            Ok(())
        } else {
            Err(self.refusal(&format!("`{sign}`")))
        }
    }

    fn number(&mut self, range: &RangeInclusive<u32>) -> Result<u32, WorkloadError> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        match self.rest[..digits].parse() {
            Ok(number) if range.contains(&number) => {
                self.skip(digits);
                Ok(number)
            }
            _ => Err(self.refusal(&format!(
                "a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    fn pair(
        &mut self,
        first: RangeInclusive<u32>,
        second: RangeInclusive<u32>,
    ) -> Result<(u32, u32), WorkloadError> {
        self.sign('(')?;
        let first = self.number(&first)?;
        self.sign(',')?;
        let second = self.number(&second)?;
        self.sign(')')?;
        Ok((first, second))
    }

    fn spread(&mut self) -> Result<Spread, WorkloadError> {
        let (mean, std) = self.pair(TOKENS, 0..=TOKENS_MAX)?;
        Ok(Spread { mean, std })
    }

    fn spreads(&mut self) -> Result<(Spread, Spread), WorkloadError> {
        let input = self.spread()?;
        self.sign('/')?;
        Ok((input, self.spread()?))
    }

    fn bounds(&mut self) -> Result<Bounds, WorkloadError> {
        self.sign('(')?;
        let min = self.number(&TOKENS)?;
        self.sign(',')?;
        let max = self.number(&(min..=TOKENS_MAX))?;
        self.sign(')')?;
        Ok(Bounds { min, max })
    }

    /// Whether the first pair is a range or both maxima shows only after it.
    fn uniform(&mut self) -> Result<LengthScenario, WorkloadError> {
        let start = self.rest;
        let (input, output) = self.pair(TOKENS, TOKENS)?;
        if !self.rest.starts_with('/') {
            return Ok(LengthScenario::Uniform {
                input: Bounds { min: 1, max: input },
                output: Bounds {
                    min: 1,
                    max: output,
                },
            });
        }
        self.rest = start;
        let input = self.bounds()?;
        self.sign('/')?;
        let output = self.bounds()?;
        Ok(LengthScenario::Uniform { input, output })
    }
}
