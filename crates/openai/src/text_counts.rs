//! What is known of a text without keeping it.

/// Counts of a text: enough to tell whether a number can be that of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextCounts {
    /// In UTF-8.
    pub bytes: u64,
    /// Unicode scalar values.
    pub characters: u64,
    /// Of those, ASCII.
    pub ascii: u64,
    /// Runs of letters and digits, and each other character that is no white space.
    pub words: u64,
}

impl TextCounts {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let mut counts = Self::default();
        counts.add(text);
        counts
    }

    /// Adds a text that stands apart from those before: a word does not go on from one to the next.
    pub fn add(&mut self, text: &str) {
        let mut in_word = false;
        self.add_piece(text, &mut in_word);
    }

    /// Adds the next piece of a text. `in_word` is whether the piece before ended within a word, and is
    /// kept by the caller from piece to piece.
    pub fn add_piece(&mut self, text: &str, in_word: &mut bool) {
        self.bytes += text.len() as u64;
        for character in text.chars() {
            self.characters += 1;
            self.ascii += u64::from(character.is_ascii());
            let letter = character.is_alphanumeric();
            let begins = letter && !*in_word;
            let alone = !letter && !character.is_whitespace();
            self.words += u64::from(begins || alone);
            *in_word = letter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TextCounts;

    #[test]
    fn words_are_runs_of_letters_and_single_signs() {
        let counts = TextCounts::of("Hello, wörld 42!");
        assert_eq!(
            (counts.bytes, counts.characters, counts.ascii, counts.words),
            (17, 16, 15, 5)
        );
    }

    #[test]
    fn pieces_of_a_text_come_to_the_same_as_the_whole() {
        let text = "one two-three 你好 f(x)";
        let whole = TextCounts::of(text);
        for cut in (0..=text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let (mut counts, mut in_word) = (TextCounts::default(), false);
            counts.add_piece(&text[..cut], &mut in_word);
            counts.add_piece(&text[cut..], &mut in_word);
            assert_eq!(counts, whole, "cut at {cut}");
        }
    }
}
