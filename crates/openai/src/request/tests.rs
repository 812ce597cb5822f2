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

fn render(options: &RequestOptions, system: Option<&str>, user: &str, limit: Option<u32>) -> Value {
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
    let changes =
        json!({"model": "adapter", "max_tokens": 3, "response_format": {"type": "json_object"}});
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
    let body: Value = serde_json::from_slice(&template.render(messages, Some(9), None)).unwrap();
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
    assert!(null.get("stream_options").is_none());
    let null = body(&with_extra(
        json!({"stream_options": {"include_usage": null}}),
    ));
    assert_eq!(null["stream_options"], json!({}));
}

#[test]
fn null_in_extra_body_removes_any_field() {
    let all = RequestOptions {
        temperature: Some(0.5),
        n: 2,
        ignore_eos: true,
        seed: Some(1),
        ..options(Endpoint::ChatCompletions)
    };
    let whole = body(&all);
    for name in whole.as_object().unwrap().keys() {
        let extra_body = [(name.clone(), Value::Null)].into_iter().collect();
        let without = body(&RequestOptions {
            extra_body,
            ..all.clone()
        });
        let mut expected = whole.clone();
        expected.as_object_mut().unwrap().remove(name);
        if name == "stream" {
            // Refused by servers that are not asked for a stream.
            expected.as_object_mut().unwrap().remove("stream_options");
        }
        assert_eq!(without, expected, "{name}");
    }
    let none = whole.as_object().unwrap().keys();
    let none = none.map(|name| (name.clone(), Value::Null)).collect();
    let nothing = body(&RequestOptions {
        extra_body: none,
        ..all
    });
    assert_eq!(nothing, json!({}));
}

#[test]
fn the_limit_that_is_kept_is_the_one_that_is_sent() {
    for (extra, changes, limit) in [
        (json!({}), None, Some(8)),
        (json!({"max_tokens": 3}), None, Some(3)),
        (json!({"max_tokens": null}), None, None),
        (json!({"max_completion_tokens": 5}), None, Some(5)),
        (
            json!({"max_completion_tokens": 5, "max_tokens": null}),
            None,
            Some(5),
        ),
        (json!({"max_completion_tokens": null}), None, Some(8)),
        (json!({"top_k": 1}), Some(json!({"top_k": 2})), Some(8)),
        (
            json!({"max_tokens": 3}),
            Some(json!({"max_tokens": 4})),
            Some(4),
        ),
        (json!({}), Some(json!({"max_tokens": null})), None),
        (
            json!({"max_tokens": null}),
            Some(json!({"max_tokens": 6})),
            Some(6),
        ),
    ] {
        let template = RequestTemplate::new(&with_extra(extra.clone()));
        let own = changes.as_ref().and_then(Value::as_object);
        assert_eq!(
            template.limit(Some(8), own),
            limit,
            "{extra} and {changes:?}"
        );
        let body = template.render(std::iter::once(message("user", "hi")), Some(8), own);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let sent = ["max_completion_tokens", "max_tokens"];
        let sent = sent.iter().find_map(|name| body.get(*name)?.as_u64());
        assert_eq!(sent, limit.map(u64::from), "{body}");
    }
}

#[test]
fn extra_body_patches_what_is_sent_beside_the_usual() {
    let tools = json!({"tools": [1], "response_format": {"type": "json_object"}});
    let options = with_extra(json!({"tools": null, "response_format": {"strict": true}}));
    let template = RequestTemplate::with_fields(&options, tools.as_object().unwrap().clone());
    let body = template.render(std::iter::once(message("user", "hi")), None, None);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body.get("tools").is_none());
    assert_eq!(
        body["response_format"],
        json!({"type": "json_object", "strict": true})
    );
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
