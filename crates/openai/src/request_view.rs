use crate::{Endpoint, RequestError};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a provider that does not run a model needs to know of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// `model`, where given.
    pub model: Option<String>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    /// Choices asked for; 1 where absent.
    pub n: u32,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// Whitespace-separated words in all messages or the prompt; of a prompt of token ids, the ids.
    pub prompt_words: u64,
}

impl RequestView {
    /// Reads a request body. Fields that are not in the view are not checked.
    pub fn parse(body: &[u8], endpoint: Endpoint) -> Result<Self, RequestError> {
        let wire: WireRequest =
            serde_json::from_slice(body).map_err(|error| RequestError::MalformedRequest {
                reason: error.to_string(),
            })?;
        let (prompt, field) = match endpoint {
            Endpoint::ChatCompletions => (wire.messages, "messages"),
            Endpoint::Completions => (wire.prompt, "prompt"),
        };
        let prompt = prompt.ok_or(RequestError::MissingPrompt { field, endpoint })?;
        Ok(Self {
            model: wire.model.map(Cow::into_owned),
            stream: wire.stream.unwrap_or(false),
            max_tokens: wire.max_completion_tokens.or(wire.max_tokens),
            n: wire.n.unwrap_or(1),
            include_usage: wire
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            prompt_words: prompt.0,
        })
    }
}

#[derive(Deserialize)]
struct WireRequest<'a> {
    model: Option<Cow<'a, str>>,
    messages: Option<Words>,
    prompt: Option<Words>,
    stream: Option<bool>,
    stream_options: Option<WireStreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u32>,
}

#[derive(Deserialize)]
struct WireStreamOptions {
    include_usage: Option<bool>,
}

/// The words of a prompt in any of its shapes: text, a list of texts or token ids, messages, and
/// messages whose content is a list of parts. Counted while parsing, so that no text is copied.
#[derive(Clone, Copy)]
struct Words(u64);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text, token ids or messages")
    }

    fn visit_str<E>(self, text: &str) -> Result<Words, E> {
        Ok(Words(text.split_whitespace().count() as u64))
    }

    fn visit_u64<E>(self, _token_id: u64) -> Result<Words, E> {
        Ok(Words(1))
    }

    fn visit_unit<E>(self) -> Result<Words, E> {
        Ok(Words(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Words, A::Error> {
        let mut words = 0;
        while let Some(Words(count)) = items.next_element()? {
            words += count;
        }
        Ok(Words(words))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Words, A::Error> {
        let mut words = 0;
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            if matches!(&*name, "content" | "text") {
                words += fields.next_value::<Words>()?.0;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Words(words))
    }
}

#[cfg(test)]
mod tests {
    use super::RequestView;
    use crate::{Endpoint, RequestError};

    fn chat(body: &str) -> Result<RequestView, RequestError> {
        RequestView::parse(body.as_bytes(), Endpoint::ChatCompletions)
    }

    #[test]
    fn every_field_of_the_view_is_read() {
        let view = chat(
            r#"{"model":"m","messages":[{"role":"system","content":"be  brief"},
            {"role":"user","content":[{"type":"text","text":"one two\nthree"}]}],
            "stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"n":2,"top_k":3}"#,
        );
        let expected = RequestView {
            model: Some("m".to_owned()),
            stream: true,
            max_tokens: Some(9),
            n: 2,
            include_usage: true,
            prompt_words: 5,
        };
        assert_eq!(view.unwrap(), expected);
    }

    #[test]
    fn absent_and_null_fields_mean_the_defaults_of_the_api() {
        for body in [
            r#"{"messages":[]}"#,
            r#"{"messages":[{"role":"assistant","content":null}],"model":null,"stream":null,
            "stream_options":null,"max_tokens":null,"n":null}"#,
        ] {
            let view = chat(body).unwrap();
            assert_eq!(
                (view.model, view.stream, view.max_tokens),
                (None, false, None)
            );
            assert_eq!(
                (view.n, view.include_usage, view.prompt_words),
                (1, false, 0)
            );
        }
    }

    #[test]
    fn a_prompt_may_be_text_texts_or_token_ids() {
        for (prompt, words) in [(r#""a b c""#, 3), (r#"["a b","c"]"#, 3), ("[1,2,3,4]", 4)] {
            let body = format!(r#"{{"prompt":{prompt}}}"#);
            let view = RequestView::parse(body.as_bytes(), Endpoint::Completions).unwrap();
            assert_eq!(view.prompt_words, words, "{prompt}");
        }
    }

    #[test]
    fn the_newer_token_limit_wins_over_the_older() {
        let view = chat(r#"{"messages":[],"max_tokens":5,"max_completion_tokens":6}"#).unwrap();
        assert_eq!(view.max_tokens, Some(6));
    }

    #[test]
    fn a_request_without_its_prompt_names_the_field() {
        let error = chat(r#"{"prompt":"x"}"#).unwrap_err();
        assert!(matches!(
            error,
            RequestError::MissingPrompt {
                field: "messages",
                ..
            }
        ));
        let error = RequestView::parse(br#"{"messages":[]}"#, Endpoint::Completions).unwrap_err();
        assert!(matches!(
            error,
            RequestError::MissingPrompt {
                field: "prompt",
                ..
            }
        ));
    }

    #[test]
    fn bad_bodies_are_refused_and_never_panic() {
        let deep = format!(r#"{{"messages":{}"#, "[".repeat(10_000));
        for body in [
            "",
            "[",
            "[]",
            "1",
            "{",
            r#"{"messages":true}"#,
            &deep,
            "{\"messages\":[]}x",
        ] {
            assert!(
                matches!(chat(body), Err(RequestError::MalformedRequest { .. })),
                "{body:.40}"
            );
        }
        for limit in ["-1", "1.5", "\"10\"", "18446744073709551616"] {
            let body = format!(r#"{{"messages":[],"max_tokens":{limit}}}"#);
            assert!(
                matches!(chat(&body), Err(RequestError::MalformedRequest { .. })),
                "{limit}"
            );
        }
        assert!(RequestView::parse(b"{\"prompt\":\"\xff\"}", Endpoint::Completions).is_err());
    }
}
