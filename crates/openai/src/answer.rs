//! What a response said, for the conversation to go on with.

use crate::{SseDecoder, SseEvent, StreamError};
use serde_json::{Map, Value, json};

/// The first choice of a response, as text. Reasoning is not part of it: servers do not want it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it said.
    pub text: String,
    /// The tools that it calls, as a message of the assistant holds them.
    pub tool_calls: Vec<Value>,
    /// It thought aloud beside its text.
    pub has_reasoning: bool,
}

impl Answer {
    /// Reads a streamed body once more. What cannot be read is left out: whether the response was
    /// whole is for [`crate::StreamDecoder`] to say.
    pub fn of_stream(body: &[u8]) -> Self {
        let mut answer = Self::default();
        let mut decoder = SseDecoder::new();
        let mut read = |event: SseEvent<'_>| -> Result<(), StreamError> {
            if let Ok(chunk) = serde_json::from_slice::<Value>(event.data) {
                answer.add(&chunk, "delta");
            }
            Ok(())
        };
        if decoder.push(body, &mut read).is_ok() {
            let _ = decoder.finish(&mut read);
        }
        answer
    }

    /// Reads a body that is not a stream.
    pub fn of_completion(body: &[u8]) -> Self {
        let mut answer = Self::default();
        if let Ok(completion) = serde_json::from_slice::<Value>(body) {
            answer.add(&completion, "message");
        }
        answer
    }

    /// The ids of the tools that it calls, in order.
    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.tool_calls
            .iter()
            .map(|call| call["id"].as_str().unwrap_or_default())
    }

    fn add(&mut self, response: &Value, holder: &str) {
        self.add_response(response);
        let choices = response["choices"].as_array().into_iter().flatten();
        let first = |choice: &&Value| choice["index"].as_u64().unwrap_or(0) == 0;
        for choice in choices.filter(first) {
            let message = &choice[holder];
            for text in [&message["content"], &choice["text"]] {
                self.text.push_str(text.as_str().unwrap_or_default());
            }
            let thoughts = [&message["reasoning_content"], &message["reasoning"]];
            self.has_reasoning |= thoughts.iter().any(|thought| is_text(thought));
            let calls = message["tool_calls"].as_array().into_iter().flatten();
            for (place, call) in calls.enumerate() {
                self.add_call(place, call);
            }
        }
    }

    /// What `/responses` says: pieces of text in a stream, and items in a body.
    fn add_response(&mut self, response: &Value) {
        if response["type"] == "response.output_text.delta" {
            self.text
                .push_str(response["delta"].as_str().unwrap_or_default());
        }
        self.has_reasoning |= response["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("response.reasoning"));
        let items = || response["output"].as_array().into_iter().flatten();
        self.has_reasoning |= items().any(|item| item["type"] == "reasoning");
        let parts = items()
            .filter_map(|item| item["content"].as_array())
            .flatten();
        for part in parts.filter(|part| part["type"] == "output_text") {
            self.text
                .push_str(part["text"].as_str().unwrap_or_default());
        }
    }

    /// A piece of a call says by its `index` which call it goes on with.
    fn add_call(&mut self, place: usize, piece: &Value) {
        /// More calls than any answer has.
        const CALLS_MAX: usize = 128;
        let index = piece["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        let index = index.unwrap_or(place);
        if index >= CALLS_MAX {
            return;
        }
        while self.tool_calls.len() <= index {
            self.tool_calls.push(json!({
                "id": "", "type": "function", "function": { "name": "", "arguments": "" },
            }));
        }
        let call = &mut self.tool_calls[index];
        let append = |to: &mut Value, more: &Value| {
            let (known, more) = (to.as_str().unwrap_or_default(), more.as_str());
            *to = Value::String(format!("{known}{}", more.unwrap_or_default()));
        };
        append(&mut call["id"], &piece["id"]);
        append(&mut call["function"]["name"], &piece["function"]["name"]);
        append(
            &mut call["function"]["arguments"],
            &piece["function"]["arguments"],
        );
    }

    /// The fields that a message of the assistant has beside its text; `None` where it has none.
    pub fn message_fields(&self) -> Option<Map<String, Value>> {
        (!self.tool_calls.is_empty())
            .then(|| Map::from_iter([("tool_calls".to_owned(), self.tool_calls.clone().into())]))
    }
}

/// Whether it is a text with something in it.
fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn the_text_of_a_stream_is_that_of_its_first_choice() {
        let body = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}},{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
        let answer = Answer::of_stream(body);
        assert_eq!(answer.text, "Hello");
        assert_eq!(answer.message_fields(), None);
        let completions =
            b"data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: {\"choices\":[{\"text\":\"b\"}]}\n\n";
        assert_eq!(Answer::of_stream(completions).text, "ab");
    }

    #[test]
    fn calls_are_put_together_from_their_pieces() {
        let body = b"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"a\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\":1}\"}}]}}]}\n\n";
        let answer = Answer::of_stream(body);
        assert_eq!(answer.call_ids().collect::<Vec<_>>(), ["c1"]);
        assert_eq!(answer.tool_calls[0]["function"]["name"], "look");
        assert_eq!(answer.tool_calls[0]["function"]["arguments"], "{\"a\":1}");
        assert!(answer.message_fields().is_some());
    }

    #[test]
    fn a_whole_body_holds_the_same() {
        let body = br#"{"choices":[{"message":{"content":"hi","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}]}}]}"#;
        let answer = Answer::of_completion(body);
        assert_eq!((answer.text.as_str(), answer.tool_calls.len()), ("hi", 1));
        assert_eq!(Answer::of_completion(b"no JSON"), Answer::default());
    }
}
