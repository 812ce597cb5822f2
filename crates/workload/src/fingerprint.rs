//! The hash of what plans send, and when.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use trace::{FollowUp, Message, Plan, PlannedRequest, Prompt};

/// SHA-256, in lower-case hexadecimal, of what the plans send and when it is due.
///
/// Equal hashes mean that two invocations had the same prompts, limits and due times in the same
/// order. `source` is what prompts that the plans only name are made from
/// ([`crate::PromptSource::fingerprint`]); empty where they hold all of them.
///
/// The bytes hashed are `tokenomics workload 2\n` and the source, then for each plan the number of
/// its requests, then for each request its due time, class, limit, prompt, changes and turns. A
/// prompt begins with a byte: 0 is a chat (number of messages; role, text, images and fields of
/// each), 1 are texts (query; number of texts; texts), 2 is a card (number; planned tokens). A turn
/// is its think time, limit and prompt. Numbers are little-endian u64; a text, and JSON, is its
/// length in bytes and its UTF-8; what may be absent has a byte 0 or 1 before it; a list begins with
/// its length.
pub fn workload_hash(plans: &[&Plan], source: &str) -> String {
    let mut hash = Hash(Sha256::new());
    hash.0.update(b"tokenomics workload 2\n");
    hash.text(source);
    for plan in plans {
        hash.number(plan.requests.len() as u64);
        for request in &plan.requests {
            hash.request(request);
        }
    }
    hex(&hash.0.finalize())
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes any text");
            hex
        })
}

struct Hash(Sha256);

impl Hash {
    fn request(&mut self, request: &PlannedRequest) {
        self.number(request.due.0);
        self.number(request.class.into());
        self.optional(request.max_tokens, |hash, limit| hash.number(limit.into()));
        let tokens = request.input_tokens.map(|tokens| tokens.count);
        self.prompt(&request.prompt, tokens);
        self.optional(request.changes.as_ref(), |hash, changes| {
            hash.json(changes);
        });
        self.number(request.turns.len() as u64);
        for turn in &*request.turns {
            self.turn(turn);
        }
    }

    fn turn(&mut self, turn: &FollowUp) {
        self.number(turn.think.0);
        self.optional(turn.max_tokens, |hash, limit| hash.number(limit.into()));
        self.prompt(&turn.prompt, turn.input_tokens.map(|tokens| tokens.count));
    }

    fn prompt(&mut self, prompt: &Prompt, tokens: Option<u32>) {
        match prompt {
            Prompt::Chat { messages } => {
                self.0.update([0]);
                self.number(messages.len() as u64);
                for message in &**messages {
                    self.message(message);
                }
            }
            Prompt::Texts { query, texts } => {
                self.0.update([1]);
                self.optional(query.as_deref(), Self::text);
                self.number(texts.len() as u64);
                for text in &**texts {
                    self.text(text);
                }
            }
            Prompt::Card { number } => {
                self.0.update([2]);
                self.number(*number);
                self.optional(tokens, |hash, tokens| hash.number(tokens.into()));
            }
        }
    }

    fn message(&mut self, message: &Message) {
        self.text(message.role.name());
        self.text(&message.text);
        self.number(message.images.len() as u64);
        for image in &*message.images {
            self.text(image);
        }
        self.optional(message.fields.as_ref(), |hash, fields| hash.json(fields));
    }

    fn optional<T>(&mut self, value: Option<T>, update: impl FnOnce(&mut Self, T)) {
        self.0.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            update(self, value);
        }
    }

    fn json(&mut self, object: &serde_json::Map<String, serde_json::Value>) {
        self.text(&serde_json::json!(object).to_string());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }
}
