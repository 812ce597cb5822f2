//! A strict JSON reader for request bodies from outside.
//!
//! It is stricter than serde: a key that comes twice is an error (two readers could disagree about
//! which one counts), and so is deep nesting. It keeps numbers as they were written, so that a
//! refusal can show `1e309` or `NaN` beside the name of its field.

use std::borrow::Cow;
use thiserror::Error;

/// Deeper nesting than any request needs, and little enough for every stack.
pub const DEPTH_MAX: usize = 64;

/// A JSON value whose texts are borrowed from the body where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// As it was written. `NaN` and `Infinity`, which some clients write, come as numbers too:
    /// no field takes them, and the refusal names the field.
    Number(&'a str),
    /// With its escapes resolved.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Json<'a>>),
    /// Keys in the order written, none twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a text is not the JSON that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Something else stands where the grammar wants a value, a key or a sign.
    #[error("expected {expected} at byte {offset}")]
    Unexpected {
        /// What the grammar wants.
        expected: &'static str,
        /// Where, from 0.
        offset: usize,
    },
    /// The same key twice in one object.
    #[error("the key `{key}` comes twice in one object, before byte {offset}; send it once")]
    DuplicateKey {
        /// The key, cut at 64 characters.
        key: String,
        /// Where the object ends.
        offset: usize,
    },
    /// More than [`DEPTH_MAX`] lists and objects in each other.
    #[error("lists and objects are nested more than {DEPTH_MAX} deep at byte {offset}")]
    TooDeep {
        /// Where the one too many begins.
        offset: usize,
    },
}

impl<'a> Json<'a> {
    /// Reads one value; only white space may follow it.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0 };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() {
            Ok(value)
        } else {
            Err(reader.expected("the end of the text"))
        }
    }

    /// What it is, for messages: `a string`, `a list` and so on.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Unexpected {
            expected,
            offset: self.at,
        }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn word(&mut self, word: &'static str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.expected("a JSON value"))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => Err(JsonError::TooDeep { offset: self.at }),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'N') => self.word("NaN", Json::Number("NaN")),
            Some(b'I') => self.word("Infinity", Json::Number("Infinity")),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth)?);
            self.space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Json::Array(items));
            }
            self.take(b',', "`,` or `]`")?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut fields = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(fields));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in quotes"));
            }
            let key = self.string()?;
            self.space();
            self.take(b':', "`:`")?;
            self.space();
            fields.push((key, self.value(depth)?));
            self.space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                self.no_key_twice(&fields)?;
                return Ok(Json::Object(fields));
            }
            self.take(b',', "`,` or `}`")?;
        }
    }

    /// Sorting finds equal keys in n·log n; a hash table would cost more for the few keys there are.
    fn no_key_twice(&self, fields: &[(Cow<'a, str>, Json<'a>)]) -> Result<(), JsonError> {
        let mut keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(JsonError::DuplicateKey {
                key: pair[0].chars().take(64).collect(),
                offset: self.at,
            }),
            None => Ok(()),
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.expected("a digit"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Json<'a>, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                return self.word("Infinity", Json::Number("-Infinity"));
            }
        }
        // No leading zeros: JSON's grammar.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut out: Option<String> = None;
        loop {
            let start = self.at;
            let rest = &self.text.as_bytes()[start..];
            let plain = rest
                .iter()
                .position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')
                .unwrap_or(rest.len());
            self.at += plain;
            let piece = &self.text[start..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match out {
                        None => Cow::Borrowed(piece),
                        Some(mut text) => {
                            text.push_str(piece);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = out.get_or_insert_default();
                    text.push_str(piece);
                    self.at += 1;
                    let character = self.escape()?;
                    text.push(character);
                }
                Some(_) => return Err(self.expected("an escaped control character")),
                None => return Err(self.expected("the string's closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.peek().ok_or_else(|| self.expected("an escape"))?;
        let character = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.expected("an escape")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Four hexadecimal digits, and four more where they are the first half of a surrogate pair.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let code = if (0xD800..0xDC00).contains(&first) {
            self.take(b'\\', "the second half of a surrogate pair")?;
            self.take(b'u', "the second half of a surrogate pair")?;
            let second = self.hex4()?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err(self.expected("the second half of a surrogate pair"));
            }
            0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.expected("a Unicode character"))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or_else(|| self.expected("four hexadecimal digits"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, Json, JsonError};
    use proptest::prelude::*;
    use serde_json::Value;

    fn same(ours: &Json<'_>, serde: &Value) -> bool {
        match (ours, serde) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Number(a), Value::Number(b)) => {
                a.parse::<f64>().ok() == b.to_string().parse::<f64>().ok()
            }
            (Json::String(a), Value::String(b)) => a == b,
            (Json::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Json::Object(a), Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, value)| b.get(&**key).is_some_and(|other| same(value, other)))
            }
            _ => false,
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_read_the_same(value in values(), pretty in any::<bool>()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            prop_assert!(same(&Json::parse(&text).unwrap(), &value), "{}", text);
        }

        #[test]
        fn what_serde_refuses_is_refused(text in r#"[\[\]{}:,"\\a-fu0-9.eE+\- ntrlsuf]{0,24}"#) {
            if let Ok(ours) = Json::parse(&text) {
                // serde refuses numbers beyond f64; ours are read with their field.
                match serde_json::from_str::<Value>(&text) {
                    Ok(value) => prop_assert!(same(&ours, &value), "{}", text),
                    Err(error) => prop_assert!(error.to_string().contains("out of range"), "{text}: {error}"),
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,64}") {
            let _ = Json::parse(&text);
        }
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(
            Json::parse(r#""a\n\u00e9\ud83d\ude00\/""#).unwrap(),
            Json::String("a\né😀/".into())
        );
        for bad in [
            r#""\ud83d""#,
            r#""\ud83d\u0041""#,
            r#""\x""#,
            r#""\u12""#,
            "\"a\nb\"",
            "\"a",
        ] {
            assert!(Json::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_that_comes_twice_is_an_error_at_any_depth() {
        let error = Json::parse(r#"{"a":[{"b":1,"c":2,"b":3}]}"#).unwrap_err();
        assert!(matches!(error, JsonError::DuplicateKey { ref key, .. } if key == "b"));
        // The same key, written in another way.
        assert!(Json::parse(r#"{"a":1,"\u0061":2}"#).is_err());
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(
            Json::parse(&nested(DEPTH_MAX + 1)),
            Err(JsonError::TooDeep { offset: DEPTH_MAX })
        );
        assert!(Json::parse(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn numbers_stay_as_written() {
        assert_eq!(
            Json::parse("[1e309,NaN,-Infinity,1.50]").unwrap(),
            Json::Array(vec![
                Json::Number("1e309"),
                Json::Number("NaN"),
                Json::Number("-Infinity"),
                Json::Number("1.50")
            ])
        );
    }
}
