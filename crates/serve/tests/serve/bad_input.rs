use crate::support::{Answered, Client, Fake, completion, config, get, post, server};
use serve::{ServeConfig, ServeHandle};

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "/v1/completions";

fn running() -> ServeHandle {
    server(config(), Fake::default())
}

/// The refusal names the field, and all `words`.
fn refused(answered: &Answered, param: Option<&str>, words: &[&str]) {
    assert_eq!(answered.status, 400, "{}", answered.text());
    let error = &answered.json()["error"];
    assert_eq!(error["param"].as_str(), param, "{error}");
    assert_eq!(error["type"], "invalid_request_error");
    let message = error["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{message} has no {word}");
    }
}

/// Sends a field of a chat and of a completion with each of the values.
fn field_refused(field: &str, values: &[&str], words: &[&str]) {
    let server = running();
    for value in values {
        for (path, start) in [
            (CHAT, r#"{"messages":[{"role":"user","content":"x"}]"#),
            (TEXT, r#"{"prompt":"x""#),
        ] {
            let answered = post(
                server.addr(),
                path,
                &format!(r#"{start},"{field}":{value}}}"#),
            );
            refused(&answered, Some(field), &[words, &[field]].concat());
        }
    }
    // The server is none the worse.
    assert_eq!(post(server.addr(), TEXT, &completion("")).status, 200);
}

fn body_refused(body: &str, words: &[&str]) {
    let server = running();
    for path in [CHAT, TEXT, "/tokenize", "/detokenize"] {
        let answered = post(server.addr(), path, body);
        refused(&answered, None, words);
        assert_eq!(answered.json()["error"]["code"], "invalid_json");
    }
}

#[test]
fn bad_input_01_empty_body() {
    body_refused("", &["empty"]);
}

#[test]
fn bad_input_02_not_json() {
    for body in [
        "hello",
        "{\"prompt\":",
        "{'prompt':'x'}",
        "{\"prompt\":\"x\",}",
        "{} {}",
    ] {
        body_refused(body, &["not valid JSON", "byte"]);
    }
    body_refused("[1]", &["JSON object", "a list"]);
}

#[test]
fn bad_input_03_not_utf8() {
    let server = running();
    let mut client = Client::connect(server.addr());
    client
        .send(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"\xff\"}");
    refused(&client.answer(), None, &["UTF-8", "11"]);
}

#[test]
fn bad_input_04_larger_than_2_mb() {
    let server = running();
    let body = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(2_000_000));
    let answered = post(server.addr(), TEXT, &body);
    assert_eq!(answered.status, 413);
    assert!(answered.text().contains("2000000 bytes"));
    // In chunks, too, where its length is not known beforehand.
    let mut client = Client::connect(server.addr());
    client.send(b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..21 {
        client.send(b"186a0\r\n");
        client.send(&[b'x'; 100_000]);
        client.send(b"\r\n");
    }
    assert_eq!(client.answer().status, 413);
    // The largest that is taken is judged by what it says.
    let body = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(1_999_900));
    refused(
        &post(server.addr(), TEXT, &body),
        Some("prompt"),
        &["1999900"],
    );
}

#[test]
fn bad_input_05_nested_10_000_deep() {
    let body = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    body_refused(&body, &["64 deep"]);
}

#[test]
fn bad_input_06_duplicate_keys() {
    body_refused(
        r#"{"prompt":"a","max_tokens":1,"prompt":"b"}"#,
        &["prompt", "twice"],
    );
    body_refused(r#"{"prompt":"a","x":[{"y":1,"y":2}]}"#, &["y", "twice"]);
}

#[test]
fn bad_input_07_unknown_model() {
    let server = running();
    let answered = post(server.addr(), TEXT, &completion(r#","model":"<other>""#));
    assert_eq!(answered.status, 404);
    let error = &answered.json()["error"];
    assert_eq!(
        (error["param"].as_str(), error["code"].as_str()),
        (Some("model"), Some("model_not_found"))
    );
    assert!(error["message"].as_str().unwrap().contains("fake/model"));
}

#[test]
fn bad_input_08_malformed_messages() {
    let server = running();
    for (messages, param) in [
        ("null", "messages"),
        ("[]", "messages"),
        ("\"hi\"", "messages"),
        ("{}", "messages"),
        ("[5]", "messages[0]"),
        (r#"[{"role":"user"}]"#, "messages[0].content"),
        (r#"[{"content":"x"}]"#, "messages[0].role"),
        (r#"[{"role":"boss","content":"x"}]"#, "messages[0].role"),
        (
            r#"[{"role":"user","content":"x"},{"role":"user","content":7}]"#,
            "messages[1].content",
        ),
    ] {
        let body = format!(r#"{{"messages":{messages}}}"#);
        refused(&post(server.addr(), CHAT, &body), Some(param), &[param]);
    }
}

#[test]
fn bad_input_09_empty_prompt() {
    let server = running();
    for prompt in ["\"\"", "[]", "[\"\"]", "[[]]", "null"] {
        let answered = post(server.addr(), TEXT, &format!(r#"{{"prompt":{prompt}}}"#));
        refused(&answered, Some("prompt"), &["prompt"]);
    }
    refused(
        &post(server.addr(), TEXT, "{}"),
        Some("prompt"),
        &["prompt"],
    );
}

#[test]
fn bad_input_10_prompt_longer_than_the_context() {
    let server = running();
    for count in [512, 600] {
        let body = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(count));
        let answered = post(server.addr(), TEXT, &body);
        refused(&answered, Some("prompt"), &[&count.to_string(), "512"]);
        assert_eq!(answered.json()["error"]["code"], "context_length_exceeded");
    }
}

#[test]
fn bad_input_11_prompt_and_max_tokens_longer_than_the_context() {
    let server = running();
    let body = format!(r#"{{"prompt":"{}","max_tokens":413}}"#, "x".repeat(100));
    refused(
        &post(server.addr(), TEXT, &body),
        Some("max_tokens"),
        &["413", "100", "512", "412"],
    );
    let body = body.replace("413", "412");
    assert_eq!(post(server.addr(), TEXT, &body).status, 200);
}

#[test]
fn bad_input_12_max_tokens() {
    let values = [
        "0",
        "-1",
        "1.5",
        "\"10\"",
        "9223372036854775808",
        "513",
        "true",
        "[1]",
    ];
    field_refused("max_tokens", &values, &["from 1 to 512"]);
    field_refused("max_completion_tokens", &values, &["from 1 to 512"]);
}

#[test]
fn bad_input_13_max_tokens_absent_is_fine() {
    let server = running();
    for fields in ["", r#","max_tokens":null"#] {
        let json = post(server.addr(), TEXT, &completion(fields)).json();
        assert_eq!(json["usage"]["completion_tokens"], 16);
    }
}

#[test]
fn bad_input_14_n() {
    field_refused("n", &["1000000", "0", "-1", "9"], &["from 1 to 8"]);
}

#[test]
fn bad_input_15_best_of() {
    field_refused("best_of", &["2", "0", "\"x\""], &["not supported"]);
}

#[test]
fn bad_input_16_temperature() {
    field_refused(
        "temperature",
        &["NaN", "1e309", "-1", "2.01", "\"1\""],
        &["from 0 to 2", "got"],
    );
}

#[test]
fn bad_input_17_top_p() {
    field_refused(
        "top_p",
        &["0", "-0.1", "1.1", "NaN"],
        &["above 0 and at most 1"],
    );
}

#[test]
fn bad_input_18_top_k() {
    field_refused("top_k", &["-5", "0.1", "1e3"], &["whole number", "-1"]);
}

#[test]
fn bad_input_19_logit_bias_with_an_unknown_id() {
    field_refused(
        "logit_bias",
        &[r#"{"260":1}"#, r#"{"-1":1}"#, r#"{"a":1}"#],
        &["0 to 259"],
    );
    field_refused(
        "logit_bias",
        &[r#"{"1":101}"#, r#"{"1":"x"}"#],
        &["-100 to 100"],
    );
}

#[test]
fn bad_input_20_stop_strings() {
    field_refused("stop", &[r#"["a","b","c","d","e"]"#], &["at most 4"]);
    field_refused("stop", &["\"\"", "[\"\"]", "[5]"], &["1 to 1024 bytes"]);
    field_refused("stop", &[&format!("\"{}\"", "x".repeat(1025))], &["1024"]);
}

#[test]
fn bad_input_21_seed_not_an_integer() {
    field_refused(
        "seed",
        &["1.5", "\"7\"", "1e30", "18446744073709551616"],
        &["whole number"],
    );
}

#[test]
fn bad_input_22_negative_integers() {
    for field in ["min_tokens", "seed", "n", "max_tokens"] {
        field_refused(field, &["-1", "-9223372036854775809"], &["got `-"]);
    }
    let server = running();
    for (path, body, param) in [
        (
            CHAT,
            r#"{"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":-1}"#,
            "top_logprobs",
        ),
        (TEXT, r#"{"prompt":"x","logprobs":-1}"#, "logprobs"),
        (TEXT, r#"{"prompt":[5,-1]}"#, "prompt[1]"),
        (
            TEXT,
            r#"{"prompt":"x","stop_token_ids":[-1]}"#,
            "stop_token_ids[0]",
        ),
        ("/detokenize", r#"{"tokens":[-1]}"#, "tokens[0]"),
    ] {
        refused(&post(server.addr(), path, body), Some(param), &["-1"]);
    }
}

#[test]
fn bad_input_23_tools() {
    field_refused(
        "tools",
        &[r#"[{"type":"function","function":{"name":"f"}}]"#],
        &["not supported"],
    );
    field_refused("functions", &[r#"[{"name":"f"}]"#], &["not supported"]);
    field_refused("tool_choice", &["\"required\""], &["not supported"]);
}

#[test]
fn bad_input_24_grammar_and_regex() {
    for field in [
        "grammar",
        "regex",
        "guided_regex",
        "guided_json",
        "structured_outputs",
    ] {
        field_refused(field, &["\"a\"", "{\"a\":1}"], &["not supported"]);
    }
    field_refused(
        "response_format",
        &[r#"{"type":"json_schema"}"#, "\"json\""],
        &["not supported"],
    );
}

#[test]
fn bad_input_25_image_url() {
    // Nobody may ever connect there.
    let bait = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.png", bait.local_addr().unwrap());
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
    );
    let server = running();
    let param = "messages[0].content[0].image_url";
    refused(
        &post(server.addr(), CHAT, &body),
        Some(param),
        &["not supported"],
    );
    bait.set_nonblocking(true).unwrap();
    assert!(bait.accept().is_err(), "nothing is fetched");
}

#[test]
fn bad_input_26_chat_template() {
    field_refused(
        "chat_template",
        &["\"{% for i in range(10**9) %}{% endfor %}\""],
        &["not supported"],
    );
}

#[test]
fn bad_input_27_prompt_embeds() {
    field_refused(
        "prompt_embeds",
        &["\"gASVAAAA\"", "[\"gASVAAAA\"]"],
        &["not supported"],
    );
}

#[test]
fn bad_input_28_embeddings_with_wrong_shapes() {
    field_refused(
        "prompt_embeds",
        &["[[0.1],[0.1,0.2]]", "{\"shape\":[9]}"],
        &["not supported"],
    );
    let server = running();
    assert_eq!(
        post(server.addr(), "/v1/embeddings", r#"{"input":[[[1]]]}"#).status,
        404
    );
}

#[test]
fn bad_input_29_header_of_1_mb() {
    let server = running();
    let mut client = Client::connect(server.addr());
    client.send(b"GET /health HTTP/1.1\r\nX: ");
    client.send(&vec![b'x'; 1 << 20]).send(b"\r\n\r\n");
    let answered = client.answer();
    assert_eq!(answered.status, 431);
    assert!(answered.text().contains("65536 bytes"));
    let mut client = Client::connect(server.addr());
    client.send(format!("GET /health HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101)).as_bytes());
    assert_eq!(client.answer().status, 431);
}

#[test]
fn bad_input_30_content_length_with_transfer_encoding() {
    let server = running();
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut client = Client::connect(server.addr());
        client.send(
            format!("POST {TEXT} HTTP/1.1\r\n{headers}\r\n\r\n0\r\n\r\nGET /smuggled").as_bytes(),
        );
        let answered = client.answer();
        assert_eq!(answered.status, 400);
        assert!(
            answered
                .text()
                .contains("Content-Length and Transfer-Encoding")
        );
        assert!(client.closed());
    }
}

#[test]
fn bad_input_31_bad_key() {
    let config = ServeConfig {
        api_key: Some("s3cret".to_owned()),
        ..config()
    };
    assert!(!format!("{config:?}").contains("s3cret"));
    let server = server(config, Fake::default());
    let with = |header: &str, path: &str| {
        let mut client = Client::connect(server.addr());
        client
            .send(format!("GET {path} HTTP/1.1\r\n{header}\r\n").as_bytes())
            .answer()
    };
    for header in [
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3cret1\r\n",
        "Authorization: s3cret\r\n",
        "X-Api-Key: s3cret\r\n",
    ] {
        for path in ["/v1/models", "/v1/completions", "/nothing", "/tokenize"] {
            let answered = with(header, path);
            assert_eq!(answered.status, 401, "{header}{path}");
            assert_eq!(answered.header("www-authenticate"), Some("Bearer"));
            assert!(!answered.text().contains("s3cret"));
        }
    }
    assert_eq!(
        with("Authorization: Bearer s3cret\r\n", "/v1/models").status,
        200
    );
    assert_eq!(with("", "/health").status, 200);
    assert!(!with("", "/metrics").text().contains("s3cret"));
}

#[test]
fn bad_input_32_path_tricks() {
    let server = running();
    for path in [
        "/",
        "/v1/../health",
        "/v1/models/../../health",
        "/v1/models/",
        "/v1/models/%2e%2e",
        "//health",
        "/health/",
        "/health%00",
        "/HEALTH",
        "/v1/models/fake/model/",
        "/etc/passwd",
        "/<script>",
        "*",
    ] {
        let answered = get(server.addr(), path);
        assert_eq!(answered.status, 404, "{path}");
        assert_eq!(answered.header("content-type"), Some("application/json"));
        assert!(!answered.text().contains("script"));
        answered.json();
    }
    assert_eq!(get(server.addr(), "/health?x=../..").status, 200);
}

#[test]
fn bad_input_33_wrong_method() {
    let server = running();
    for (method, path, allowed) in [
        ("GET", TEXT, "POST"),
        ("GET", CHAT, "POST"),
        ("PUT", "/tokenize", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
    ] {
        let mut client = Client::connect(server.addr());
        client
            .send(format!("{method} {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes());
        let answered = client.answer();
        assert_eq!(answered.status, 405, "{method} {path}");
        assert_eq!(answered.header("allow"), Some(allowed));
        assert_eq!(answered.json()["error"]["code"], "method_not_allowed");
    }
}

#[test]
fn nothing_that_a_client_sent_comes_back_unescaped() {
    let server = running();
    for (path, body) in [
        (
            TEXT,
            completion(r#","seed":"<img src=x>\u0000\u001b[31m\r\nSet-Cookie: a""#),
        ),
        (
            CHAT,
            r#"{"messages":[{"role":"\u001b<b>","content":"x"}]}"#.to_owned(),
        ),
        (TEXT, r#"{"a\u001b\"<b>":1,"a\u001b\"<b>":2}"#.to_owned()),
    ] {
        let answered = post(server.addr(), path, &body);
        assert_eq!(answered.status, 400);
        assert_eq!(answered.header("content-type"), Some("application/json"));
        assert_eq!(answered.header("set-cookie"), None);
        let control = |byte: &u8| byte.is_ascii_control();
        assert!(!answered.body.iter().any(control), "{}", answered.text());
    }
}
