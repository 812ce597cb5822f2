//! Rows of several turns.

use super::record::Record;
use super::{DatasetRow, DatasetTurn};
use crate::WorkloadError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Who says a message.
enum Role {
    System,
    User,
    Assistant,
}

/// Messages as they come, gathered to turns.
#[derive(Default)]
struct Dialogue {
    system: Option<Arc<str>>,
    turns: Vec<DatasetTurn>,
}

impl Dialogue {
    /// Messages of one side in a row are put together with a blank line between them, and what is
    /// answered before anything was asked is dropped.
    fn push(&mut self, role: &Role, text: Arc<str>) {
        match role {
            Role::System => append(&mut self.system, text),
            Role::User => match self.turns.last_mut() {
                Some(turn) if turn.answer.is_none() => {
                    turn.user = format!("{}\n\n{text}", turn.user).into();
                }
                _ => self.turns.push(DatasetTurn {
                    user: text,
                    answer: None,
                }),
            },
            Role::Assistant => {
                if let Some(turn) = self.turns.last_mut() {
                    append(&mut turn.answer, text);
                }
            }
        }
    }
}

fn append(existing: &mut Option<Arc<str>>, text: Arc<str>) {
    *existing = Some(match existing.take() {
        Some(before) => format!("{before}\n\n{text}").into(),
        None => text,
    });
}

/// `None` where no question is answered. Empty messages, of which the published file has many, are
/// passed over.
pub(super) fn share_gpt(record: &Record<'_>) -> Result<Option<DatasetRow>, WorkloadError> {
    const COLUMN: &str = "conversations";
    let expected = "a list of objects with `from` and `value`";
    if record.is_list(COLUMN) && record.list(COLUMN, expected).is_err() {
        return Ok(None);
    }
    let mut dialogue = Dialogue::default();
    for message in record.objects(COLUMN, expected)? {
        let from = message.text("from")?;
        let role = match &*from {
            "human" | "user" => Role::User,
            "gpt" | "chatgpt" | "assistant" | "bing" | "bard" => Role::Assistant,
            "system" => Role::System,
            _ => {
                let expected = "`human`, `gpt` or `system`";
                return Err(message.wrong("from", format!("the text `{from}`"), expected));
            }
        };
        if !message.has("value") {
            return Err(message.missing("value"));
        }
        if let Some(text) = message.optional_text("value")? {
            dialogue.push(&role, text);
        }
    }
    let answered = dialogue
        .turns
        .first()
        .is_some_and(|turn| turn.answer.is_some());
    Ok(answered.then_some(DatasetRow {
        system: dialogue.system,
        ..DatasetRow::of_turns(dialogue.turns)
    }))
}

pub(super) fn mt_bench(record: &Record<'_>) -> Result<DatasetRow, WorkloadError> {
    let expected = "a list of texts, one per turn";
    let column = record.first_of(&["turns", "prompt"]).unwrap_or("turns");
    let users = record.texts(column, expected)?;
    let references = record.is_list("reference") && record.list("reference", expected).is_ok();
    let mut answers = if references {
        record.texts("reference", expected)?
    } else {
        Vec::new()
    }
    .into_iter();
    let turns = users.into_iter().map(|user| DatasetTurn {
        user,
        answer: answers.next(),
    });
    Ok(DatasetRow::of_turns(turns.collect()))
}

pub(super) fn arena_hard(record: &Record<'_>) -> Result<DatasetRow, WorkloadError> {
    if !record.has("turns") {
        return Ok(DatasetRow::question(record.text("prompt")?, None));
    }
    let turns: Result<Vec<DatasetTurn>, WorkloadError> = record
        .objects("turns", "a list of objects with `content`")?
        .iter()
        .map(|turn| {
            Ok(DatasetTurn {
                user: turn.text("content")?,
                answer: None,
            })
        })
        .collect();
    turns.map(DatasetRow::of_turns)
}

pub(super) fn openai_batch(record: &Record<'_>) -> Result<DatasetRow, WorkloadError> {
    let body = record.object("body", "the object of a chat completion request")?;
    let expected = "a list of objects with `role` and `content`";
    let mut dialogue = Dialogue::default();
    for message in body.objects("messages", expected)? {
        let role = message.text("role")?;
        let known = match &*role {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => {
                let expected = "`system`, `developer`, `user` or `assistant`";
                return Err(message.wrong("role", format!("the text `{role}`"), expected));
            }
        };
        dialogue.push(&known, content(&message)?);
    }
    if dialogue.turns.is_empty() {
        let found = "no message of a user";
        return Err(body.wrong("messages", found, "at least one"));
    }
    let limit = body.first_of(&["max_completion_tokens", "max_tokens"]);
    let max_tokens = match limit {
        Some(column) => body.optional_tokens(column)?,
        None => None,
    };
    Ok(DatasetRow {
        system: dialogue.system,
        max_tokens,
        body: Some(verbatim(&body)),
        ..DatasetRow::of_turns(dialogue.turns)
    })
}

/// Everything that is asked for, but for what the run decides: which model answers, and whether in a
/// stream. The limit is the row's own.
fn verbatim(body: &Record<'_>) -> Arc<Map<String, Value>> {
    const OF_THE_RUN: [&str; 4] = ["model", "stream", "stream_options", "max_tokens"];
    let fields = body.fields().iter();
    let asked = fields.filter(|(name, _)| {
        !OF_THE_RUN.contains(&name.as_str()) && *name != "max_completion_tokens"
    });
    let asked = asked.map(|(name, value)| (name.clone(), value.clone()));
    Arc::new(asked.collect())
}

/// A text, or the texts among its parts: images reach the server with the body.
fn content(message: &Record<'_>) -> Result<Arc<str>, WorkloadError> {
    if !message.is_list("content") {
        return message.text("content");
    }
    let parts = message.objects("content", "a text, or a list of parts of type `text`")?;
    let mut texts = Vec::new();
    for part in parts {
        match &*part.text("type")? {
            "text" => texts.push(part.text("text")?),
            "image_url" => {}
            other => {
                let expected = "`text` or `image_url`";
                return Err(part.wrong("type", format!("the text `{other}`"), expected));
            }
        }
    }
    Ok(texts.join("\n").into())
}
