//! What `/responses` answers, for a provider: events with names of their own, and whole bodies.

use crate::FrameStyle;
use crate::json::push_json;
use serde_json::{Value, json};

/// The event that opens a response.
pub(crate) fn created(style: &FrameStyle<'_>) -> Vec<u8> {
    let response = json!({
        "id": style.id, "object": "response", "created_at": style.created, "model": style.model,
        "status": "in_progress", "output": [],
    });
    event(
        "response.created",
        &json!({ "type": "response.created", "response": response }),
    )
}

/// A piece of the text.
pub(crate) fn delta(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 176);
    out.extend_from_slice(
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",",
    );
    out.extend_from_slice(
        b"\"item_id\":\"msg_0\",\"output_index\":0,\"content_index\":0,\"delta\":",
    );
    push_json(&mut out, text);
    out.extend_from_slice(b"}\n\n");
    out
}

/// The event after the last piece of the text.
pub(crate) fn part_done() -> Vec<u8> {
    let name = "response.content_part.done";
    event(
        name,
        &json!({ "type": name, "item_id": "msg_0", "output_index": 0, "content_index": 0 }),
    )
}

/// The last event.
pub(crate) fn completed(
    style: &FrameStyle<'_>,
    text: &str,
    reason: &str,
    tokens: (u64, u64),
) -> Vec<u8> {
    let name = match reason {
        "length" => "response.incomplete",
        _ => "response.completed",
    };
    event(
        name,
        &json!({ "type": name, "response": value(style, text, reason, tokens) }),
    )
}

/// The body of a response that is not a stream.
pub(crate) fn response(
    style: &FrameStyle<'_>,
    text: &str,
    reason: &str,
    tokens: (u64, u64),
) -> Vec<u8> {
    value(style, text, reason, tokens).to_string().into_bytes()
}

fn event(name: &str, data: &Value) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

fn value(style: &FrameStyle<'_>, text: &str, reason: &str, (input, output): (u64, u64)) -> Value {
    let cut = reason == "length";
    json!({
        "id": style.id,
        "object": "response",
        "created_at": style.created,
        "model": style.model,
        "status": if cut { "incomplete" } else { "completed" },
        "incomplete_details": cut.then(|| json!({ "reason": "max_output_tokens" })),
        "error": null,
        "output": [{
            "id": "msg_0", "type": "message", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        }],
        "usage": {
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens_details": { "reasoning_tokens": 0 },
        },
    })
}
