//! Reports of small places and the people in them, made up sentence by sentence: English prose
//! without a download.
//!
//! A text has one topic, which lends its words to sentences of fixed shapes. Numbers and names come
//! early, so that texts share short prefixes only.

mod sentences;
mod topics;

use crate::draw::Draw;
use crate::seed::purpose_seed;
use sentences::sentence;
use topics::TOPICS;

/// Goes with every report.
pub const SYSTEM_PROMPT: &str = "You are a careful editor. Answer in plain English, and keep to \
                                 what the text says.";

const TASKS: [&str; 6] = [
    "Summarise this report in three sentences.",
    "List the five most important facts in this report.",
    "Rewrite this report for a reader who is ten years old.",
    "Write a polite letter that answers this report.",
    "What does this report leave unsaid? Give three questions that its author should answer.",
    "Give this report a title, and explain in one paragraph why it fits.",
];

/// Report `number` of the endless series of a seed, with a task: 90 to 250 words.
pub fn report(seed: u64, number: u64) -> String {
    let mut draw = draw(seed, number);
    let length = draw.between(5, 8);
    let task = draw.one_of(&TASKS);
    let text: String = text(draw)
        .take(usize::try_from(length).unwrap_or(8))
        .collect();
    format!("{text}\n\n{task}")
}

/// An endless report, a sentence in each piece; put together they are paragraphs.
pub fn pieces(seed: u64, number: u64) -> impl Iterator<Item = String> {
    text(draw(seed, number))
}

fn draw(seed: u64, number: u64) -> Draw {
    Draw::new(purpose_seed(seed, "prose"), number)
}

fn text(mut draw: Draw) -> impl Iterator<Item = String> {
    let topic = draw.one_of(&TOPICS);
    let mut left_in_paragraph = draw.between(3, 6);
    let mut separator = "";
    std::iter::repeat_with(move || {
        let piece = format!("{separator}{}", sentence(&mut draw, topic));
        left_in_paragraph -= 1;
        separator = " ";
        if left_in_paragraph == 0 {
            separator = "\n\n";
            left_in_paragraph = draw.between(3, 6);
        }
        piece
    })
}

#[cfg(test)]
mod tests {
    use super::{pieces, report};

    #[test]
    fn a_report_reads_as_prose() {
        insta::assert_snapshot!(report(1, 0));
    }

    #[test]
    fn articles_fit_the_words_after_them() {
        let text: String = pieces(4, 0).take(2_000).collect();
        let words: Vec<&str> = text.split_whitespace().collect();
        for pair in words.windows(2) {
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'u']);
            match pair[0].trim_matches('"') {
                "a" | "A" => assert!(!vowel, "{pair:?}"),
                "an" | "An" => assert!(vowel, "{pair:?}"),
                _ => {}
            }
        }
    }

    #[test]
    fn sentences_begin_with_a_capital_and_end() {
        for sentence in pieces(5, 1).take(500) {
            let sentence = sentence.trim_start();
            assert!(sentence.starts_with(|first: char| first.is_uppercase() || first == '"'));
            assert!(sentence.ends_with(['.', '"']), "{sentence}");
        }
    }
}
