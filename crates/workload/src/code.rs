//! Tasks on small programs, and the programs: prompts about code without a download.
//!
//! Functions are made from templates in three languages; each runs as it stands. Names are two words,
//! numbers are drawn, and both come early, so that texts share short prefixes only.

mod functions;
mod identifiers;

use crate::draw::Draw;
use crate::seed::purpose_seed;
use functions::{FUNCTIONS, Function};

/// Goes with every task.
pub const SYSTEM_PROMPT: &str = "You are an experienced programmer. Give code that runs, and explain \
                                 in a few sentences why it is right.";

/// Task `number` of the endless series of a seed: an instruction and a function, 20 to 150 words.
pub fn task(seed: u64, number: u64) -> String {
    let mut draw = draw(seed, number);
    let Function {
        language,
        name,
        text,
    } = any_function(&mut draw);
    let inputs = draw.between(3, 60);
    let other = draw.one_of(&["Go", "Java", "C++", "Kotlin", "Swift", "TypeScript"]);
    let instruction = match draw.between(0, 6) {
        0 => format!(
            "Explain line by line what `{name}` does, and what it costs for {inputs} inputs."
        ),
        1 => format!(
            "Translate `{name}` from {language} to {other}, and keep its behaviour for all {inputs} inputs."
        ),
        2 => format!(
            "Write {inputs} unit tests for `{name}`, and cover every edge case that you can find."
        ),
        3 => format!(
            "Make `{name}` handle wrong input without an exception or a crash; it is called {inputs} times a second."
        ),
        4 => format!(
            "Rewrite `{name}` so that it needs less memory where it gets {inputs} million values."
        ),
        5 => format!(
            "Review `{name}` as for a colleague: names, correctness, speed. Give at most {inputs} remarks."
        ),
        _ => format!(
            "Document `{name}`, with {inputs} examples of calls and their results in a table."
        ),
    };
    format!(
        "{instruction}\n\n```{}\n{text}```",
        language.to_ascii_lowercase()
    )
}

/// An endless source file, a function in each piece.
pub fn pieces(seed: u64, number: u64) -> impl Iterator<Item = String> {
    let mut draw = draw(seed, number);
    let mut separator = "";
    std::iter::repeat_with(move || {
        let piece = format!("{separator}{}", any_function(&mut draw).text);
        separator = "\n";
        piece
    })
}

fn draw(seed: u64, number: u64) -> Draw {
    Draw::new(purpose_seed(seed, "code"), number)
}

fn any_function(draw: &mut Draw) -> Function {
    let template = draw.one_of(&FUNCTIONS);
    template(draw)
}

#[cfg(test)]
mod tests {
    use super::functions::FUNCTIONS;
    use super::{Draw, pieces, task};
    use std::collections::HashSet;

    #[test]
    fn a_task_reads_as_one() {
        insta::assert_snapshot!(task(1, 0));
    }

    #[test]
    fn every_function_of_every_template() {
        let texts: Vec<String> = (0..)
            .zip(FUNCTIONS)
            .map(|(number, template)| template(&mut Draw::new(6, number)).text)
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn functions_vary_and_close_what_they_open() {
        for template in FUNCTIONS {
            let mut texts = HashSet::new();
            for number in 0..500 {
                let function = template(&mut Draw::new(5, number));
                assert!(function.text.contains(&function.name));
                assert!(function.text.ends_with('\n') && !function.text.contains("\n\n\n"));
                for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                    let count = |sign| function.text.matches(sign).count();
                    assert_eq!(count(open), count(close), "{}", function.text);
                }
                texts.insert(function.text);
            }
            assert!(
                texts.len() > 490,
                "{}: {:?}",
                texts.len(),
                texts.iter().next()
            );
        }
    }

    #[test]
    fn pieces_make_a_file_with_a_blank_line_between_functions() {
        let file: String = pieces(3, 1).take(40).collect();
        assert!(!file.contains("\n\n\n") && file.contains("\n\n"));
    }
}
