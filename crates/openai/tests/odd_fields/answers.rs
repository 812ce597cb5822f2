//! Answers of every kind, as servers give them.

use serde_json::{Value, json};

/// A recorded answer.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    /// Asked for.
    pub(crate) choices: u32,
    /// The name on the line before, and the data.
    pub(crate) events: Vec<(&'static str, Value)>,
    /// It ends with `[DONE]`.
    pub(crate) done: bool,
}

fn chat(events: Vec<Value>) -> Vec<(&'static str, Value)> {
    events.into_iter().map(|event| ("", event)).collect()
}

/// A chunk of a chat.
fn delta(delta: impl Into<Value>) -> Value {
    let delta = delta.into();
    json!({
        "id": "c-1", "object": "chat.completion.chunk", "created": 17, "model": "m", "system_fingerprint": null,
        "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": null }], "obfuscation": "x8",
    })
}

fn ended(reason: &str) -> Value {
    let mut chunk = delta(json!({}));
    chunk["choices"][0]["finish_reason"] = json!(reason);
    chunk
}

fn counted(mut chunk: Value, completion: u64) -> Value {
    chunk["usage"] = json!({
        "prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion,
        "prompt_tokens_details": { "cached_tokens": 4 }, "completion_tokens_details": { "reasoning_tokens": 2 },
    });
    chunk
}

fn chats() -> Vec<Stream> {
    let usage = || {
        counted(
            json!({ "object": "chat.completion.chunk", "choices": [], "model": "m" }),
            5,
        )
    };
    let plain = vec![
        delta(json!({ "role": "assistant", "content": "", "refusal": null })),
        delta(json!({ "content": "Hel" })),
        delta(json!({ "content": "lo" })),
        delta(json!({ "content": "lo" })),
        ended("stop"),
        usage(),
    ];
    let every = (1..=4)
        .map(|count| counted(delta(json!({ "content": "ab" })), count))
        .chain([counted(ended("length"), 4)]);
    let thoughts = vec![
        delta(json!({ "reasoning_content": "hm", "reasoning": "hm", "content": null })),
        delta(
            json!({ "reasoning_details": [{ "type": "reasoning.text", "text": "so" }], "reasoning": "so" }),
        ),
        delta(
            json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "t" }] }] }),
        ),
        delta(json!({ "content": [{ "type": "text", "text": "a" }] })),
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "c", "type": "function", "function": { "name": "f", "arguments": "" } }] }),
        ),
        delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{}" } }] })),
        delta(json!({ "function_call": { "name": "f", "arguments": "{\"a\"" } })),
        ended("tool_calls"),
        usage(),
    ];
    let mut kimi = ended("stop");
    kimi["choices"][0]["usage"] =
        json!({ "prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 4 });
    let mut groq = ended("stop");
    groq["x_groq"] = json!({ "id": "r", "usage": { "prompt_tokens": 9, "completion_tokens": 5, "queue_time": 0.1 } });
    let stream = |name, events, done| Stream {
        name,
        choices: 1,
        events: chat(events),
        done,
    };
    vec![
        stream("chat", plain.clone(), true),
        stream("chat without [DONE]", plain, false),
        stream("counts with every chunk", every.collect(), true),
        stream("thoughts, parts and calls", thoughts, true),
        stream(
            "usage in a choice",
            vec![delta(json!({ "content": "a" })), kimi],
            true,
        ),
        stream(
            "usage in x_groq",
            vec![delta(json!({ "content": "a" })), groq],
            false,
        ),
    ]
}

fn completions() -> Stream {
    let piece = |index: u32, text: &str, reason: Option<&str>| {
        json!({
            "id": "c-1", "object": "text_completion", "model": "m",
            "choices": [{ "index": index, "text": text, "logprobs": null, "finish_reason": reason }], "usage": null,
        })
    };
    let events = vec![
        piece(0, "one", None),
        piece(1, "two", None),
        piece(0, " more", Some("stop")),
        piece(1, "", Some("length")),
        counted(json!({ "choices": [], "object": "text_completion" }), 6),
    ];
    Stream {
        name: "completions",
        choices: 2,
        events: chat(events),
        done: true,
    }
}

fn response(status: &str) -> Value {
    json!({
        "id": "r", "object": "response", "model": "m", "status": status, "error": null, "incomplete_details": null,
        "output": [{ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "so it" }] }],
        "usage": { "input_tokens": 9, "output_tokens": 5, "total_tokens": 14,
            "input_tokens_details": { "cached_tokens": 4 }, "output_tokens_details": { "reasoning_tokens": 2 } },
    })
}

fn responses(with_lines: bool) -> Stream {
    let mut events = vec![
        (
            "response.created",
            json!({ "response": { "id": "r", "status": "in_progress", "output": [] }, "sequence_number": 0 }),
        ),
        (
            "response.reasoning_text.delta",
            json!({ "delta": "hm", "output_index": 0 }),
        ),
        (
            "response.output_item.added",
            json!({ "item": { "type": "function_call", "name": "f", "call_id": "c", "arguments": "" } }),
        ),
        (
            "response.function_call_arguments.delta",
            json!({ "delta": "{}", "item_id": "i" }),
        ),
        (
            "response.output_text.delta",
            json!({ "content_index": 0, "delta": "so", "logprobs": [], "item_id": "m" }),
        ),
        (
            "response.output_text.delta",
            json!({ "content_index": 0, "delta": " it", "logprobs": [], "item_id": "m" }),
        ),
        ("response.output_text.done", json!({ "text": "so it" })),
        (
            "response.completed",
            json!({ "response": response("completed"), "sequence_number": 7 }),
        ),
    ];
    for (name, event) in &mut events {
        event["type"] = json!(name);
        if !with_lines {
            *name = "";
        }
    }
    let name = if with_lines {
        "/responses"
    } else {
        "/responses without lines of names"
    };
    Stream {
        name,
        choices: 1,
        events,
        done: false,
    }
}

/// Streams of every kind.
pub(crate) fn streams() -> Vec<Stream> {
    let mut streams = chats();
    streams.extend([completions(), responses(true), responses(false)]);
    streams
}

/// Bodies that are no streams.
pub(crate) fn bodies() -> Vec<Value> {
    let message = json!({
        "role": "assistant", "content": "Hello", "reasoning_content": "hm", "refusal": null,
        "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }],
    });
    let chat = json!({
        "id": "c-1", "object": "chat.completion", "created": 17, "model": "m",
        "choices": [
            { "index": 0, "message": message, "finish_reason": "stop", "logprobs": null },
            { "index": 1, "message": { "content": [{ "type": "text", "text": "Hi" }] }, "finish_reason": "length" },
        ],
    });
    let text = json!({
        "object": "text_completion", "model": "m", "choices": [{ "index": 0, "text": "abc", "finish_reason": "stop" }],
    });
    vec![counted(chat, 5), counted(text, 5), response("completed")]
}
