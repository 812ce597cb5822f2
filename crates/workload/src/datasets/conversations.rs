//! Rows of several turns.

use super::dialogue::{Dialogue, LISTS, Role, content};
use super::record::Record;
use super::{DatasetRow, DatasetTurn};
use crate::WorkloadError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// `None` where no question is answered.
pub(super) fn share_gpt(record: &Record<'_>) -> Result<Option<DatasetRow>, WorkloadError> {
    let expected = "a list of objects with `from` and `value`";
    let column = record.first_of(&LISTS).unwrap_or(LISTS[0]);
    let dialogue = Dialogue::read(record, column, expected, "`human`, `gpt` or `system`")?;
    if !dialogue.is_answered() {
        return Ok(None);
    }
    with_system(record, dialogue).map(Some)
}

/// `None` where nobody asks anything. Where the last word is not the model's, the row is a request with
/// all that was said before, and is sent as it is.
pub(super) fn messages(record: &Record<'_>) -> Result<Option<DatasetRow>, WorkloadError> {
    let expected = "a list of objects with `role` and `content`";
    let column = record.first_of(&LISTS).unwrap_or("messages");
    let dialogue = Dialogue::read(record, column, expected, "`system`, `user` or `assistant`")?;
    if dialogue.turns.is_empty() {
        return Ok(None);
    }
    let is_request = dialogue.is_open && dialogue.has_history;
    let body = is_request.then(|| asked(record, column)).flatten();
    let row = with_system(record, dialogue)?;
    Ok(Some(DatasetRow { body, ..row }))
}

/// The row's system message is that of its messages, or else that of its column.
fn with_system(record: &Record<'_>, dialogue: Dialogue) -> Result<DatasetRow, WorkloadError> {
    let row = dialogue.into_row();
    let system = match row.system {
        None if record.is_text("system") => record.optional_text("system")?,
        own => own,
    };
    Ok(DatasetRow { system, ..row })
}

/// The fields of a request with those messages, where they are spelled as the API spells them.
fn asked(record: &Record<'_>, column: &str) -> Option<Arc<Map<String, Value>>> {
    let messages = record.fields().get(column)?;
    let list = messages.as_array()?;
    let says = |message: &Value| {
        ["content", "tool_calls"]
            .iter()
            .any(|name| message.get(name).is_some())
    };
    let is_wire = |message: &Value| message.get("role").is_some() && says(message);
    if !list.iter().all(is_wire) {
        return None;
    }
    let mut body = Map::from_iter([("messages".to_owned(), messages.clone())]);
    let tools = record.fields().get("tools");
    if let Some(tools @ Value::Array(list)) = tools
        && list.first().is_some_and(Value::is_object)
    {
        body.insert("tools".to_owned(), tools.clone());
    }
    Some(body.into())
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

/// `AIPerf`'s rows of several turns have `text` where Arena-Hard's have `content`.
pub(super) fn arena_hard(record: &Record<'_>) -> Result<DatasetRow, WorkloadError> {
    if !record.has("turns") {
        return Ok(DatasetRow::question(record.text("prompt")?, None));
    }
    let turns: Result<Vec<DatasetTurn>, WorkloadError> = record
        .objects("turns", "a list of objects with `content`")?
        .iter()
        .map(|turn| {
            let column = turn.first_of(&["content", "text"]).unwrap_or("content");
            Ok(DatasetTurn {
                user: turn.text(column)?,
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
        // Images reach the server with the body.
        let text = if message.is_list("content") {
            content(&message, "content")?.text.unwrap_or_default()
        } else {
            message.text("content")?
        };
        dialogue.push(&known, text);
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
/// stream, and how many choices. The limit is the row's own.
fn verbatim(body: &Record<'_>) -> Arc<Map<String, Value>> {
    const OF_THE_RUN: [&str; 6] = [
        "model",
        "stream",
        "stream_options",
        "n",
        "max_tokens",
        "max_completion_tokens",
    ];
    let fields = body.fields().iter();
    let asked = fields.filter(|(name, _)| !OF_THE_RUN.contains(&name.as_str()));
    let asked = asked.map(|(name, value)| (name.clone(), value.clone()));
    Arc::new(asked.collect())
}
