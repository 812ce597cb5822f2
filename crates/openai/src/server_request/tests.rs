use super::{Prompt, RequestLimits, ServerRequest, StreamUsage};
use crate::{ApiError, Endpoint};
use proptest::prelude::*;

const LIMITS: RequestLimits = RequestLimits {
    vocab_size: 260,
    context_tokens: 1024,
    n_max: 8,
};

fn chat(fields: &str) -> Result<ServerRequest, ApiError> {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{fields}}}"#);
    ServerRequest::parse(body.as_bytes(), Endpoint::ChatCompletions, &LIMITS)
}

fn completion(fields: &str) -> Result<ServerRequest, ApiError> {
    ServerRequest::parse(
        format!("{{{fields}}}").as_bytes(),
        Endpoint::Completions,
        &LIMITS,
    )
}

#[test]
fn what_is_absent_has_the_defaults_of_openai() {
    let request = chat("").unwrap();
    assert_eq!((request.temperature, request.top_p), (1.0, 1.0));
    assert_eq!((request.n, request.top_k, request.tokens_min), (1, 0, 0));
    assert_eq!((request.tokens_max, request.seed), (None, None));
    assert_eq!(request.usage, StreamUsage::Absent);
    assert!(!request.stream && request.logprobs.is_none());
}

#[test]
fn every_field_is_read() {
    let request = chat(
        r#","model":"m","max_tokens":5,"max_completion_tokens":7,"min_tokens":2,"temperature":0,
        "top_p":0.5,"top_k":-1,"min_p":0.1,"seed":18446744073709551615,"n":2,"stop":["a","b"],
        "stop_token_ids":[3],"ignore_eos":true,"stream":true,
        "stream_options":{"include_usage":true,"continuous_usage_stats":true},
        "logprobs":true,"top_logprobs":3,"logit_bias":{"9":-100},"presence_penalty":-2,
        "frequency_penalty":2,"user":"u","metadata":{},"store":true,"tools":[],"best_of":2,
        "response_format":{"type":"text"},"tool_choice":"none""#,
    )
    .unwrap();
    assert_eq!(request.tokens_max, Some(("max_completion_tokens", 7)));
    assert_eq!(request.seed, Some(u64::MAX));
    assert_eq!(request.stop, ["a", "b"]);
    assert_eq!(request.logit_bias, [(9, -100.0)]);
    assert_eq!(request.usage, StreamUsage::Continuous);
    assert_eq!(request.logprobs, Some(3));
    assert_eq!((request.top_k, request.n), (0, 2));
}

#[test]
fn a_prompt_is_a_text_or_token_ids_or_a_list_of_one() {
    for text in [r#""prompt":"hi""#, r#""prompt":["hi"]"#] {
        assert_eq!(completion(text).unwrap().prompt, Prompt::Text("hi".into()));
    }
    for text in [r#""prompt":[1,2]"#, r#""prompt":[[1,2]]"#] {
        assert_eq!(completion(text).unwrap().prompt, Prompt::Tokens(vec![1, 2]));
    }
    for text in [
        "",
        r#""prompt":"""#,
        r#""prompt":[]"#,
        r#""prompt":[[]]"#,
        r#""prompt":["a","b"]"#,
        r#""prompt":[[1],[2]]"#,
        r#""prompt":[1,"a"]"#,
        r#""prompt":[260]"#,
        r#""prompt":[-1]"#,
        r#""prompt":5"#,
    ] {
        let error = completion(text).unwrap_err();
        assert!(error.param.unwrap().starts_with("prompt"), "{text}");
    }
}

#[test]
fn a_field_beyond_its_limits_is_refused_by_its_name() {
    for (field, values) in [
        ("temperature", "-1 2.1 NaN 1e309 \"1\""),
        ("top_p", "0 1.1 -0.5"),
        ("top_k", "-5 0.1"),
        ("min_p", "-0.1 1.1"),
        ("n", "0 9 1000000 1.5"),
        ("max_tokens", "0 -1 1.5 \"10\" 9223372036854775808 1025"),
        ("max_completion_tokens", "0 -1"),
        ("min_tokens", "-1 2000"),
        ("seed", "-1 1.5 \"x\""),
        ("stop", r#"[""] "" ["a","b","c","d","e"] [1] 5"#),
        ("logit_bias", r#"{"260":1} {"x":1} {"1":101} [] {"-1":1}"#),
        ("presence_penalty", "3 -2.5"),
        ("frequency_penalty", "3 true"),
        ("top_logprobs", "21 -1 5"),
        ("logprobs", "5"),
        ("stream", "1"),
        ("ignore_eos", "\"yes\""),
        ("model", "5"),
        ("best_of", "2"),
        ("tools", r#"[{"type":"function"}]"#),
        ("functions", "[{}]"),
        ("response_format", r#"{"type":"json_object"}"#),
        ("guided_regex", "\"a\""),
        ("repetition_penalty", "1.1"),
        ("echo", "true"),
    ] {
        for value in values.split(' ') {
            let error = chat(&format!(r#","{field}":{value}"#)).unwrap_err();
            assert_eq!(error.status, 400);
            assert_eq!(error.param.as_deref(), Some(field), "{field} {value}");
            assert!(error.message.contains(field), "{}", error.message);
        }
    }
}

#[test]
fn a_least_answer_longer_than_the_longest_is_refused() {
    let error = chat(r#","min_tokens":6,"max_tokens":5"#).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("min_tokens"));
}

#[test]
fn stream_options_need_a_stream() {
    let error = chat(r#","stream_options":{"include_usage":true}"#).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("stream_options"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ServerRequest::parse(&bytes, Endpoint::Completions, &LIMITS);
    }

    #[test]
    fn any_value_of_any_field_is_read_or_refused(
        field in "messages|prompt|stop|n|top_k|logit_bias|stream_options|stop_token_ids|seed|tools",
        value in r#"(-?[0-9]{1,25}(\.[0-9]{1,3})?(e[0-9]{1,4})?|"[a-z]{0,5}"|\[("a",?){0,3}\]|\{("1":[0-9],?){0,2}\}|null|true)"#,
    ) {
        let _ = chat(&format!(r#","{field}":{value}"#));
        let _ = completion(&format!(r#""{field}":{value}"#));
    }
}
