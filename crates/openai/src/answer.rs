//! What a response said, for the conversation to go on with.

use crate::calls::Calls;
use crate::choice::{Choice, Holder};
use crate::chunk::Chunk;
use crate::left_out::LeftOuts;
use crate::message::Message;
use crate::responses_event::{Response, ResponseEvent};
use crate::tape::Tape;
use crate::value::{Document, Value};
use crate::{BodyForm, SseDecoder, SseEvent, StreamError};
use serde_json::{Map, json};

/// The first choice of a response, as text. Reasoning is not part of it: servers do not want it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it said.
    pub text: String,
    /// The tools that it calls, as a message of the assistant holds them.
    pub tool_calls: Vec<serde_json::Value>,
    /// It thought aloud beside its text.
    pub has_reasoning: bool,
}

impl Answer {
    /// Reads a streamed body once more. What cannot be read is left out: whether the response was
    /// whole is for [`crate::StreamDecoder`] to say.
    pub fn of_stream(body: &[u8]) -> Self {
        let mut gathered = Gathering::default();
        let mut tape = Tape::default();
        let mut decoder = match BodyForm::of(body) {
            Some(BodyForm::Lines) => SseDecoder::of_lines(),
            _ => SseDecoder::new(),
        };
        let mut read = |event: SseEvent<'_>| -> Result<(), StreamError> {
            let text = String::from_utf8_lossy(event.data);
            if let Ok(document) = Document::read(&mut tape, &text) {
                gathered.add_event(event.name, &Chunk::of(&document.root()));
            }
            Ok(())
        };
        if decoder.push(body, &mut read).is_ok() {
            let _ = decoder.finish(&mut read);
        }
        gathered.finish()
    }

    /// Reads a body that is not a stream.
    pub fn of_completion(body: &[u8]) -> Self {
        let mut gathered = Gathering::default();
        let (text, mut tape) = (String::from_utf8_lossy(body), Tape::default());
        if let Ok(document) = Document::read(&mut tape, &text) {
            let fields = Chunk::of(&document.root());
            gathered.add_choices(&fields, Holder::Message);
            let response = Response::of(fields);
            gathered.add_response(&response.message(&mut LeftOuts::default()));
            gathered.has_reasoning |= response.has_thoughts();
        }
        gathered.finish()
    }

    /// The ids of the tools that it calls, in order.
    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.tool_calls
            .iter()
            .map(|call| call["id"].as_str().unwrap_or_default())
    }

    /// The fields that a message of the assistant has beside its text; `None` where it has none.
    pub fn message_fields(&self) -> Option<Map<String, serde_json::Value>> {
        (!self.tool_calls.is_empty())
            .then(|| Map::from_iter([("tool_calls".to_owned(), self.tool_calls.clone().into())]))
    }
}

/// What an answer says, put together from its pieces.
#[derive(Default)]
struct Gathering {
    text: String,
    has_reasoning: bool,
    has_deltas: bool,
    known: Calls,
    calls: Vec<CallText>,
}

#[derive(Default)]
struct CallText {
    id: String,
    name: String,
    arguments: String,
}

impl Gathering {
    fn add_event(&mut self, name: &[u8], chunk: &Chunk<'_, '_>) {
        let Some(event) = ResponseEvent::of(name, chunk) else {
            let mut choices = chunk.choices.iter().flat_map(Value::items_or_itself);
            self.has_deltas |= choices.any(|choice| Choice::has_delta(&choice));
            return self.add_choices(chunk, Holder::in_stream(self.has_deltas));
        };
        self.add_response(&event.message(&mut LeftOuts::default()));
        self.has_reasoning |= event.is_thought();
        if event.is_last() && self.text.is_empty() {
            self.add_response(&event.response().message(&mut LeftOuts::default()));
        }
    }

    fn add_choices(&mut self, chunk: &Chunk<'_, '_>, holder: Holder) {
        let mut odd = LeftOuts::default();
        for (place, value) in chunk.choices(&mut odd) {
            let choice = Choice::read(&value, place, holder, &mut odd);
            if choice.index == 0 {
                self.add_message(&choice.message);
            }
        }
    }

    fn add_message(&mut self, message: &Message<'_>) {
        self.add_response(message);
        for call in &message.calls {
            let Some(place) = self.known.place(0, call) else {
                continue;
            };
            self.calls.resize_with(self.known.len(), CallText::default);
            let text = &mut self.calls[place];
            if text.id.is_empty() {
                text.id.push_str(&call.id);
            }
            text.name.push_str(&call.name);
            text.arguments.push_str(&call.arguments);
        }
    }

    /// What `/responses` says, whose calls no conversation goes on with.
    fn add_response(&mut self, message: &Message<'_>) {
        let texts = message.content.iter();
        texts.for_each(|text| self.text.push_str(text));
        self.has_reasoning |= !message.reasoning.is_empty();
    }

    fn finish(self) -> Answer {
        let call = |call: CallText| {
            json!({
                "id": call.id, "type": "function",
                "function": { "name": call.name, "arguments": call.arguments },
            })
        };
        Answer {
            text: self.text,
            tool_calls: self.calls.into_iter().map(call).collect(),
            has_reasoning: self.has_reasoning,
        }
    }
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
