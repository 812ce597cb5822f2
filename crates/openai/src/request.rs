//! Bodies of requests for text.

use crate::Endpoint;
use crate::json::push_json;
use crate::patch::merge_patch;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What every request of a run has in common.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestOptions {
    /// The route, which decides how a prompt is carried.
    pub endpoint: Endpoint,
    /// The model's name, as the server knows it.
    pub model: String,
    /// Whether a stream is asked for, and token counts at its end.
    pub stream: bool,
    /// Sampling temperature, finite; the server's own where absent.
    pub temperature: Option<f64>,
    /// Choices per request; 1 is the default of the API and is left out.
    pub n: u32,
    /// Generate up to the limit whatever the model says (an extension of vLLM and SGLang).
    pub ignore_eos: bool,
    /// Seed of the server's sampler.
    pub seed: Option<u64>,
    /// A merge patch (RFC 7396) on the body.
    pub extra_body: Map<String, Value>,
}

/// One message of a chat, as the caller has it.
#[derive(Clone, Copy, Debug)]
pub struct ChatMessage<'a> {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: &'a str,
    /// What is said.
    pub text: &'a str,
    /// URLs of images, which stand before the text.
    pub images: &'a [Arc<str>],
    /// Further fields, such as `tool_calls`.
    pub fields: Option<&'a Map<String, Value>>,
}

/// A request body with everything in it but the prompt and its limit: built once per run, so that
/// only the prompt is escaped per request.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    endpoint: Endpoint,
    n: u32,
    stream: bool,
    /// What each request still adds to the fields.
    own: Own,
    /// Every field that does not change.
    fields: Map<String, Value>,
    /// The same as JSON, without the closing brace.
    fixed: Vec<u8>,
}

/// Which fields of a request are the request's own, because nobody said otherwise.
#[derive(Clone, Copy, Debug)]
struct Own {
    limit: bool,
    prompt: bool,
}

/// Every name of the limit on generated tokens; a server that knows several heeds the first.
const LIMITS: [&str; 3] = ["max_completion_tokens", "max_output_tokens", "max_tokens"];

impl RequestTemplate {
    /// Renders what the requests have in common.
    ///
    /// `extra_body` is a merge patch (RFC 7396) on the body and has the last word: `null` removes a field. A
    /// `max_tokens` or `max_completion_tokens` in it replaces the limit of every request, `messages` or `prompt` its
    /// prompt.
    pub fn new(options: &RequestOptions) -> Self {
        Self::with_fields(options, Map::new())
    }

    /// The same with further fields of ours, such as `tools`, which `extra_body` patches too.
    pub fn with_fields(options: &RequestOptions, further: Map<String, Value>) -> Self {
        let patch = &options.extra_body;
        let stream = match patch.get("stream") {
            Some(said) => said.as_bool().unwrap_or(false),
            None => options.stream,
        };
        let mut fields = Map::new();
        fields.insert("model".to_owned(), json!(options.model));
        fields.insert("stream".to_owned(), json!(options.stream));
        if let Some(temperature) = options.temperature {
            fields.insert("temperature".to_owned(), json!(temperature));
        }
        if options.n != 1 {
            fields.insert("n".to_owned(), json!(options.n));
        }
        if options.ignore_eos {
            fields.insert("ignore_eos".to_owned(), json!(true));
        }
        if let Some(seed) = options.seed {
            fields.insert("seed".to_owned(), json!(seed));
        }
        if stream && options.endpoint.has_stream_options() {
            let usage = json!({ "include_usage": true });
            fields.insert("stream_options".to_owned(), usage);
        }
        fields.extend(further);
        merge_patch(&mut fields, patch);
        let n = fields
            .get("n")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok());
        let all = Own {
            limit: true,
            prompt: true,
        };
        Self {
            endpoint: options.endpoint,
            stream,
            n: n.unwrap_or(1),
            own: all.after(patch, options.endpoint),
            fixed: without_brace(&fields),
            fields,
        }
    }

    /// The route the body is for.
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Whether the body asks for a stream, after `extra_body` had its word.
    pub const fn stream(&self) -> bool {
        self.stream
    }

    /// Choices that the body asks for, after `extra_body` had its word.
    pub const fn n(&self) -> u32 {
        self.n
    }

    /// The limit on generated tokens that the body of such a request has, after `extra_body` and `changes` had their
    /// word; `None` where it has none.
    pub fn limit(
        &self,
        max_tokens: Option<u32>,
        changes: Option<&Map<String, Value>>,
    ) -> Option<u32> {
        if self.own_of(changes).limit {
            return max_tokens;
        }
        let said = |name: &&str| {
            let here = changes.and_then(|own| own.get(*name));
            let said = here.or_else(|| self.fields.get(*name))?.as_u64()?;
            u32::try_from(said).ok()
        };
        LIMITS.iter().find_map(said)
    }

    /// The JSON body of one request. `changes` are fields that this request alone has, or has
    /// otherwise than the others, or with `null` not at all; they have the very last word. A completion has one
    /// prompt: its messages, with an empty line between two.
    pub fn render<'a>(
        &self,
        messages: impl Iterator<Item = ChatMessage<'a>>,
        max_tokens: Option<u32>,
        changes: Option<&Map<String, Value>>,
    ) -> Vec<u8> {
        // Enough for most prompts; longer ones grow it a few times.
        let mut body = Vec::with_capacity(self.fixed.len() + 2_048);
        match changes {
            None => body.extend_from_slice(&self.fixed),
            Some(changes) => {
                let mut fields = self.fields.clone();
                fields.extend(changes.clone());
                fields.retain(|name, value| !(value.is_null() && changes.contains_key(name)));
                body.extend_from_slice(&without_brace(&fields));
            }
        }
        let own = self.own_of(changes);
        if let Some(limit) = max_tokens.filter(|_| own.limit) {
            push_name(&mut body, self.endpoint.limit_field());
            push_json(&mut body, &limit);
        }
        if own.prompt {
            push_name(&mut body, self.endpoint.prompt_field());
            match self.endpoint {
                Endpoint::ChatCompletions => push_messages(&mut body, messages, &CHAT_PARTS),
                Endpoint::Responses => push_messages(&mut body, messages, &RESPONSE_PARTS),
                Endpoint::Completions => push_prompt(&mut body, messages),
            }
        }
        body.push(b'}');
        body
    }

    fn own_of(&self, changes: Option<&Map<String, Value>>) -> Own {
        changes.map_or(self.own, |changes| self.own.after(changes, self.endpoint))
    }
}

impl Own {
    /// What is left of it where `said` names fields: one that is named is no longer the request's own, and a limit
    /// under another name takes its place.
    fn after(self, said: &Map<String, Value>, endpoint: Endpoint) -> Self {
        let limit = said.contains_key(endpoint.limit_field())
            || LIMITS
                .iter()
                .any(|name| said.get(*name).is_some_and(|value| !value.is_null()));
        Self {
            limit: self.limit && !limit,
            prompt: self.prompt && !said.contains_key(endpoint.prompt_field()),
        }
    }
}

/// A comma, and the name of a field with its colon. `without_brace` leaves no comma for an object of no fields.
fn push_name(body: &mut Vec<u8>, name: &str) {
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    push_json(body, name);
    body.push(b':');
}

/// An object that is to be continued.
fn without_brace(fields: &Map<String, Value>) -> Vec<u8> {
    let mut json = Vec::new();
    push_json(&mut json, fields);
    let brace = json.pop();
    debug_assert_eq!(brace, Some(b'}'), "an object ends with a brace");
    json
}

/// What stands around an image's URL and before a text, in a list of parts.
struct PartWords {
    image: (&'static [u8], &'static [u8]),
    text: &'static [u8],
}

const CHAT_PARTS: PartWords = PartWords {
    image: (br#"{"type":"image_url","image_url":{"url":"#, b"}},"),
    text: br#"{"type":"text","text":"#,
};

const RESPONSE_PARTS: PartWords = PartWords {
    image: (br#"{"type":"input_image","image_url":"#, b"},"),
    text: br#"{"type":"input_text","text":"#,
};

fn push_messages<'a>(
    body: &mut Vec<u8>,
    messages: impl Iterator<Item = ChatMessage<'a>>,
    parts: &PartWords,
) {
    body.push(b'[');
    for (number, message) in messages.enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"role":"#);
        push_json(body, message.role);
        body.extend_from_slice(br#","content":"#);
        push_content(body, message, parts);
        for (name, value) in message.fields.into_iter().flatten() {
            body.push(b',');
            push_json(body, name);
            body.push(b':');
            push_json(body, value);
        }
        body.push(b'}');
    }
    body.push(b']');
}

/// A text, or where there are images a list of parts.
fn push_content(body: &mut Vec<u8>, message: ChatMessage<'_>, parts: &PartWords) {
    if message.images.is_empty() {
        push_json(body, message.text);
        return;
    }
    body.push(b'[');
    for url in message.images {
        body.extend_from_slice(parts.image.0);
        push_json(body, &**url);
        body.extend_from_slice(parts.image.1);
    }
    body.extend_from_slice(parts.text);
    push_json(body, message.text);
    body.extend_from_slice(b"}]");
}

/// The one prompt of a completion: the texts of its messages, with an empty line between two.
pub fn completion_prompt<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<Vec<_>>().join("\n\n")
}

fn push_prompt<'a>(body: &mut Vec<u8>, messages: impl Iterator<Item = ChatMessage<'a>>) {
    push_json(
        body,
        &completion_prompt(messages.map(|message| message.text)),
    );
}

#[cfg(test)]
mod tests;
