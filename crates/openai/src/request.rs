use crate::Endpoint;
use crate::json::push_json;
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
    /// Fields added to the body. A field of ours with the same name is replaced.
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
    /// Every field that does not change.
    fields: Map<String, Value>,
    /// The same as JSON, without the closing brace.
    fixed: Vec<u8>,
}

impl RequestTemplate {
    /// Renders what the requests have in common.
    ///
    /// `extra_body` has the last word, with one nicety: where it gives `stream_options` without
    /// `include_usage`, the latter is still asked for. A `max_tokens` or `max_completion_tokens`
    /// in it replaces the limit of every request, `messages` or `prompt` its prompt.
    pub fn new(options: &RequestOptions) -> Self {
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
        fields.extend(options.extra_body.clone());
        let stream = fields["stream"].as_bool().unwrap_or(false);
        if stream && options.endpoint.has_stream_options() {
            let stream_options = fields.entry("stream_options").or_insert_with(|| json!({}));
            if let Value::Object(stream_options) = stream_options {
                stream_options.entry("include_usage").or_insert(json!(true));
            }
        }
        let n = fields
            .get("n")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok());
        Self {
            endpoint: options.endpoint,
            stream,
            n: n.unwrap_or(1),
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

    /// The JSON body of one request. `changes` are fields that this request alone has, or has
    /// otherwise than the others; they have the very last word. A completion has one prompt: its
    /// messages, with an empty line between two.
    pub fn render<'a>(
        &self,
        messages: impl Iterator<Item = ChatMessage<'a>>,
        max_tokens: Option<u32>,
        changes: Option<&Map<String, Value>>,
    ) -> Vec<u8> {
        // Enough for most prompts; longer ones grow it a few times.
        let mut body = Vec::with_capacity(self.fixed.len() + 2_048);
        let merged = changes.map(|own| {
            let mut fields = self.fields.clone();
            fields.extend(own.clone());
            fields
        });
        match &merged {
            None => body.extend_from_slice(&self.fixed),
            Some(fields) => body.extend_from_slice(&without_brace(fields)),
        }
        let fields = merged.as_ref().unwrap_or(&self.fields);
        let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
        if let Some(limit) = max_tokens
            && !limits.iter().any(|name| fields.contains_key(*name))
        {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(self.endpoint.limit_field().as_bytes());
            body.extend_from_slice(b"\":");
            push_json(&mut body, &limit);
        }
        let prompt = self.endpoint.prompt_field();
        if !fields.contains_key(prompt) {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(prompt.as_bytes());
            body.extend_from_slice(b"\":");
            match self.endpoint {
                Endpoint::ChatCompletions => push_messages(&mut body, messages, &CHAT_PARTS),
                Endpoint::Responses => push_messages(&mut body, messages, &RESPONSE_PARTS),
                Endpoint::Completions => push_prompt(&mut body, messages),
            }
        }
        body.push(b'}');
        body
    }
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
mod tests {
    use super::{ChatMessage, RequestOptions, RequestTemplate};
    use crate::Endpoint;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use std::sync::Arc;

    fn message<'a>(role: &'a str, text: &'a str) -> ChatMessage<'a> {
        ChatMessage {
            role,
            text,
            images: &[],
            fields: None,
        }
    }

    fn render(
        options: &RequestOptions,
        system: Option<&str>,
        user: &str,
        limit: Option<u32>,
    ) -> Value {
        let system = system.map(|system| message("system", system));
        let messages = system.into_iter().chain([message("user", user)]);
        let body = RequestTemplate::new(options).render(messages, limit, None);
        serde_json::from_slice(&body).unwrap()
    }

    fn options(endpoint: Endpoint) -> RequestOptions {
        RequestOptions {
            endpoint,
            model: "m".to_owned(),
            stream: true,
            temperature: None,
            n: 1,
            ignore_eos: false,
            seed: None,
            extra_body: Map::new(),
        }
    }

    fn body(options: &RequestOptions) -> Value {
        render(options, None, "hi", Some(8))
    }

    fn with_extra(extra: Value) -> RequestOptions {
        let Value::Object(extra_body) = extra else {
            panic!("an object")
        };
        RequestOptions {
            extra_body,
            ..options(Endpoint::ChatCompletions)
        }
    }

    #[test]
    fn a_plain_request_has_no_field_nobody_asked_for() {
        let expected = json!({
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 8,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        assert_eq!(body(&options(Endpoint::ChatCompletions)), expected);
        let unlimited = render(&options(Endpoint::Completions), None, "", None);
        assert_eq!(unlimited["prompt"], json!(""));
        assert!(unlimited.get("max_tokens").is_none() && unlimited.get("n").is_none());
    }

    #[test]
    fn every_option_reaches_the_body() {
        let body = body(&RequestOptions {
            stream: false,
            temperature: Some(0.0),
            n: 3,
            ignore_eos: true,
            seed: Some(u64::MAX),
            ..options(Endpoint::Completions)
        });
        let expected = json!({
            "model": "m", "prompt": "hi", "max_tokens": 8, "stream": false,
            "temperature": 0.0, "n": 3, "ignore_eos": true, "seed": u64::MAX,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn extra_body_has_the_last_word() {
        let extra = json!({"model": "other", "max_tokens": 1, "stream": false, "n": 2, "top_k": 5});
        let options = with_extra(extra);
        let body = body(&options);
        assert_eq!(body["model"], json!("other"));
        assert_eq!(body["max_tokens"], json!(1));
        assert_eq!(body["top_k"], json!(5));
        assert!(
            body.get("stream_options").is_none(),
            "refused by servers without `stream`"
        );
        let template = RequestTemplate::new(&options);
        assert_eq!((template.stream(), template.n()), (false, 2));
    }

    #[test]
    fn no_field_is_sent_twice() {
        for extra in [
            json!({"max_tokens": 2}),
            json!({"messages": []}),
            json!({"stream": true}),
        ] {
            let messages = [message("system", "s"), message("user", "u")];
            let changes = json!({"stream": true, "n": 1});
            let template = RequestTemplate::new(&with_extra(extra));
            let body = template.render(messages.into_iter(), Some(9), changes.as_object());
            let text = String::from_utf8(body).unwrap();
            for field in ["\"max_tokens\"", "\"messages\"", "\"stream\"", "\"n\""] {
                assert_eq!(text.matches(field).count(), 1, "{field} in {text}");
            }
        }
        assert!(
            body(&with_extra(json!({"max_completion_tokens": 2})))
                .get("max_tokens")
                .is_none()
        );
    }

    #[test]
    fn what_one_request_changes_leaves_the_others_as_they_are() {
        let template = RequestTemplate::new(&options(Endpoint::ChatCompletions));
        let changes = json!({"model": "adapter", "max_tokens": 3, "response_format": {"type": "json_object"}});
        let ask = |changes: Option<&Value>| -> Value {
            let messages = std::iter::once(message("user", "hi"));
            let body = template.render(messages, Some(8), changes.and_then(Value::as_object));
            serde_json::from_slice(&body).unwrap()
        };
        let variant = ask(Some(&changes));
        assert_eq!(
            (&variant["model"], &variant["max_tokens"]),
            (&json!("adapter"), &json!(3))
        );
        assert_eq!(variant["response_format"]["type"], "json_object");
        assert_eq!(ask(None), body(&options(Endpoint::ChatCompletions)));
    }

    #[test]
    fn images_stand_before_the_text_and_fields_beside_it() {
        let images: [Arc<str>; 2] = ["data:image/png;base64,AA==".into(), "http://x/y.png".into()];
        let call = json!({"tool_call_id": "call-1"});
        let messages = [
            ChatMessage {
                images: &images,
                ..message("user", "what is \"this\"?")
            },
            ChatMessage {
                fields: call.as_object(),
                ..message("tool", "21 °C")
            },
        ];
        let template = RequestTemplate::new(&options(Endpoint::ChatCompletions));
        let body = template.render(messages.into_iter(), None, None);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let expected = json!([
            {"role": "user", "content": [
                image(&images[0]), image(&images[1]), {"type": "text", "text": "what is \"this\"?"},
            ]},
            {"role": "tool", "content": "21 °C", "tool_call_id": "call-1"},
        ]);
        assert_eq!(body["messages"], expected);
    }

    #[test]
    fn the_route_for_responses_has_words_of_its_own() {
        let images: [Arc<str>; 1] = ["http://x/y.png".into()];
        let shown = ChatMessage {
            images: &images,
            ..message("user", "what?")
        };
        let template = RequestTemplate::new(&options(Endpoint::Responses));
        let messages = [message("system", "be brief"), shown].into_iter();
        let body: Value =
            serde_json::from_slice(&template.render(messages, Some(9), None)).unwrap();
        let expected = json!({
            "model": "m", "stream": true, "max_output_tokens": 9,
            "input": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [
                    {"type": "input_image", "image_url": "http://x/y.png"},
                    {"type": "input_text", "text": "what?"},
                ]},
            ],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn usage_is_asked_for_unless_extra_body_says_otherwise() {
        let merged = body(&with_extra(
            json!({"stream_options": {"continuous_usage_stats": true}}),
        ));
        let expected = json!({"continuous_usage_stats": true, "include_usage": true});
        assert_eq!(merged["stream_options"], expected);
        let refused = body(&with_extra(
            json!({"stream_options": {"include_usage": false}}),
        ));
        assert_eq!(refused["stream_options"], json!({"include_usage": false}));
        let null = body(&with_extra(json!({"stream_options": null})));
        assert_eq!(null["stream_options"], Value::Null);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_rendered_prompt_parses_back(
            system in proptest::option::of(any::<String>()),
            user in any::<String>(),
            model in any::<String>(),
        ) {
            let chat = RequestOptions { model, ..options(Endpoint::ChatCompletions) };
            let body = render(&chat, system.as_deref(), &user, Some(1));
            prop_assert_eq!(&body["model"], &json!(chat.model));
            let mut messages = Vec::new();
            if let Some(system) = &system {
                messages.push(json!({"role": "system", "content": system}));
            }
            messages.push(json!({"role": "user", "content": user}));
            prop_assert_eq!(&body["messages"], &json!(messages));

            let completion = options(Endpoint::Completions);
            let body = render(&completion, system.as_deref(), &user, None);
            let prompt = system.map_or(user.clone(), |system| format!("{system}\n\n{user}"));
            prop_assert_eq!(&body["prompt"], &json!(prompt));
        }
    }
}
