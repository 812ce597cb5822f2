//! The events and bodies of `/responses`, ours and those of others.

use openai::{
    Answer, ChoiceBody, Completion, Endpoint, EventKind, FrameStyle, RequestView, StreamDecoder,
    StreamEnd, StreamError, completion_body,
};

const STYLE: FrameStyle = FrameStyle {
    endpoint: Endpoint::Responses,
    id: "resp-1",
    model: "m",
    created: 5,
};

fn decode(body: &[u8]) -> StreamEnd<u32> {
    let mut decoder = StreamDecoder::new(1);
    let _ = decoder.push(body, 1);
    decoder.finish()
}

fn stream(reason: &str) -> Vec<u8> {
    let frames = [
        STYLE.role(0),
        STYLE.content(0, "Hel"),
        STYLE.content(0, "lo \"you\""),
        STYLE.finish(0, reason),
        STYLE.completed("Hello \"you\"", reason, (7, 2)),
    ];
    frames.concat()
}

#[test]
fn a_stream_of_ours_is_read_back() {
    let end = decode(&stream("stop"));
    let texts: Vec<u32> = end
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Content)
        .map(|event| event.text_bytes)
        .collect();
    assert_eq!(texts, [3, 8]);
    assert_eq!(end.finish_reason.as_deref(), Some("stop"));
    assert!(end.done && end.whole);
    let usage = end.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (Some(7), Some(2))
    );
    assert_eq!(
        decode(&stream("length")).finish_reason.as_deref(),
        Some("length")
    );
    assert_eq!(Answer::of_stream(&stream("stop")).text, "Hello \"you\"");
}

#[test]
fn a_stream_that_ends_before_its_last_event_is_not_whole() {
    let whole = stream("stop");
    for bytes in 0..whole.len() - 2 {
        let end = decode(&whole[..bytes]);
        assert!(!end.whole, "{bytes} bytes");
    }
}

#[test]
fn reasoning_calls_and_texts_that_come_once_more_are_told_apart() {
    let body = concat!(
        "event: response.reasoning_text.delta\ndata: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"hm\"}\n\n",
        "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",\"name\":\"look\",\"arguments\":\"\"}}\n\n",
        "data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}\n\n",
        "data: {\"type\": \"response.output_text.delta\",\"delta\":\"so\"}\n\n",
        "data: {\"type\":\"response.output_text.done\",\"text\":\"so\"}\n\n",
        "data: {\"type\":\"response.output_item.done\",\"item\":{\"content\":[{\"type\":\"output_text\",\"text\":\"so\"}]}}\n\n",
    );
    let end = decode(body.as_bytes());
    let tokens: Vec<(EventKind, u32)> = end
        .events
        .iter()
        .filter(|event| event.kind.is_token())
        .map(|event| (event.kind, event.text_bytes))
        .collect();
    let expected = [
        (EventKind::Reasoning, 2),
        (EventKind::ToolCall, 4),
        (EventKind::ToolCall, 2),
        (EventKind::Content, 2),
    ];
    assert_eq!(tokens, expected);
    assert!(!end.whole);
}

#[test]
fn a_failed_response_is_the_servers_error() {
    let body = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"full\"}}}\n\n";
    let full = StreamError::Server {
        message: "full".to_owned(),
    };
    assert_eq!(decode(body.as_bytes()).error, Some(full.clone()));
    let whole = r#"{"object":"response","status":"failed","error":{"message":"full"},"output":[]}"#;
    assert_eq!(Completion::parse(whole.as_bytes()), Err(full));
}

#[test]
fn a_body_of_ours_is_read_back() {
    let body = completion_body(&STYLE, &[ChoiceBody::Text("Hello")], "length", 7, 2);
    let read = Completion::parse(&body).unwrap();
    assert_eq!(read.text_bytes, 5);
    assert_eq!(read.finish_reason.as_deref(), Some("length"));
    assert_eq!(read.usage.unwrap().completion_tokens, Some(2));
    assert_eq!(Answer::of_completion(&body).text, "Hello");
}

#[test]
fn a_provider_reads_its_input_and_limit() {
    let body = br#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"one two"}]}],"max_output_tokens":9,"stream":true}"#;
    let view = RequestView::parse(body, Endpoint::Responses).unwrap();
    assert_eq!(
        (view.prompt_words, view.max_tokens, view.n, view.stream),
        (2, Some(9), 1, true)
    );
    let text = RequestView::parse(br#"{"input":"a b c"}"#, Endpoint::Responses).unwrap();
    assert_eq!(text.prompt_words, 3);
}
