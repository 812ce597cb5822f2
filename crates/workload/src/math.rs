//! Competition-style maths problems, made up from templates: prompts without a download.
//!
//! Each template is a function from its random choices to the text of a problem. It draws its
//! numbers from ranges in which the problem is well posed and has one integer answer. The ranges
//! are wide, and names and numbers come early in the text, so that problems seldom repeat and
//! share short prefixes only.

mod algebra;
mod combinatorics;
mod geometry;
mod number_theory;
mod probability;
mod sequences;

use crate::draw::Draw;

/// Goes with every problem.
pub const SYSTEM_PROMPT: &str = "You solve mathematics problems. Work through the problem step by \
                                 step, then give the final answer as an integer.";

type Template = fn(&mut Draw) -> String;

const TOPICS: [&[Template]; 6] = [
    &number_theory::TEMPLATES,
    &combinatorics::TEMPLATES,
    &algebra::TEMPLATES,
    &geometry::TEMPLATES,
    &probability::TEMPLATES,
    &sequences::TEMPLATES,
];

/// Problem `number` of the endless series of a seed: 30 to 120 words in English and light LaTeX.
pub fn problem(seed: u64, number: u64) -> String {
    any_problem(&mut Draw::new(seed, number))
}

/// Problem `number`, then one more in every piece: the pieces put together are an endless sheet of
/// problems.
pub fn pieces(seed: u64, number: u64) -> impl Iterator<Item = String> {
    let mut draw = Draw::new(seed, number);
    let first = std::iter::once(any_problem(&mut draw));
    first.chain(std::iter::repeat_with(move || {
        format!("\n\n{}", any_problem(&mut draw))
    }))
}

fn any_problem(draw: &mut Draw) -> String {
    let topic = draw.one_of(&TOPICS);
    let template = draw.one_of(topic);
    template(draw)
}

#[cfg(test)]
mod tests {
    use super::{Draw, TOPICS, problem};
    use std::collections::HashSet;

    #[test]
    fn problems_seldom_repeat() {
        let texts: HashSet<String> = (0..5_000).map(|number| problem(1, number)).collect();
        assert!(texts.len() > 4_990, "{} of 5000 are distinct", texts.len());
    }

    /// Otherwise a prefix cache would answer for a good part of each prompt.
    #[test]
    fn problems_part_within_their_first_twenty_words() {
        let openings: HashSet<Vec<String>> = (0..1_000)
            .map(|number| {
                let text = problem(2, number);
                text.split_whitespace()
                    .take(20)
                    .map(str::to_owned)
                    .collect()
            })
            .collect();
        assert!(
            openings.len() > 950,
            "{} of 1000 are distinct",
            openings.len()
        );
    }

    #[test]
    fn a_problem_follows_from_its_seed_and_number() {
        assert_eq!(problem(3, 9), problem(3, 9));
        assert_ne!(problem(3, 9), problem(3, 10));
        assert_ne!(problem(3, 9), problem(4, 9));
    }

    #[test]
    fn every_template_varies_and_keeps_its_length() {
        for (topic, templates) in TOPICS.iter().enumerate() {
            for (index, template) in templates.iter().enumerate() {
                let mut texts = HashSet::new();
                for number in 0..1_000 {
                    let text = template(&mut Draw::new(5, number));
                    let words = text.split_whitespace().count();
                    assert!((30..=120).contains(&words), "{words} words: {text}");
                    assert_eq!(text.matches('$').count() % 2, 0, "unclosed formula: {text}");
                    texts.insert(text);
                }
                assert!(
                    texts.len() > 990,
                    "topic {topic} template {index}: {}",
                    texts.len()
                );
            }
        }
    }
}
