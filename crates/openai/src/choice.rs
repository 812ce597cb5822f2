//! One choice of an answer.

use crate::finish_reason::finish_reason;
use crate::left_out::{LeftOuts, Path};
use crate::message::{Message, count_of};
use crate::value::Value;

/// What a choice's text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// `delta`: the next piece. Some servers send the whole text so far as `message` beside it.
    Delta,
    /// `message`: the whole, or in a stream without any `delta` the next piece.
    Message,
}

/// What one choice says, in a chunk or in a whole body.
#[derive(Debug)]
pub(crate) struct Choice<'t, 'a> {
    pub(crate) index: u32,
    pub(crate) message: Message<'a>,
    /// Absent while it goes on.
    pub(crate) finish_reason: Option<String>,
    /// Counts of its own.
    pub(crate) usage: Option<Value<'t, 'a>>,
}

impl Holder {
    /// That of a stream in which a `delta` has come, or none has.
    pub(crate) const fn in_stream(has_deltas: bool) -> Self {
        if has_deltas {
            Self::Delta
        } else {
            Self::Message
        }
    }
}

const CHOICES: Path<'static> = Path::of("choices");

impl<'t, 'a> Choice<'t, 'a> {
    /// Reads a choice, whose place in the list stands for an `index` that it lacks.
    pub(crate) fn read(
        value: &Value<'t, 'a>,
        place: usize,
        holder: Holder,
        odd: &mut LeftOuts,
    ) -> Self {
        if !value.is_object() {
            odd.note(&CHOICES, value);
        }
        let (mut index, mut usage, mut text, mut reason) = (None, None, None, None);
        let (mut delta, mut message) = (None, None);
        for (name, field) in value.fields() {
            match &*name {
                "index" => index = count_of(&field, &CHOICES.field("index"), odd),
                "delta" => delta = Some(field),
                "message" => message = Some(field),
                "text" => text = Some(field),
                "finish_reason" => reason = Some(field),
                "usage" => usage = Some(field),
                _ => {}
            }
        }
        let held = match holder {
            Holder::Delta => delta.map(|value| ("delta", value)),
            Holder::Message => message
                .map(|value| ("message", value))
                .or(delta.map(|value| ("delta", value))),
        };
        let mut message = Message::default();
        if let Some((name, held)) = held {
            let path = CHOICES.field(name);
            if !held.is_object() {
                odd.note(&path, &held);
            }
            message = Message::read(&held, &path, odd);
            usage = usage.or_else(|| held.get("usage"));
        }
        if message.content.is_empty()
            && let Some(text) = text
        {
            message.add_content(&text, &CHOICES.field("text"), odd);
        }
        let path = CHOICES.field("finish_reason");
        Self {
            index: index
                .and_then(|index| u32::try_from(index).ok())
                .unwrap_or_else(|| u32::try_from(place).unwrap_or(u32::MAX)),
            message,
            finish_reason: reason.and_then(|reason| finish_reason(&reason, &path, odd)),
            usage: usage.filter(Value::is_object),
        }
    }

    /// Whether it has a `delta`, of whatever kind.
    pub(crate) fn has_delta(value: &Value<'_, '_>) -> bool {
        value.get("delta").is_some()
    }
}
