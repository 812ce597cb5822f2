//! JSON as servers send it, read once and kept as places in its text.
//!
//! Answers are read leniently: a field of an unexpected kind must not cost the fields beside it. So a chunk is
//! first brought onto a tape, whatever it holds, and then asked for what is known of its fields
//! ([`crate::value`]). The tape's memory serves one chunk after the other.

use std::fmt;

/// The nodes of one JSON text, in the order in which they begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    nodes: Vec<Node>,
    /// Lists and objects that go on, as places in `nodes`.
    open: Vec<u32>,
}

/// One value, or one key of an object, which its value follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Its place in the text.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The node after it and all that is in it.
    pub(crate) next: u32,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// Also `NaN` and `Infinity`, which Python's own writer puts into answers.
    Number,
    /// Without escapes: its place holds it as it is.
    Plain,
    /// With escapes.
    Escaped,
    List,
    Object,
}

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    expected: &'static str,
    /// Where, from 0.
    at: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "expected {} at byte {} of it",
            self.expected, self.at
        )
    }
}

/// A tape that has grown longer than any usual chunk needs is not kept.
const KEPT_NODES_MAX: usize = 1 << 12;

impl Tape {
    /// Lets go of the memory of an unusually long chunk: as many tapes as streams are kept.
    pub(crate) fn forget_much(&mut self) {
        if self.nodes.capacity() > KEPT_NODES_MAX || self.open.capacity() > KEPT_NODES_MAX {
            *self = Self::default();
        }
    }

    /// Reads one JSON value; only white space may follow it. It can be nested as deep as its text is long.
    pub(crate) fn read(&mut self, text: &str) -> Result<&[Node], Fault> {
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            nodes: std::mem::take(&mut self.nodes),
            open: std::mem::take(&mut self.open),
            within: Within::Nothing,
        };
        reader.nodes.clear();
        reader.open.clear();
        let outcome = reader.read();
        (self.nodes, self.open) = (reader.nodes, reader.open);
        outcome?;
        Ok(&self.nodes)
    }
}

/// What a value is directly in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    List,
    Object,
}

struct Reader<'r> {
    text: &'r [u8],
    at: usize,
    nodes: Vec<Node>,
    open: Vec<u32>,
    within: Within,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    const fn expected(&self, expected: &'static str) -> Fault {
        Fault {
            expected,
            at: self.at,
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        if u32::try_from(self.text.len()).is_err() {
            return Err(self.expected("less than 4 GiB"));
        }
        self.values()?;
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end")),
        }
    }

    /// Reads one value, with all that is in it.
    fn values(&mut self) -> Result<(), Fault> {
        loop {
            self.space();
            match self.peek() {
                Some(b'{') => {
                    self.open(Kind::Object);
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.open(Kind::List);
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                _ => self.scalar()?,
            }
            if self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Closes what ends after a value, and comes to the place of the next one; `true` where there is none.
    fn after_value(&mut self) -> Result<bool, Fault> {
        loop {
            if self.within == Within::Nothing {
                return Ok(true);
            }
            self.space();
            match (self.peek(), self.within) {
                (Some(b','), Within::Object) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b','), _) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), Within::Object) | (Some(b']'), Within::List) => self.close(),
                (_, Within::Object) => return Err(self.expected("a comma or }")),
                _ => return Err(self.expected("a comma or ]")),
            }
        }
    }

    /// Ends the list or object that was opened last.
    fn close(&mut self) {
        self.at += 1;
        let next = self.place();
        let closed = self
            .open
            .pop()
            .and_then(|place| self.nodes.get_mut(place as usize));
        if let Some(node) = closed {
            node.end = offset(self.at);
            node.next = next;
        }
        let outer = self
            .open
            .last()
            .and_then(|&place| self.nodes.get(place as usize));
        self.within = match outer.map(|node| node.kind) {
            None => Within::Nothing,
            Some(Kind::Object) => Within::Object,
            Some(_) => Within::List,
        };
    }

    /// The place of the next node.
    fn place(&self) -> u32 {
        offset(self.nodes.len())
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let next = self.place() + 1;
        self.nodes.push(Node {
            kind,
            start: offset(start),
            end: offset(self.at),
            next,
        });
    }

    fn open(&mut self, kind: Kind) {
        let place = self.place();
        self.open.push(place);
        self.within = if kind == Kind::Object {
            Within::Object
        } else {
            Within::List
        };
        self.push(kind, self.at);
        self.at += 1;
        self.space();
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key"));
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let start = self.at;
        let mut kind = Kind::Plain;
        loop {
            self.at += plain_bytes(&self.text[self.at..]);
            if self.at == self.text.len() {
                return Err(self.expected("the end of a string"));
            }
            match self.text[self.at] {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(self.expected("no control character in a string")),
            }
            kind = Kind::Escaped;
        }
        self.push(kind, start);
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let rest = &self.text[self.at + 1..];
        let length = match rest.first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.len() > 4 && rest[1..5].iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return Err(self.expected("an escape that there is")),
        };
        self.at += length;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let words = [
            ("null", Kind::Null),
            ("true", Kind::True),
            ("false", Kind::False),
            ("NaN", Kind::Number),
            ("Infinity", Kind::Number),
            ("-Infinity", Kind::Number),
        ];
        let rest = &self.text[start..];
        if matches!(rest.first(), Some(b'-' | b'0'..=b'9'))
            && let Some(length) = number(rest)
        {
            self.at += length;
            self.push(Kind::Number, start);
            return Ok(());
        }
        for (word, kind) in words {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                self.push(kind, start);
                return Ok(());
            }
        }
        Err(self.expected("a value"))
    }
}

/// How many bytes of a string stand for themselves, up to the first that ends it, escapes something or may not be in it.
///
/// Most of an answer's bytes are in its strings, so that eight of them are looked at in one step: a byte that is less
/// than `n` borrows into its highest bit when `n` is taken from it, and the lowest such byte is no false alarm.
fn plain_bytes(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let less = |word: u64, than: u64| word.wrapping_sub(ONES * than) & !word;
    let (words, rest) = text.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = less(word ^ (ONES * u64::from(b'"')), 1);
        let escapes = less(word ^ (ONES * u64::from(b'\\')), 1);
        let special = (less(word, 0x20) | quotes | escapes) & HIGHS;
        if special != 0 {
            return place * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let special = |&byte: &u8| byte < b' ' || byte == b'"' || byte == b'\\';
    words.len() * 8 + rest.iter().position(special).unwrap_or(rest.len())
}

/// The length of the number at the beginning of a text.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let digits = text[from..].iter().take_while(|byte| byte.is_ascii_digit());
        Some(digits.count()).filter(|&count| count > 0)
    };
    let mut at = usize::from(text[0] == b'-');
    at += match text.get(at) {
        Some(b'0') => 1,
        _ => digits(at)?,
    };
    if text.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at += digits(at)?;
    }
    Some(at)
}

/// A place in a text that was found to be shorter than 4 GiB, or among its nodes, of which there are no more.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the text's length is checked before it is read"
)]
const fn offset(place: usize) -> u32 {
    place as u32
}

#[cfg(test)]
mod tests {
    use super::Tape;
    use proptest::prelude::*;

    fn is_json(text: &str) -> bool {
        Tape::default().read(text).is_ok()
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (text, words) in [
            ("", "a value at byte 0"),
            ("{", "a key at byte 1"),
            ("{\"a\" 1}", "a colon at byte 5"),
            ("[1,]", "a value at byte 3"),
            ("[1 2]", "a comma or ] at byte 3"),
            ("{\"a\":1]", "a comma or } at byte 6"),
            ("{} {}", "the end at byte 3"),
            ("\"a", "the end of a string at byte 2"),
            ("\"a\nb\"", "no control character in a string at byte 2"),
            ("\"\\x\"", "an escape that there is at byte 1"),
            ("01", "the end at byte 1"),
            ("-", "a value at byte 0"),
            ("1.", "a value at byte 0"),
        ] {
            let fault = Tape::default().read(text).map(<[_]>::len).unwrap_err();
            assert!(fault.to_string().contains(words), "{text}: {fault}");
        }
    }

    #[test]
    fn strings_of_any_length_end_where_they_do() {
        for length in 0..40 {
            for special in ["\"", "\\n\"", "\u{1f}\"", "\u{7f}é\""] {
                let text = format!("\"{}{special}", "a!# ".repeat(10).split_at(length).0);
                let reference = serde_json::from_str::<String>(&text).is_ok();
                assert_eq!(is_json(&text), reference, "{text:?}");
            }
        }
    }

    #[test]
    fn what_json_parsers_stumble_over_is_read() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in [
            &deep,
            "1e999",
            "-0.0e-7",
            "\"\\ud83d\"",
            "NaN",
            "[-Infinity]",
        ] {
            assert!(is_json(text), "{}", &text[..text.len().min(20)]);
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_json_is_read_and_none_of_it_cut_short(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert!(is_json(&text));
            for (end, _) in text.char_indices() {
                let cut = &text[..end];
                prop_assert_eq!(is_json(cut), serde_json::from_str::<serde_json::Value>(cut).is_ok(), "{}", cut);
            }
        }

        #[test]
        fn what_it_reads_is_what_the_standard_calls_json(text in r#"[\[\]{}",:0-9.eE+\-tfn a\\u]{0,24}"#) {
            let reference = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(is_json(&text), reference, "{}", text);
        }
    }
}
