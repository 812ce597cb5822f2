//! One value of a JSON text that was read onto a tape: asked for what it is known to be, it never fails.

use crate::tape::{Fault, Kind, Node, Tape};
use std::borrow::Cow;

/// A text, and the tape that it was read onto.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'t, 'a> {
    nodes: &'t [Node],
    text: &'a str,
}

/// A place on the tape of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'t, 'a> {
    document: &'t Document<'t, 'a>,
    at: u32,
}

impl<'t, 'a> Document<'t, 'a> {
    /// Reads a text.
    pub(crate) fn read(tape: &'t mut Tape, text: &'a str) -> Result<Self, Fault> {
        let nodes = tape.read(text)?;
        Ok(Self { nodes, text })
    }

    /// All of it.
    pub(crate) const fn root(&'t self) -> Value<'t, 'a> {
        Value {
            document: self,
            at: 0,
        }
    }
}

impl<'t, 'a> Value<'t, 'a> {
    fn node(&self) -> &'t Node {
        &self.document.nodes[self.at as usize]
    }

    pub(crate) fn kind(&self) -> Kind {
        self.node().kind
    }

    /// What it is, for messages: `a string`, `a list` and so on.
    pub(crate) fn kind_words(&self) -> &'static str {
        match self.kind() {
            Kind::Null => "null",
            Kind::True | Kind::False => "a boolean",
            Kind::Number => "a number",
            Kind::Plain | Kind::Escaped => "a string",
            Kind::List => "a list",
            Kind::Object => "an object",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    pub(crate) fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    pub(crate) fn is_list(&self) -> bool {
        self.kind() == Kind::List
    }

    /// What stands between its ends: of a string without the quotes.
    fn inside(&self) -> &'a str {
        let node = self.node();
        &self.document.text[node.start as usize..node.end as usize]
    }

    /// Its JSON, as it was sent.
    pub(crate) fn raw(&self) -> &'a str {
        let node = self.node();
        let quote = usize::from(matches!(node.kind, Kind::Plain | Kind::Escaped));
        &self.document.text[node.start as usize - quote..node.end as usize + quote]
    }

    /// The string that it is, borrowed where it has no escapes. Half of a surrogate pair, which JSON can
    /// say and UTF-8 cannot, is replaced.
    pub(crate) fn string(&self) -> Option<Cow<'a, str>> {
        match self.kind() {
            Kind::Plain => Some(Cow::Borrowed(self.inside())),
            Kind::Escaped => Some(Cow::Owned(unescaped(self.inside()))),
            _ => None,
        }
    }

    /// The number that it is, as it was written.
    pub(crate) fn number(&self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| self.inside())
    }

    /// The whole number, from 0 on, that it is in any notation: `5`, `5.0`, `5e0` or `"5"`. What is above
    /// 2^53, from where on programs disagree about numbers in JSON, counts nothing.
    pub(crate) fn count(&self) -> Option<u64> {
        const MOST: u64 = 1 << 53;
        let string;
        let text = if let Some(number) = self.number() {
            number
        } else {
            string = self.string()?;
            string.trim()
        };
        if let Ok(count) = text.parse::<u64>() {
            return (count <= MOST).then_some(count);
        }
        let number: f64 = text.parse().ok()?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and between 0 and 2^53"
        )]
        let count = || number as u64;
        (number.fract() == 0.0 && (0.0..=MOST as f64).contains(&number)).then(count)
    }

    /// The fields of the object that it is, in their order; none of anything else.
    pub(crate) fn fields(&self) -> Fields<'t, 'a> {
        let node = self.node();
        let end = match node.kind {
            Kind::Object => node.next,
            _ => self.at + 1,
        };
        Fields {
            document: self.document,
            at: self.at + 1,
            end,
        }
    }

    /// The field of that name: the last one, as most parsers have it.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'t, 'a>> {
        let named = self.fields().filter(|(key, _)| key == name);
        named.last().map(|(_, value)| value)
    }

    /// The items of the list that it is, or itself where it is an object: some servers send one thing
    /// where a list of them is due.
    pub(crate) fn items_or_itself(&self) -> impl Iterator<Item = Value<'t, 'a>> + use<'t, 'a> {
        let itself = self.is_object().then_some(*self);
        itself.into_iter().chain(self.items())
    }

    /// The items of the list that it is; none of anything else.
    pub(crate) fn items(&self) -> Items<'t, 'a> {
        let end = if self.is_list() {
            self.node().next
        } else {
            self.at + 1
        };
        let next = Self {
            at: self.at + 1,
            ..*self
        };
        Items { next, end }
    }

    /// Whether it says nothing, as the `error` of an answer that has none: null, false, 0, an empty text,
    /// or nothing but such.
    pub(crate) fn says_nothing(&self) -> bool {
        let places = self.at..self.node().next;
        let mut inside = places.map(|at| Self { at, ..*self });
        inside.all(|value| match value.kind() {
            Kind::Null | Kind::False | Kind::List | Kind::Object => true,
            Kind::True => false,
            Kind::Number => value
                .inside()
                .parse()
                .is_ok_and(|number: f64| number == 0.0),
            Kind::Plain | Kind::Escaped => value.inside().trim().is_empty() || value.is_key(),
        })
    }

    /// Whether the string is the key of an object: a colon follows it.
    fn is_key(&self) -> bool {
        let end = self.node().end as usize + 1;
        self.document.text[end..].trim_start().starts_with(':')
    }
}

/// The fields of an object.
pub(crate) struct Fields<'t, 'a> {
    document: &'t Document<'t, 'a>,
    at: u32,
    end: u32,
}

impl<'t, 'a> Iterator for Fields<'t, 'a> {
    type Item = (Cow<'a, str>, Value<'t, 'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let document = self.document;
        let at = self.at + 1;
        let [key, value] = document.nodes.get(self.at as usize..)?.first_chunk()?;
        self.at = value.next;
        let name = &document.text[key.start as usize..key.end as usize];
        let name = match key.kind {
            Kind::Escaped => Cow::Owned(unescaped(name)),
            _ => Cow::Borrowed(name),
        };
        Some((name, Value { document, at }))
    }
}

/// The items of a list.
pub(crate) struct Items<'t, 'a> {
    next: Value<'t, 'a>,
    end: u32,
}

impl<'t, 'a> Iterator for Items<'t, 'a> {
    type Item = Value<'t, 'a>;

    fn next(&mut self) -> Option<Value<'t, 'a>> {
        let current = self.next;
        if current.at >= self.end {
            return None;
        }
        self.next.at = current.node().next;
        Some(current)
    }
}

/// Resolves the escapes of a string that was read before.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, length) = code_point(rest);
                rest = &rest[length..];
                character
            }
            other => char::from(other),
        });
    }
    out.push_str(rest);
    out
}

/// The character whose code stands at the beginning, after `\u`, and the bytes that it takes.
fn code_point(text: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else {
        return (char::REPLACEMENT_CHARACTER, 0);
    };
    let second = text.get(4..6).filter(|&start| start == "\\u");
    let second = second.and_then(|_| unit(6));
    let units = [first, second.unwrap_or_default()];
    match char::decode_utf16(units).next() {
        Some(Ok(character)) => (character, if character.len_utf16() == 2 { 10 } else { 4 }),
        _ => (char::REPLACEMENT_CHARACTER, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Tape, Value};
    use proptest::prelude::*;

    fn with<T>(text: &str, read: impl FnOnce(Value<'_, '_>) -> T) -> T {
        read(Document::read(&mut Tape::default(), text).unwrap().root())
    }

    fn string(text: &str) -> String {
        with(text, |value| value.string().unwrap().into_owned())
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_the_text_goes_on() {
        assert_eq!(string(r#"" \ud83d""#), " \u{fffd}");
        assert_eq!(string(r#""\ude00!""#), "\u{fffd}!");
        assert_eq!(string(r#""\ud83d\ude00""#), "😀");
        assert_eq!(string(r#""\ud83d\ud83d\ude00""#), "\u{fffd}😀");
        assert_eq!(string(r#""\ud83d\u0041""#), "\u{fffd}A");
    }

    #[test]
    fn a_count_is_a_whole_number_in_any_notation() {
        for text in ["5", "5.0", "5e0", "0.5e1", "\"5\"", "\" 5.0 \""] {
            assert_eq!(with(text, |value| value.count()), Some(5), "{text}");
        }
        assert_eq!(with("-0.0", |value| value.count()), Some(0));
        assert_eq!(
            with("9007199254740992", |value| value.count()),
            Some(1 << 53)
        );
        for text in [
            "-1",
            "5.5",
            "true",
            "null",
            "[5]",
            "{}",
            "\"five\"",
            "\"\"",
            "1e999",
            "NaN",
            "9007199254740993",
            "18446744073709551615",
            "1e300",
        ] {
            assert_eq!(with(text, |value| value.count()), None, "{text}");
        }
    }

    #[test]
    fn fields_are_found_by_their_names_escaped_or_not_and_the_last_one_counts() {
        let text = r#"{"a":{"b":[1,{"c":2}]},"\u0062":"x","a":[ 3 , 4 ]}"#;
        with(text, |value| {
            let items: Vec<_> = value.get("a").unwrap().items().collect();
            assert_eq!(items.iter().map(Value::raw).collect::<Vec<_>>(), ["3", "4"]);
            assert_eq!(value.get("b").unwrap().raw(), "\"x\"");
            assert!(value.get("c").is_none() && value.items().next().is_none());
        });
    }

    #[test]
    fn an_error_that_says_nothing_is_told_from_one_that_does() {
        for text in [
            "null",
            "false",
            "0",
            "\" \"",
            "{}",
            "[]",
            r#"{"message":"","code":null,"x":[{"y":0}]}"#,
        ] {
            assert!(with(text, |value| value.says_nothing()), "{text}");
        }
        for text in ["true", "1", "\"x\"", r#"{"message":"x"}"#, r#"[{"y":"z"}]"#] {
            assert!(!with(text, |value| value.says_nothing()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_read_as_they_were_written(text in any::<String>(), ascii in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if ascii {
                let escape = |unit: &u16| format!("\\u{unit:04x}");
                let units: String = text.encode_utf16().collect::<Vec<_>>().iter().map(escape).collect();
                json = format!("\"{units}\"");
            }
            prop_assert_eq!(string(&json), text);
        }
    }
}
