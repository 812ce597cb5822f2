//! Messages of a chat, as a server reads them.

use crate::fields::{Fields, wrong};
use crate::{ApiError, Json};

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system` (also for OpenAI's newer name of it, `developer`), `user`, `assistant` or `tool`.
    pub role: &'static str,
    /// What it says.
    pub content: MessageContent,
}

/// What a message says, in the form in which it came: templates of some models know one of them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageContent {
    /// A string.
    Text(String),
    /// A list of text parts.
    Parts(Vec<String>),
}

/// Reads `messages`: a list of at least one.
pub fn messages(fields: &Fields<'_, '_>) -> Result<Vec<Message>, ApiError> {
    match fields.get("messages") {
        None => Err(ApiError::invalid(
            "messages",
            "the request has no `messages`; send a list of at least one message",
        )),
        Some(Json::Array(items)) if items.is_empty() => Err(ApiError::invalid(
            "messages",
            "`messages` must be a list of at least one message, got an empty list",
        )),
        Some(Json::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| message(index, item))
            .collect(),
        Some(other) => Err(wrong("messages", "a list of messages", other)),
    }
}

fn message(index: usize, item: &Json<'_>) -> Result<Message, ApiError> {
    let Json::Object(_) = item else {
        return Err(wrong(&format!("messages[{index}]"), "an object", item));
    };
    let fields = Fields::of(item)?;
    let path = |name: &str| format!("messages[{index}].{name}");
    let role = match fields.get("role") {
        Some(Json::String(role)) => known_role(role),
        _ => None,
    }
    .ok_or_else(|| {
        wrong(
            &path("role"),
            "one of system, developer, user, assistant and tool",
            fields.get("role").unwrap_or(&Json::Null),
        )
    })?;
    for name in ["tool_calls", "function_call", "audio"] {
        match fields.get(name) {
            None => {}
            Some(Json::Array(items)) if items.is_empty() => {}
            Some(_) => return Err(ApiError::unsupported(path(name))),
        }
    }
    let content = match fields.get("content") {
        Some(Json::String(text)) => MessageContent::Text(text.clone().into_owned()),
        Some(Json::Array(parts)) => MessageContent::Parts(texts_of(&path("content"), parts)?),
        // An answer without text is what a model may have given.
        None if role == "assistant" => MessageContent::Text(String::new()),
        other => {
            return Err(wrong(
                &path("content"),
                "a string or a list of text parts",
                other.unwrap_or(&Json::Null),
            ));
        }
    };
    Ok(Message { role, content })
}

fn known_role(role: &str) -> Option<&'static str> {
    ["user", "assistant", "system", "tool"]
        .into_iter()
        .find(|known| *known == role)
        .or((role == "developer").then_some("system"))
}

/// Parts of other media are refused by name, and nothing that they point to is fetched.
fn texts_of(path: &str, parts: &[Json<'_>]) -> Result<Vec<String>, ApiError> {
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Json::Object(_) = part else {
            return Err(wrong(&path, "an object with a `type`", part));
        };
        let fields = Fields::of(part)?;
        let kind = fields.string("type").ok().flatten();
        match (kind, fields.get("text")) {
            (Some("text"), Some(Json::String(text))) => out.push(text.clone().into_owned()),
            (Some("text"), other) => {
                return Err(wrong(
                    &format!("{path}.text"),
                    "a string",
                    other.unwrap_or(&Json::Null),
                ));
            }
            (
                Some(media @ ("image_url" | "input_audio" | "audio_url" | "video_url" | "file")),
                _,
            ) => {
                return Err(ApiError::unsupported(format!("{path}.{media}")));
            }
            _ => {
                return Err(wrong(
                    &format!("{path}.type"),
                    "`text`, the only part that is supported",
                    fields.get("type").unwrap_or(&Json::Null),
                ));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Message, MessageContent, messages};
    use crate::fields::Fields;
    use crate::{ApiError, Json};

    fn read(text: &str) -> Result<Vec<Message>, ApiError> {
        messages(&Fields::of(&Json::parse(text).unwrap()).unwrap())
    }

    #[test]
    fn roles_and_both_kinds_of_content_are_read() {
        let read = read(
            r#"{"messages":[{"role":"developer","content":"a"},{"role":"assistant","content":null},
            {"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"c"}]}]}"#,
        )
        .unwrap();
        let text = |text: &str| MessageContent::Text(text.to_owned());
        let parts = MessageContent::Parts(vec!["b".to_owned(), "c".to_owned()]);
        let expected = [
            ("system", text("a")),
            ("assistant", text("")),
            ("user", parts),
        ];
        let read: Vec<_> = read
            .into_iter()
            .map(|said| (said.role, said.content))
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, param) in [
            (r"{}", "messages"),
            (r#"{"messages":[]}"#, "messages"),
            (r#"{"messages":"hi"}"#, "messages"),
            (r#"{"messages":[1]}"#, "messages[0]"),
            (r#"{"messages":[{"content":"x"}]}"#, "messages[0].role"),
            (
                r#"{"messages":[{"role":"boss","content":"x"}]}"#,
                "messages[0].role",
            ),
            (r#"{"messages":[{"role":"user"}]}"#, "messages[0].content"),
            (
                r#"{"messages":[{"role":"user","content":[1]}]}"#,
                "messages[0].content[0]",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
                "messages[0].content[0].text",
            ),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}]}"#,
                "messages[0].content[0].image_url",
            ),
            (
                r#"{"messages":[{"role":"assistant","tool_calls":[{}]}]}"#,
                "messages[0].tool_calls",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{text}");
            assert!(error.message.contains(param), "{}", error.message);
        }
    }
}
