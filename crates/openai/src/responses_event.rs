//! What `/responses` answers, for a client.

use crate::answer_so_far::AnswerSoFar;
use crate::chunk::Chunk;
use crate::error::excerpt;
use crate::error_words::MESSAGE_CHARS_MAX;
use crate::left_out::{LeftOuts, Path};
use crate::message::{Call, Message, string_of};
use crate::value::Value;
use std::borrow::Cow;

/// How the names of its events begin.
const PREFIX: &str = "response.";

/// One event of a stream of `/responses`.
#[derive(Debug)]
pub(crate) struct ResponseEvent<'c, 't, 'a> {
    /// What it is, without the beginning that all have in common.
    name: Cow<'a, str>,
    event: &'c Chunk<'t, 'a>,
    response: Response<'t, 'a>,
}

/// A whole response: what the last event holds, and a body that is no stream.
#[derive(Debug, Default)]
pub(crate) struct Response<'t, 'a> {
    fields: Chunk<'t, 'a>,
}

impl<'c, 't, 'a> ResponseEvent<'c, 't, 'a> {
    /// The event that the fields are those of, if it is one: by its `type`, wherever that stands; by the name on
    /// the line before; or by the response that it holds.
    pub(crate) fn of(line_name: &[u8], event: &'c Chunk<'t, 'a>) -> Option<Self> {
        let is_typed = event.event_type.starts_with(PREFIX);
        let has_name = line_name.starts_with(PREFIX.as_bytes());
        let holds =
            event.choices.is_none() && event.response.is_some_and(|value| value.is_object());
        if !(is_typed || has_name || holds) {
            return None;
        }
        let name = if is_typed || !has_name {
            event.event_type.clone()
        } else {
            Cow::Owned(String::from_utf8_lossy(line_name).into_owned())
        };
        let name = match name {
            Cow::Borrowed(name) => Cow::Borrowed(name.strip_prefix(PREFIX).unwrap_or_default()),
            Cow::Owned(name) => {
                Cow::Owned(name.strip_prefix(PREFIX).unwrap_or_default().to_owned())
            }
        };
        let response = event.response.map(|value| Response::of(Chunk::of(&value)));
        Some(Self {
            name,
            event,
            response: response.unwrap_or_default(),
        })
    }

    /// The generated text that it carries. The text that comes once more at the end of a part is none.
    pub(crate) fn message(&self, odd: &mut LeftOuts) -> Message<'a> {
        let mut message = Message::default();
        let path = Path::of("delta");
        match (&*self.name, &self.event.delta, &self.event.item) {
            ("output_text.delta" | "refusal.delta", Some(delta), _) => {
                message.add_content(delta, &path, odd);
            }
            (
                "reasoning.delta"
                | "reasoning_text.delta"
                | "reasoning_summary.delta"
                | "reasoning_summary_text.delta",
                Some(delta),
                _,
            ) => message.add_reasoning(delta, &path, odd),
            (
                "function_call_arguments.delta"
                | "mcp_call_arguments.delta"
                | "custom_tool_call_input.delta",
                Some(delta),
                _,
            ) => {
                let arguments = if delta.is_object() {
                    Cow::Borrowed(delta.raw())
                } else {
                    string_of(delta, &path, odd)
                };
                message.calls.push(Call {
                    arguments,
                    ..Call::default()
                });
            }
            ("output_item.added", _, Some(item)) if item.get("name").is_some() => {
                message.add_call(item, &Path::of("item"), odd);
                // They come in pieces of their own.
                let arguments = message.calls.last_mut().map(|call| &mut call.arguments);
                arguments.map(std::mem::take);
            }
            _ => {}
        }
        message
    }

    /// Whether it is about thoughts, told or not.
    pub(crate) fn is_thought(&self) -> bool {
        self.name.starts_with("reasoning")
    }

    /// Whether it ends the response: its name says so, or the status of the response that it holds.
    pub(crate) fn is_last(&self) -> bool {
        let names = ["completed", "incomplete", "failed", "cancelled"];
        names.contains(&&*self.name) || names.contains(&&*self.response.status())
    }

    /// The server's words where it could not be answered.
    pub(crate) fn failure(&self) -> Option<String> {
        let failed = matches!(&*self.name, "failed" | "cancelled");
        let words = || format!("the response has {}", self.name);
        self.response.failure().or_else(|| failed.then(words))
    }

    /// The response that it holds; empty where it holds none.
    pub(crate) const fn response(&self) -> &Response<'t, 'a> {
        &self.response
    }

    /// Adds the tokens that it counts.
    pub(crate) fn add_usage(&self, answer: &mut AnswerSoFar) {
        self.event.add_usage(&mut answer.usage, &mut answer.odd);
        self.response.add_usage(answer);
    }

    /// In the words of the other routes: `stop`, `length`, `tool_calls`, or what the server says.
    pub(crate) fn finish_reason(&self, has_calls: bool) -> String {
        self.response
            .finish_reason(has_calls, self.name == "incomplete")
    }
}

impl<'t, 'a> Response<'t, 'a> {
    /// The response that has these fields.
    pub(crate) const fn of(fields: Chunk<'t, 'a>) -> Self {
        Self { fields }
    }

    fn status(&self) -> Cow<'a, str> {
        let status = self.fields.status.and_then(|status| status.string());
        status.unwrap_or_default()
    }

    pub(crate) const fn model(&self) -> Option<Value<'t, 'a>> {
        self.fields.model
    }

    /// The server's words where it could not be answered.
    pub(crate) fn failure(&self) -> Option<String> {
        let status = self.status();
        let failed = matches!(&*status, "failed" | "cancelled");
        let words = || format!("the status of the response is {status}");
        self.fields.server_error().or_else(|| failed.then(words))
    }

    /// In the words of the other routes.
    pub(crate) fn finish_reason(&self, has_calls: bool, is_cut: bool) -> String {
        let details = self.fields.incomplete_details;
        let reason = details.and_then(|details| details.get("reason")?.string());
        match reason.as_deref().filter(|reason| !reason.is_empty()) {
            Some("max_output_tokens" | "max_tokens") => "length".to_owned(),
            Some(reason) => excerpt(reason, MESSAGE_CHARS_MAX),
            None if is_cut || self.status() == "incomplete" => "incomplete".to_owned(),
            None if has_calls => "tool_calls".to_owned(),
            None => "stop".to_owned(),
        }
    }

    /// Whether it thought, told or not.
    pub(crate) fn has_thoughts(&self) -> bool {
        let output = self.fields.output.iter();
        let kind = |item: Value<'t, 'a>| item.get("type")?.string();
        let mut kinds = output.flat_map(Value::items_or_itself).filter_map(kind);
        kinds.any(|kind| kind == "reasoning")
    }

    /// Everything that was generated: messages, calls of functions, and thoughts.
    pub(crate) fn message(&self, odd: &mut LeftOuts) -> Message<'a> {
        let mut message = Message::default();
        let path = Path::of("output");
        let Some(output) = &self.fields.output else {
            return message;
        };
        if !output.is_list() && !output.is_object() {
            odd.note(&path, output);
        }
        for item in output.items_or_itself() {
            let kind = item
                .get("type")
                .and_then(|kind| kind.string())
                .unwrap_or_default();
            if item.get("name").is_some() {
                message.add_call(&item, &path, odd);
            }
            if let Some(content) = item.get("content") {
                let path = path.field("content");
                if kind.contains("reason") {
                    message.add_reasoning(&content, &path, odd);
                } else {
                    message.add_content(&content, &path, odd);
                }
            }
            if let Some(summary) = item.get("summary") {
                message.add_reasoning(&summary, &path.field("summary"), odd);
            }
        }
        message
    }

    /// Adds the tokens that it counts.
    pub(crate) fn add_usage(&self, answer: &mut AnswerSoFar) {
        self.fields.add_usage(&mut answer.usage, &mut answer.odd);
    }
}
