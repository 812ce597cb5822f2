use super::{Answer, answer};
use crate::MockConfig;
use crate::answer::Outcome;
use crate::circumstances::Circumstances;
use crate::fault_choice::EMPTY_GZIP;
use crate::request::Request;
use crate::request::tests::received;
use crate::script::End;
use crate::vectors::Vectors;
use std::time::Duration;

const CHAT: &str = "POST /v1/chat/completions";

fn ask(config: &MockConfig, line: &str, fields: &str, body: &str, earlier: u64) -> Answer {
    let length = body.len();
    let text = format!("{line} HTTP/1.1\r\ncontent-length: {length}\r\n{fields}\r\n{body}");
    let (head, body) = received(&text);
    let request = Request {
        head: &head,
        body: &body.bytes,
    };
    let circumstances = Circumstances {
        sequence: 4,
        earlier_on_connection: earlier,
        created: 9,
        serving: 0,
        since_start: Duration::ZERO,
    };
    answer(config, &mut Vectors::default(), &request, circumstances)
}

fn text(answer: &Answer) -> String {
    let bytes = answer.script.step(0).map_or(&[][..], |step| step.bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

fn with_fault(fault: &str) -> MockConfig {
    MockConfig {
        fault: Some(fault.parse().unwrap()),
        ..MockConfig::default()
    }
}

#[test]
fn every_route_has_its_status() {
    let config = MockConfig {
        api_key: Some("k".to_owned()),
        ..MockConfig::default()
    };
    let key = "authorization: Bearer k\r\n";
    let wrong_key = "authorization: Bearer kk\r\n";
    for (line, fields, body, status) in [
        ("GET /health", "", "", 200),
        ("GET /v1/health", "", "", 200),
        ("GET /v1/models", key, "", 200),
        ("GET /v1/models", "", "", 401),
        ("GET /v1/models/mock", key, "", 200),
        ("GET /v1/models/mock", "", "", 401),
        ("GET /v1/models/other", key, "", 404),
        ("HEAD /v1/models", key, "", 200),
        ("HEAD /health", "", "", 200),
        ("HEAD /v1/chat/completions", key, "", 405),
        (CHAT, key, r#"{"messages":[]}"#, 200),
        (CHAT, wrong_key, r#"{"messages":[]}"#, 401),
        (CHAT, key, "{", 400),
        (CHAT, key, r#"{"messages":[],"n":0}"#, 400),
        (CHAT, key, r#"{"messages":[],"n":129}"#, 400),
        ("POST /v1/completions", key, r#"{"prompt":"a"}"#, 200),
        (
            "POST /v1/completions",
            key,
            r#"{"prompt":"a","echo":true,"suffix":"b","n":2}"#,
            200,
        ),
        ("POST /v1/embeddings", key, r#"{"input":"a"}"#, 200),
        ("POST /v1/embeddings", "", r#"{"input":"a"}"#, 401),
        ("POST /v1/embeddings", key, r#"{"input":[]}"#, 400),
        ("GET /v1/embeddings", key, "", 405),
        ("POST /v1/score", key, r#"{"text_1":"a","text_2":"b"}"#, 200),
        (
            "POST /rerank",
            key,
            r#"{"query":"a","documents":["b"]}"#,
            200,
        ),
        ("GET /v1/completions", key, "", 405),
        ("DELETE /v1/models", key, "", 405),
        ("GET /v1", "", "", 404),
        ("GET /v1/../health", "", "", 404),
    ] {
        let text = text(&ask(&config, line, fields, body, 0));
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line} {body}: {text}"
        );
        assert_eq!(
            text.contains(r#"{"error":"#),
            status != 200 && !line.starts_with("HEAD "),
            "{line} {body}: {text}"
        );
    }
}

#[test]
fn fault_15_16_17_23_24_what_takes_the_place_of_a_completion() {
    let gzip = String::from_utf8_lossy(&EMPTY_GZIP).into_owned();
    for (fault, status, needle) in [
        ("status:429:7", 429, "retry-after: 7\r\n"),
        ("status:503", 503, r#""code":503"#),
        ("redirect:http://other/", 302, "location: http://other/\r\n"),
        ("html", 200, "<!DOCTYPE html>"),
        ("error_object", 200, r#"{"error":"#),
        ("gzip", 200, "content-encoding: gzip\r\n"),
        ("gzip", 200, &gzip),
    ] {
        let config = with_fault(fault);
        let text = text(&ask(
            &config,
            CHAT,
            "",
            r#"{"messages":[],"stream":true}"#,
            0,
        ));
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{fault}: {text}"
        );
        assert!(text.contains(needle), "{fault}: {text}");
        assert!(
            self::text(&ask(&config, "GET /health", "", "", 0)).contains(" 200 "),
            "{fault}"
        );
    }
}

#[test]
fn fault_26_the_second_request_of_a_connection_finds_it_closed() {
    let config = with_fault("stale");
    let [first, second] =
        [0, 1].map(|earlier| ask(&config, CHAT, "", r#"{"messages":[]}"#, earlier));
    assert!(text(&first).contains(" 200 "));
    assert_eq!(
        (text(&second).as_str(), second.script.end),
        ("", End::Close)
    );
}

#[test]
fn only_a_models_work_counts() {
    let config = MockConfig::default();
    let stream = ask(&config, CHAT, "", r#"{"messages":[],"stream":true}"#, 0);
    assert!(stream.served && stream.stream);
    let refused = ask(&config, CHAT, "", "", 0);
    assert!(refused.served && !refused.stream);
    assert!(!ask(&config, "GET /health", "", "", 0).served);
}

#[test]
fn a_requests_header_brings_its_own_fault() {
    let config = MockConfig::default();
    let body = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
    let ask = |fields: &str| text(&ask(&config, CHAT, fields, body, 0));
    assert!(ask("").starts_with("HTTP/1.1 200"));
    assert!(ask("x-mock-fault: status:429:7\r\n").starts_with("HTTP/1.1 429"));
    let refused = ask("x-mock-fault: nonsense\r\n");
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(refused.contains("nonsense"), "{refused}");
}

#[test]
fn a_key_with_a_fault_always_gets_it_and_is_let_in() {
    let config = MockConfig {
        api_key: Some("k".to_owned()),
        fault_keys: [
            ("limited".to_owned(), "status:429:7".parse().unwrap()),
            ("stuck".to_owned(), "never".parse().unwrap()),
        ]
        .into(),
        ..MockConfig::default()
    };
    let body = r#"{"messages":[],"input":"a"}"#;
    let ask = |line, key: &str| {
        let fields = format!("authorization: Bearer {key}\r\n");
        ask(&config, line, &fields, body, 0)
    };
    for line in [CHAT, "POST /v1/embeddings"] {
        assert!(text(&ask(line, "k")).starts_with("HTTP/1.1 200"));
        let limited = ask(line, "limited");
        assert!(text(&limited).contains("retry-after: 7\r\n"));
        assert_eq!(limited.account.outcome, Outcome::Fault);
        assert_eq!(ask(line, "stuck").script.end, End::Hang);
        assert!(text(&ask(line, "other")).starts_with("HTTP/1.1 401"));
    }
}

#[test]
fn too_many_choices_are_refused_with_the_limit() {
    let prompts = vec!["\"a\""; 33].join(",");
    let body = format!(r#"{{"prompt":[{prompts}],"n":128}}"#);
    let text = text(&ask(
        &MockConfig::default(),
        "POST /v1/completions",
        "",
        &body,
        0,
    ));
    assert!(
        text.contains("33 prompts with 128 choices each are 4224 choices; 4096"),
        "{text}"
    );
}

#[test]
fn a_head_gets_what_a_get_gets_without_the_body() {
    let config = MockConfig::default();
    for path in [
        "/health",
        "/v1/models",
        "/v1/models/mock",
        "/v1/models/none",
    ] {
        let get = text(&ask(&config, &format!("GET {path}"), "", "", 0));
        let head = text(&ask(&config, &format!("HEAD {path}"), "", "", 0));
        let (expected, body) = get.split_once("\r\n\r\n").unwrap();
        assert!(!body.is_empty());
        assert_eq!(head, format!("{expected}\r\n\r\n"), "{path}");
    }
}

#[test]
fn one_model_is_described_by_its_name_slashes_escaped_or_not() {
    let config = MockConfig {
        model: "org/name".to_owned(),
        ..MockConfig::default()
    };
    for path in ["/v1/models/org/name", "/v1/models/org%2Fname"] {
        let found = text(&ask(&config, &format!("GET {path}"), "", "", 0));
        assert!(
            found.contains(r#""id":"org/name","object":"model""#),
            "{found}"
        );
    }
}
