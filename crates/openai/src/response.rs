use crate::chunk::{Delta, Text};
use crate::error::excerpt;
use crate::responses_event::Response;
use crate::{AnswerFacts, StreamError, Usage};
use serde::Deserialize;
use serde_json::Value;

/// Characters of a server's message that are kept.
pub(crate) const MESSAGE_CHARS_MAX: usize = 500;

/// Characters of a body that is not a known error shape.
const BODY_CHARS_MAX: usize = 200;

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
        let malformed = |reason: String| StreamError::MalformedBody {
            reason,
            excerpt: excerpt(&String::from_utf8_lossy(body), BODY_CHARS_MAX),
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
        if let Some(response) = of_response(text) {
            return response.map_err(|message| StreamError::Server { message });
        }
        let wire: WireCompletion =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let message = server_error(&wire.object, wire.error.as_ref(), wire.message.as_ref());
        if let Some(message) = message {
            return Err(StreamError::Server { message });
        }
        let choices = wire.choices.unwrap_or_default();
        let Some(first) = choices.first() else {
            return Err(malformed("it has no `choices`".to_owned()));
        };
        let finish_reason = Some(&first.finish_reason).filter(|reason| !reason.is_empty());
        Ok(Self {
            usage: wire.usage,
            finish_reason: finish_reason.map(|reason| reason.to_string()),
            text_bytes: choices.iter().map(WireChoice::text_bytes).sum(),
            facts: AnswerFacts::default(),
        })
    }
}

/// The body of `/responses`, if it is one; the server's message where it failed.
fn of_response(text: &str) -> Option<Result<Completion, String>> {
    let response: Response<'_> = serde_json::from_str(text).ok()?;
    if response.has_failed() {
        let message = response.error.as_ref().map(message_of);
        return Some(Err(message.unwrap_or_default()));
    }
    response.output.as_ref()?;
    Some(Ok(Completion {
        usage: response.usage,
        finish_reason: Some(excerpt(response.finish_reason(), MESSAGE_CHARS_MAX)),
        text_bytes: response.text_bytes(),
        facts: AnswerFacts::default(),
    }))
}

#[derive(Deserialize)]
struct WireCompletion<'a> {
    #[serde(borrow)]
    choices: Option<Vec<WireChoice<'a>>>,
    usage: Option<Usage>,
    #[serde(borrow, default)]
    object: Text<'a>,
    error: Option<Value>,
    message: Option<Value>,
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
}

impl WireChoice<'_> {
    fn text_bytes(&self) -> u64 {
        let message = self.message.as_ref().map_or(0, Delta::text_bytes);
        (message + self.text.len()) as u64
    }
}

/// The message of an error in place of a response: an `error` field, or vLLM's older
/// `"object": "error"` with the message beside it.
pub(crate) fn server_error(
    object: &str,
    error: Option<&Value>,
    message: Option<&Value>,
) -> Option<String> {
    let error = match error {
        Some(error) => error,
        None if object == "error" => message.unwrap_or(&Value::Null),
        None => return None,
    };
    Some(message_of(error))
}

/// The words of an error: a text, the `message` of an object, or its JSON where it has none.
pub(crate) fn message_of(error: &Value) -> String {
    let text = error.get("message").unwrap_or(error);
    match text {
        Value::String(text) => excerpt(text, MESSAGE_CHARS_MAX),
        other => excerpt(&other.to_string(), MESSAGE_CHARS_MAX),
    }
}

/// What the body of a failed response tells a person: the message in one of the shapes
/// `{"error": {"message": …}}`, `{"error": …}`, `{"detail": …}` and `{"message": …}`, else the
/// first 200 characters; absent where the body is blank.
pub fn error_message(body: &[u8]) -> Option<String> {
    if let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) {
        let named = ["error", "detail", "message"]
            .into_iter()
            .find_map(|name| fields.get(name));
        if let Some(error) = named.filter(|error| !error.is_null()) {
            return Some(message_of(error));
        }
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    (!text.is_empty()).then(|| excerpt(text, BODY_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::{Completion, error_message};
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
