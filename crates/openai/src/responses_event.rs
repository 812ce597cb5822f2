//! What `/responses` answers, for a client.

use crate::chunk::Text;
use crate::{EventKind, Usage};
use serde::Deserialize;
use serde_json::Value;

/// How the names of its events begin.
const PREFIX: &str = "response.";

/// One event of a stream of `/responses`. Fields that are absent, null or unknown are no error.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ResponseEvent<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    delta: Text<'a>,
    item: Option<Item<'a>>,
    response: Option<Response<'a>>,
}

/// A whole response: what the last event holds, and a body that is no stream.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Response<'a> {
    #[serde(borrow, default)]
    status: Text<'a>,
    pub(crate) usage: Option<Usage>,
    incomplete_details: Option<Incomplete<'a>>,
    pub(crate) error: Option<Value>,
    #[serde(borrow)]
    pub(crate) output: Option<Vec<Item<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow, default)]
    reason: Text<'a>,
}

/// A message, a call of a function, or reasoning.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Item<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Text<'a>,
    content: Option<Vec<Part<'a>>>,
    summary: Option<Vec<Part<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
}

impl<'a> ResponseEvent<'a> {
    /// Whether the data of an event is that of one: by the event's name, or where it has none by the
    /// beginning of its data.
    pub(crate) fn is_one(name: &[u8], data: &str) -> bool {
        if !name.is_empty() {
            return name.starts_with(PREFIX.as_bytes());
        }
        let start = data.trim_start().strip_prefix('{').map(str::trim_start);
        let kind = start.and_then(|start| start.strip_prefix("\"type\""));
        let kind = kind.map(|kind| kind.trim_start_matches([':', ' ', '"']));
        kind.is_some_and(|kind| kind.starts_with(PREFIX))
    }

    pub(crate) fn parse(data: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(data)
    }

    /// What kind of generated text it carries, and how many bytes of it. The text that comes once more
    /// at the end of a part is none.
    pub(crate) fn text(&self) -> (EventKind, usize) {
        let name = self.kind.strip_prefix(PREFIX).unwrap_or_default();
        let kind = match name {
            "output_text.delta" | "refusal.delta" => EventKind::Content,
            "function_call_arguments.delta" | "mcp_call_arguments.delta" => EventKind::ToolCall,
            "reasoning.delta" | "reasoning_text.delta" | "reasoning_summary_text.delta" => {
                EventKind::Reasoning
            }
            "output_item.added" => {
                let named = self.item.as_ref().map_or(0, |item| item.name.len());
                return match named {
                    0 => (EventKind::Empty, 0),
                    bytes => (EventKind::ToolCall, bytes),
                };
            }
            _ => return (EventKind::Empty, 0),
        };
        match self.delta.len() {
            0 => (EventKind::Empty, 0),
            bytes => (kind, bytes),
        }
    }

    /// The response, where this is the event that ends it.
    pub(crate) fn ended(&self) -> Option<&Response<'a>> {
        let last = [
            "response.completed",
            "response.incomplete",
            "response.failed",
        ];
        let is_last = last.contains(&&*self.kind);
        self.response.as_ref().filter(|_| is_last)
    }
}

impl Response<'_> {
    /// Whether it could not be answered.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(&*self.status, "failed" | "cancelled")
    }

    /// In the words of the other routes: `stop`, `length`, `tool_calls`, or what the server says.
    pub(crate) fn finish_reason(&self) -> &str {
        let cut = self.incomplete_details.as_ref();
        match cut
            .map(|cut| &*cut.reason)
            .filter(|reason| !reason.is_empty())
        {
            Some("max_output_tokens" | "max_tokens") => "length",
            Some(reason) => reason,
            None if self
                .output
                .iter()
                .flatten()
                .any(|item| !item.name.is_empty()) =>
            {
                "tool_calls"
            }
            None => "stop",
        }
    }

    /// Bytes of generated text of every kind.
    pub(crate) fn text_bytes(&self) -> u64 {
        let parts = |parts: &Option<Vec<Part<'_>>>| -> usize {
            let parts = parts.iter().flatten();
            parts.map(|part| part.text.len() + part.refusal.len()).sum()
        };
        let bytes = |item: &Item<'_>| {
            item.name.len() + item.arguments.len() + parts(&item.content) + parts(&item.summary)
        };
        let items = self.output.iter().flatten();
        items.map(|item| bytes(item) as u64).sum()
    }
}
