//! An encoder's server: what it answers, how it batches, and what becomes of it when things go wrong.

use crate::support::{
    Client, Gate, NAME, PATIENCE, codec, completion, config, get, metric, post, until,
};
use engine::{Encoder, ModelError, SchedulerConfig, TextBatch};
use openai::VectorSizes;
use serde_json::{Value, json};
use serve::{ServeConfig, ServeHandle, spawn_encoder};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The vector of a text: how many tokens it has, their sum, and how many texts its batch had.
#[derive(Default)]
struct Fake {
    gate: Option<(Sender<()>, Receiver<()>)>,
}

/// Tokens at which the fake panics, fails, or loses its numbers.
const PANICS: u32 = 1;
const FAILS: u32 = 2;
const NO_NUMBER: u32 = 3;

impl Encoder for Fake {
    fn vocab_size(&self) -> usize {
        260
    }

    fn text_tokens_max(&self) -> usize {
        16
    }

    fn dimensions(&self) -> usize {
        3
    }

    fn encode(&mut self, batch: &TextBatch, vectors: &mut Vec<f32>) -> Result<(), ModelError> {
        if let Some((entered, go_on)) = &self.gate {
            // With the other end gone, the gate is open.
            let _ = entered.send(());
            let _ = go_on.recv();
        }
        assert!(
            !batch.tokens.contains(&PANICS),
            "the fake encoder panics, as the test wants it"
        );
        if batch.tokens.contains(&FAILS) {
            return Err(ModelError("no more numbers".to_owned()));
        }
        vectors.clear();
        let mut tokens = batch.tokens.iter();
        for length in &batch.lengths {
            let text: Vec<u32> = tokens.by_ref().take(*length).copied().collect();
            let sum = f32::from(u16::try_from(text.iter().sum::<u32>()).unwrap());
            let broken = text.contains(&NO_NUMBER);
            vectors.extend([
                f32::from(u16::try_from(*length).unwrap()),
                if broken { f32::NAN } else { sum },
                f32::from(u16::try_from(batch.texts.len()).unwrap()),
            ]);
        }
        Ok(())
    }
}

fn with(scheduler: SchedulerConfig, fake: Fake, sizes: VectorSizes) -> ServeHandle {
    let config = ServeConfig {
        scheduler,
        ..config()
    };
    spawn_encoder(config, fake, codec(), sizes).expect("the server starts")
}

fn server() -> ServeHandle {
    with(
        config().scheduler,
        Fake::default(),
        VectorSizes::Listed(vec![2]),
    )
}

fn gated(scheduler: SchedulerConfig) -> (ServeHandle, Gate) {
    let (enter, entered) = channel();
    let (go_on, wait) = channel();
    let fake = Fake {
        gate: Some((enter, wait)),
    };
    let gate = Gate::new(entered, go_on);
    (with(scheduler, fake, VectorSizes::Whole), gate)
}

fn embed(address: SocketAddr, fields: &str) -> Value {
    let answered = post(address, "/v1/embeddings", &format!("{{{fields}}}"));
    assert_eq!(answered.status, 200, "{}", answered.text());
    answered.json()
}

/// Status and message of a refusal.
fn refused(address: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let answered = post(address, path, body);
    let json = answered.json();
    let message = json["error"]["message"].as_str();
    (
        answered.status,
        message.unwrap_or_else(|| panic!("{json}")).to_owned(),
    )
}

/// The vectors' first two numbers.
fn heads(json: &Value) -> Vec<(f64, f64)> {
    let data = json["data"].as_array().unwrap();
    for (index, item) in data.iter().enumerate() {
        assert_eq!(
            (&item["index"], &item["object"]),
            (&json!(index), &json!("embedding"))
        );
    }
    let head = |item: &Value| {
        let number = |at: usize| item["embedding"][at].as_f64().unwrap();
        (number(0), number(1))
    };
    data.iter().map(head).collect()
}

#[test]
fn vectors_come_in_the_order_of_their_texts() {
    let server = server();
    let json = embed(
        server.addr(),
        r#""input":["abc","d","ee"],"model":"fake/model""#,
    );
    assert_eq!(heads(&json), [(3.0, 294.0), (1.0, 100.0), (2.0, 202.0)]);
    assert_eq!(json["object"], "list");
    assert_eq!(json["model"], NAME);
    assert_eq!(json["usage"], json!({"prompt_tokens":6,"total_tokens":6}));
    let json = embed(server.addr(), r#""input":[[7,8],[9]]"#);
    assert_eq!(heads(&json), [(2.0, 15.0), (1.0, 9.0)]);
    let json = embed(server.addr(), r#""input":[7,8,9]"#);
    assert_eq!(heads(&json), [(3.0, 24.0)]);
    assert_eq!(metric(server.addr(), "vllm:prompt_tokens_total"), 12.0);
    assert_eq!(metric(server.addr(), "tokenomics:batches_total"), 3.0);
    assert_eq!(metric(server.addr(), "tokenomics:batched_texts_total"), 6.0);
}

#[test]
fn vectors_are_written_as_asked_for() {
    let server = server();
    let json = embed(server.addr(), r#""input":"@@@","encoding_format":"base64""#);
    // struct.pack("<3f", 3, 192, 1)
    assert_eq!(json["data"][0]["embedding"], "AABAQAAAQEMAAIA/");
    let json = embed(server.addr(), r#""input":"abc","dimensions":2"#);
    let (first, second) = heads(&json)[0];
    assert_eq!(json["data"][0]["embedding"].as_array().unwrap().len(), 2);
    let whole = (3.0f64 * 3.0 + 294.0 * 294.0 + 1.0).sqrt();
    assert!((first.hypot(second) - whole).abs() < 1e-3, "{json}");
    let (status, message) = refused(
        server.addr(),
        "/v1/embeddings",
        r#"{"input":"a","dimensions":1}"#,
    );
    assert_eq!(status, 400);
    assert!(message.contains("one of [2]"), "{message}");
}

#[test]
fn a_text_that_is_too_long_is_refused_unless_it_may_be_cut() {
    let server = server();
    let long = "a".repeat(17);
    let body = format!(r#"{{"input":["b","{long}"]}}"#);
    assert_eq!(
        refused(server.addr(), "/v1/embeddings", &body),
        (
            400,
            "`input[1]` has 17 tokens, and the model takes texts of at most 16; send a shorter one, or cut it with \
             `truncate_prompt_tokens`"
                .to_owned()
        )
    );
    let json = embed(
        server.addr(),
        &format!(r#""input":"{long}","truncate_prompt_tokens":-1"#),
    );
    assert_eq!(heads(&json), [(16.0, 16.0 * 97.0)]);
    let json = embed(
        server.addr(),
        r#""input":[[4,5,6],[7]],"truncate_prompt_tokens":2"#,
    );
    assert_eq!(heads(&json), [(2.0, 9.0), (1.0, 7.0)]);
    assert_eq!(
        refused(server.addr(), "/v1/embeddings", r#"{"input":["a",""]}"#),
        (
            400,
            "`input[1]` is empty; it needs at least one token".to_owned()
        )
    );
}

#[test]
fn what_an_encoder_does_not_do_is_said_with_what_it_does() {
    let encoder = server();
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let (status, message) = refused(encoder.addr(), path, &completion(""));
        assert_eq!(status, 404);
        assert_eq!(
            message,
            "the model is an encoder, which turns texts into vectors and writes none; it is served at /v1/embeddings, \
             /v1/score and /v1/rerank"
        );
    }
    let (status, message) = refused(encoder.addr(), "/v1/other", "{}");
    assert_eq!(status, 404);
    assert!(message.contains("there are /v1/embeddings, "), "{message}");
    let chat = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
    let (status, message) = refused(encoder.addr(), "/tokenize", chat);
    assert_eq!(status, 400);
    assert!(message.contains("send `prompt`"), "{message}");
    let generator = crate::support::server(config(), crate::support::Fake::default());
    for path in ["/v1/embeddings", "/v1/score", "/v1/rerank"] {
        let (status, message) = refused(generator.addr(), path, r#"{"input":"a"}"#);
        assert_eq!(status, 404);
        assert!(message.contains("/v1/chat/completions"), "{message}");
    }
}

#[test]
fn an_encoder_has_the_other_endpoints_too() {
    let server = server();
    let address = server.addr();
    let json = get(address, "/v1/models").json();
    assert_eq!(json["data"][0]["id"], NAME);
    assert_eq!(json["data"][0]["max_model_len"], 16);
    assert_eq!(get(address, "/health").status, 200);
    assert_eq!(get(address, "/health/ready").status, 200);
    let json = post(address, "/tokenize", r#"{"prompt":"ab"}"#).json();
    assert_eq!(json["tokens"], json!([97, 98]));
    let json = post(address, "/detokenize", r#"{"tokens":[97,98]}"#).json();
    assert_eq!(json["prompt"], "ab");
    let metrics = get(address, "/metrics").text();
    assert!(
        !metrics.contains("kv_") && !metrics.contains("time_to_first"),
        "{metrics}"
    );
    let (status, message) = refused(
        address,
        "/v1/embeddings",
        r#"{"input":"a","model":"other"}"#,
    );
    assert_eq!(status, 404);
    assert!(message.contains("must be `fake/model`"), "{message}");
}

#[test]
fn texts_are_compared_by_the_cosine_of_their_vectors() {
    let server = server();
    let body = r#"{"text_1":[97,97],"text_2":["aa","b"]}"#;
    let json = post(server.addr(), "/v1/score", body).json();
    let scores: Vec<f64> = (0..2)
        .map(|index| json["data"][index]["score"].as_f64().unwrap())
        .collect();
    assert!(
        (scores[0] - 1.0).abs() < 1e-6 && scores[1] < 0.999_99,
        "{json}"
    );
    assert_eq!(json["usage"]["prompt_tokens"], 5);
    let body = r#"{"query":"aa","documents":["b","aa","cccc"],"top_n":2}"#;
    for path in ["/v1/rerank", "/rerank", "/v2/rerank"] {
        let json = post(server.addr(), path, body).json();
        let results = json["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        assert_eq!(results[0]["index"], 1);
        assert_eq!(results[0]["document"]["text"], "aa");
        assert_eq!(json["usage"]["total_tokens"], 9);
    }
    let (status, message) = refused(
        server.addr(),
        "/v1/rerank",
        r#"{"query":"aa","documents":["b",""]}"#,
    );
    assert_eq!((status, &message[..14]), (400, "`documents[1]`"));
}

#[test]
fn what_comes_while_a_batch_is_computed_is_the_next_batch() {
    let (server, gate) = gated(config().scheduler);
    let address = server.addr();
    let ask = move |text: &'static str| {
        std::thread::spawn(move || embed(address, &format!(r#""input":"{text}""#)))
    };
    let first = ask("a");
    gate.entered();
    let later: Vec<_> = ["b", "c", "d"].map(ask).into_iter().collect();
    until("three wait", || server.answers() == 4);
    // They wait in the inbox until the batch ends.
    gate.step();
    first.join().unwrap();
    gate.entered();
    until("all are in one batch", || server.gauges().running >= 1);
    gate.step();
    let mut texts = 0.0;
    drop(gate);
    for answer in later {
        let json = answer.join().unwrap();
        texts = json["data"][0]["embedding"][2].as_f64().unwrap().max(texts);
    }
    assert!(
        texts >= 2.0,
        "texts that came together are computed together"
    );
    assert_eq!((server.gauges().running, server.gauges().waiting), (0, 0));
    assert_eq!(
        metric(
            address,
            "vllm:request_success_total{finished_reason=\"stop\""
        ),
        4.0
    );
}

#[test]
fn a_full_queue_turns_away_and_a_request_larger_than_the_queue_does_not_starve() {
    let scheduler = SchedulerConfig {
        sequences_max: 1,
        queue_max: 2,
        ..config().scheduler
    };
    let (server, gate) = gated(scheduler);
    let address = server.addr();
    let mut first = Client::connect(address);
    first.post("/v1/embeddings", r#"{"input":["a","b","c","d"]}"#);
    gate.entered();
    let answered = post(address, "/v1/embeddings", r#"{"input":"e"}"#);
    assert_eq!(answered.status, 429, "{}", answered.text());
    assert_eq!(answered.json()["error"]["code"], "queue_full");
    assert!(answered.header("retry-after").is_some());
    drop(gate);
    assert_eq!(first.answer().status, 200);
    assert_eq!(
        post(address, "/v1/embeddings", r#"{"input":"e"}"#).status,
        200
    );
}

#[test]
fn a_client_that_goes_away_takes_its_waiting_texts_with_it() {
    let scheduler = SchedulerConfig {
        sequences_max: 1,
        ..config().scheduler
    };
    let (server, gate) = gated(scheduler);
    let address = server.addr();
    let mut gone = Client::connect(address);
    gone.post("/v1/embeddings", r#"{"input":["a","b","c","d"]}"#);
    gate.entered();
    drop(gone);
    until("the request is given up", || server.answers() == 0);
    gate.step();
    until("nothing waits", || {
        metric(address, "tokenomics:requests_aborted_total") > 0.0
            && server.gauges().waiting + server.gauges().running == 0
    });
    drop(gate);
    assert_eq!(metric(address, "tokenomics:batched_texts_total"), 1.0);
    assert_eq!(heads(&embed(address, r#""input":"e""#)), [(1.0, 101.0)]);
}

#[test]
fn who_is_in_is_answered_when_the_server_stops_and_nobody_else() {
    let (server, gate) = gated(config().scheduler);
    let address = server.addr();
    let mut inside = Client::connect(address);
    inside.post("/v1/embeddings", r#"{"input":"a"}"#);
    gate.entered();
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.shutdown());
        until("it is not ready", || {
            get(address, "/health/ready").status == 503
        });
        assert_eq!(
            post(address, "/v1/embeddings", r#"{"input":"b"}"#).status,
            503
        );
        drop(gate);
        assert_eq!(inside.answer().status, 200);
        assert_eq!(stopped.join().unwrap(), 0);
    });
}

#[test]
fn who_does_not_end_in_time_is_cut_off() {
    let scheduler = SchedulerConfig {
        sequences_max: 1,
        ..config().scheduler
    };
    let (enter, entered) = channel();
    let (go_on, wait) = channel();
    let fake = Fake {
        gate: Some((enter, wait)),
    };
    let config = ServeConfig {
        scheduler,
        drain: std::time::Duration::ZERO,
        ..config()
    };
    let server = spawn_encoder(config, fake, codec(), VectorSizes::Whole).unwrap();
    let address = server.addr();
    let mut inside = Client::connect(address);
    let body = format!(r#"{{"input":["a"{}]}}"#, r#","b""#.repeat(2000));
    inside.post("/v1/embeddings", &body);
    entered.recv_timeout(PATIENCE).unwrap();
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.shutdown());
        let answer = scope.spawn(|| inside.answer());
        until("it is not ready", || {
            get(address, "/health/ready").status == 503
        });
        // A text a step: far more than there are until it is told to end.
        until("it is cut off", || {
            let _ = go_on.send(());
            entered.recv_timeout(PATIENCE).is_err() || answer.is_finished()
        });
        let answered = answer.join().unwrap();
        assert_eq!(answered.status, 503, "{}", answered.text());
        assert_eq!(answered.json()["error"]["code"], "server_stopped");
        assert_eq!(stopped.join().unwrap(), 1);
    });
}

#[test]
fn a_batch_that_fails_is_an_error_for_its_requests_alone() {
    let server = server();
    let address = server.addr();
    let answered = post(address, "/v1/embeddings", r#"{"input":[[2],[5]]}"#);
    assert_eq!(answered.status, 500);
    assert!(
        answered.text().contains("no more numbers"),
        "{}",
        answered.text()
    );
    let answered = post(address, "/v1/embeddings", r#"{"input":[3]}"#);
    assert_eq!(answered.status, 500);
    assert!(
        answered.text().contains("not finite"),
        "{}",
        answered.text()
    );
    assert_eq!(heads(&embed(address, r#""input":[5]"#)), [(1.0, 5.0)]);
    assert_eq!(metric(address, "tokenomics:failed_steps_total"), 1.0);
}

#[test]
fn an_encoder_that_panics_takes_nobody_with_it_and_says_so() {
    let server = server();
    let address = server.addr();
    let answered = post(address, "/v1/embeddings", r#"{"input":[1]}"#);
    assert_eq!(answered.status, 503);
    assert_eq!(answered.json()["error"]["code"], "engine_failed");
    assert_eq!(get(address, "/health").status, 503);
    assert_eq!(
        post(address, "/v1/embeddings", r#"{"input":"a"}"#).status,
        503
    );
}

#[test]
fn a_batch_must_have_room_for_the_longest_text() {
    let config = ServeConfig {
        scheduler: SchedulerConfig {
            step_tokens_max: 15,
            ..config().scheduler
        },
        ..config()
    };
    let spawned = spawn_encoder(config, Fake::default(), codec(), VectorSizes::Whole);
    assert_eq!(
        spawned.err().unwrap().to_string(),
        "step_tokens_max must be at least 16, got 15"
    );
}

#[test]
fn many_texts_of_one_request_are_all_answered() {
    let server = server();
    let mut body = String::from(r#"{"input":["#);
    for index in 0..2048 {
        let _ = write!(body, r#"{}"{index}""#, if index == 0 { "" } else { "," });
    }
    body.push_str("]}");
    let answered = post(server.addr(), "/v1/embeddings", &body);
    let json = answered.json();
    let lengths: Vec<(f64, f64)> = heads(&json);
    assert_eq!(lengths.len(), 2048);
    assert_eq!(
        (lengths[9].0, lengths[10].0, lengths[2047].0),
        (1.0, 2.0, 4.0)
    );
    let body = body.replace("]}", ",\"x\"]}");
    let (status, message) = refused(server.addr(), "/v1/embeddings", &body);
    assert_eq!(status, 400);
    assert!(message.contains("at most 2048 texts"), "{message}");
}

#[test]
fn the_built_in_encoder_is_served() {
    let options = models::LoadOptions {
        dtype: models::DType::Auto,
        threads: 1,
        kv_blocks: None,
        kv_bytes: 0,
        kv_bytes_max: 1 << 40,
        context_tokens: None,
    };
    let spec = models::ModelSpec::parse("random:tiny-bert").unwrap();
    let loaded = models::load_any(&spec, &options).unwrap();
    let config = ServeConfig {
        scheduler: SchedulerConfig {
            step_tokens_max: 2048,
            ..config().scheduler
        },
        ..config()
    };
    let server = serve::spawn_loaded(config, loaded).unwrap();
    let json = embed(server.addr(), r#""input":["same","other","same",""]"#);
    let vector = |index: usize| &json["data"][index]["embedding"];
    assert_eq!(vector(0), vector(2));
    assert_ne!(vector(0), vector(1));
    assert_eq!(vector(3).as_array().unwrap().len(), 128);
    // Two tokens are around each text.
    assert_eq!(json["usage"]["prompt_tokens"], 13 + 2 * 4);
}
