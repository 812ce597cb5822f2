use crate::support::{Client, Fake, completion, config, post, said, server};
use openai::{EventKind, StreamDecoder};
use serde_json::Value;

fn chunks(events: &[String]) -> Vec<Value> {
    events
        .iter()
        .filter(|event| *event != "[DONE]")
        .map(|event| serde_json::from_str(event).unwrap())
        .collect()
}

#[test]
fn a_stream_has_a_chunk_for_each_token_then_an_end() {
    let server = server(config(), Fake::default());
    // Up to the two bytes of ï: one chunk for both.
    let body =
        completion(r#","stream":true,"max_tokens":8,"stream_options":{"include_usage":true}"#);
    let answered = post(server.addr(), "/v1/completions", &body);
    assert_eq!(
        answered.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let events = answered.events();
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks = chunks(&events);
    let texts: Vec<&str> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(texts, ["h", "e", " ", "n", "a", "ï", "v", ""]);
    assert_eq!(chunks[7]["choices"][0]["finish_reason"], "length");
    assert_eq!(chunks[8]["choices"], serde_json::json!([]));
    assert_eq!(chunks[8]["usage"]["completion_tokens"], 8);
    assert_eq!(
        chunks[8]["usage"]["prompt_tokens_details"]["cached_tokens"],
        0
    );
}

#[test]
fn the_role_comes_with_the_first_text() {
    let server = server(config(), Fake::default());
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":2}"#;
    let chunks = chunks(&post(server.addr(), "/v1/chat/completions", body).events());
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_ne!(chunks[0]["choices"][0]["delta"]["content"], "");
    assert_eq!(chunks[1]["choices"][0]["delta"].get("role"), None);
    assert_eq!(
        chunks[2]["choices"][0]["delta"],
        serde_json::json!({"content": ""})
    );
}

#[test]
fn counts_in_every_chunk_are_exact() {
    let server = server(config(), Fake::default());
    let body = completion(
        r#","stream":true,"max_tokens":12,"stream_options":{"include_usage":true,"continuous_usage_stats":true}"#,
    );
    let chunks = chunks(&post(server.addr(), "/v1/completions", &body).events());
    let counts: Vec<u64> = chunks
        .iter()
        .map(|chunk| chunk["usage"]["completion_tokens"].as_u64().unwrap())
        .collect();
    // ï has two tokens; the last two are the chunk with the end, and the one with the counts alone.
    assert_eq!(counts, [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 12, 12]);
}

#[test]
fn what_may_be_a_stop_string_is_not_sent_before_it_is_decided() {
    let server = server(config(), Fake::default());
    let body = completion(r#","stream":true,"max_tokens":40,"stop":["ve ca","zz"]"#);
    let chunks = chunks(&post(server.addr(), "/v1/completions", &body).events());
    let texts: Vec<&str> = chunks
        .iter()
        .map(|chunk| chunk["choices"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["h", "e", " ", "n", "a", "ï", ""]);
    assert_eq!(chunks[6]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn choices_interleave_and_each_has_its_end() {
    let server = server(config(), Fake::default());
    let body = completion(r#","stream":true,"max_tokens":20,"n":4"#);
    let events = post(server.addr(), "/v1/completions", &body).events();
    let mut texts = vec![String::new(); 4];
    let mut ends = [0; 4];
    let mut order = Vec::new();
    for chunk in chunks(&events) {
        let choice = &chunk["choices"][0];
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        texts[index].push_str(choice["text"].as_str().unwrap());
        ends[index] += usize::from(choice["finish_reason"] == "length");
        order.push(index);
    }
    assert!(texts.iter().all(|text| *text == said(1, 20)));
    assert_eq!(ends, [1; 4]);
    assert_eq!(order[..4], [0, 1, 2, 3]);
}

#[test]
fn log_probabilities_of_tokens_that_complete_no_character_come_with_the_next() {
    let server = server(config(), Fake::default());
    let body = completion(r#","stream":true,"max_tokens":8,"logprobs":0"#);
    let chunks = chunks(&post(server.addr(), "/v1/completions", &body).events());
    let counts: Vec<usize> = chunks
        .iter()
        .map(|chunk| {
            chunk["choices"][0]["logprobs"]["tokens"]
                .as_array()
                .map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 2, 1, 0]);
}

#[test]
fn our_own_client_counts_the_tokens() {
    let server = server(config(), Fake::default());
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":30,"stream_options":{"include_usage":true}}"#;
    let answered = post(server.addr(), "/v1/chat/completions", body);
    let mut decoder = StreamDecoder::new(1);
    decoder.push(&answered.body, ()).unwrap();
    let events = decoder.take_events();
    let tokens = events
        .iter()
        .filter(|event| event.kind == EventKind::Content)
        .count();
    let usage = decoder.finish().usage.unwrap();
    assert_eq!(usage.completion_tokens, Some(30));
    assert!((24..=30).contains(&tokens), "{tokens}");
}

#[test]
fn a_stream_begins_when_the_request_is_taken_and_each_step_is_one_write() {
    let (model, gate) = Fake::gated();
    let server = server(config(), model);
    let mut client = Client::connect(server.addr());
    client.post(
        "/v1/completions",
        &completion(r#","stream":true,"max_tokens":3"#),
    );
    assert_eq!(client.head().status, 200);
    for expected in ["\"h\"", "\"e\""] {
        gate.entered();
        gate.step();
        let chunk = String::from_utf8(client.chunk()).unwrap();
        assert!(
            chunk.contains(expected) && chunk.matches("data: ").count() == 1,
            "{chunk}"
        );
    }
    gate.entered();
    gate.step();
    // The last token and the end are one.
    let chunk = String::from_utf8(client.chunk()).unwrap();
    assert_eq!(chunk.matches("data: ").count(), 2, "{chunk}");
}
