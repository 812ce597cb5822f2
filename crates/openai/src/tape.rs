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
    /// Reads one JSON value; only white space may follow it. It can be nested as deep as its text is long.
    pub(crate) fn read(&mut self, text: &str) -> Result<&[Node], Fault> {
        if self.nodes.capacity() > KEPT_NODES_MAX {
            *self = Self::default();
        }
        self.nodes.clear();
        self.open.clear();
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            tape: self,
        };
        if u32::try_from(text.len()).is_err() {
            return Err(reader.expected("less than 4 GiB"));
        }
        reader.values()?;
        reader.space();
        match reader.peek() {
            None => Ok(&self.nodes),
            Some(_) => Err(reader.expected("the end")),
        }
    }
}

struct Reader<'r> {
    text: &'r [u8],
    at: usize,
    tape: &'r mut Tape,
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
            let Some(&opened) = self.tape.open.last() else {
                return Ok(true);
            };
            self.space();
            let is_object = self.tape.nodes[opened as usize].kind == Kind::Object;
            match (self.peek(), is_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.space();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.tape.open.pop();
                    let next = self.place();
                    let node = &mut self.tape.nodes[opened as usize];
                    node.end = offset(self.at);
                    node.next = next;
                }
                (_, true) => return Err(self.expected("a comma or }")),
                (_, false) => return Err(self.expected("a comma or ]")),
            }
        }
    }

    /// The place of the next node.
    fn place(&self) -> u32 {
        offset(self.tape.nodes.len())
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let next = self.place() + 1;
        self.tape.nodes.push(Node {
            kind,
            start: offset(start),
            end: offset(self.at),
            next,
        });
    }

    fn open(&mut self, kind: Kind) {
        let place = self.place();
        self.tape.open.push(place);
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
            let rest = &self.text[self.at..];
            let special = |&byte: &u8| byte < b' ' || byte == b'"' || byte == b'\\';
            let Some(plain) = rest.iter().position(special) else {
                self.at = self.text.len();
                return Err(self.expected("the end of a string"));
            };
            self.at += plain;
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

/// A place in a text that was found to be short enough.
fn offset(place: usize) -> u32 {
    u32::try_from(place).expect("texts are shorter than 4 GiB, and have no more nodes than bytes")
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
