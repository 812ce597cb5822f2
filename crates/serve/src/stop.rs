//! Stop strings in a text that comes in pieces.

/// Looks for stop strings in a text that comes in pieces.
///
/// Text that may be the beginning of a stop string is held back until it is decided. Knuth, Morris
/// and Pratt's automaton for each stop string: work is linear in the text whatever the strings are,
/// so that no request can slow the others down with strings like `aaaa…`.
#[derive(Clone, Debug)]
pub(crate) struct StopMatcher {
    stops: Vec<Automaton>,
    /// Text that may begin a stop string.
    held: String,
}

#[derive(Clone, Debug)]
struct Automaton {
    text: Vec<u8>,
    /// For each prefix of the text: how long its longest proper prefix is that also ends it.
    borders: Vec<usize>,
    /// Bytes of `text` that the stream's last bytes are.
    matched: usize,
}

impl Automaton {
    fn new(text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        let mut borders = vec![0; text.len()];
        let mut length = 0;
        for index in 1..text.len() {
            while length > 0 && text[index] != text[length] {
                length = borders[length - 1];
            }
            if text[index] == text[length] {
                length += 1;
            }
            borders[index] = length;
        }
        Automaton {
            text,
            borders,
            matched: 0,
        }
    }

    /// Whether the stop string is complete with this byte.
    fn push(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.text[self.matched] != byte {
            self.matched = self.borders[self.matched - 1];
        }
        if self.text[self.matched] == byte {
            self.matched += 1;
        }
        self.matched == self.text.len()
    }
}

impl StopMatcher {
    /// For stop strings none of which is empty.
    pub(crate) fn new(stops: &[String]) -> Self {
        StopMatcher {
            stops: stops
                .iter()
                .filter(|stop| !stop.is_empty())
                .map(|stop| Automaton::new(stop))
                .collect(),
            held: String::new(),
        }
    }

    /// Adds what is decided of `text` to `out`. True where a stop string is complete: what is
    /// before it went to `out`, and the text is at its end. The one that is complete first counts,
    /// of several the longest.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) -> bool {
        if self.stops.is_empty() {
            out.push_str(text);
            return false;
        }
        let before = self.held.len();
        self.held.push_str(text);
        for (index, &byte) in text.as_bytes().iter().enumerate() {
            let mut stop_bytes = 0;
            for stop in &mut self.stops {
                if stop.push(byte) {
                    stop_bytes = stop_bytes.max(stop.text.len());
                }
            }
            if stop_bytes > 0 {
                out.push_str(&self.held[..before + index + 1 - stop_bytes]);
                self.held.clear();
                return true;
            }
        }
        let held = self.stops.iter().map(|stop| stop.matched).max();
        // A stop string begins with a whole character, so this cuts none.
        let decided = self.held.len() - held.unwrap_or(0);
        out.push_str(&self.held[..decided]);
        self.held.drain(..decided);
        false
    }

    /// The text has ended: what was held back is no stop string.
    pub(crate) fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::StopMatcher;
    use proptest::prelude::*;

    /// The first stop string to be complete in the whole text, of several the longest.
    fn naive(text: &str, stops: &[String]) -> (String, bool) {
        for end in 1..=text.len() {
            let longest = stops
                .iter()
                .filter(|stop| text.as_bytes()[..end].ends_with(stop.as_bytes()))
                .map(String::len)
                .max();
            if let Some(bytes) = longest {
                return (text[..end - bytes].to_owned(), true);
            }
        }
        (text.to_owned(), false)
    }

    proptest! {
        #[test]
        fn any_split_finds_what_the_whole_text_has(
            text in "[abé]{0,40}",
            stops in prop::collection::vec("[abé]{1,4}", 0..4),
            cuts in prop::collection::vec(0..40usize, 0..10),
        ) {
            let mut matcher = StopMatcher::new(&stops);
            let (mut out, mut stopped) = (String::new(), false);
            let (expected, expected_stop) = naive(&text, &stops);
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| text.is_char_boundary(cut.min(text.len()))).map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            for pair in cuts.windows(2) {
                stopped = matcher.push(&text[pair[0]..pair[1]], &mut out);
                // What went out is never taken back.
                prop_assert!(expected.starts_with(&out));
                if stopped {
                    break;
                }
            }
            if !stopped {
                matcher.finish(&mut out);
            }
            prop_assert_eq!((out, stopped), (expected, expected_stop));
        }

        #[test]
        fn no_more_is_held_back_than_a_stop_string_could_need(text in "[ab]{0,60}", stop in "[ab]{1,5}") {
            let mut matcher = StopMatcher::new(std::slice::from_ref(&stop));
            let mut out = String::new();
            for character in text.chars() {
                if matcher.push(&character.to_string(), &mut out) {
                    break;
                }
                prop_assert!(matcher.held.len() < stop.len());
                prop_assert!(stop.starts_with(&matcher.held));
            }
        }
    }

    #[test]
    fn without_stop_strings_nothing_is_held_back() {
        let mut out = String::new();
        assert!(!StopMatcher::new(&[]).push("abc", &mut out));
        assert_eq!(out, "abc");
    }
}
