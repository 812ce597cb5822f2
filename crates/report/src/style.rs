//! Colour, where a terminal has some.

use stats::Grade;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours may be used.
    pub color: bool,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ink {
    #[default]
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

impl Style {
    /// A grade's sign and word, in its colour.
    pub fn verdict(self, grade: Grade) -> String {
        self.paint(
            grade_ink(grade),
            &format!("{} {}", mark(grade), word(grade)),
        )
    }

    /// `text` in that ink, or as it is where colour is not allowed.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Red => 31,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The sign of a grade: `✓`, `!` or `✗`.
pub(crate) const fn mark(grade: Grade) -> &'static str {
    match grade {
        Grade::Valid => "✓",
        Grade::Suspect => "!",
        Grade::Invalid => "✗",
    }
}

/// The word of a grade, the same as in the result file.
pub(crate) const fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Valid => "valid",
        Grade::Suspect => "suspect",
        Grade::Invalid => "invalid",
    }
}

/// The colour of a grade.
pub(crate) const fn grade_ink(grade: Grade) -> Ink {
    match grade {
        Grade::Valid => Ink::Green,
        Grade::Suspect => Ink::Yellow,
        Grade::Invalid => Ink::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::{Ink, Style, word};
    use stats::Grade;

    #[test]
    fn nothing_is_coloured_where_colour_is_not_allowed() {
        assert_eq!(Style { color: false }.paint(Ink::Red, "x"), "x");
        assert_eq!(
            Style { color: true }.paint(Ink::Red, "x"),
            "\u{1b}[31mx\u{1b}[0m"
        );
    }

    #[test]
    fn the_word_of_a_grade_is_the_one_in_the_result_file() {
        for grade in [Grade::Valid, Grade::Suspect, Grade::Invalid] {
            assert_eq!(serde_json::json!(grade), word(grade));
        }
    }
}
