//! What a provider without a model needs to know of a request.

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
    /// `max_completion_tokens`, else `max_tokens`, else `max_output_tokens`.
    pub max_tokens: Option<u64>,
    /// Choices asked for; 1 where absent.
    pub n: u32,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// Whitespace-separated words in all messages or the prompt; of a prompt of token ids, the ids.
    pub prompt_words: u64,
    /// Prompts of a completion: each gets its own choices. 1 for a chat.
    pub prompts: u32,
    /// Name of the first function among `tools`, where there is one.
    pub tool: Option<String>,
    /// Whether `tool_choice` is `none`.
    pub tools_forbidden: bool,
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
            Endpoint::Responses => (wire.input, "input"),
        };
        let prompt = prompt.ok_or(RequestError::MissingPrompt { field, endpoint })?;
        let prompts = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Responses => 1,
            Endpoint::Completions => prompt.texts.max(1),
        };
        Ok(Self {
            model: wire.model.map(Cow::into_owned),
            stream: wire.stream.unwrap_or(false),
            max_tokens: wire
                .max_completion_tokens
                .or(wire.max_tokens)
                .or(wire.max_output_tokens),
            n: match endpoint {
                Endpoint::Responses => 1,
                Endpoint::ChatCompletions | Endpoint::Completions => wire.n.unwrap_or(1),
            },
            include_usage: wire
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            prompt_words: prompt.words,
            prompts,
            tool: wire.tools.and_then(|tools| tools.0),
            tools_forbidden: matches!(wire.tool_choice, Some(ToolChoice::Word(ref word)) if word == "none"),
        })
    }
}

#[derive(Deserialize)]
struct WireRequest<'a> {
    model: Option<Cow<'a, str>>,
    messages: Option<Words>,
    prompt: Option<Words>,
    input: Option<Words>,
    max_output_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<WireStreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u32>,
    tools: Option<FirstTool>,
    tool_choice: Option<ToolChoice<'a>>,
}

#[derive(Deserialize)]
struct WireStreamOptions {
    include_usage: Option<bool>,
}

/// A word, or the object that names a function.
#[derive(Deserialize)]
#[serde(untagged)]
enum ToolChoice<'a> {
    Word(Cow<'a, str>),
    Function(IgnoredAny),
}

/// The name of the first function of a list of tools.
struct FirstTool(Option<String>);

impl<'de> Deserialize<'de> for FirstTool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tool {
            function: Option<Function>,
        }
        #[derive(Deserialize)]
        struct Function {
            name: Option<String>,
        }
        let tools = Vec::<Tool>::deserialize(deserializer)?;
        let mut functions = tools.into_iter().filter_map(|tool| tool.function);
        Ok(FirstTool(functions.find_map(|function| function.name)))
    }
}

/// The words of a prompt in any of its shapes: text, a list of texts or token ids, messages, and
/// messages whose content is a list of parts. Counted while parsing, so that no text is copied.
#[derive(Clone, Copy, Default)]
struct Words {
    words: u64,
    /// Texts and lists of token ids.
    texts: u32,
}

impl Words {
    fn add(&mut self, other: Words) {
        self.words += other.words;
        self.texts = self.texts.saturating_add(other.texts);
    }
}

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
        Ok(Words {
            words: text.split_whitespace().count() as u64,
            texts: 1,
        })
    }

    fn visit_u64<E>(self, _token_id: u64) -> Result<Words, E> {
        Ok(Words { words: 1, texts: 0 })
    }

    fn visit_unit<E>(self) -> Result<Words, E> {
        Ok(Words::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Words, A::Error> {
        let mut sum = Words::default();
        while let Some(item) = items.next_element()? {
            sum.add(item);
        }
        // A list of token ids is one prompt.
        sum.texts = sum.texts.max(1);
        Ok(sum)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Words, A::Error> {
        let mut sum = Words::default();
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            if matches!(&*name, "content" | "text") {
                sum.add(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(sum)
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
            prompts: 1,
            tool: None,
            tools_forbidden: false,
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
        for (prompt, words, prompts) in [
            (r#""a b c""#, 3, 1),
            (r#"["a b","c"]"#, 3, 2),
            ("[1,2,3,4]", 4, 1),
            ("[[1,2],[3]]", 3, 2),
            ("[]", 0, 1),
        ] {
            let body = format!(r#"{{"prompt":{prompt}}}"#);
            let view = RequestView::parse(body.as_bytes(), Endpoint::Completions).unwrap();
            assert_eq!(view.prompt_words, words, "{prompt}");
            assert_eq!(view.prompts, prompts, "{prompt}");
        }
    }

    #[test]
    fn the_first_function_is_the_one_to_call_unless_none_may_be() {
        let view = chat(
            r#"{"messages":[],"tools":[{"type":"other"},{"type":"function","function":{"name":"f",
            "parameters":{}}},{"function":{"name":"g"}}],"tool_choice":"auto"}"#,
        )
        .unwrap();
        assert_eq!(
            (view.tool.as_deref(), view.tools_forbidden),
            (Some("f"), false)
        );
        let view = chat(r#"{"messages":[],"tools":null,"tool_choice":"none"}"#).unwrap();
        assert_eq!((view.tool, view.tools_forbidden), (None, true));
        let view = chat(r#"{"messages":[],"tool_choice":{"type":"function"}}"#).unwrap();
        assert!(!view.tools_forbidden);
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
