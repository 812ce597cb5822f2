//! Whole JSON bodies, for a provider.

use crate::json::push_json;
use crate::responses_frame;
use crate::{Endpoint, FrameStyle};

/// What one choice of a response that is not a stream says.
#[derive(Clone, Copy, Debug)]
pub enum ChoiceBody<'a> {
    /// A text.
    Text(&'a str),
    /// A call of a function, which only a chat can have; of a completion its arguments are the text.
    ToolCall {
        /// Of the call.
        id: &'a str,
        /// Its name.
        function: &'a str,
        /// JSON, as text.
        arguments: &'a str,
    },
}

/// The body of a response that is not a stream. Every choice ends with `finish_reason`.
pub fn completion_body(
    style: &FrameStyle<'_>,
    choices: &[ChoiceBody<'_>],
    finish_reason: &str,
    prompt_tokens: u64,
    completion_tokens: u64,
) -> Vec<u8> {
    if style.endpoint == Endpoint::Responses {
        let text = choices.first().map_or("", ChoiceBody::text);
        let tokens = (prompt_tokens, completion_tokens);
        return responses_frame::response(style, text, finish_reason, tokens);
    }
    let text_bytes: usize = choices.iter().map(ChoiceBody::bytes).sum();
    let mut out = Vec::with_capacity(256 + text_bytes);
    out.extend_from_slice(br#"{"id":"#);
    push_json(&mut out, style.id);
    out.extend_from_slice(match style.endpoint {
        Endpoint::ChatCompletions => br#","object":"chat.completion","created":"#,
        Endpoint::Completions | Endpoint::Responses => br#","object":"text_completion","created":"#,
    });
    push_json(&mut out, &style.created);
    out.extend_from_slice(br#","model":"#);
    push_json(&mut out, style.model);
    out.extend_from_slice(br#","choices":["#);
    for (index, choice) in choices.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"index":"#);
        push_json(&mut out, &index);
        choice.push(style.endpoint, &mut out);
        out.extend_from_slice(br#","logprobs":null,"finish_reason":"#);
        push_json(&mut out, finish_reason);
        out.push(b'}');
    }
    out.extend_from_slice(b"],");
    push_usage(&mut out, prompt_tokens, completion_tokens);
    out.push(b'}');
    out
}

impl ChoiceBody<'_> {
    /// What it says, or the arguments of its call.
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::ToolCall { arguments, .. } => arguments,
        }
    }

    /// About how long it is.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 112,
            Self::ToolCall {
                id,
                function,
                arguments,
            } => id.len() + function.len() + 2 * arguments.len() + 224,
        }
    }

    fn push(&self, endpoint: Endpoint, out: &mut Vec<u8>) {
        match (endpoint, *self) {
            (Endpoint::ChatCompletions, Self::Text(text)) => {
                out.extend_from_slice(br#","message":{"role":"assistant","content":"#);
                push_json(out, text);
                out.push(b'}');
            }
            (
                Endpoint::ChatCompletions,
                Self::ToolCall {
                    id,
                    function,
                    arguments,
                },
            ) => {
                out.extend_from_slice(
                    br#","message":{"role":"assistant","content":null,"tool_calls":[{"id":"#,
                );
                push_json(out, id);
                out.extend_from_slice(br#","type":"function","function":{"name":"#);
                push_json(out, function);
                out.extend_from_slice(br#","arguments":"#);
                push_json(out, arguments);
                out.extend_from_slice(b"}}]}");
            }
            (
                Endpoint::Completions | Endpoint::Responses,
                Self::Text(text)
                | Self::ToolCall {
                    arguments: text, ..
                },
            ) => {
                out.extend_from_slice(br#","text":"#);
                push_json(out, text);
            }
        }
    }
}

/// An error in the shape of the OpenAI API: `kind` is its `type`, `code` the HTTP status.
pub fn error_body(message: &str, kind: &str, code: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + message.len() + kind.len());
    out.extend_from_slice(br#"{"error":{"message":"#);
    push_json(&mut out, message);
    out.extend_from_slice(br#","type":"#);
    push_json(&mut out, kind);
    out.extend_from_slice(br#","param":null,"code":"#);
    push_json(&mut out, &code);
    out.extend_from_slice(b"}}");
    out
}

/// The answer to `GET /v1/models`.
pub fn models_body(models: &[&str]) -> Vec<u8> {
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for (index, id) in models.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&model_body(id));
    }
    out.extend_from_slice(b"]}");
    out
}

/// The body of `/v1/models/ID`.
pub fn model_body(id: &str) -> Vec<u8> {
    let mut out = br#"{"id":"#.to_vec();
    push_json(&mut out, id);
    out.extend_from_slice(br#","object":"model","created":0,"owned_by":"tokenomics"}"#);
    out
}

pub(crate) fn push_usage(out: &mut Vec<u8>, prompt_tokens: u64, completion_tokens: u64) {
    out.extend_from_slice(br#""usage":{"prompt_tokens":"#);
    push_json(out, &prompt_tokens);
    out.extend_from_slice(br#","total_tokens":"#);
    push_json(out, &prompt_tokens.saturating_add(completion_tokens));
    out.extend_from_slice(br#","completion_tokens":"#);
    push_json(out, &completion_tokens);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::{ChoiceBody, completion_body, error_body, models_body};
    use crate::{Endpoint, FrameStyle};

    fn text_of(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn bodies_look_like_those_of_vllm() {
        let chat = FrameStyle {
            endpoint: Endpoint::ChatCompletions,
            id: "chatcmpl-1",
            model: "m",
            created: 5,
        };
        let completion = FrameStyle {
            endpoint: Endpoint::Completions,
            ..chat
        };
        let texts = [ChoiceBody::Text("one \"1\""), ChoiceBody::Text("")];
        let call = ChoiceBody::ToolCall {
            id: "call-1",
            function: "f",
            arguments: r#"{"a":"b"}"#,
        };
        let bodies = [
            text_of(completion_body(&chat, &texts, "stop", 7, 2)),
            text_of(completion_body(&completion, &texts, "length", 0, 0)),
            text_of(completion_body(&chat, &[call], "tool_calls", 7, 2)),
            text_of(error_body("no such model `x`", "NotFoundError", 404)),
            text_of(models_body(&["a", "b\"c"])),
        ];
        insta::assert_snapshot!(bodies.join("\n"));
    }
}
