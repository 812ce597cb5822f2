//! Texts for embedding servers, of as many words as asked.

use crate::seed::stream;
use crate::{WorkloadError, prose};
use rand::RngExt;
use std::fmt;
use std::str::FromStr;
use trace::{PlannedTokens, Prompt};

/// The most words of a text: no embedding model reads as many.
pub const WORDS_MAX: u32 = 100_000;

/// Tokens per word of English, as rough as every such figure.
const TOKENS_PER_WORD: f64 = 1.3;

/// How long texts are, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextLength {
    /// Exactly so many.
    Words(u32),
    /// 5 to 15, a query.
    Short,
    /// 20 to 50, a paragraph.
    Medium,
    /// 100 to 300, a page.
    Long,
    /// Each text one of the three.
    Mixed,
}

impl TextLength {
    fn words(self, rng: &mut impl RngExt) -> u32 {
        match self {
            Self::Words(words) => words,
            Self::Short => rng.random_range(5..=15),
            Self::Medium => rng.random_range(20..=50),
            Self::Long => rng.random_range(100..=300),
            Self::Mixed => {
                let kinds = [Self::Short, Self::Medium, Self::Long];
                kinds[rng.random_range(0..kinds.len())].words(rng)
            }
        }
    }
}

impl fmt::Display for TextLength {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => write!(formatter, "{words}"),
            Self::Short => formatter.write_str("short"),
            Self::Medium => formatter.write_str("medium"),
            Self::Long => formatter.write_str("long"),
            Self::Mixed => formatter.write_str("mixed"),
        }
    }
}

impl FromStr for TextLength {
    type Err = WorkloadError;

    /// Reads a category or a number of words.
    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let refuse = || WorkloadError::TextLength {
            text: text.to_owned(),
        };
        Ok(match text {
            "short" => Self::Short,
            "medium" => Self::Medium,
            "long" => Self::Long,
            "mixed" => Self::Mixed,
            number => {
                let words = number.parse().map_err(|_| refuse())?;
                if !(1..=WORDS_MAX).contains(&words) {
                    return Err(refuse());
                }
                Self::Words(words)
            }
        })
    }
}

/// Text `number` of the series of that length and seed: prose, different in every text.
pub fn text(length: TextLength, seed: u64, number: u64) -> String {
    // Lengths have streams of their own, so that texts of one number begin alike whatever their length.
    let words = length.words(&mut stream(!seed, number)) as usize;
    let pieces = prose::pieces(seed, number);
    let mut out = String::new();
    let mut taken = 0;
    for piece in pieces {
        for word in piece.split_whitespace() {
            if taken == words {
                return out;
            }
            if taken > 0 {
                out.push(' ');
            }
            out.push_str(word);
            taken += 1;
        }
    }
    out
}

/// About how many tokens a request has, by its words.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number that saturates"
)]
pub(crate) fn estimated_tokens(prompt: &Prompt) -> PlannedTokens {
    let words: usize = prompt
        .parts()
        .map(|text| text.split_whitespace().count())
        .sum();
    PlannedTokens {
        count: (words as f64 * TOKENS_PER_WORD).round() as u32,
        exact: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{TextLength, text};
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn lengths_are_read_as_they_are_shown() {
        for name in ["short", "medium", "long", "mixed", "200"] {
            assert_eq!(name.parse::<TextLength>().unwrap().to_string(), name);
        }
        for name in ["", "0", "-1", "tall", "100001"] {
            let refusal = name.parse::<TextLength>().unwrap_err().to_string();
            assert!(refusal.contains("short, medium, long, mixed"), "{refusal}");
        }
    }

    #[test]
    fn texts_of_a_category_are_all_different_and_fill_its_range() {
        for (length, range) in [
            (TextLength::Short, 5..=15),
            (TextLength::Medium, 20..=50),
            (TextLength::Long, 100..=300),
        ] {
            let texts: HashSet<String> = (0..200).map(|number| text(length, 3, number)).collect();
            assert!(texts.len() > 195, "{length}: {}", texts.len());
            let lengths: HashSet<usize> = texts.iter().map(|text| words(text)).collect();
            assert!(
                lengths.iter().all(|count| range.contains(count)),
                "{length}"
            );
            assert!(lengths.len() > 9, "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_number_of_words_is_met_exactly(count in 1_u32..600, seed: u64, number in 0_u64..1_000_000) {
            let length = TextLength::Words(count);
            prop_assert_eq!(words(&text(length, seed, number)), count as usize);
            prop_assert_eq!(text(length, seed, number), text(length, seed, number));
        }
    }
}
