//! Tokens in, whole characters out.

use crate::Tokenizer;
use std::sync::Arc;

/// Tokens in, whole characters out: never a part of one.
///
/// What comes out over a whole sequence is `String::from_utf8_lossy` of all its tokens' bytes.
pub struct Detokenizer {
    tokenizer: Arc<Tokenizer>,
    /// Bytes that may be the beginning of a character: at most 3.
    held: Vec<u8>,
    text: String,
}

impl Detokenizer {
    /// At the beginning of a text.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Self {
        Detokenizer {
            tokenizer,
            held: Vec::new(),
            text: String::new(),
        }
    }

    /// What the token completes; empty where it is special, or the character goes on.
    pub fn push(&mut self, id: u32) -> &str {
        self.held.extend_from_slice(self.tokenizer.token_bytes(id));
        self.text.clear();
        take_whole(&mut self.held, &mut self.text);
        &self.text
    }

    /// What is left at the end: U+FFFD for a character that did not go on, or nothing.
    pub fn finish(&mut self) -> &str {
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.held));
        self.held.clear();
        &self.text
    }
}

/// Moves all whole characters, and U+FFFD for what can be none, from `held` to `text`.
fn take_whole(held: &mut Vec<u8>, text: &mut String) {
    let mut rest = held.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(whole) => {
                text.push_str(whole);
                held.clear();
                return;
            }
            Err(error) => {
                let (whole, after) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(whole));
                let Some(wrong) = error.error_len() else {
                    *held = after.to_vec();
                    return;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &after[wrong..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Detokenizer;
    use crate::Tokenizer;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn streamed(bytes: &[u8]) -> (Vec<String>, String) {
        let mut detokenizer = Detokenizer::new(Arc::new(Tokenizer::bytes()));
        let pieces = bytes
            .iter()
            .map(|byte| detokenizer.push(u32::from(*byte)).to_owned());
        let pieces: Vec<String> = pieces.collect();
        let rest = detokenizer.finish().to_owned();
        (pieces, rest)
    }

    #[test]
    fn a_character_comes_out_with_its_last_byte() {
        let (pieces, rest) = streamed("aé€😀".as_bytes());
        assert_eq!(pieces, ["a", "", "é", "", "", "€", "", "", "", "😀"]);
        assert_eq!(rest, "");
    }

    #[test]
    fn a_character_that_does_not_go_on_becomes_a_replacement_at_the_end() {
        assert_eq!(streamed(b"a\xe2\x82").1, "\u{fffd}");
    }

    proptest! {
        #[test]
        fn pieces_make_the_text_that_all_bytes_make(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let (pieces, rest) = streamed(&bytes);
            prop_assert_eq!(pieces.concat() + &rest, String::from_utf8_lossy(&bytes));
        }
    }
}
