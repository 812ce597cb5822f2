//! What a message of an answer says, whole or the next piece of it, in the shapes that servers give it.

use crate::EventKind;
use crate::left_out::{LeftOuts, Path};
use crate::tape::Kind;
use crate::value::Value;
use std::borrow::Cow;

/// The generated text of a message, by its kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message<'a> {
    /// What the user sees; a refusal too.
    pub(crate) content: Texts<'a>,
    /// Thoughts. Servers give them under several names at once, and they are counted once.
    pub(crate) reasoning: Texts<'a>,
    /// Calls of tools and functions.
    pub(crate) calls: Vec<Call<'a>>,
}

/// Texts in their order. Nearly always it is one, which costs no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts<'a> {
    first: Option<Cow<'a, str>>,
    more: Vec<Cow<'a, str>>,
}

/// A call, or the next piece of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call<'a> {
    /// Which call of the message it is, or goes on with.
    pub(crate) index: Option<u64>,
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    /// JSON, or a piece of it. Where it came as an object, that object's JSON.
    pub(crate) arguments: Cow<'a, str>,
}

/// Parts within parts that are looked at.
const DEPTH_MAX: u32 = 16;

/// The names under which servers send thoughts, in the order in which they are believed.
const REASONING: [&str; 5] = [
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_details",
    "thinking_blocks",
];

impl<'a> Texts<'a> {
    /// Adds a text, unless it is empty.
    pub(crate) fn push(&mut self, text: Cow<'a, str>) {
        if text.is_empty() {
            return;
        }
        if self.first.is_none() {
            self.first = Some(text);
        } else {
            self.more.push(text);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|text| text.len()).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cow<'a, str>> {
        self.first.iter().chain(&self.more)
    }

    /// The one text that it is, where it stands in the data as it is.
    fn sole(&self) -> Option<&'a str> {
        match &self.first {
            Some(Cow::Borrowed(text)) if self.more.is_empty() => Some(text),
            _ => None,
        }
    }
}

impl Call<'_> {
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.arguments.len()
    }
}

impl<'a> Message<'a> {
    /// Reads the fields of a message or of a delta.
    pub(crate) fn read(message: &Value<'_, 'a>, path: &Path<'_>, odd: &mut LeftOuts) -> Self {
        let mut read = Self::default();
        let mut thoughts = [None; REASONING.len()];
        for (name, value) in message.fields() {
            match &*name {
                "content" => read.add_content(&value, &path.field("content"), odd),
                "refusal" => read.add_content(&value, &path.field("refusal"), odd),
                "tool_calls" => read.add_calls(&value, &path.field("tool_calls"), odd),
                "function_call" => read.add_call(&value, &path.field("function_call"), odd),
                name => {
                    if let Some(place) = REASONING.iter().position(|known| *known == name) {
                        thoughts[place] = Some(value);
                    }
                }
            }
        }
        let among_parts = std::mem::take(&mut read.reasoning);
        for (name, value) in REASONING.iter().zip(thoughts) {
            let Some(value) = value else { continue };
            if !read.reasoning.is_empty() {
                break;
            }
            if !read.add_parts(&value, EventKind::Reasoning, DEPTH_MAX) {
                odd.note(&path.field(name), &value);
            }
        }
        if read.reasoning.is_empty() {
            read.reasoning = among_parts;
        }
        read
    }

    /// Adds what a user sees: a text, or a list of parts, of which some may be thoughts.
    pub(crate) fn add_content(
        &mut self,
        value: &Value<'_, 'a>,
        path: &Path<'_>,
        odd: &mut LeftOuts,
    ) {
        if !self.add_parts(value, EventKind::Content, DEPTH_MAX) {
            odd.note(path, value);
        }
    }

    /// Adds thoughts: a text, or a list of parts.
    pub(crate) fn add_reasoning(
        &mut self,
        value: &Value<'_, 'a>,
        path: &Path<'_>,
        odd: &mut LeftOuts,
    ) {
        if !self.add_parts(value, EventKind::Reasoning, DEPTH_MAX) {
            odd.note(path, value);
        }
    }

    /// Adds a text, a part, or a list of them; `false` where some of it is none of these.
    fn add_parts(&mut self, value: &Value<'_, 'a>, kind: EventKind, depth: u32) -> bool {
        match value.kind() {
            Kind::Null => true,
            Kind::Plain | Kind::Escaped => {
                let text = value.string().unwrap_or_default();
                match kind {
                    EventKind::Reasoning => self.reasoning.push(text),
                    _ => self.content.push(text),
                }
                true
            }
            _ if depth == 0 => false,
            Kind::List => {
                let mut known = true;
                for part in value.items() {
                    known &= self.add_parts(&part, kind, depth - 1);
                }
                known
            }
            Kind::Object => self.add_part(value, kind, depth - 1),
            Kind::True | Kind::False | Kind::Number => false,
        }
    }

    /// Adds a part: `{"type":"text","text":"…"}`, `{"type":"thinking","thinking":[…]}` and the like. What has a type
    /// and no text, as a picture, adds nothing.
    fn add_part(&mut self, part: &Value<'_, 'a>, kind: EventKind, depth: u32) -> bool {
        /// Where a part's text may be, in the order in which the names are believed.
        const NAMES: [&str; 8] = [
            "text",
            "thinking",
            "reasoning",
            "refusal",
            "summary",
            "content",
            "output_text",
            "value",
        ];
        let mut held = [None; NAMES.len()];
        let mut part_type = Cow::Borrowed("");
        for (name, value) in part.fields() {
            if let Some(place) = NAMES.iter().position(|known| *known == name) {
                held[place] = Some(value);
            } else if name == "type" {
                part_type = value.string().unwrap_or_default();
            }
        }
        if matches!(
            &*part_type,
            "tool_use" | "tool_call" | "function_call" | "function"
        ) {
            self.add_call(part, &Path::of("tool_calls"), &mut LeftOuts::default());
            return true;
        }
        let thinks = part_type.contains("think") || part_type.contains("reason");
        let before = (self.content.bytes(), self.reasoning.bytes());
        for (name, value) in NAMES.iter().zip(held) {
            let thinks = thinks || matches!(*name, "thinking" | "reasoning");
            let kind = if thinks { EventKind::Reasoning } else { kind };
            if let Some(value) = value {
                self.add_parts(&value, kind, depth);
            }
            if before != (self.content.bytes(), self.reasoning.bytes()) {
                return true;
            }
        }
        !part_type.is_empty() || held.iter().any(Option::is_some)
    }

    fn add_calls(&mut self, calls: &Value<'_, 'a>, path: &Path<'_>, odd: &mut LeftOuts) {
        if !matches!(calls.kind(), Kind::List | Kind::Object) {
            odd.note(path, calls);
        }
        for call in calls.items_or_itself() {
            self.add_call(&call, path, odd);
        }
    }

    /// Adds a call: its name and arguments are in its `function`, or in itself.
    pub(crate) fn add_call(&mut self, value: &Value<'_, 'a>, path: &Path<'_>, odd: &mut LeftOuts) {
        if !value.is_object() {
            return odd.note(path, value);
        }
        let mut call = Call::default();
        let mut inner = None;
        for (name, field) in value.fields() {
            match &*name {
                "index" => call.index = count_of(&field, &path.field("index"), odd),
                "id" | "call_id" => call.id = string_of(&field, &path.field("id"), odd),
                "function" | "custom" => {
                    if !field.is_object() {
                        odd.note(&path.field("function"), &field);
                    }
                    inner = Some(field);
                }
                _ => call.read_field(&name, &field, path, odd),
            }
        }
        let inner_path = path.field("function");
        for (name, field) in inner.iter().flat_map(Value::fields) {
            call.read_field(&name, &field, &inner_path, odd);
        }
        self.calls.push(call);
    }

    /// What an event of this message is; `Empty` without text.
    pub(crate) fn kind(&self) -> EventKind {
        if !self.content.is_empty() {
            EventKind::Content
        } else if self.calls.iter().any(|call| call.bytes() > 0) {
            EventKind::ToolCall
        } else if !self.reasoning.is_empty() {
            EventKind::Reasoning
        } else {
            EventKind::Empty
        }
    }

    /// Bytes of generated text of every kind.
    pub(crate) fn bytes(&self) -> usize {
        let calls: usize = self.calls.iter().map(Call::bytes).sum();
        self.content.bytes() + self.reasoning.bytes() + calls
    }

    /// The text that is all it has, where it stands in the data as it is.
    pub(crate) fn sole_text(&self) -> Option<&'a str> {
        match (self.content.is_empty(), self.reasoning.is_empty()) {
            _ if !self.calls.is_empty() => None,
            (false, true) => self.content.sole(),
            (true, false) => self.reasoning.sole(),
            _ => None,
        }
    }
}

impl<'a> Call<'a> {
    fn read_field(
        &mut self,
        name: &str,
        field: &Value<'_, 'a>,
        path: &Path<'_>,
        odd: &mut LeftOuts,
    ) {
        match name {
            "name" => self.name = string_of(field, &path.field("name"), odd),
            "arguments" | "input" if matches!(field.kind(), Kind::Object | Kind::List) => {
                self.arguments = Cow::Borrowed(field.raw());
            }
            "arguments" | "input" => {
                self.arguments = string_of(field, &path.field("arguments"), odd);
            }
            _ => {}
        }
    }
}

/// A string; empty where it is null or none.
pub(crate) fn string_of<'a>(
    value: &Value<'_, 'a>,
    path: &Path<'_>,
    odd: &mut LeftOuts,
) -> Cow<'a, str> {
    value.string().unwrap_or_else(|| {
        odd.note(path, value);
        Cow::Borrowed("")
    })
}

/// A count; absent where it is null or none.
pub(crate) fn count_of(value: &Value<'_, '_>, path: &Path<'_>, odd: &mut LeftOuts) -> Option<u64> {
    let count = value.count();
    if count.is_none() {
        odd.note(path, value);
    }
    count
}
