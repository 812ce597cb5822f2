//! The shapes in which servers send what means the same.

use openai::{Answer, Completion, EventKind, StreamDecoder, StreamEnd, StreamError};

/// A stream of events, of which each is stamped with its number.
fn read(events: &[&str]) -> StreamEnd<usize> {
    let mut decoder = StreamDecoder::new(1);
    for (number, event) in events.iter().enumerate() {
        let _ = decoder.push(format!("data: {event}\n\n").as_bytes(), number);
    }
    decoder.finish()
}

fn delta(delta: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#)
}

/// Kind and bytes of the one event that a delta makes.
fn of_delta(json: &str) -> (EventKind, u32) {
    let end = read(&[&delta(json)]);
    assert_eq!((end.error, end.events.len()), (None, 1), "{json}");
    assert_eq!(
        end.facts.text.bytes,
        u64::from(end.events[0].text_bytes),
        "{json}"
    );
    (end.events[0].kind, end.events[0].text_bytes)
}

#[test]
fn content_in_parts_is_text_and_thoughts_among_them_are_thoughts() {
    for (content, expected) in [
        (r#"[{"type":"text","text":"So"}]"#, (EventKind::Content, 2)),
        (
            r#"[{"type":"text","text":{"value":"So","annotations":[]}}]"#,
            (EventKind::Content, 2),
        ),
        (
            r#"["S",{"text":"o"},{"type":"output_text","text":"!"}]"#,
            (EventKind::Content, 3),
        ),
        (r#"{"type":"text","text":"So"}"#, (EventKind::Content, 2)),
        (
            r#"[{"type":"refusal","refusal":"No"}]"#,
            (EventKind::Content, 2),
        ),
        (
            r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]"#,
            (EventKind::Reasoning, 2),
        ),
        (
            r#"[{"type":"thinking","thinking":"hm","signature":"x"}]"#,
            (EventKind::Reasoning, 2),
        ),
        (
            r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"So"}]"#,
            (EventKind::Content, 4),
        ),
        (
            r#"[{"type":"image_url","image_url":{"url":"data:x"}}]"#,
            (EventKind::Empty, 0),
        ),
        ("[]", (EventKind::Empty, 0)),
    ] {
        assert_eq!(
            of_delta(&format!(r#"{{"content":{content}}}"#)),
            expected,
            "{content}"
        );
    }
    assert_eq!(of_delta(r#"{"refusal":"No"}"#), (EventKind::Content, 2));
}

#[test]
fn thoughts_under_several_names_count_once() {
    for fields in [
        r#""reasoning":"hm""#,
        r#""reasoning_content":"hm","reasoning":"hm""#,
        r#""thinking":"hm","content":"""#,
        r#""reasoning_details":[{"type":"reasoning.text","text":"hm"}]"#,
        r#""reasoning_details":[{"type":"reasoning.summary","summary":"hm"}],"reasoning":"hm""#,
        r#""reasoning_content":7,"reasoning":"hm""#,
        r#""reasoning_content":"hm","content":[{"type":"thinking","thinking":"hm"}]"#,
    ] {
        assert_eq!(
            of_delta(&format!("{{{fields}}}")),
            (EventKind::Reasoning, 2),
            "{fields}"
        );
    }
    let hidden = r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"AAAA"}]}"#;
    assert_eq!(of_delta(hidden), (EventKind::Empty, 0));
}

#[test]
fn calls_in_every_form_are_generated_text() {
    for (call, bytes) in [
        (
            r#""tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]"#,
            3,
        ),
        (
            r#""tool_calls":[{"function":{"name":"f","arguments":{"city": "Oslo"}}}]"#,
            17,
        ),
        (r#""tool_calls":{"function":{"name":"f"}}"#, 1),
        (r#""tool_calls":[{"name":"f","arguments":[]}]"#, 3),
        (
            r#""tool_calls":[{"type":"custom","custom":{"name":"f","input":"ab"}}]"#,
            3,
        ),
        (r#""function_call":{"name":"f","arguments":"{}"}"#, 3),
        (
            r#""content":[{"type":"tool_use","name":"f","input":{}}]"#,
            3,
        ),
    ] {
        assert_eq!(
            of_delta(&format!("{{{call}}}")),
            (EventKind::ToolCall, bytes),
            "{call}"
        );
        assert_eq!(
            read(&[&delta(&format!("{{{call}}}"))]).facts.tool_calls,
            1,
            "{call}"
        );
    }
}

#[test]
fn a_pair_of_surrogates_that_is_cut_between_chunks_is_two_token_events() {
    let events = [
        delta(r#"{"content":" \ud83d"}"#),
        delta(r#"{"content":"\ude00"}"#),
    ];
    let end = read(&[&events[0], &events[1], "[DONE]"]);
    let kinds: Vec<EventKind> = end.events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::Content, EventKind::Content, EventKind::Done]
    );
    assert_eq!((end.whole, end.facts.text.characters), (true, 3));
    let body = format!("data: {}\n\ndata: {}\n\n", events[0], events[1]);
    assert_eq!(Answer::of_stream(body.as_bytes()).text, " \u{fffd}\u{fffd}");
}

#[test]
fn counts_are_found_where_servers_put_them() {
    let text = delta(r#"{"content":"a"}"#);
    for (place, prompt) in [
        (
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}}"#,
            9,
        ),
        (
            r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":5}}}"#,
            9,
        ),
        (
            r#"{"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":9,"completion_tokens":5}}]}"#,
            9,
        ),
        (
            r#"{"choices":[{"delta":{"usage":{"prompt_tokens":9,"completion_tokens":5}}}]}"#,
            9,
        ),
        (
            r#"{"message":{"usage":{"input_tokens":9,"output_tokens":5}}}"#,
            9,
        ),
        (
            r#"{"choices":[],"timings":{"prompt_n":2,"cache_n":7,"predicted_n":5}}"#,
            9,
        ),
        (r#"{"choices":[],"prompt_eval_count":9,"eval_count":5}"#, 9),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0},"timings":{"prompt_n":9,"predicted_n":5}}"#,
            9,
        ),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":5},"timings":{"prompt_n":1,"predicted_n":1}}"#,
            8,
        ),
    ] {
        let usage = read(&[
            &text,
            place,
            r#"{"choices":[],"usage":{}}"#,
            r#"{"usage":null}"#,
        ])
        .usage
        .unwrap();
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (Some(prompt), Some(5)),
            "{place}"
        );
    }
}

#[test]
fn counts_that_come_in_pieces_are_put_together() {
    let begins =
        r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#;
    let ends = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#;
    let end = read(&[begins, ends]);
    let usage = end.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (Some(25), Some(15))
    );
    assert_eq!(
        end.facts.usage_excerpt.as_deref(),
        Some(r#"{"output_tokens":15}"#)
    );
}

#[test]
fn a_count_of_nothing_beside_text_is_no_count_of_the_event() {
    let chunk = |tokens: u64| {
        format!(
            r#"{{"choices":[{{"delta":{{"content":"a"}}}}],"usage":{{"completion_tokens":{tokens}}}}}"#
        )
    };
    let end = read(&[&chunk(0), &chunk(0), r#"{"usage":{"completion_tokens":2}}"#]);
    assert!(end.events.iter().all(|event| event.tokens.is_none()));
    assert_eq!(end.usage.unwrap().completion_tokens, Some(2));
}

#[test]
fn a_message_is_the_next_piece_only_where_no_delta_ever_comes() {
    let message = r#"{"choices":[{"message":{"content":"abc"},"finish_reason":"stop"}]}"#;
    let alone = read(&[message]);
    assert_eq!((alone.whole, alone.facts.text.bytes), (true, 3));
    let beside = r#"{"choices":[{"delta":{"content":"c"},"message":{"content":"abc"}}]}"#;
    assert_eq!(read(&[beside, message]).facts.text.bytes, 1);
}

#[test]
fn events_of_responses_are_known_by_their_type_wherever_it_stands() {
    let end = read(&[
        r#"{"response":{"status":"queued","model":"m"},"type":"response.created"}"#,
        r#"{"delta":"I","sequence_number":4,"type":"response.output_text.delta"}"#,
        r#"{"text":"I","type":"response.output_text.done"}"#,
        r#"{"response":{"status":"completed","model":"m","output":[],"usage":{"input_tokens":9,"output_tokens":1}},"type":"response.completed"}"#,
    ]);
    assert!(end.whole && end.done);
    assert_eq!(
        (end.facts.text.bytes, end.facts.model.as_deref()),
        (1, Some("m"))
    );
    assert_eq!(end.usage.unwrap().prompt_tokens, Some(9));
}

#[test]
fn text_that_comes_with_the_end_of_a_response_comes_then() {
    let last = r#"{"type":"response.completed","response":{"status":"completed","output":[
        {"type":"message","content":[{"type":"output_text","text":"abc"}]}]}}"#;
    let end = read(&["{}", &last.replace('\n', "")]);
    assert_eq!((end.last_token, end.facts.text.bytes), (Some(1), 3));
}

#[test]
fn an_error_counts_whatever_stands_beside_it_and_none_is_none() {
    let with =
        |error: &str| format!(r#"{{"choices":[{{"delta":{{"content":"a"}}}}],"error":{error}}}"#);
    for error in [
        "null",
        "false",
        "\"\"",
        "{}",
        "[]",
        r#"{"message":"","code":0}"#,
    ] {
        assert_eq!(read(&[&with(error)]).error, None, "{error}");
    }
    for error in [r#"{"message":"full","code":500}"#, "\"full\""] {
        let full = StreamError::Server {
            message: "full".to_owned(),
        };
        assert_eq!(read(&[&with(error)]).error, Some(full), "{error}");
    }
}

#[test]
fn what_an_answer_says_beside_its_events_is_kept() {
    let chunk = |index: u32, text: &str, reason: &str| {
        format!(
            r#"{{"model":"m-1","choices":[{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":{reason}}}]}}"#
        )
    };
    // The second and third are recognised by the first, and read without a parser.
    let (first, second, third) = (
        chunk(0, "one", "null"),
        chunk(0, "two three", "null"),
        chunk(0, " né", "null"),
    );
    let (fourth, fifth) = (
        chunk(1, "x", "{\"type\":\"abort\"}"),
        chunk(0, "", "\"stop\""),
    );
    let usage = r#"{"model":7,"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":6}}"#;
    let end = read(&[&first, &second, &third, &fourth, &fifth, usage, "[DONE]"]);
    let facts = end.facts;
    assert_eq!(end.finish_reason.as_deref(), Some("stop"));
    assert_eq!((facts.model.as_deref(), facts.choices), (Some("m-1"), 2));
    assert_eq!(facts.other_finish_reasons, ["abort"]);
    // `onetwo`, `three`, `né` and `x`.
    assert_eq!(
        (
            facts.text.bytes,
            facts.text.characters,
            facts.text.ascii,
            facts.text.words
        ),
        (17, 16, 15, 4)
    );
    assert_eq!(
        facts.usage_excerpt.as_deref(),
        Some(r#"{"prompt_tokens":-1,"completion_tokens":6}"#)
    );
    let left_out: Vec<_> = facts
        .left_out
        .iter()
        .map(|odd| (odd.field.as_str(), odd.value.as_str()))
        .collect();
    assert_eq!(left_out, [("usage.prompt_tokens", "-1")]);
}

#[test]
fn what_is_left_out_is_told_once_a_name_and_cut() {
    let odd = |content: &str| delta(&format!(r#"{{"content":{content}}}"#));
    let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(10_000));
    let end = read(&[
        &odd("7"),
        &odd("8"),
        &odd(&long),
        r#"{"choices":7}"#,
        "[DONE]",
    ]);
    assert!(end.whole && end.error.is_none());
    let fields: Vec<_> = end
        .facts
        .left_out
        .iter()
        .map(|odd| (odd.field.as_str(), odd.value.as_str()))
        .collect();
    assert_eq!(fields, [("choices.delta.content", "7"), ("choices", "7")]);
    let end = read(&[&odd(&long)]);
    assert!(end.facts.left_out[0].value.len() < 200);
}

#[test]
fn a_whole_body_is_read_as_its_stream_is() {
    let body = r#"{"object":"chat.completion","model":"m","choices":[
        {"index":1,"message":{"content":[{"type":"text","text":"b"}]},"finish_reason":{"type":"abort"}},
        {"index":0,"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":"9","completion_tokens":5.0}}"#;
    let read = Completion::parse(body.as_bytes()).unwrap();
    assert_eq!(read.finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!(read.facts.other_finish_reasons, ["abort"]);
    assert_eq!(
        (read.facts.choices, read.facts.tool_calls, read.text_bytes),
        (2, 1, 9)
    );
    let usage = read.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (Some(9), Some(5))
    );
    let answer = Answer::of_completion(body.as_bytes());
    assert_eq!(answer.tool_calls[0]["function"]["arguments"], r#"{"a":1}"#);
}
