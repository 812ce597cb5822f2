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

/// What ASCII characters are: 0 of white space, and more of what begins a word, of which a letter or digit does so
/// only where none stands before it. What a reader of JSON has to look at is marked.
const CLASSES: [u8; 256] = {
    let mut classes = [SIGN | SPECIAL; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b' ' => 0,
            b'\t'..=b'\r' => SPECIAL,
            0..=0x1f | b'"' | b'\\' => SIGN | SPECIAL,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => LETTER,
            _ => SIGN,
        };
        byte += 1;
    }
    classes
};
const LETTER: u8 = 1;
const SIGN: u8 = 2;
const BEGINS: u8 = LETTER | SIGN;
/// It ends a JSON string, escapes something, may not be in one, or is no ASCII.
const SPECIAL: u8 = 4;

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
        if text.is_ascii() {
            self.add_ascii(text.as_bytes(), in_word);
            return;
        }
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

    /// Adds the next piece of a text as JSON has it in a string; `None`, and nothing added, where it has anything but
    /// ASCII characters that stand for themselves.
    pub(crate) fn add_plain(&mut self, text: &[u8], in_word: &mut bool) -> Option<()> {
        let (mut words, mut before) = (0_u64, u8::from(*in_word));
        for &byte in text {
            let class = CLASSES[usize::from(byte)];
            if class & SPECIAL != 0 {
                return None;
            }
            words += u64::from(class & BEGINS > before);
            before = class & LETTER;
        }
        let length = text.len() as u64;
        self.bytes += length;
        self.characters += length;
        self.ascii += length;
        self.words += words;
        *in_word = before == LETTER;
        Some(())
    }

    /// The same of ASCII, which nearly every piece of a stream is.
    fn add_ascii(&mut self, text: &[u8], in_word: &mut bool) {
        let length = text.len() as u64;
        self.characters += length;
        self.ascii += length;
        let mut before = u8::from(*in_word);
        for &byte in text {
            let class = CLASSES[usize::from(byte)];
            self.words += u64::from(class & BEGINS > before);
            before = class & LETTER;
        }
        *in_word = before == LETTER;
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
    fn ascii_is_counted_as_any_other_text() {
        let all: String = (0..128_u8).map(char::from).collect();
        let spaced: String = all
            .chars()
            .flat_map(|sign| [sign, ' ', sign, sign])
            .collect();
        for text in [all, spaced] {
            let (ascii, other) = (TextCounts::of(&text), TextCounts::of(&format!("é {text}")));
            assert_eq!(
                (other.words, other.characters),
                (ascii.words + 1, ascii.characters + 2)
            );
            assert_eq!(other.ascii, ascii.ascii + 1);
        }
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
