use crate::response::server_error;
use crate::{EventKind, Usage};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// One chunk of a stream, of chat or of completions. Fields that are absent, null or unknown are
/// no error: servers differ in them.
#[derive(Debug, Default, Deserialize)]
pub struct Chunk<'a> {
    /// What each choice received.
    #[serde(borrow, default)]
    pub choices: Choices<'a>,
    /// Token counts so far, in the last chunk or in every one.
    pub usage: Option<Usage>,
    #[serde(borrow, default)]
    object: Text<'a>,
    error: Option<Value>,
    message: Option<Value>,
}

impl<'a> Chunk<'a> {
    /// Decodes the data of one event. Text without escapes is borrowed from it.
    pub fn parse(data: &'a str) -> Result<Self, serde_json::Error> {
        // Serde would read a list as the fields of a struct in order.
        if !data.trim_start().starts_with('{') {
            return Err(serde_json::Error::custom("expected a JSON object"));
        }
        serde_json::from_str(data)
    }

    /// The server's message where the chunk is an error in place of a chunk.
    pub fn server_error(&self) -> Option<String> {
        server_error(&self.object, self.error.as_ref(), self.message.as_ref())
    }
}

/// The choices of a chunk. A chunk nearly always has one, which costs no allocation.
#[derive(Debug, Default)]
pub struct Choices<'a> {
    /// The first in the order sent.
    pub first: Option<ChunkChoice<'a>>,
    /// The others.
    pub more: Vec<ChunkChoice<'a>>,
}

impl<'a> Choices<'a> {
    /// All of them, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = &ChunkChoice<'a>> {
        self.first.iter().chain(&self.more)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChoicesVisitor;

        impl<'de> Visitor<'de> for ChoicesVisitor {
            type Value = Choices<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of choices")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Choices::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let first = items.next_element()?;
                let mut more = Vec::new();
                while let Some(choice) = items.next_element()? {
                    more.push(choice);
                }
                Ok(Choices { first, more })
            }
        }

        deserializer.deserialize_any(ChoicesVisitor)
    }
}

/// What one choice received in a chunk.
#[derive(Debug, Default, Deserialize)]
pub struct ChunkChoice<'a> {
    /// Which choice.
    #[serde(default, deserialize_with = "null_as_default")]
    pub index: u32,
    /// Of a chat.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub delta: Delta<'a>,
    /// Of a completion.
    #[serde(borrow, default)]
    pub text: Text<'a>,
    /// Why the choice ended; empty while it goes on.
    #[serde(borrow, default)]
    pub finish_reason: Text<'a>,
}

impl<'a> ChunkChoice<'a> {
    /// Generated text: the delta's, or the completion's.
    pub fn content(&self) -> &Text<'a> {
        if self.delta.content.is_empty() {
            &self.text
        } else {
            &self.delta.content
        }
    }

    /// What an event of this choice is; `Empty` without text.
    pub fn kind(&self) -> EventKind {
        if !self.content().is_empty() {
            EventKind::Content
        } else if self.delta.tool_call_bytes() > 0 {
            EventKind::ToolCall
        } else if !self.delta.reasoning().is_empty() {
            EventKind::Reasoning
        } else {
            EventKind::Empty
        }
    }

    /// Bytes of generated text of every kind.
    pub fn text_bytes(&self) -> usize {
        self.content().len() + self.delta.text_bytes() - self.delta.content.len()
    }
}

/// A message, or the next piece of one.
#[derive(Debug, Default, Deserialize)]
pub struct Delta<'a> {
    /// Who speaks: only in the first chunk of a choice, as a rule.
    #[serde(borrow, default)]
    pub role: Text<'a>,
    /// Generated text.
    #[serde(borrow, default)]
    pub content: Text<'a>,
    #[serde(borrow, default)]
    reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    reasoning: Text<'a>,
    /// Pieces of tool calls.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub tool_calls: Vec<ToolCall<'a>>,
}

impl<'a> Delta<'a> {
    /// Generated reasoning. Servers call it `reasoning_content`, `reasoning`, or both at once with
    /// the same text, which is then counted once.
    pub fn reasoning(&self) -> &Text<'a> {
        if self.reasoning_content.is_empty() {
            &self.reasoning
        } else {
            &self.reasoning_content
        }
    }

    /// Bytes of generated names and arguments of tool calls.
    pub fn tool_call_bytes(&self) -> usize {
        let bytes = |call: &ToolCall<'_>| call.function.name.len() + call.function.arguments.len();
        self.tool_calls.iter().map(bytes).sum()
    }

    /// Bytes of generated text of every kind.
    pub fn text_bytes(&self) -> usize {
        self.content.len() + self.reasoning().len() + self.tool_call_bytes()
    }
}

/// A tool call, or the next piece of one.
#[derive(Debug, Default, Deserialize)]
pub struct ToolCall<'a> {
    /// What is called.
    #[serde(borrow, default, deserialize_with = "null_as_default")]
    pub function: ToolFunction<'a>,
}

/// The name and arguments of a tool call.
#[derive(Debug, Default, Deserialize)]
pub struct ToolFunction<'a> {
    /// Its name, whole, in the call's first piece.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// JSON in pieces.
    #[serde(borrow, default)]
    pub arguments: Text<'a>,
}

/// A JSON string, borrowed where it has no escapes; empty where it is absent or null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or null")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::Chunk;
    use crate::{EventKind, Usage};
    use std::borrow::Cow;

    fn only_choice(delta: &str) -> (EventKind, usize) {
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        let chunk = Chunk::parse(&data).unwrap();
        let choice = chunk.choices.first.unwrap();
        (choice.kind(), choice.text_bytes())
    }

    #[test]
    fn text_is_borrowed_unless_it_has_escapes() {
        let data = r#"{"choices":[{"delta":{"content":"né"}},{"text":"a\n"}]}"#;
        let chunk = Chunk::parse(data).unwrap();
        assert!(matches!(
            chunk.choices.first.unwrap().delta.content.0,
            Cow::Borrowed("né")
        ));
        assert!(matches!(&chunk.choices.more[0].text.0, Cow::Owned(text) if text == "a\n"));
    }

    #[test]
    fn each_kind_of_text_is_told_apart() {
        assert_eq!(only_choice(r#"{"content":"abc"}"#), (EventKind::Content, 3));
        assert_eq!(
            only_choice(r#"{"reasoning_content":"ab"}"#),
            (EventKind::Reasoning, 2)
        );
        assert_eq!(
            only_choice(r#"{"reasoning":"ab","content":null}"#),
            (EventKind::Reasoning, 2)
        );
        let call = r#"{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{\""}}]}"#;
        assert_eq!(only_choice(call), (EventKind::ToolCall, 3));
    }

    #[test]
    fn a_chunk_with_several_kinds_counts_all_bytes_and_is_what_the_user_sees() {
        let mixed = r#"{"reasoning":"why","content":"so"}"#;
        assert_eq!(only_choice(mixed), (EventKind::Content, 5));
        let twice = r#"{"reasoning":"why","reasoning_content":"why"}"#;
        assert_eq!(only_choice(twice), (EventKind::Reasoning, 3));
    }

    #[test]
    fn role_empty_and_null_deltas_have_no_text() {
        let empty_call =
            r#"{"tool_calls":[{"function":{"name":null,"arguments":""}},{"function":null}]}"#;
        for delta in [
            r#"{"role":"assistant","content":""}"#,
            r#"{"role":"assistant","content":null,"reasoning_content":null,"tool_calls":null}"#,
            "{}",
            "null",
            empty_call,
        ] {
            assert_eq!(only_choice(delta), (EventKind::Empty, 0), "{delta}");
        }
    }

    #[test]
    fn missing_null_and_unknown_fields_are_no_error() {
        for data in [
            "{}",
            r#"{"choices":null,"usage":null,"error":null}"#,
            r#" {"x":[1,{"y":2}]}"#,
        ] {
            let chunk = Chunk::parse(data).unwrap();
            assert!(
                chunk.choices.first.is_none() && chunk.usage.is_none(),
                "{data}"
            );
            assert_eq!(chunk.server_error(), None, "{data}");
        }
    }

    #[test]
    fn usage_is_flattened() {
        let data = r#"{"choices":[],"usage":{"prompt_tokens":7,"total_tokens":12,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":4},
            "completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":null}}}"#;
        let expected = Usage {
            prompt_tokens: Some(7),
            completion_tokens: Some(5),
            cached_tokens: Some(4),
            reasoning_tokens: Some(2),
        };
        assert_eq!(Chunk::parse(data).unwrap().usage, Some(expected));
        let bare = r#"{"usage":{"completion_tokens":5,"prompt_tokens_details":null}}"#;
        let expected = Usage {
            completion_tokens: Some(5),
            ..Usage::default()
        };
        assert_eq!(Chunk::parse(bare).unwrap().usage, Some(expected));
    }

    #[test]
    fn errors_in_every_usual_shape_are_recognised() {
        for data in [
            r#"{"error":{"message":"full","type":"x","code":500}}"#,
            r#"{"error":"full"}"#,
            r#"{"object":"error","message":"full","code":400}"#,
        ] {
            assert_eq!(
                Chunk::parse(data).unwrap().server_error().as_deref(),
                Some("full"),
                "{data}"
            );
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for data in [
            "",
            "[]",
            "1",
            "\"x\"",
            "null",
            "<html>",
            r#"{"choices":[{"text":1}]}"#,
            "{} {}",
        ] {
            assert!(Chunk::parse(data).is_err(), "{data}");
        }
    }
}
