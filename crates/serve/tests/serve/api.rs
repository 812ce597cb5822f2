use crate::support::{
    Client, Fake, NAME, SAID, codec, completion, config, get, metric, post, said, server,
};
use models::ChatTemplate;
use serde_json::{Value, json};
use serve::{TextCodec, spawn_model};

#[test]
fn a_completion_is_what_the_model_says() {
    let server = server(config(), Fake::default());
    let answered = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","max_tokens":60"#),
    );
    assert_eq!(answered.status, 200);
    assert_eq!(answered.header("content-type"), Some("application/json"));
    let json = answered.json();
    assert_eq!(json["object"], "text_completion");
    assert_eq!(json["model"], NAME);
    assert_eq!(json["choices"][0]["text"], said(1, 60));
    assert_eq!(json["choices"][0]["finish_reason"], "length");
    assert_eq!(
        json["usage"],
        json!({"prompt_tokens":1,"completion_tokens":60,"total_tokens":61,"prompt_tokens_details":{"cached_tokens":0}})
    );
}

#[test]
fn a_chat_goes_through_the_template_and_fills_the_context() {
    let server = server(config(), Fake::default());
    let body = r#"{"model":"fake/model","messages":[{"role":"user","content":"hi"}]}"#;
    let json = post(server.addr(), "/v1/chat/completions", body).json();
    let prompt = usize::try_from(json["usage"]["prompt_tokens"].as_u64().unwrap()).unwrap();
    let message = &json["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    assert_eq!(message["content"], said(prompt, 512 - prompt));
    let tokens = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(
        post(server.addr(), "/tokenize", tokens).json()["count"],
        prompt
    );
}

#[test]
fn a_completion_without_a_length_has_sixteen_tokens() {
    let server = server(config(), Fake::default());
    let json = post(server.addr(), "/v1/completions", r#"{"prompt":[1,2,3]}"#).json();
    assert_eq!(json["choices"][0]["text"], said(3, 16));
}

#[test]
fn an_end_token_counts_and_is_no_text() {
    let model = Fake {
        eos_at: Some(5),
        ..Fake::default()
    };
    let server = server(config(), model);
    let json = post(server.addr(), "/v1/completions", &completion("")).json();
    assert_eq!(json["choices"][0]["text"], said(1, 4));
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["completion_tokens"], 5);
    let json = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","ignore_eos":true"#),
    )
    .json();
    assert_eq!(json["choices"][0]["finish_reason"], "length");
    assert_eq!(json["usage"]["completion_tokens"], 16);
}

#[test]
fn a_stop_token_of_the_request_is_no_text() {
    let server = server(config(), Fake::default());
    let body = completion(r#","stop_token_ids":[118]"#); // v
    let json = post(server.addr(), "/v1/completions", &body).json();
    assert_eq!(json["choices"][0]["text"], "he naï");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
}

#[test]
fn text_ends_before_a_stop_string() {
    let server = server(config(), Fake::default());
    let stop = |fields: &str| {
        let body = completion(&format!(r#","max_tokens":60,{fields}"#));
        post(server.addr(), "/v1/completions", &body).json()
    };
    let json = stop(r#""stop":"café""#);
    // Whoever ends the text, the usage is whole.
    assert_eq!(
        json["usage"]["prompt_tokens_details"]["cached_tokens"], 0,
        "{json}"
    );
    assert_eq!(json["choices"][0]["text"], "he naïve ");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        stop(r#""stop":["zzz"," sold","caféx"]"#)["choices"][0]["text"],
        "he naïve café"
    );
    // Not before the least length.
    let json = stop(r#""stop":"e","min_tokens":10"#);
    assert_eq!(
        json["choices"][0]["text"],
        "he naïve café sold 42 croissants — all at onc"
    );
    // What only looked like a stop string is text.
    assert_eq!(
        stop(r#""stop":"once. X""#)["choices"][0]["text"],
        said(1, 60)
    );
    // All is given back.
    assert_eq!(
        (server.gauges().running, server.gauges().blocks_owned),
        (0, 0)
    );
}

#[test]
fn choices_are_told_apart() {
    let server = server(config(), Fake::default());
    let json = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","n":3,"max_tokens":5"#),
    )
    .json();
    let choices = json["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    for (index, choice) in choices.iter().enumerate() {
        assert_eq!(choice["index"], index);
        assert_eq!(choice["text"], said(1, 5));
    }
    assert_eq!(json["usage"]["completion_tokens"], 15);
}

#[test]
fn log_probabilities_come_with_their_tokens() {
    let server = server(config(), Fake::default());
    let json = post(
        server.addr(),
        "/v1/completions",
        &completion(r#","max_tokens":3,"logprobs":2"#),
    )
    .json();
    let logprobs = &json["choices"][0]["logprobs"];
    assert_eq!(logprobs["tokens"], json!(["h", "e", " "]));
    assert_eq!(logprobs["text_offset"], json!([0, 1, 2]));
    assert_eq!(logprobs["token_logprobs"].as_array().unwrap().len(), 3);
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":2,"logprobs":true,"top_logprobs":2}"#;
    let json = post(server.addr(), "/v1/chat/completions", body).json();
    let content = json["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(content.len(), 2);
    assert_eq!(content[0]["top_logprobs"].as_array().unwrap().len(), 2);
    assert_eq!(content[0]["top_logprobs"][0]["token"], content[0]["token"]);
}

#[test]
fn models_are_listed_and_found_by_name() {
    let server = server(config(), Fake::default());
    let list = get(server.addr(), "/v1/models").json();
    assert_eq!(list["data"][0]["id"], NAME);
    assert_eq!(list["data"][0]["max_model_len"], 512);
    for path in ["/v1/models/fake/model", "/v1/models/fake%2Fmodel"] {
        assert_eq!(get(server.addr(), path).json()["id"], NAME);
    }
    assert_eq!(get(server.addr(), "/v1/models/other").status, 404);
}

#[test]
fn text_goes_to_tokens_and_back() {
    let server = server(config(), Fake::default());
    let json = post(server.addr(), "/tokenize", r#"{"prompt":"né"}"#).json();
    assert_eq!(
        json,
        json!({"count":3,"max_model_len":512,"tokens":[110,195,169]})
    );
    let json = post(server.addr(), "/detokenize", r#"{"tokens":[110,195,169]}"#).json();
    assert_eq!(json["prompt"], "né");
    assert_eq!(
        post(server.addr(), "/detokenize", r#"{"tokens":[999]}"#).status,
        400
    );
}

#[test]
fn a_connection_serves_many_requests() {
    let server = server(config(), Fake::default());
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        let body = completion(r#","stream":true,"max_tokens":3"#);
        assert_eq!(client.post("/v1/completions", &body).answer().status, 200);
        assert_eq!(client.get("/health").answer().json()["status"], "ok");
        client.send(b"HEAD /health HTTP/1.1\r\n\r\n");
        assert_eq!(client.head().status, 200);
    }
    // Two requests at once are answered one after the other.
    client.get("/health").get("/v1/models");
    assert_eq!(client.answer().json()["status"], "ok");
    assert_eq!(client.answer().json()["object"], "list");
}

#[test]
fn a_chunked_request_body_is_read() {
    let server = server(config(), Fake::default());
    let mut client = Client::connect(server.addr());
    client.send(b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"5\r\n{\"pro\r\nb\r\nmpt\":\"x\"   \r\n1\r\n}\r\n0\r\n\r\n");
    assert_eq!(client.answer().json()["choices"][0]["text"], said(1, 16));
}

#[test]
fn a_client_that_waits_for_a_word_before_its_body_gets_it() {
    let server = server(config(), Fake::default());
    let mut client = Client::connect(server.addr());
    client.send(
        b"POST /v1/completions HTTP/1.1\r\nContent-Length: 14\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.head().status, 100);
    client.send(br#"{"prompt":"x"}"#);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_content_reaches_the_template_as_text_or_in_parts() {
    let source = "{% for m in messages %}{% for part in m.content %}[{{ part.text }}]{% endfor %}{% endfor %}";
    let codec = TextCodec {
        template: Some(ChatTemplate::parse(source, &[]).unwrap()),
        ..codec()
    };
    let server = spawn_model(config(), Fake::default(), codec).unwrap();
    for (content, expected) in [
        (json!("ab"), "[ab]"),
        (
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            "[a][b]",
        ),
    ] {
        let body = json!({"messages": [{"role": "user", "content": content}]});
        let tokens = post(server.addr(), "/tokenize", &body.to_string()).json();
        assert_eq!(tokens["tokens"], json!(expected.as_bytes()));
    }
}

#[test]
fn a_client_of_http_1_0_gets_a_plain_stream() {
    let server = server(config(), Fake::default());
    let body = completion(r#","stream":true,"max_tokens":3"#);
    let mut client = Client::connect(server.addr());
    client.send(
        format!(
            "POST /v1/completions HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let head = client.head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    assert_eq!(head.header("connection"), Some("close"));
    assert!(client.closed());
}

#[test]
fn a_request_keeps_its_id() {
    let server = server(config(), Fake::default());
    let mut client = Client::connect(server.addr());
    client.send(b"GET /health HTTP/1.1\r\nX-Request-Id: abc-1\r\n\r\n");
    assert_eq!(client.answer().header("x-request-id"), Some("abc-1"));
    client.send(b"GET /health HTTP/1.1\r\nX-Request-Id: <b>\"\r\n\r\n");
    assert_eq!(
        client.answer().header("x-request-id").map(str::len),
        Some(32)
    );
}

#[test]
fn metrics_count_what_was_served() {
    let server = server(config(), Fake::default());
    let prompt: String = SAID.chars().take(40).collect();
    for _ in 0..2 {
        let body = json!({"prompt": prompt, "max_tokens": 5}).to_string();
        assert_eq!(post(server.addr(), "/v1/completions", &body).status, 200);
    }
    let prompt_tokens = prompt.len() as f64;
    let metric = |name: &str| metric(server.addr(), name);
    assert_eq!(metric("vllm:prompt_tokens_total"), 2.0 * prompt_tokens);
    assert_eq!(metric("vllm:generation_tokens_total"), 10.0);
    assert_eq!(
        metric("vllm:request_success_total{finished_reason=\"length\""),
        2.0
    );
    assert_eq!(
        metric("vllm:prefix_cache_queries_total"),
        2.0 * prompt_tokens
    );
    assert_eq!(metric("vllm:prefix_cache_hits_total"), 32.0);
    assert_eq!(metric("vllm:time_to_first_token_seconds_count"), 2.0);
    assert_eq!(metric("vllm:inter_token_latency_seconds_count"), 8.0);
    assert_eq!(metric("vllm:e2e_request_latency_seconds_count"), 2.0);
    assert_eq!(metric("vllm:num_requests_running"), 0.0);
    assert_eq!(metric("vllm:kv_cache_usage_perc"), 0.0);
    let text = get(server.addr(), "/metrics");
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(text.text().contains("model_name=\"fake/model\""));
}

#[test]
fn the_same_seed_gives_the_same_text_and_none_gives_another() {
    let options = models::LoadOptions {
        dtype: models::DType::F32,
        threads: 1,
        kv_blocks: Some(64),
        kv_bytes: 0,
        kv_bytes_max: 1 << 40,
        context_tokens: None,
    };
    let model = models::load(&models::ModelSpec::parse("random:tiny").unwrap(), &options).unwrap();
    let server = serve::spawn(config(), model).unwrap();
    let text = |fields: &str| -> Value {
        let body = completion(&format!(r#","max_tokens":24,"ignore_eos":true{fields}"#));
        post(server.addr(), "/v1/completions", &body).json()["choices"][0]["text"].clone()
    };
    assert_eq!(text(r#","seed":7"#), text(r#","seed":7"#));
    assert_ne!(text(""), text(""));
    assert_eq!(text(r#","temperature":0"#), text(r#","temperature":0"#));
}
