//! Streams that real servers sent, recorded: each is read whole, with as many tokens as its server says.
//!
//! `recordings/` holds them as `cargo xtask peers --record` writes them: the answer's head and an empty line where they
//! were kept, then the body's lines, with the seconds from the request before those that are not empty.

use openai::{EventKind, PooledReply, PoolingTask, StreamDecoder, StreamEnd};
use std::path::Path;

/// A body as pieces, each with the milliseconds at which it came.
struct Recording {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Recording {
    #[allow(clippy::disallowed_methods, reason = "a test reads its recordings")]
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert!(bytes.len() < 60_000, "{name} is too large for a fixture");
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        if bytes.starts_with(b"HTTP/") {
            let head = lines.iter().position(|line| line.trim_ascii().is_empty());
            lines.drain(..=head.unwrap());
        }
        let mut last = 0;
        let pieces = lines.into_iter().map(|line| {
            let (at, line) = timed(line);
            last = at.unwrap_or(last);
            (last, line.to_vec())
        });
        Self {
            pieces: pieces.collect(),
        }
    }

    fn body(&self) -> Vec<u8> {
        self.pieces
            .iter()
            .flat_map(|(_, bytes)| bytes.clone())
            .collect()
    }

    fn decode(&self, choices: u32) -> StreamEnd<u64> {
        let mut decoder = StreamDecoder::new(choices);
        for (at, bytes) in &self.pieces {
            decoder.push(bytes, *at).unwrap();
        }
        decoder.finish()
    }
}

/// `1.898 data: …` is a line and its time; any other line has none.
fn timed(line: &[u8]) -> (Option<u64>, &[u8]) {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = line.get(digits + 1..digits + 4);
    match (line.get(digits), fraction) {
        (Some(b'.'), Some(fraction)) if digits > 0 && fraction.iter().all(u8::is_ascii_digit) => {
            let text = std::str::from_utf8(&line[..digits + 4]).unwrap();
            let (seconds, millis) = text.split_once('.').unwrap();
            let at = 1_000 * seconds.parse::<u64>().unwrap() + millis.parse::<u64>().unwrap();
            let rest = &line[digits + 4..];
            (Some(at), rest.strip_prefix(b" ").unwrap_or(rest))
        }
        _ => (None, line),
    }
}

fn token_events<S>(end: &StreamEnd<S>) -> Vec<&openai::StreamEvent<S>> {
    end.events
        .iter()
        .filter(|event| event.kind.is_token())
        .collect()
}

/// What a recording must be read as.
struct Expected {
    name: &'static str,
    choices: u32,
    token_events: usize,
    kind: EventKind,
    /// Prompt and completion; absent where the server tells none.
    usage: Option<(u64, u64)>,
    finish_reason: &'static str,
    done: bool,
    /// From the request to the first and to the last token, in milliseconds.
    tokens_at: (u64, u64),
}

const fn chat(
    name: &'static str,
    token_events: usize,
    usage: (u64, u64),
    finish_reason: &'static str,
    tokens_at: (u64, u64),
) -> Expected {
    Expected {
        name,
        choices: 1,
        token_events,
        kind: EventKind::Content,
        usage: Some(usage),
        finish_reason,
        done: true,
        tokens_at,
    }
}

fn assert_read_as(expected: &Expected) {
    let recording = Recording::read(expected.name);
    let name = expected.name;
    let end = recording.decode(expected.choices);
    assert_eq!(end.error, None, "{name}");
    assert!(end.whole, "{name} is whole");
    assert_eq!(end.done, expected.done, "{name}");
    assert_eq!(
        end.finish_reason.as_deref(),
        Some(expected.finish_reason),
        "{name}"
    );
    let usage = end.usage.map(|usage| {
        (
            usage.prompt_tokens.unwrap(),
            usage.completion_tokens.unwrap(),
        )
    });
    assert_eq!(usage, expected.usage, "{name}");
    let tokens = token_events(&end);
    assert_eq!(tokens.len(), expected.token_events, "{name}");
    assert!(
        tokens.iter().all(|event| event.kind == expected.kind),
        "{name}"
    );
    let stamps = (tokens[0].stamp, tokens[tokens.len() - 1].stamp);
    assert_eq!(stamps, expected.tokens_at, "{name}");
    assert_eq!(end.last_token, Some(stamps.1), "{name}");
    // However a network cuts it, it says the same.
    let body = recording.body();
    for size in [1, 7, 1_000, body.len()] {
        let mut decoder = StreamDecoder::new(expected.choices);
        for piece in body.chunks(size) {
            decoder.push(piece, ()).unwrap();
        }
        let cut = decoder.finish();
        assert_eq!(
            cut.events.len(),
            end.events.len(),
            "{name} in pieces of {size}"
        );
        assert_eq!(
            (cut.usage, cut.done, cut.whole),
            (end.usage, end.done, end.whole),
            "{name}"
        );
    }
}

#[test]
fn chats_of_vllm_are_read_whole() {
    assert_read_as(&chat("vllm-chat.sse", 12, (37, 12), "length", (95, 885)));
    assert_read_as(&chat(
        "vllm-completions.sse",
        6,
        (2, 6),
        "length",
        (205, 915),
    ));
    assert_read_as(&Expected {
        choices: 2,
        ..chat("vllm-two-choices.sse", 12, (31, 12), "length", (123, 829))
    });
}

#[test]
fn the_text_of_a_required_tool_comes_in_lumps_and_its_usage_says_so() {
    let tool = |name, events, usage, at| Expected {
        kind: EventKind::ToolCall,
        ..chat(name, events, usage, "length", at)
    };
    assert_read_as(&tool(
        "vllm-tool-required.sse",
        11,
        (34, 40),
        (1_898, 3_223),
    ));
    // Not only the first event: the second held text back too, for fourteen times as long as the later gaps.
    assert_read_as(&tool("vllm-tool-lumps.sse", 8, (37, 40), (2_010, 3_012)));
    let end = Recording::read("vllm-tool-lumps.sse").decode(1);
    let stamps: Vec<u64> = token_events(&end).iter().map(|event| event.stamp).collect();
    let gaps: Vec<u64> = stamps.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [702, 50, 54, 48, 49, 49, 50]);
}

#[test]
fn responses_are_read_with_and_without_names_of_events() {
    // Its first deltas hold more tokens than one: the reader of the engine had fallen behind.
    assert_read_as(&chat(
        "vllm-responses.sse",
        6,
        (37, 8),
        "length",
        (344, 493),
    ));
    assert_read_as(&chat(
        "transformers-responses.sse",
        4,
        (32, 4),
        "stop",
        (0, 0),
    ));
    assert_read_as(&chat(
        "transformers-responses-with-times.sse",
        8,
        (37, 8),
        "stop",
        (5_708, 29_533),
    ));
}

#[test]
fn a_server_that_sends_no_done_ends_with_its_finish_reason() {
    let without_done = |name, tokens: usize, usage, at| Expected {
        done: false,
        ..chat(name, tokens, usage, "length", at)
    };
    assert_read_as(&without_done(
        "transformers-chat.sse",
        8,
        (37, 8),
        (6_843, 49_700),
    ));
    assert_read_as(&without_done(
        "transformers-completions.sse",
        4,
        (4, 4),
        (0, 0),
    ));
    assert_read_as(&without_done(
        "transformers-completions-with-times.sse",
        6,
        (2, 6),
        (7_130, 30_971),
    ));
}

#[test]
fn a_gateway_may_hold_a_stream_open_after_its_last_token() {
    assert_read_as(&chat("litellm-tail.sse", 6, (3, 6), "stop", (50, 150)));
    let end = Recording::read("litellm-tail.sse").decode(1);
    assert_eq!(
        end.events.last().map(|event| (event.kind, event.stamp)),
        Some((EventKind::Done, 201))
    );
}

#[test]
fn what_a_gateway_cuts_again_and_answers_from_elsewhere_is_read_whole() {
    assert_read_as(&chat("litellm-chat.sse", 12, (6, 12), "length", (245, 341)));
    // Its counts come beside a choice that is empty, and all is later by the refusal that it fell back from.
    assert_read_as(&chat(
        "litellm-fallback.sse",
        12,
        (37, 12),
        "length",
        (2_531, 3_263),
    ));
}

#[test]
fn a_server_may_count_characters_and_call_them_tokens() {
    let body = Recording::read("infinity-embeddings.body").body();
    let reply = PooledReply::parse(&body, PoolingTask::Embed, 1).unwrap();
    assert_eq!(reply.dimensions(), Some(384));
    let counted = reply.usage.and_then(|usage| usage.prompt_tokens);
    assert_eq!(counted, Some("hello world foo bar".len() as u64));
}
