//! What was said, by whom, however the file spells it.

use super::record::{ROLES, Record};
use super::{DatasetRow, DatasetTurn};
use crate::WorkloadError;
use crate::printable::type_name;
use serde_json::Value;
use std::sync::Arc;

/// What files call the list of what was said, in the order in which they are looked for.
pub(crate) const LISTS: [&str; 7] = [
    "conversations",
    "conversation",
    "messages",
    "items",
    "dialogue",
    "prompt",
    "turns",
];

/// What they call what is said.
const TEXTS: [&str; 3] = ["value", "content", "text"];

/// Who says a message.
pub(super) enum Role {
    System,
    User,
    Assistant,
    /// A tool, or the call of one.
    Tool,
}

impl Role {
    /// As any of the published files spells it.
    pub(super) fn read(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "human" | "user" | "prompter" => Some(Self::User),
            "gpt" | "chatgpt" | "assistant" | "bing" | "bard" | "claude" | "model" | "bot"
            | "ai" => Some(Self::Assistant),
            "system" | "developer" => Some(Self::System),
            "tool" | "function" | "function_call" | "function_response" | "tool_call"
            | "tool_response" | "observation" | "ipython" => Some(Self::Tool),
            _ => None,
        }
    }
}

/// Messages as they come, gathered to turns.
#[derive(Default)]
pub(super) struct Dialogue {
    pub(super) system: Option<Arc<str>>,
    pub(super) turns: Vec<DatasetTurn>,
    /// Whether somebody waits for an answer at its end.
    pub(super) is_open: bool,
    /// Whether a model or a tool has said something, be it only that a tool is to be called.
    pub(super) has_history: bool,
    /// Of the first message of a user.
    pub(super) images: Vec<Arc<str>>,
}

impl Dialogue {
    /// Reads the list in that column. Messages without a text are passed over, of which the published
    /// files have many.
    pub(super) fn read(
        record: &Record<'_>,
        column: &str,
        expected: &'static str,
        roles: &'static str,
    ) -> Result<Self, WorkloadError> {
        let mut dialogue = Self::default();
        for message in record.messages(column, expected)? {
            let name = message.first_of(&ROLES).unwrap_or(ROLES[0]);
            let said_by = message.text(name)?;
            let Some(role) = Role::read(&said_by) else {
                return Err(message.wrong(name, format!("the text `{said_by}`"), roles));
            };
            let said = match message.first_filled(&TEXTS) {
                Some(column) => content(&message, column)?,
                None if message.first_of(&TEXTS).is_some() || message.has("tool_calls") => {
                    Said::default()
                }
                None => {
                    return Err(message.missing(if name == "from" { "value" } else { "content" }));
                }
            };
            dialogue.has_history |= matches!(role, Role::Assistant | Role::Tool);
            if matches!(role, Role::User) && dialogue.turns.is_empty() {
                dialogue.images.extend(said.images);
            }
            if let Some(text) = said.text {
                dialogue.push(&role, text);
            }
        }
        Ok(dialogue)
    }

    /// Messages of one side in a row are put together with a blank line between them; what is answered
    /// before anything was asked is dropped, and so is what tools say.
    pub(super) fn push(&mut self, role: &Role, text: Arc<str>) {
        match role {
            Role::System => append(&mut self.system, text),
            Role::User => {
                self.is_open = true;
                match self.turns.last_mut() {
                    Some(turn) if turn.answer.is_none() => {
                        turn.user = format!("{}\n\n{text}", turn.user).into();
                    }
                    _ => self.turns.push(DatasetTurn {
                        user: text,
                        answer: None,
                    }),
                }
            }
            Role::Assistant => {
                self.is_open = false;
                if let Some(turn) = self.turns.last_mut() {
                    append(&mut turn.answer, text);
                }
            }
            Role::Tool => self.is_open = true,
        }
    }

    /// Whether its first question is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.turns.first().is_some_and(|turn| turn.answer.is_some())
    }

    /// A row of it. There is at least one turn.
    pub(super) fn into_row(self) -> DatasetRow {
        DatasetRow {
            system: self.system,
            images: self.images.into(),
            ..DatasetRow::of_turns(self.turns)
        }
    }
}

pub(super) fn append(existing: &mut Option<Arc<str>>, text: Arc<str>) {
    *existing = Some(match existing.take() {
        Some(before) => format!("{before}\n\n{text}").into(),
        None => text,
    });
}

/// What a message holds.
#[derive(Default)]
pub(super) struct Said {
    /// `None` where it is blank.
    pub(super) text: Option<Arc<str>>,
    pub(super) images: Vec<Arc<str>>,
}

/// A text, or the texts and images among its parts.
pub(super) fn content(message: &Record<'_>, column: &str) -> Result<Said, WorkloadError> {
    if !message.is_list(column) {
        let text = message.optional_text(column)?;
        return Ok(Said {
            text,
            images: Vec::new(),
        });
    }
    let parts = message.objects(column, "a text, or a list of parts of type `text`")?;
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match part.optional_text("type")?.as_deref() {
            Some("text" | "input_text" | "output_text") => texts.push(part.text("text")?),
            None if part.has("text") => texts.push(part.text("text")?),
            Some("image_url" | "image" | "input_image") => {
                let url = part
                    .fields()
                    .get("image_url")
                    .or(part.fields().get("image"));
                images.extend(url.and_then(image));
            }
            other => {
                let found = other.map_or_else(
                    || "nothing".to_owned(),
                    |other| format!("the text `{other}`"),
                );
                return Err(part.wrong("type", found, "`text` or `image_url`"));
            }
        }
    }
    let text = texts.join("\n");
    Ok(Said {
        text: (!text.trim().is_empty()).then(|| text.into()),
        images,
    })
}

fn image(value: &Value) -> Option<Arc<str>> {
    let url = value.as_str().or_else(|| value.get("url")?.as_str());
    url.map(Into::into)
}

impl<'a> Record<'a> {
    /// The messages of a list, of which one may hold all of them, as in Vision Arena's rows. Nothing
    /// where it is null or empty.
    fn messages(
        &self,
        column: &str,
        expected: &'static str,
    ) -> Result<Vec<Record<'a>>, WorkloadError> {
        let list = match self.fields().get(column) {
            None => return Err(self.missing(column)),
            Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong(column, type_name(other), expected)),
        };
        let mut messages = Vec::new();
        for (number, value) in list.iter().enumerate() {
            let place = format!("{column}[{number}]");
            match value {
                Value::Array(inner) => {
                    for (number, value) in inner.iter().enumerate() {
                        messages.push(self.inner(
                            &format!("{place}[{number}]"),
                            value,
                            expected,
                        )?);
                    }
                }
                value => messages.push(self.inner(&place, value, expected)?),
            }
        }
        Ok(messages)
    }
}
