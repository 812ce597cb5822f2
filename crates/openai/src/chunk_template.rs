//! The bytes that the chunks of a stream have in common.

use crate::EventKind;

/// The bytes that the chunks of one stream have in common.
///
/// The chunks of a stream nearly always differ in their generated text alone: same id, same model,
/// same fields in the same order. Once one chunk was parsed, another that has the same bytes before
/// and after its text parses to the same but for that text, so that it need not be parsed again.
/// This holds as long as the text is one JSON string without quotes, escapes or control
/// characters; anything else is left to the parser.
#[derive(Clone, Debug)]
pub(crate) struct ChunkTemplate {
    /// The chunk it was learned from.
    data: Vec<u8>,
    /// Where the text begins in it, after the opening quote.
    start: usize,
    /// Where the text ends, before the closing quote.
    end: usize,
    /// Of the choice that has the text.
    pub(crate) kind: EventKind,
    /// Index of that choice.
    pub(crate) choice: u32,
    /// Where the text goes on in what was gathered of the answer.
    pub(crate) text_place: usize,
}

impl ChunkTemplate {
    /// Learns from a chunk whose only text is `text`, a slice of `data`. The memory of what was known before
    /// serves again.
    pub(crate) fn learn(
        known: Option<Self>,
        data: &str,
        text: &str,
        kind: EventKind,
        choice: u32,
        text_place: usize,
    ) -> Self {
        let start = text.as_ptr().addr() - data.as_ptr().addr();
        let end = start + text.len();
        debug_assert_eq!(&data[start..end], text, "the text is a slice of the data");
        let mut kept = known.map(|known| known.data).unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(data.as_bytes());
        Self {
            data: kept,
            start,
            end,
            kind,
            choice,
            text_place,
        }
    }

    /// What stands in `data` where the text stood, if all else is as learned.
    pub(crate) fn between<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let rest = data.strip_prefix(&self.data[..self.start])?;
        let text = rest.strip_suffix(&self.data[self.end..])?;
        (!text.is_empty()).then_some(text)
    }
}

/// The text that these bytes are within a JSON string, if they stand for themselves; absent where a parser must look.
pub(crate) fn plain_text(bytes: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    if !bytes.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{ChunkTemplate, plain_text};
    use crate::EventKind;

    #[test]
    fn only_a_plain_text_in_the_same_surroundings_is_recognised() {
        let data = r#"{"text":"abc"}"#;
        let template = ChunkTemplate::learn(None, data, &data[9..12], EventKind::Content, 0, 0);
        let text = |data| plain_text(template.between(data)?);
        assert_eq!(text(data.as_bytes()), Some("abc"));
        assert_eq!(
            text("{\"text\":\" né\u{7f}\"}".as_bytes()),
            Some(" né\u{7f}")
        );
        for other in [
            r#"{"text":""}"#,
            r#"{"text":"}"#,
            r#"{"text":"a"b"}"#,
            r#"{"text":"a","n":"b"}"#,
            r#"{"text":"a\"}"#,
            "{\"text\":\"a\nb\"}",
            r#"{"text": "abc"}"#,
            r#"{"text":"abc"} "#,
        ] {
            assert_eq!(text(other.as_bytes()), None, "{other}");
        }
        assert_eq!(text(b"{\"text\":\"\xff\"}"), None);
    }
}
