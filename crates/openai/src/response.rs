//! Whole answers, of chat and of completions.

use crate::answer_so_far::AnswerSoFar;
use crate::choice::{Choice, Holder};
use crate::chunk::Chunk;
use crate::error::{excerpt, url_hint};
use crate::error_words::BODY_CHARS_MAX;
use crate::responses_event::Response;
use crate::tape::Tape;
use crate::value::{Document, Value};
use crate::{AnswerFacts, StreamError, Usage};

/// What a response that is not a stream says, of chat or of completions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Token counts, where the server gives them.
    pub usage: Option<Usage>,
    /// Why the first choice ended.
    pub finish_reason: Option<String>,
    /// Bytes of generated text, of every kind and in all choices.
    pub text_bytes: u64,
    /// What it said besides.
    pub facts: AnswerFacts,
}

impl Completion {
    /// Decodes a whole body.
    pub fn parse(body: &[u8]) -> Result<Self, StreamError> {
        let malformed = |reason: String| {
            let text = String::from_utf8_lossy(body);
            StreamError::MalformedBody {
                reason,
                excerpt: excerpt(&text, BODY_CHARS_MAX),
                hint: url_hint(&text),
            }
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
        let mut tape = Tape::default();
        let document =
            Document::read(&mut tape, text).map_err(|fault| malformed(fault.to_string()))?;
        let fields = Chunk::of(&document.root());
        if let Some(message) = fields.server_error() {
            return Err(StreamError::Server { message });
        }
        if !is_completion(&fields) {
            return Err(malformed("it has no `choices`".to_owned()));
        }
        let mut answer = AnswerSoFar::default();
        answer.note_model(fields.model);
        if fields.choices.is_none() && (fields.output.is_some() || fields.object == "response") {
            read_response(&Response::of(fields), &mut answer)?;
        } else {
            fields.add_usage(&mut answer.usage, &mut answer.odd);
            for (place, value) in fields.choices(&mut answer.odd) {
                let choice = Choice::read(&value, place, Holder::Message, &mut answer.odd);
                answer.add_choice(&choice);
            }
        }
        let gathered = answer.finish();
        Ok(Self {
            usage: gathered.usage,
            finish_reason: gathered.finish_reason,
            text_bytes: gathered.facts.text.bytes,
            facts: gathered.facts,
        })
    }
}

/// Whether a body is an answer: it has choices, or the output of `/responses`. Where these are of another kind it
/// is one by its name or its counts, with nothing in it.
fn is_completion(fields: &Chunk<'_, '_>) -> bool {
    let has_choice = |choices: Value<'_, '_>| choices.items_or_itself().next().is_some();
    let named = fields.object.starts_with("chat.completion")
        || matches!(&*fields.object, "text_completion" | "response");
    fields.choices.is_some_and(has_choice)
        || fields.output.is_some_and(|output| output.is_list())
        || named
        || fields.has_usage()
}

/// A body of `/responses`.
fn read_response(response: &Response<'_, '_>, answer: &mut AnswerSoFar) -> Result<(), StreamError> {
    if let Some(message) = response.failure() {
        return Err(StreamError::Server { message });
    }
    let message = response.message(&mut answer.odd);
    answer.add_message(0, &message);
    response.add_usage(answer);
    let reason = response.finish_reason(!message.calls.is_empty(), false);
    answer.finish_choice(0, &reason);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Completion;
    use crate::error_message;
    use crate::{ChoiceBody, Endpoint, FrameStyle, StreamError, completion_body, error_body};
    use proptest::prelude::*;

    fn message(body: &str) -> Option<String> {
        error_message(body.as_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn what_a_provider_writes_is_read_back(
            texts in proptest::collection::vec(any::<String>(), 1..4),
            chat in any::<bool>(),
            prompt_tokens in 0..1_000_u64,
            completion_tokens in 0..1_000_u64,
        ) {
            let endpoint = if chat { Endpoint::ChatCompletions } else { Endpoint::Completions };
            let style = FrameStyle { endpoint, id: "x", model: "m", created: 1 };
            let choices: Vec<_> = texts.iter().map(|text| ChoiceBody::Text(text)).collect();
            let body = completion_body(&style, &choices, "stop", prompt_tokens, completion_tokens);
            let completion = Completion::parse(&body).unwrap();
            let usage = completion.usage.unwrap();
            prop_assert_eq!(usage.prompt_tokens, Some(prompt_tokens));
            prop_assert_eq!(usage.completion_tokens, Some(completion_tokens));
            prop_assert_eq!(completion.finish_reason.as_deref(), Some("stop"));
            let text_bytes: usize = texts.iter().map(String::len).sum();
            prop_assert_eq!(completion.text_bytes, text_bytes as u64);
        }

        #[test]
        fn no_body_makes_the_parsers_panic(body in any::<Vec<u8>>()) {
            prop_assert!(Completion::parse(&body).is_err());
            error_message(&body);
        }
    }

    #[test]
    fn reasoning_and_tool_calls_are_generated_text() {
        let body = br#"{"choices":[{"message":{"content":null,"reasoning_content":"abc",
            "tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}"#;
        let completion = Completion::parse(body).unwrap();
        assert_eq!((completion.text_bytes, completion.finish_reason), (6, None));
    }

    #[test]
    fn an_error_object_on_a_200_is_a_server_error() {
        let body = error_body("no memory", "InternalServerError", 500);
        let expected = StreamError::Server {
            message: "no memory".to_owned(),
        };
        assert_eq!(Completion::parse(&body), Err(expected));
    }

    #[test]
    fn fault_17_html_on_200() {
        let error = Completion::parse(b"<html>hello</html>").unwrap_err();
        assert!(matches!(error, StreamError::MalformedBody { .. }));
        assert!(error.to_string().contains("<html>hello"), "{error}");
    }

    #[test]
    fn a_body_without_choices_is_refused() {
        for body in ["{}", r#"{"choices":[]}"#, r#"{"choices":null}"#] {
            let error = Completion::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("choices"), "{error}");
        }
    }

    #[test]
    fn the_message_is_found_in_every_usual_shape() {
        assert_eq!(
            message(r#"{"error":{"message":"m","code":4}}"#).as_deref(),
            Some("m")
        );
        assert_eq!(message(r#"{"error":"m"}"#).as_deref(), Some("m"));
        assert_eq!(message(r#"{"detail":"m"}"#).as_deref(), Some("m"));
        assert_eq!(
            message(r#"{"object":"error","message":"m"}"#).as_deref(),
            Some("m")
        );
        assert_eq!(
            message(r#"{"detail":[{"msg":"m"}]}"#).as_deref(),
            Some(r#"[{"msg":"m"}]"#)
        );
        assert_eq!(message("  <h1>502</h1>\n").as_deref(), Some("<h1>502</h1>"));
        assert_eq!(
            message(r#"{"status":7}"#).as_deref(),
            Some(r#"{"status":7}"#)
        );
        assert_eq!(message(" \n"), None);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let long = "é".repeat(1_000);
        let kept = message(&format!(r#"{{"error":"{long}"}}"#)).unwrap();
        assert_eq!(kept.chars().filter(|&char| char == 'é').count(), 500);
        assert_eq!(
            message(&long)
                .unwrap()
                .chars()
                .filter(|&char| char == 'é')
                .count(),
            200
        );
    }
}
