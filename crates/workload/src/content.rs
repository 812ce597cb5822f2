//! The built-in kinds of prompts, each a series that no download is needed for.

use crate::{code, math, prose};

/// What built-in prompts are about. Each text follows from the kind, a seed and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Competition-style problems: [`math`].
    Math,
    /// Tasks on small programs: [`code`].
    Code,
    /// Reports to be summarised: [`prose`].
    Prose,
}

impl Content {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Math, Self::Code, Self::Prose];

    /// Its name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Math => "math",
            Self::Code => "code",
            Self::Prose => "prose",
        }
    }

    /// The system message that goes with every prompt.
    pub const fn system_prompt(self) -> &'static str {
        match self {
            Self::Math => math::SYSTEM_PROMPT,
            Self::Code => code::SYSTEM_PROMPT,
            Self::Prose => prose::SYSTEM_PROMPT,
        }
    }

    /// Prompt `number` of the endless series of a seed.
    pub fn prompt(self, seed: u64, number: u64) -> String {
        match self {
            Self::Math => math::problem(seed, number),
            Self::Code => code::task(seed, number),
            Self::Prose => prose::report(seed, number),
        }
    }

    /// An endless text in pieces, to be put together as they come: what a prompt of a given length
    /// is cut from.
    pub fn pieces(self, seed: u64, number: u64) -> Box<dyn Iterator<Item = String>> {
        match self {
            Self::Math => Box::new(math::pieces(seed, number)),
            Self::Code => Box::new(code::pieces(seed, number)),
            Self::Prose => Box::new(prose::pieces(seed, number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Content;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn prompts_seldom_repeat_and_part_within_their_first_twenty_words() {
        for content in Content::ALL {
            let texts: HashSet<String> =
                (0..3_000).map(|number| content.prompt(1, number)).collect();
            assert!(texts.len() > 2_990, "{content:?}: {}", texts.len());
            let openings: HashSet<Vec<&str>> = texts
                .iter()
                .map(|text| text.split_whitespace().take(20).collect())
                .collect();
            assert!(openings.len() > 2_850, "{content:?}: {}", openings.len());
        }
    }

    #[test]
    fn pieces_go_on_for_as_long_as_they_are_asked_for() {
        for content in Content::ALL {
            let pieces: Vec<String> = content.pieces(2, 3).take(300).collect();
            assert!(pieces.iter().all(|piece| !piece.trim().is_empty()));
            let distinct: HashSet<&String> = pieces.iter().collect();
            assert!(distinct.len() > 290, "{content:?}: {}", distinct.len());
            assert!(!pieces[0].starts_with(char::is_whitespace));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_text_follows_from_its_seed_and_number(seed: u64, number: u64) {
            for content in Content::ALL {
                let text = content.prompt(seed, number);
                prop_assert_eq!(&text, &content.prompt(seed, number));
                prop_assert_ne!(&text, &content.prompt(seed, number ^ 1));
                prop_assert_ne!(&text, &content.prompt(seed ^ 1, number));
                let words = text.split_whitespace().count();
                prop_assert!((15..=250).contains(&words), "{} words: {}", words, text);
                prop_assert!(!text.contains("  \n") && text.trim() == text, "{}", text);
            }
        }
    }
}
