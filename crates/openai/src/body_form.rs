//! What a body looks like, whatever its label says.

use crate::tape::Tape;
use crate::value::Document;

/// How a body is to be read. Gateways send good streams without a content type, or with that of something else, and
/// servers stream though nobody asked for it: the bytes say what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// Server-sent events.
    Events,
    /// Chunks, a line each, without the fields of server-sent events.
    Lines,
    /// One value, or no answer at all.
    Whole,
}

/// How lines of server-sent events begin.
const FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];

/// Without a line that tells, so much of a body does.
const UNDECIDED_BYTES_MAX: usize = 64 * 1024;

impl BodyForm {
    /// The form of a body that begins so; absent where more of it must come first.
    pub fn of(begins: &[u8]) -> Option<Self> {
        let text = begins.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begins);
        let text = text.trim_ascii_start();
        let too_long = text.len() > UNDECIDED_BYTES_MAX;
        let Some(first) = text.first() else {
            // Decided, so that what goes on so is not looked at again and again.
            return (begins.len() > UNDECIDED_BYTES_MAX).then_some(Self::Whole);
        };
        match first {
            b'{' => Self::of_object(text).or(too_long.then_some(Self::Whole)),
            b'<' | b'[' | b'"' => Some(Self::Whole),
            _ if FIELDS.iter().any(|field| text.starts_with(field)) => Some(Self::Events),
            _ if FIELDS.iter().any(|field| field.starts_with(text)) => None,
            // Fields of other names may stand before the first that is known.
            _ if [b"\ndata:", b"\rdata:"]
                .iter()
                .any(|line| holds(text, *line)) =>
            {
                Some(Self::Events)
            }
            _ => too_long.then_some(Self::Whole),
        }
    }

    /// Of what begins with an object: lines, if a whole object is the first and another one follows.
    fn of_object(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|&byte| byte == b'\n')?;
        let (first, rest) = text.split_at(end);
        match rest.trim_ascii_start().first() {
            _ if !first.trim_ascii_end().ends_with(b"}") => Some(Self::Whole),
            None => None,
            Some(b'{') => Some(Self::Lines),
            Some(_) => Some(Self::Whole),
        }
    }
}

/// Whether a body that is over is one JSON object, on whatever lines: [`BodyForm::of`] waits for what may follow.
pub fn is_object(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut tape = Tape::default();
    Document::read(&mut tape, text.trim_start_matches('\u{feff}'))
        .is_ok_and(|document| document.root().is_object())
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::{BodyForm, is_object};

    #[test]
    fn a_whole_object_is_none_that_was_cut() {
        assert!(is_object(b"{\"error\":{\"message\":\"out of memory\"}}\n"));
        for other in ["{\"choices\":[", "[1]", "data: {}", ""] {
            assert!(!is_object(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn bodies_are_told_apart_by_how_they_begin() {
        for (text, form) in [
            ("data: {}\n\n", Some(BodyForm::Events)),
            ("\u{feff}\n\n: ping\n\n", Some(BodyForm::Events)),
            ("event:x\ndata: 1\n\n", Some(BodyForm::Events)),
            ("x-note: 1\ndata: {}\n\n", Some(BodyForm::Events)),
            ("dat", None),
            (" \n", None),
            ("", None),
            ("Error: no", None),
            ("<html>data: x", Some(BodyForm::Whole)),
            ("[1]", Some(BodyForm::Whole)),
            ("{\n  \"a\": 1\n}", Some(BodyForm::Whole)),
            ("{\"a\":\"\\ndata: \"", None),
            ("{\"a\":1}\n", None),
            ("{\"a\":1}\r\n\n{\"a", Some(BodyForm::Lines)),
            ("{\"a\":1}\nx", Some(BodyForm::Whole)),
        ] {
            assert_eq!(BodyForm::of(text.as_bytes()), form, "{text:?}");
        }
        let long = "{\"a\":\"".to_owned() + &"x".repeat(70_000);
        assert_eq!(BodyForm::of(long.as_bytes()), Some(BodyForm::Whole));
        assert_eq!(BodyForm::of(&vec![b'x'; 70_000]), Some(BodyForm::Whole));
        assert_eq!(BodyForm::of(&vec![b'\n'; 70_000]), Some(BodyForm::Whole));
    }
}
