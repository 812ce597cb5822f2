//! Server-sent frames as vLLM writes them, for a provider.

use crate::body::push_usage;
use crate::json::push_json;
use crate::responses_frame;
use crate::{Endpoint, error_body};

/// The last frame of a stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// What the frames of one response have in common. Each method returns one whole frame,
/// `data: {…}\n\n`.
#[derive(Clone, Copy, Debug)]
pub struct FrameStyle<'a> {
    /// Whose frames: chat chunks carry a `delta`, completion chunks a `text`.
    pub endpoint: Endpoint,
    /// `id` of the response.
    pub id: &'a str,
    /// `model` that answers.
    pub model: &'a str,
    /// Unix time of the response, in seconds.
    pub created: u64,
}

impl FrameStyle<'_> {
    /// The frame that opens a chat choice: a role and no text. A completion has no roles: its
    /// frame has an empty text.
    pub fn role(&self, choice: u32) -> Vec<u8> {
        match self.endpoint {
            Endpoint::ChatCompletions => {
                self.chat_frame(choice, br#"{"role":"assistant","content":""}"#, None)
            }
            Endpoint::Completions => self.text_frame(choice, "", None),
            Endpoint::Responses => responses_frame::created(self),
        }
    }

    /// A frame of generated text.
    pub fn content(&self, choice: u32, text: &str) -> Vec<u8> {
        match self.endpoint {
            Endpoint::ChatCompletions => {
                let mut delta = Vec::with_capacity(text.len() + 16);
                delta.extend_from_slice(br#"{"content":"#);
                push_json(&mut delta, text);
                delta.push(b'}');
                self.chat_frame(choice, &delta, None)
            }
            Endpoint::Completions => self.text_frame(choice, text, None),
            Endpoint::Responses => responses_frame::delta(text),
        }
    }

    /// The frame that opens a chat choice's call of a function: its id and name, and how its
    /// arguments begin. `id` is that of the call.
    pub fn tool_call(&self, choice: u32, id: &str, function: &str, arguments: &str) -> Vec<u8> {
        let mut delta = br#"{"tool_calls":[{"index":0,"id":"#.to_vec();
        push_json(&mut delta, id);
        delta.extend_from_slice(br#","type":"function","function":{"name":"#);
        push_json(&mut delta, function);
        delta.extend_from_slice(br#","arguments":"#);
        push_json(&mut delta, arguments);
        delta.extend_from_slice(b"}}]}");
        self.chat_frame(choice, &delta, None)
    }

    /// A piece of the arguments of a chat choice's call.
    pub fn arguments(&self, choice: u32, piece: &str) -> Vec<u8> {
        let mut delta = Vec::with_capacity(piece.len() + 64);
        delta.extend_from_slice(br#"{"tool_calls":[{"index":0,"function":{"arguments":"#);
        push_json(&mut delta, piece);
        delta.extend_from_slice(b"}}]}");
        self.chat_frame(choice, &delta, None)
    }

    /// The frame that ends a choice: a finish reason and no text.
    pub fn finish(&self, choice: u32, reason: &str) -> Vec<u8> {
        match self.endpoint {
            Endpoint::ChatCompletions => {
                self.chat_frame(choice, br#"{"content":""}"#, Some(reason))
            }
            Endpoint::Completions => self.text_frame(choice, "", Some(reason)),
            Endpoint::Responses => responses_frame::part_done(),
        }
    }

    /// The frame after the last choice that carries token counts and no choice.
    pub fn usage(&self, prompt_tokens: u64, completion_tokens: u64) -> Vec<u8> {
        let mut out = self.head(0);
        out.extend_from_slice(b"],");
        push_usage(&mut out, prompt_tokens, completion_tokens);
        out.extend_from_slice(b"}\n\n");
        out
    }

    /// The frame that ends a response of `/responses`, with the whole text once more and the token counts.
    pub fn completed(&self, text: &str, reason: &str, tokens: (u64, u64)) -> Vec<u8> {
        responses_frame::completed(self, text, reason, tokens)
    }

    /// Everything up to and with the bracket that opens `choices`.
    fn head(&self, text_bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(224 + self.id.len() + self.model.len() + text_bytes);
        out.extend_from_slice(b"data: {\"id\":");
        push_json(&mut out, self.id);
        out.extend_from_slice(match self.endpoint {
            Endpoint::ChatCompletions => br#","object":"chat.completion.chunk","created":"#,
            Endpoint::Completions | Endpoint::Responses => {
                br#","object":"text_completion","created":"#
            }
        });
        push_json(&mut out, &self.created);
        out.extend_from_slice(br#","model":"#);
        push_json(&mut out, self.model);
        out.extend_from_slice(br#","choices":["#);
        out
    }

    fn chat_frame(&self, choice: u32, delta: &[u8], finish_reason: Option<&str>) -> Vec<u8> {
        let mut out = self.head(delta.len());
        out.extend_from_slice(br#"{"index":"#);
        push_json(&mut out, &choice);
        out.extend_from_slice(br#","delta":"#);
        out.extend_from_slice(delta);
        push_ending(&mut out, finish_reason);
        out
    }

    fn text_frame(&self, choice: u32, text: &str, finish_reason: Option<&str>) -> Vec<u8> {
        let mut out = self.head(text.len());
        out.extend_from_slice(br#"{"index":"#);
        push_json(&mut out, &choice);
        out.extend_from_slice(br#","text":"#);
        push_json(&mut out, text);
        push_ending(&mut out, finish_reason);
        out
    }
}

/// A frame that reports an error in a stream whose status was already 200.
pub fn error_frame(message: &str) -> Vec<u8> {
    let mut out = b"data: ".to_vec();
    out.extend_from_slice(&error_body(message, "InternalServerError", 500));
    out.extend_from_slice(b"\n\n");
    out
}

fn push_ending(out: &mut Vec<u8>, finish_reason: Option<&str>) {
    out.extend_from_slice(br#","logprobs":null,"finish_reason":"#);
    push_json(out, &finish_reason);
    out.extend_from_slice(b"}]}\n\n");
}

#[cfg(test)]
mod tests {
    use super::{DONE, FrameStyle, error_frame};
    use crate::Endpoint;

    const CHAT: FrameStyle = FrameStyle {
        endpoint: Endpoint::ChatCompletions,
        id: "chatcmpl-1",
        model: "m\"1",
        created: 1_700_000_000,
    };
    const TEXT: FrameStyle = FrameStyle {
        endpoint: Endpoint::Completions,
        id: "cmpl-1",
        model: "m",
        created: 0,
    };

    #[test]
    fn chat_frames_look_like_those_of_vllm() {
        let frames = [
            CHAT.role(0),
            CHAT.content(1, "a \"b\"\n"),
            CHAT.tool_call(0, "call-1", "get \"it\"", ""),
            CHAT.arguments(0, "{\"a\":"),
            CHAT.finish(0, "length"),
            CHAT.usage(7, 3),
            error_frame("out of \"memory\""),
            DONE.to_vec(),
        ];
        insta::assert_snapshot!(String::from_utf8(frames.concat()).unwrap());
    }

    #[test]
    fn completion_frames_look_like_those_of_vllm() {
        let frames = [
            TEXT.role(0),
            TEXT.content(0, " é"),
            TEXT.finish(2, "stop"),
            TEXT.usage(0, 1),
        ];
        insta::assert_snapshot!(String::from_utf8(frames.concat()).unwrap());
    }
}
