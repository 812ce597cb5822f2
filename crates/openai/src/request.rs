use crate::Endpoint;
use crate::json::push_json;
use serde_json::{Map, Value, json};

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

/// A request body with everything in it but the prompt and its limit: built once per run, so that
/// only the prompt is escaped per request.
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    endpoint: Endpoint,
    stream: bool,
    n: u32,
    /// `{` and every field that does not change, without the closing brace.
    fixed: Vec<u8>,
    sends_prompt: bool,
    sends_limit: bool,
}

impl RequestTemplate {
    /// Renders what the requests have in common.
    ///
    /// `extra_body` has the last word, with one nicety: where it gives `stream_options` without
    /// `include_usage`, the latter is still asked for. A `max_tokens` or `max_completion_tokens`
    /// in it replaces the limit of every request, `messages` or `prompt` its prompt.
    pub fn new(options: &RequestOptions) -> Self {
        let extra = &options.extra_body;
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
        fields.extend(extra.clone());
        let stream = fields["stream"].as_bool().unwrap_or(false);
        if stream {
            let stream_options = fields.entry("stream_options").or_insert_with(|| json!({}));
            if let Value::Object(stream_options) = stream_options {
                stream_options.entry("include_usage").or_insert(json!(true));
            }
        }
        let n = fields
            .get("n")
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok());
        let mut fixed = Vec::new();
        push_json(&mut fixed, &fields);
        let brace = fixed.pop();
        debug_assert_eq!(brace, Some(b'}'), "an object ends with a brace");
        Self {
            endpoint: options.endpoint,
            stream,
            n: n.unwrap_or(1),
            fixed,
            sends_prompt: !extra.contains_key(prompt_field(options.endpoint)),
            sends_limit: !extra.contains_key("max_tokens")
                && !extra.contains_key("max_completion_tokens"),
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

    /// The JSON body of one request. A completion has one prompt: its system text comes first,
    /// an empty line after it.
    pub fn render(&self, system: Option<&str>, user: &str, max_tokens: Option<u32>) -> Vec<u8> {
        let prompt_bytes = user.len() + system.map_or(0, str::len);
        // Newlines and quotes grow when escaped; a sixteenth covers prose.
        let mut body = Vec::with_capacity(self.fixed.len() + prompt_bytes * 17 / 16 + 128);
        body.extend_from_slice(&self.fixed);
        if self.sends_limit
            && let Some(limit) = max_tokens
        {
            body.extend_from_slice(br#","max_tokens":"#);
            push_json(&mut body, &limit);
        }
        if self.sends_prompt {
            body.extend_from_slice(b",\"");
            body.extend_from_slice(prompt_field(self.endpoint).as_bytes());
            body.extend_from_slice(b"\":");
            match self.endpoint {
                Endpoint::ChatCompletions => push_messages(&mut body, system, user),
                Endpoint::Completions => push_prompt(&mut body, system, user),
            }
        }
        body.push(b'}');
        body
    }
}

const fn prompt_field(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "messages",
        Endpoint::Completions => "prompt",
    }
}

fn push_messages(body: &mut Vec<u8>, system: Option<&str>, user: &str) {
    body.push(b'[');
    if let Some(system) = system {
        body.extend_from_slice(br#"{"role":"system","content":"#);
        push_json(body, system);
        body.extend_from_slice(b"},");
    }
    body.extend_from_slice(br#"{"role":"user","content":"#);
    push_json(body, user);
    body.extend_from_slice(b"}]");
}

fn push_prompt(body: &mut Vec<u8>, system: Option<&str>, user: &str) {
    match system {
        Some(system) => push_json(body, &format!("{system}\n\n{user}")),
        None => push_json(body, user),
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestOptions, RequestTemplate};
    use crate::Endpoint;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

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
        let body = RequestTemplate::new(options).render(None, "hi", Some(8));
        serde_json::from_slice(&body).unwrap()
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
        let unlimited =
            RequestTemplate::new(&options(Endpoint::Completions)).render(None, "", None);
        let unlimited: Value = serde_json::from_slice(&unlimited).unwrap();
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
            let body = RequestTemplate::new(&with_extra(extra)).render(Some("s"), "u", Some(9));
            let text = String::from_utf8(body).unwrap();
            for field in ["\"max_tokens\"", "\"messages\"", "\"stream\""] {
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
            let body = RequestTemplate::new(&chat).render(system.as_deref(), &user, Some(1));
            let body: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(&body["model"], &json!(chat.model));
            let mut messages = Vec::new();
            if let Some(system) = &system {
                messages.push(json!({"role": "system", "content": system}));
            }
            messages.push(json!({"role": "user", "content": user}));
            prop_assert_eq!(&body["messages"], &json!(messages));

            let completion = options(Endpoint::Completions);
            let body = RequestTemplate::new(&completion).render(system.as_deref(), &user, None);
            let body: Value = serde_json::from_slice(&body).unwrap();
            let prompt = system.map_or(user.clone(), |system| format!("{system}\n\n{user}"));
            prop_assert_eq!(&body["prompt"], &json!(prompt));
        }
    }
}
