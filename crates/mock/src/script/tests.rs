use super::{Body, End, Marks, Script, StepView};
use crate::circumstances::Circumstances;
use crate::completion::Completion;
use crate::{Dialect, Fault, MockConfig, RoleChunk};
use http1::Envelope;
use openai::{Endpoint, EventKind, FrameStyle, RequestView};
use proptest::prelude::*;
use std::time::Duration;

const MS: u64 = 1_000_000;

fn config(fault: Option<Fault>) -> MockConfig {
    let (ttft, itl) = (
        Duration::from_millis(50).into(),
        Duration::from_millis(10).into(),
    );
    MockConfig {
        ttft,
        itl,
        tokens: 5,
        fault,
        ..MockConfig::default()
    }
}

fn view() -> RequestView {
    RequestView {
        model: None,
        stream: true,
        max_tokens: None,
        n: 1,
        include_usage: true,
        prompt_words: 3,
        prompts: 1,
        tool: None,
        tools_forbidden: false,
    }
}

fn script(config: &MockConfig, view: &RequestView, endpoint: Endpoint) -> Script {
    script_beside(config, view, endpoint, (11, 0))
}

/// The chat answer to request number `sequence`, beside `serving` others.
fn script_of(config: &MockConfig, sequence: u64, serving: u32) -> Script {
    script_beside(
        config,
        &view(),
        Endpoint::ChatCompletions,
        (sequence, serving),
    )
}

fn script_beside(
    config: &MockConfig,
    view: &RequestView,
    endpoint: Endpoint,
    (sequence, serving): (u64, u32),
) -> Script {
    let style = FrameStyle {
        endpoint,
        id: "chatcmpl-1",
        model: "m",
        created: 7,
    };
    let envelope = Envelope {
        request_id: None,
        close: false,
        head_only: false,
        chunks: true,
    };
    let circumstances = Circumstances {
        sequence,
        earlier_on_connection: 0,
        created: 7,
        serving,
        since_start: Duration::ZERO,
    };
    Script::of(
        &Completion::new(config, view, style, config.fault.as_ref(), circumstances),
        &envelope,
    )
}

fn chat(fault: Option<Fault>) -> Script {
    script(&config(fault), &view(), Endpoint::ChatCompletions)
}

fn steps(script: &Script) -> impl Iterator<Item = StepView<'_>> {
    (0..).map_while(|index| script.step(index))
}

fn bytes(script: &Script) -> Vec<u8> {
    steps(script).flat_map(|step| step.bytes.to_vec()).collect()
}

/// When each content event is due.
fn content_at(script: &Script) -> Vec<u64> {
    steps(script)
        .flat_map(|step| vec![step.at; step.marks.events as usize])
        .collect()
}

/// The body of a chunked response, and whether its last chunk came.
fn body(response: &[u8]) -> (Vec<u8>, bool) {
    let head = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let mut rest = &response[head..];
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(rest) {
        if size == 0 {
            return (body, true);
        }
        let size = usize::try_from(size).unwrap();
        body.extend_from_slice(&rest[head..head + size]);
        rest = &rest[head + size + 2..];
    }
    (body, false)
}

/// The data of each event of a stream, read as the standard for server-sent events has it.
fn data(script: &Script) -> Vec<String> {
    let text = String::from_utf8(body(&bytes(script)).0).unwrap();
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let events = text.split("\n\n").map(|event| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n")
    });
    events.filter(|data| !data.is_empty()).collect()
}

fn json(data: &[String]) -> Vec<serde_json::Value> {
    data.iter()
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

#[test]
fn the_head_leaves_at_once_and_token_k_at_ttft_plus_k_gaps() {
    let script = chat(None);
    let at: Vec<_> = steps(&script).map(|step| step.at / MS).collect();
    assert_eq!(at, [0, 50, 60, 70, 80, 90]);
    assert_eq!(content_at(&script), [50, 60, 70, 80, 90].map(|at| at * MS));
    assert_eq!(script.end, End::KeepAlive);
    let data = data(&script);
    assert!(data[0].contains(r#""role":"assistant""#));
    assert!(data[6].contains(r#""finish_reason":"stop""#));
    assert!(
        data[7].contains(r#""completion_tokens":5"#) && data[7].contains(r#""prompt_tokens":3"#)
    );
    assert_eq!(data[8..], ["[DONE]"]);
}

#[test]
fn the_role_chunk_leaves_when_it_is_told_to() {
    for (role_chunk, role_at) in [
        (RoleChunk::Early, vec![0]),
        (RoleChunk::WithFirstToken, vec![50 * MS]),
        (RoleChunk::None, vec![]),
    ] {
        let config = MockConfig {
            role_chunk,
            ..config(None)
        };
        let script = script(&config, &view(), Endpoint::ChatCompletions);
        let roles = steps(&script).filter(|step| step.marks.role);
        assert_eq!(
            roles.map(|step| step.at).collect::<Vec<_>>(),
            role_at,
            "{role_chunk:?}"
        );
        let opens_with_role = data(&script)[0].contains("role");
        assert_eq!(opens_with_role, role_chunk != RoleChunk::None);
    }
}

#[test]
fn a_request_may_ask_for_fewer_tokens_but_not_for_more() {
    for (asked, tokens, reason) in [
        (2, 2, "length"),
        (5, 5, "length"),
        (6, 5, "stop"),
        (0, 0, "length"),
    ] {
        let view = RequestView {
            max_tokens: Some(asked),
            ..view()
        };
        let data = data(&script(&config(None), &view, Endpoint::ChatCompletions));
        let text = data.join("");
        assert_eq!(text.matches(" the").count(), tokens, "{asked} asked");
        assert!(
            text.contains(&format!(r#""finish_reason":"{reason}""#)),
            "{asked} asked"
        );
        assert!(
            text.contains(&format!(r#""completion_tokens":{tokens},"#))
                || text.contains(&format!(r#""completion_tokens":{tokens}}}"#))
        );
    }
}

#[test]
fn a_response_that_is_no_stream_leaves_when_its_last_token_is_due() {
    let view = RequestView {
        stream: false,
        n: 2,
        ..view()
    };
    let script = script(&config(None), &view, Endpoint::Completions);
    assert_eq!(
        steps(&script).map(|step| step.at).collect::<Vec<_>>(),
        [90 * MS]
    );
    let text = String::from_utf8(bytes(&script)).unwrap();
    assert_eq!(text.matches(" the the the the the\"").count(), 2);
    assert!(text.contains(r#""completion_tokens":10"#));
}

#[test]
fn fault_03_04_a_cut_stream_has_its_events_and_no_end() {
    for (fault, end, last_chunk) in [
        (Fault::Reset(2), End::Reset, false),
        (Fault::Fin(2), End::Close, false),
        (Fault::Truncate(2), End::KeepAlive, true),
    ] {
        let script = chat(Some(fault));
        assert_eq!(script.end, end);
        assert_eq!(content_at(&script).len(), 2);
        assert_eq!(body(&bytes(&script)).1, last_chunk);
        assert_eq!(data(&script), data(&chat(None))[..3]);
    }
}

#[test]
fn fault_05_what_never_answers_writes_nothing_and_holds_on() {
    let script = chat(Some(Fault::Never));
    assert_eq!((steps(&script).count(), script.end), (0, End::Hang));
}

#[test]
fn fault_07_08_a_drip_or_a_split_cuts_the_same_bytes() {
    let plain = bytes(&chat(None));
    let drip = chat(Some(Fault::Drip(Duration::from_micros(20))));
    assert!(steps(&drip).all(|step| step.bytes.len() == 1));
    assert_eq!(bytes(&drip), plain);
    for offset in 1..300 {
        let split = chat(Some(Fault::Split(offset)));
        let first_write = steps(&split).next().unwrap().bytes.len();
        assert_eq!(
            first_write,
            steps(&chat(None))
                .next()
                .unwrap()
                .bytes
                .len()
                .min(offset as usize)
        );
        assert_eq!(bytes(&split), plain);
    }
}

#[test]
fn a_cut_write_keeps_its_marks_on_its_last_piece_and_the_time_goes_forward() {
    let script = chat(Some(Fault::Split(9)));
    let steps: Vec<_> = steps(&script).collect();
    assert!(steps.is_sorted_by_key(|step| step.at));
    let marks: Vec<_> = steps[2..6].iter().map(|step| step.marks).collect();
    let (nothing, role) = (
        Marks::default(),
        Marks {
            role: true,
            ..Marks::default()
        },
    );
    assert_eq!(
        marks,
        [
            nothing,
            role,
            nothing,
            Marks {
                role: false,
                events: 1,
                tokens: 1,
            }
        ]
    );
}

#[test]
fn fault_09_coalesced_events_share_a_write() {
    let script = chat(Some(Fault::Coalesce(64)));
    assert_eq!(content_at(&script), [50 * MS; 5]);
    assert_eq!(steps(&script).count(), 2);
    assert_eq!(bytes(&script), bytes(&chat(None)));
}

#[test]
fn fault_10_every_event_is_cut_inside_a_character() {
    let script = chat(Some(Fault::Utf8Split));
    let cut = steps(&script)
        .filter(|step| std::str::from_utf8(step.bytes).is_err())
        .count();
    assert_eq!(cut, 10, "two halves of each of the five events");
    assert!(data(&script)[1].contains('的'));
}

#[test]
fn fault_11_every_dialect_says_the_same() {
    let plain = chat(None);
    for dialect in [
        Dialect::Cr,
        Dialect::CrLf,
        Dialect::Bom,
        Dialect::MultiLine,
        Dialect::NoSpace,
    ] {
        let script = chat(Some(Fault::Dialect(dialect)));
        assert_ne!(bytes(&script), bytes(&plain), "{dialect:?}");
        assert_eq!(json(&data(&script)), json(&data(&plain)), "{dialect:?}");
        assert_eq!(data(&script).last().unwrap(), "[DONE]");
    }
}

#[test]
fn fault_12_13_what_stands_between_events_is_no_token() {
    let events = data(&chat(None));
    let pings = chat(Some(Fault::Pings));
    assert!(body(&bytes(&pings)).0.starts_with(b": ping\n\ndata: {"));
    let without: Vec<_> = data(&pings)
        .into_iter()
        .filter(|data| !data.contains("ping"))
        .collect();
    assert_eq!(without, events);
    let empty = data(&chat(Some(Fault::EmptyDeltas)));
    assert_eq!(empty.iter().filter(|data| data.contains(" the")).count(), 5);
    assert_eq!(empty.len(), 2 * events.len());
}

#[test]
fn fault_14_ragged_events_have_exactly_the_tokens_asked_for_and_the_seed_decides() {
    let config = MockConfig {
        tokens: 1_000,
        ..config(Some(Fault::Ragged(16)))
    };
    let script = script(&config, &view(), Endpoint::ChatCompletions);
    let sizes: Vec<_> = data(&script)
        .iter()
        .map(|data| data.matches(" the").count())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1_000);
    assert!((1..=16).all(|size| sizes.contains(&size)), "{sizes:?}");
    assert_eq!(
        bytes(&script),
        bytes(&self::script(&config, &view(), Endpoint::ChatCompletions))
    );
}

#[test]
fn fault_15_an_error_event_follows_its_events() {
    let script = chat(Some(Fault::ErrorEvent(2)));
    let text = String::from_utf8(body(&bytes(&script)).0).unwrap();
    assert!(text.contains("event: error\ndata: {\"error\""));
    assert_eq!(data(&script).len(), 4, "role, two tokens, error");
}

#[test]
fn fault_18_19_one_event_is_broken_and_the_others_are_whole() {
    let malformed = data(&chat(Some(Fault::Malformed(2))));
    assert_eq!(malformed.len(), 9);
    assert!(serde_json::from_str::<serde_json::Value>(&malformed[2]).is_err());
    assert_eq!(json(&malformed).len(), 7);
    let (invalid, _) = body(&bytes(&chat(Some(Fault::InvalidUtf8(2)))));
    let broken: Vec<_> = invalid
        .utf8_chunks()
        .map(|chunk| chunk.invalid().to_vec())
        .collect();
    assert_eq!(broken.concat(), [0xff]);
}

#[test]
fn fault_20_21_22_what_is_endless_repeats_for_ever_at_its_pace() {
    for (fault, events) in [
        (Fault::EndlessTokens, 1),
        (Fault::EndlessPings, 0),
        (Fault::EndlessLine, 0),
    ] {
        let script = chat(Some(fault));
        let [one, million] = [3, 1_000_000].map(|index| script.step(index).unwrap());
        assert_eq!(one.bytes, million.bytes);
        assert_eq!(million.marks.events, events);
        assert_eq!(million.at, 50 * MS + 999_999 * 10 * MS);
    }
    let line = chat(Some(Fault::EndlessLine));
    let start: Vec<u8> = steps(&line)
        .take(9)
        .flat_map(|step| step.bytes.to_vec())
        .collect();
    let (start, _) = body(&start);
    let line = start.rsplit(|&byte| byte == b'\n').next().unwrap();
    assert!(line.starts_with(b"data: aaa") && line.len() > 100_000);
}

#[test]
fn fault_31_a_comb_moves_events_to_its_grid_and_never_forward() {
    let comb = content_at(&chat(Some(Fault::AckComb(Duration::from_millis(40)))));
    assert_eq!(comb, [80, 80, 80, 80, 120].map(|at| at * MS));
}

#[test]
fn reasoning_takes_the_place_of_the_first_tokens() {
    let data = data(&chat(Some(Fault::Reasoning(2))));
    let reasoning: Vec<_> = data
        .iter()
        .map(|data| data.contains(r#""reasoning_content":" the""#))
        .collect();
    assert_eq!(reasoning[..5], [false, true, true, false, false]);
}

#[test]
fn fault_03_04_a_body_that_is_no_stream_is_cut_in_half() {
    let view = RequestView {
        stream: false,
        ..view()
    };
    let whole = bytes(&script(&config(None), &view, Endpoint::ChatCompletions));
    for (fault, end) in [(Fault::Reset(1), End::Reset), (Fault::Fin(1), End::Close)] {
        let script = script(&config(Some(fault)), &view, Endpoint::ChatCompletions);
        assert_eq!(
            (&bytes(&script)[..], script.end),
            (&whole[..whole.len() / 2], end)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The cheap way and the plain way to make a stream are one: the same bytes, the same events,
    /// and, with one event per write, the same times.
    #[test]
    fn a_paced_stream_is_the_stream_of_its_frames(
        tokens in 0_u32..40,
        tokens_per_event in 1_u32..6,
        events_per_write in 1_u32..6,
        n in 1_u32..4,
        ttft in 0_u64..3,
        itl in 0_u64..3,
        role in 0_usize..3,
        chat: bool,
        call: bool,
    ) {
        let role_chunk = [RoleChunk::WithFirstToken, RoleChunk::Early, RoleChunk::None][role];
        let endpoint = if chat { Endpoint::ChatCompletions } else { Endpoint::Completions };
        let (ttft, itl) = (Duration::from_millis(ttft).into(), Duration::from_millis(itl).into());
        let config = MockConfig {
            ttft, itl, tokens, tokens_per_event, events_per_write, role_chunk,
            tool_calls: if call { 1.0 } else { 0.0 },
            ..MockConfig::default()
        };
        // A split beyond every write alters nothing, and has every frame a write of its own.
        let untouched = MockConfig { fault: Some(Fault::Split(u32::MAX)), ..config.clone() };
        let view = RequestView { n, ..view() };
        let paced = script(&config, &view, endpoint);
        let framed = script(&untouched, &view, endpoint);
        prop_assert!(matches!(paced.body, Body::Paced(_)) && matches!(framed.body, Body::Steps(_)));
        prop_assert_eq!(bytes(&paced), bytes(&framed));
        prop_assert!(steps(&paced).all(|step| !step.bytes.is_empty()));
        let (paced_at, framed_at) = (content_at(&paced), content_at(&framed));
        prop_assert_eq!(paced_at.len(), framed_at.len());
        for script in [&paced, &framed] {
            let written: u32 = steps(script).map(|step| step.marks.tokens).sum();
            prop_assert_eq!(written, tokens * n);
        }
        prop_assert_eq!(
            steps(&paced).filter(|step| step.marks.role).map(|step| step.at).collect::<Vec<_>>(),
            steps(&framed).filter(|step| step.marks.role).map(|step| step.at).take(1).collect::<Vec<_>>()
        );
        let in_a_write = (events_per_write * n) as usize;
        for (index, at) in paced_at.iter().enumerate() {
            prop_assert_eq!(*at, framed_at[index / in_a_write * in_a_write]);
        }
    }
}

#[test]
fn drawn_gaps_add_up_are_the_same_for_the_same_request_and_differ_between_requests() {
    let config = MockConfig {
        ttft: "gamma:20:4".parse().unwrap(),
        itl: "lognormal:5:0.5".parse().unwrap(),
        tokens: 30,
        seed: 9,
        ..MockConfig::default()
    };
    let times = |sequence| {
        let script = script_of(&config, sequence, 0);
        let steps = (0..).map_while(|index| script.step(index).map(|step| step.at));
        steps.collect::<Vec<u64>>()
    };
    let first = times(1);
    assert_eq!(first.len(), 31, "the head, and an event each");
    assert!(first.is_sorted());
    assert_eq!(first, times(1));
    assert_ne!(first, times(2));
}

#[test]
fn a_prompt_costs_its_words_and_company_stretches_the_gaps() {
    let config = MockConfig {
        ttft: Duration::from_millis(10).into(),
        prefill: Duration::from_micros(500),
        itl: Duration::from_millis(4).into(),
        slowdown: 0.5,
        tokens: 3,
        late_head: true,
        ..MockConfig::default()
    };
    let at = |serving| {
        let script = script_of(&config, 1, serving);
        let steps = (0..).map_while(|index| script.step(index).map(|step| step.at / 1000));
        steps.collect::<Vec<u64>>()
    };
    // Three words; the head leaves with the first token.
    assert_eq!(at(0), [11_500, 15_500, 19_500]);
    assert_eq!(at(2), [11_500, 19_500, 27_500]);
}

#[test]
fn a_stall_holds_what_follows_back_or_ends_all_writing() {
    let plain = content_at(&chat(None));
    let short = chat(Some(Fault::Stall {
        after: 2,
        span: Some(Duration::from_secs(1)),
    }));
    let at = content_at(&short);
    assert_eq!(at[..2], plain[..2]);
    let later: Vec<u64> = plain[2..].iter().map(|at| at + 1_000 * MS).collect();
    assert_eq!(at[2..], later);
    assert_eq!(bytes(&short), bytes(&chat(None)));
    assert_eq!(short.end, End::KeepAlive);

    let for_ever = chat(Some(Fault::Stall {
        after: 2,
        span: None,
    }));
    assert_eq!(content_at(&for_ever), plain[..2]);
    assert_eq!(
        (body(&bytes(&for_ever)).1, for_ever.end),
        (false, End::Hang)
    );
}

#[test]
fn a_stall_halves_a_body_that_is_no_stream() {
    let view = RequestView {
        stream: false,
        ..view()
    };
    let of = |fault| script(&config(fault), &view, Endpoint::ChatCompletions);
    let whole = bytes(&of(None));
    let span = Some(Duration::from_secs(1));
    let short = of(Some(Fault::Stall { after: 2, span }));
    let at: Vec<u64> = steps(&short).map(|step| step.at).collect();
    assert_eq!(at, [90 * MS, 1_090 * MS]);
    assert_eq!(bytes(&short), whole);
    assert_eq!(
        steps(&short)
            .map(|step| step.marks.tokens)
            .collect::<Vec<_>>(),
        [0, 5]
    );
    let for_ever = of(Some(Fault::Stall {
        after: 2,
        span: None,
    }));
    assert_eq!(bytes(&for_ever), whole[..whole.len() / 2]);
    assert_eq!(for_ever.end, End::Hang);
}

#[test]
fn a_client_counts_as_many_token_events_in_a_tool_call_as_there_are_tokens() {
    for tokens in 0..6 {
        for tokens_per_event in 1..4_u32 {
            let config = MockConfig {
                tokens,
                tokens_per_event,
                ..calling(None)
            };
            let script = script(&config, &view(), Endpoint::ChatCompletions);
            let mut decoder = openai::StreamDecoder::new(1);
            decoder.push(&body(&bytes(&script)).0, ()).unwrap();
            let mut events = decoder.take_events();
            let end = decoder.finish();
            events.extend(end.events);
            let calls = events
                .iter()
                .filter(|event| event.kind == EventKind::ToolCall);
            assert_eq!(calls.count(), tokens.div_ceil(tokens_per_event) as usize);
            let usage = end.usage.unwrap();
            assert_eq!(usage.completion_tokens, Some(u64::from(tokens)));
        }
    }
}

fn calling(fault: Option<Fault>) -> MockConfig {
    MockConfig {
        tool_calls: 1.0,
        ..config(fault)
    }
}

#[test]
fn a_tool_call_is_streamed_as_its_name_and_pieces_that_make_json() {
    let view = RequestView {
        n: 2,
        tool: Some("find \"it\"".to_owned()),
        ..view()
    };
    let script = script(&calling(None), &view, Endpoint::ChatCompletions);
    assert_eq!(content_at(&script).len(), 10, "five tokens of two choices");
    let mut calls = [(String::new(), String::new()), Default::default()];
    let mut reasons = Vec::new();
    for chunk in json(&data(&script)) {
        let Some(choice) = chunk["choices"].get(0) else {
            continue;
        };
        let call = &choice["delta"]["tool_calls"][0];
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        if let Some(name) = call["function"]["name"].as_str() {
            assert!(call["id"].as_str().is_some() && call["type"] == "function");
            calls[index].0.push_str(name);
        }
        if let Some(piece) = call["function"]["arguments"].as_str() {
            assert_eq!(call["index"], 0);
            calls[index].1.push_str(piece);
        }
        reasons.extend(choice["finish_reason"].as_str().map(str::to_owned));
    }
    for (name, arguments) in calls {
        assert_eq!(name, "find \"it\"");
        let arguments: serde_json::Value = serde_json::from_str(&arguments).unwrap();
        assert_eq!(arguments["text"], " the the the", "of five tokens");
    }
    assert_eq!(reasons, ["tool_calls", "tool_calls"]);
}

#[test]
fn a_tool_call_that_is_no_stream_has_no_content() {
    let view = RequestView {
        stream: false,
        ..view()
    };
    let script = script(&calling(None), &view, Endpoint::ChatCompletions);
    let text = String::from_utf8(bytes(&script)).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], serde_json::Value::Null);
    let function = &message["tool_calls"][0]["function"];
    assert_eq!(function["name"], "get_weather");
    let arguments = function["arguments"].as_str().unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(arguments).is_ok());
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn every_fault_can_be_played_on_a_tool_call() {
    for fault in [
        "invalid_utf8:1",
        "malformed:1",
        "reasoning:4",
        "utf8_split",
        "ragged:3",
        "stall:1:2s",
        "error_event:1",
        "endless_tokens",
    ] {
        let config = calling(Some(fault.parse().unwrap()));
        let script = script(&config, &view(), Endpoint::ChatCompletions);
        let first: Vec<u8> = steps(&script)
            .take(4)
            .flat_map(|step| step.bytes.to_vec())
            .collect();
        let text = String::from_utf8_lossy(&first).into_owned();
        assert!(text.contains("tool_calls"), "{fault}: {text}");
        if fault == "invalid_utf8:1" {
            assert!(std::str::from_utf8(&first).is_err(), "{text}");
        }
    }
}

#[test]
fn only_the_asked_share_of_chats_calls_and_none_where_it_is_forbidden() {
    let config = MockConfig {
        tool_calls: 0.25,
        seed: 5,
        ..config(None)
    };
    let calls = |config: &MockConfig, view: &RequestView, endpoint| {
        let is_call = |sequence: &u64| {
            let script = script_beside(config, view, endpoint, (*sequence, 0));
            data(&script).join("").contains("tool_calls")
        };
        (0..400).filter(is_call).count()
    };
    let share = calls(&config, &view(), Endpoint::ChatCompletions);
    assert!((75..125).contains(&share), "{share} of 400");
    assert_eq!(calls(&config, &view(), Endpoint::Completions), 0);
    let forbidden = RequestView {
        tools_forbidden: true,
        ..view()
    };
    assert_eq!(calls(&config, &forbidden, Endpoint::ChatCompletions), 0);
}

#[test]
fn every_prompt_of_a_completion_gets_its_choices() {
    let view = RequestView {
        stream: false,
        n: 2,
        prompts: 3,
        ..view()
    };
    let script = script(&config(None), &view, Endpoint::Completions);
    let text = String::from_utf8(bytes(&script)).unwrap();
    assert_eq!(text.matches(" the the the the the\"").count(), 6);
    assert!(text.contains(r#""index":5,"#) && text.contains(r#""completion_tokens":30"#));
}

#[test]
fn recorded_timings_are_played_token_by_token_in_the_order_of_requests() {
    let text = b"{\"ttft_ms\":5,\"gaps_ms\":[1,2,3]}\n{\"ttft_ms\":7,\"gaps_ms\":[]}";
    let config = MockConfig {
        replay: Some(crate::RecordedTimings::parse(text).unwrap()),
        slowdown: 1.0,
        ..config(None)
    };
    let at = |sequence, serving| {
        let at = content_at(&script_of(&config, sequence, serving));
        at.iter().map(|at| at / MS).collect::<Vec<_>>()
    };
    assert_eq!(at(0, 0), [5, 6, 8, 11]);
    assert_eq!(at(1, 0), [7]);
    assert_eq!(at(2, 0), at(0, 0), "from the beginning again");
    assert_eq!(at(0, 1), [5, 7, 11, 17], "the slow-down is on top");
    let few = RequestView {
        max_tokens: Some(2),
        ..view()
    };
    let limited = script_beside(&config, &few, Endpoint::ChatCompletions, (0, 0));
    assert_eq!(content_at(&limited).len(), 2);
    assert!(data(&limited).join("").contains("\"length\""));
}
