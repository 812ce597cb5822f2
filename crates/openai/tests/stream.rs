//! What a streamed response says, and the faults it survives. The numbers in the names are those
//! of the list of faults.

use openai::{
    DONE, Endpoint, EventKind, FrameStyle, LINE_BYTES_MAX, STREAM_EVENTS_MAX, StreamDecoder,
    StreamEnd, StreamError, StreamEvent, error_frame,
};
use proptest::prelude::*;

const CHAT: FrameStyle = FrameStyle {
    endpoint: Endpoint::ChatCompletions,
    id: "chatcmpl-1",
    model: "m",
    created: 1,
};

/// A stream whose reads are stamped 0, 1, 2, …, read to its end.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> StreamEnd<usize> {
    let mut decoder = StreamDecoder::new(1);
    for (stamp, piece) in pieces.into_iter().enumerate() {
        if decoder.push(piece, stamp).is_err() {
            break;
        }
    }
    decoder.finish()
}

fn read_whole(bytes: &[u8]) -> StreamEnd<usize> {
    read([bytes])
}

/// The same with every stamp forgotten: what a split may not change.
fn unstamped(end: StreamEnd<usize>) -> StreamEnd<()> {
    let unstamp = |event: StreamEvent<usize>| StreamEvent {
        kind: event.kind,
        stamp: (),
        text_bytes: event.text_bytes,
        tokens: event.tokens,
        choice: event.choice,
    };
    StreamEnd {
        events: end.events.into_iter().map(unstamp).collect(),
        usage: end.usage,
        finish_reason: end.finish_reason,
        done: end.done,
        whole: end.whole,
        last_token: end.last_token.map(|_| ()),
        error: end.error,
        facts: end.facts,
    }
}

fn kinds<S>(end: &StreamEnd<S>) -> Vec<EventKind> {
    end.events.iter().map(|event| event.kind).collect()
}

fn token_kinds<S>(end: &StreamEnd<S>) -> Vec<EventKind> {
    kinds(end)
        .into_iter()
        .filter(|kind| kind.is_token())
        .collect()
}

/// A chunk with this delta, as one frame.
fn frame(delta: &str) -> String {
    format!("data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

/// A usual response: role, four texts, finish, usage, end.
fn response() -> Vec<u8> {
    let mut frames = vec![CHAT.role(0)];
    frames.extend(["Grüße", ",\n", " 世界", " \"🦀\""].map(|text| CHAT.content(0, text)));
    frames.extend([CHAT.finish(0, "stop"), CHAT.usage(9, 4), DONE.to_vec()]);
    frames.concat()
}

#[test]
fn a_usual_response_is_read_whole() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
        let style = FrameStyle { endpoint, ..CHAT };
        let frames = [
            style.role(0),
            style.content(0, "abc"),
            style.content(0, "é"),
            style.finish(0, "length"),
            style.usage(9, 4),
            DONE.to_vec(),
        ];
        let end = read(frames.iter().map(Vec::as_slice));
        let expected = [
            (EventKind::Empty, 0, 0),
            (EventKind::Content, 1, 3),
            (EventKind::Content, 2, 2),
            (EventKind::Empty, 3, 0),
            (EventKind::Usage, 4, 0),
            (EventKind::Done, 5, 0),
        ];
        let events = end
            .events
            .iter()
            .map(|event| (event.kind, event.stamp, event.text_bytes));
        assert_eq!(events.collect::<Vec<_>>(), expected);
        let usage = end.usage.unwrap();
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (Some(9), Some(4))
        );
        assert_eq!(end.finish_reason.as_deref(), Some("length"));
        assert_eq!((end.done, end.whole, end.last_token), (true, true, Some(2)));
        assert_eq!(end.error, None);
    }
}

#[test]
fn fault_04_an_end_before_done_and_finish_reason_is_not_whole() {
    let content = CHAT.content(0, "a");
    let cut = &content[..content.len() / 2];
    let end = read_whole(&[&content[..], cut].concat());
    assert_eq!((end.done, end.whole, end.error), (false, false, None));
    assert_eq!(end.events.len(), 1);

    let end = read_whole(&[content, CHAT.finish(0, "stop")].concat());
    assert_eq!((end.done, end.whole), (false, true));
    assert!(!read_whole(b"").whole);
}

#[test]
fn fault_07_byte_drip() {
    let bytes = response();
    let dripped = read(bytes.chunks(1));
    assert_eq!(
        dripped.events[1].stamp,
        CHAT.role(0).len() + CHAT.content(0, "Grüße").len() - 1
    );
    assert_eq!(unstamped(dripped), unstamped(read_whole(&bytes)));
}

#[test]
fn fault_08_split_at_every_byte_offset() {
    let bytes = response();
    let whole = unstamped(read_whole(&bytes));
    assert_eq!(token_kinds(&whole), [EventKind::Content; 4]);
    for cut in 0..=bytes.len() {
        let (left, right) = bytes.split_at(cut);
        assert_eq!(unstamped(read([left, right])), whole, "cut at {cut}");
    }
}

#[test]
fn fault_09_events_of_one_read_share_its_stamp() {
    let frames: Vec<u8> = (0..64).flat_map(|_| CHAT.content(0, "a")).collect();
    let end = read([b": hello\n\n".as_slice(), &frames]);
    assert_eq!(end.events.len(), 64);
    assert!(end.events.iter().all(|event| event.stamp == 1));
}

#[test]
fn fault_10_a_character_split_across_reads_is_intact() {
    let bytes = CHAT.content(0, "🦀");
    let inside = bytes.iter().position(|&byte| byte == 0xF0).unwrap() + 2;
    let end = read([&bytes[..inside], &bytes[inside..]]);
    assert_eq!(
        (end.events[0].kind, end.events[0].text_bytes),
        (EventKind::Content, 4)
    );
}

#[test]
fn fault_11_line_endings_byte_order_mark_and_multi_line_data() {
    let plain = response();
    let expected = unstamped(read_whole(&plain));
    let text = String::from_utf8(plain).unwrap();
    for variant in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.replace("data: ", "data:"),
        text.replace(",\"model\"", ",\ndata: \"model\""),
        format!("\u{feff}{text}"),
        text.replace("data: ", "event: message\nid: 1\ndata: "),
    ] {
        assert_eq!(
            unstamped(read_whole(variant.as_bytes())),
            expected,
            "{variant}"
        );
    }
}

#[test]
fn fault_12_comments_and_pings_are_no_events() {
    let pings = ": ping\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\ndata:\n\n\n\n: OPENROUTER\n\n";
    let end = read_whole(pings.as_bytes());
    assert_eq!((end.events.len(), end.error), (0, None));
}

#[test]
fn fault_13_role_empty_and_usage_chunks_are_never_tokens() {
    let deltas = [
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":null,"reasoning_content":""}"#,
        r#"{"tool_calls":[]}"#,
        "{}",
    ];
    let mut stream: String = deltas.iter().map(|delta| frame(delta)).collect();
    stream.push_str("data: {\"choices\":[],\"usage\":{\"completion_tokens\":3}}\n\n");
    let end = read_whole(stream.as_bytes());
    let mut expected = vec![EventKind::Empty; 5];
    expected.push(EventKind::Usage);
    assert_eq!(kinds(&end), expected);
    assert_eq!(end.last_token, None);
}

/// A frame of text that carries the count of tokens so far.
fn counted(text: &str, completion_tokens: u64) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}],\
         \"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{completion_tokens}}}}}\n\n"
    )
}

fn tokens(end: &StreamEnd<usize>) -> Vec<Option<u32>> {
    let of_tokens = end.events.iter().filter(|event| event.kind.is_token());
    of_tokens.map(|event| event.tokens).collect()
}

#[test]
fn fault_14_tokens_per_chunk_are_exact_where_usage_is_continuous() {
    let stream = [
        counted("", 0),
        counted("a", 1),
        counted("bcd", 4),
        counted("", 5),
    ]
    .concat();
    let end = read_whole(&[stream.as_bytes(), counted("é", 20).as_bytes()].concat());
    assert_eq!(tokens(&end), [Some(1), Some(3), Some(16)]);
    assert_eq!(end.usage.unwrap().completion_tokens, Some(20));
}

#[test]
fn alike_chunks_that_say_more_than_a_text_are_each_read() {
    let same_count = [counted("a", 1), counted("b", 1)].concat();
    assert_eq!(
        tokens(&read_whole(same_count.as_bytes())),
        [Some(1), Some(0)]
    );
    let both =
        ["so", "also"].map(|text| frame(&format!(r#"{{"reasoning":"why","content":"{text}"}}"#)));
    let end = read_whole(both.concat().as_bytes());
    assert_eq!(
        end.events
            .iter()
            .map(|event| event.text_bytes)
            .collect::<Vec<_>>(),
        [5, 7]
    );
    let pair = |text: &str| {
        format!(
            "data: {{\"choices\":[{{\"text\":\"{text}\"}},{{\"index\":1,\"text\":\"x\"}}]}}\n\n"
        )
    };
    let end = read_whole([pair("a"), pair("b")].concat().as_bytes());
    assert_eq!(token_kinds(&end).len(), 4);
    let plain = frame(r#"{"content":"a"}"#);
    let end = read_whole(format!("{plain}event: error\n{plain}").as_bytes());
    assert!(matches!(end.error, Some(StreamError::Server { .. })));
}

#[test]
fn tokens_are_unknown_where_the_text_before_came_uncounted() {
    let stream = [
        frame(r#"{"content":"a"}"#),
        counted("b", 2),
        counted("c", 3),
    ]
    .concat();
    assert_eq!(
        tokens(&read_whole(stream.as_bytes())),
        [None, None, Some(1)]
    );
    let fewer = [counted("a", 3), counted("b", 1), counted("c", 2)].concat();
    assert_eq!(
        tokens(&read_whole(fewer.as_bytes())),
        [Some(3), None, Some(1)]
    );
}

#[test]
fn several_choices_are_told_apart_and_all_must_finish() {
    let both = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},\
                {\"index\":1,\"delta\":{\"content\":\"bc\"}}],\"usage\":{\"completion_tokens\":2}}\n\n";
    let mut decoder = StreamDecoder::new(2);
    decoder.push(both.as_bytes(), 0).unwrap();
    decoder.push(&CHAT.finish(1, "length"), 1).unwrap();
    let events = decoder.take_events();
    let choices = events
        .iter()
        .map(|event| (event.choice, event.text_bytes, event.tokens));
    assert_eq!(
        choices.collect::<Vec<_>>(),
        [(0, 1, None), (1, 2, None), (0, 0, None)]
    );
    assert!(!decoder.clone().finish().whole, "choice 0 goes on");
    decoder.push(&CHAT.finish(0, "stop"), 2).unwrap();
    let end = decoder.finish();
    assert_eq!(
        (end.whole, end.finish_reason.as_deref()),
        (true, Some("stop"))
    );
    assert_eq!(end.events.len(), 1, "the others were taken");
}

#[test]
fn fault_15_errors_on_a_200_are_kept_with_what_came_before() {
    let server = StreamError::Server {
        message: "KV cache is full".to_owned(),
    };
    for error in [
        String::from_utf8(error_frame("KV cache is full")).unwrap(),
        "data: {\"error\":\"KV cache is full\"}\n\n".to_owned(),
        "event: error\ndata: {\"message\":\"KV cache is full\"}\n\n".to_owned(),
        "event: error\ndata: KV cache is full\n\n".to_owned(),
        "data: {\"error\":\"KV cache is full\"}".to_owned(),
    ] {
        let stream = [CHAT.content(0, "a"), error.clone().into_bytes()].concat();
        let end = read_whole(&stream);
        assert_eq!(end.error.as_ref(), Some(&server), "{error}");
        assert_eq!((end.whole, token_kinds(&end).len()), (false, 1), "{error}");
    }
}

#[test]
fn an_error_is_returned_again_by_every_later_push() {
    let mut decoder = StreamDecoder::new(1);
    let error = decoder.push(&error_frame("x"), ()).unwrap_err();
    assert_eq!(decoder.push(&CHAT.content(0, "a"), ()), Err(error.clone()));
    assert_eq!(decoder.finish().error, Some(error));
}

#[test]
fn fault_18_malformed_json_is_refused_with_its_position() {
    let first = CHAT.content(0, "a");
    let end = read_whole(&[&first[..], b": ping\n\ndata: {\"choices\":[}\n\n"].concat());
    let Some(StreamError::MalformedEvent {
        event: 1,
        offset,
        reason,
        excerpt,
        ..
    }) = end.error
    else {
        panic!("{:?}", end.error)
    };
    assert_eq!(offset, first.len() as u64 + 8);
    assert_eq!(excerpt, "{\"choices\":[}");
    assert!(reason.contains("at byte 12"), "{reason}");
    assert_eq!(token_kinds(&read_whole(&first)), [EventKind::Content]);
}

#[test]
fn a_long_excerpt_is_cut() {
    let stream = format!("data: {}\n\n", "é".repeat(10_000));
    let message = read_whole(stream.as_bytes()).error.unwrap().to_string();
    assert_eq!(message.matches('é').count(), 500);
}

#[test]
fn fault_19_invalid_utf_8_is_refused() {
    let mut stream = CHAT.content(0, "aaaa");
    let learned = stream.len();
    stream.extend(CHAT.content(0, "bbbb"));
    let text = learned
        + CHAT
            .content(0, "bbbb")
            .iter()
            .position(|&byte| byte == b'b')
            .unwrap();
    for byte in [0xFF, 0xC3, 0x80] {
        stream[text] = byte;
        let error = read_whole(&stream).error;
        assert!(
            matches!(error, Some(StreamError::InvalidUtf8 { event: 1, .. })),
            "{error:?}"
        );
    }
    let ignored_field = b"data: {\"system_fingerprint\":\"\xff\"}\n\n";
    let error = read_whole(ignored_field).error;
    assert!(
        matches!(
            error,
            Some(StreamError::InvalidUtf8 {
                event: 0,
                offset: 0,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn fault_20_an_endless_line_is_cut() {
    let mut decoder = StreamDecoder::new(1);
    let piece = vec![b'x'; 65_536];
    let pushed =
        (0..=LINE_BYTES_MAX / piece.len()).take_while(|_| decoder.push(&piece, ()).is_ok());
    assert_eq!(pushed.count(), LINE_BYTES_MAX / piece.len());
    let end = decoder.finish();
    assert_eq!(
        end.error,
        Some(StreamError::LineTooLong {
            limit: LINE_BYTES_MAX
        })
    );
}

/// Pushes the piece until that is refused, or as often as it takes; how often it was taken.
fn flood(piece: &[u8], at_most: usize) -> (usize, StreamEnd<()>) {
    let mut decoder = StreamDecoder::of_lines(1);
    let taken = (0..at_most).take_while(|_| decoder.push(piece, ()).is_ok());
    (taken.count(), decoder.finish())
}

#[test]
fn fault_57_a_flood_of_events_is_cut_and_none_of_them_is_kept() {
    // Chunks without a choice; and choices by the thousand, which count each.
    let chunks = b"{}\n".repeat(1 << 16);
    let choices = [
        b"{\"choices\":[",
        "{\"text\":\"a\"},".repeat((1 << 16) - 1).as_bytes(),
        b"{\"text\":\"a\"}]}\n",
    ]
    .concat();
    for piece in [chunks, choices] {
        let fits = STREAM_EVENTS_MAX >> 16;
        let (taken, end) = flood(&piece, fits + 1);
        assert_eq!(taken, fits);
        let limit = STREAM_EVENTS_MAX;
        assert_eq!(end.error, Some(StreamError::TooManyEvents { limit }));
        assert!(end.events.is_empty() && !end.whole);
    }
}

#[test]
fn what_follows_done_is_ignored() {
    let junk = [
        b"data: {bad\n\n\xff".as_slice(),
        &vec![b'x'; LINE_BYTES_MAX + 1],
    ]
    .concat();
    let expected = unstamped(read_whole(&response()));
    assert_eq!(
        unstamped(read([&[response(), junk.clone()].concat()[..]])),
        expected
    );
    assert_eq!(unstamped(read([&response()[..], &junk])), expected);
}

#[test]
fn an_end_without_its_empty_line_still_counts() {
    for done in [
        "data: [DONE]\n",
        "data: [DONE]",
        "data:[DONE]\r",
        "data: [DONE] \n\n",
    ] {
        let end = read([&CHAT.content(0, "a")[..], done.as_bytes()]);
        assert!(end.done && end.whole, "{done:?}");
        assert_eq!(
            end.events.last().map(|event| (event.kind, event.stamp)),
            Some((EventKind::Done, 1))
        );
    }
    let content = CHAT.content(0, "a");
    let end = read_whole(content.trim_ascii_end());
    assert_eq!(token_kinds(&end), [EventKind::Content]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A decoder that has seen a chunk recognises its like without parsing; a fresh one parses.
    #[test]
    fn a_recognised_chunk_is_what_parsing_it_gives(
        texts in proptest::collection::vec("(\\PC|[\"\\\\\n\t\u{7f}é🦀]){0,3}", 1..12),
        kind in 0..3_usize,
        choices in proptest::collection::vec(0..2_u32, 12),
    ) {
        let frames: Vec<Vec<u8>> = texts.iter().zip(choices).map(|(text, choice)| {
            let text_json = serde_json::to_string(text).unwrap();
            match kind {
                0 => CHAT.content(choice, text),
                1 => FrameStyle { endpoint: Endpoint::Completions, ..CHAT }.content(choice, text),
                _ => frame(&format!("{{\"reasoning\":{text_json},\"content\":null}}")).into_bytes(),
            }
        }).collect();
        let parsed: Vec<_> = frames.iter().flat_map(|frame| read_whole(frame).events).collect();
        prop_assert_eq!(read_whole(&frames.concat()).events, parsed.clone());
        for (event, text) in parsed.iter().zip(&texts) {
            prop_assert_eq!(event.text_bytes as usize, text.len());
            prop_assert_eq!(event.kind.is_token(), !text.is_empty());
        }
    }

    /// Bytes changed anywhere in a stream may not be hidden by what earlier chunks looked like.
    #[test]
    fn a_corrupted_chunk_is_read_as_a_fresh_decoder_reads_it(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let good = CHAT.content(0, "abc");
        let mut bad = good.clone();
        let data = "data: ".len()..good.len() - "\n\n".len();
        bad[data.start + at.index(data.len())] = with;
        let fresh = read_whole(&bad);
        let after_good = read_whole(&[good, bad].concat());
        prop_assert_eq!(&after_good.events[1..], &fresh.events[..]);
        prop_assert_eq!(after_good.error.is_some(), fresh.error.is_some());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let stream: Vec<u8> = pieces.iter().flat_map(|piece| [b"data: ", &piece[..], b"\n\n"].concat()).collect();
        read_whole(&stream);
        read(stream.chunks(3));
    }
}
