//! One odd field never fails a request, and changes no number that is not computed from it.
//!
//! Each field of each chunk of some answers, at any depth, is replaced by other JSON, of any kind. What has a meaning
//! of its own is left out: an `error` that says something is one, and so is an `object` or a `type` that is `error`,
//! and a `status` that is `failed`. And of course a replaced text is another text: what is computed from a field is
//! said by [`Touched`].

mod answers;

use answers::{Stream, bodies, streams};
use openai::{AnswerFacts, Completion, StreamDecoder, StreamEnd, StreamEvent, TextCounts, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A step from a value to one in it.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Item(usize),
}

/// What is computed from a field.
#[allow(
    clippy::struct_excessive_bools,
    reason = "four things, each of them computed from it or not"
)]
#[derive(Clone, Copy, Debug, Default)]
struct Touched {
    /// The text of its chunk.
    text: bool,
    /// Which choice that is of, and which call.
    place: bool,
    /// Why a choice ended, and that it did.
    ending: bool,
    /// Token counts.
    usage: bool,
}

impl Touched {
    const NOTHING: Self = Self {
        text: false,
        place: false,
        ending: false,
        usage: false,
    };
    const ALL: Self = Self {
        text: true,
        place: true,
        ending: true,
        usage: true,
    };
    const TEXT: Self = Self {
        text: true,
        place: true,
        ..Self::NOTHING
    };
    const PLACE: Self = Self {
        place: true,
        ..Self::NOTHING
    };
    const ENDING: Self = Self {
        ending: true,
        ..Self::NOTHING
    };
    const USAGE: Self = Self {
        usage: true,
        ..Self::NOTHING
    };

    /// `None` where the field has a meaning of its own that makes an answer a failure.
    fn by(path: &[Step]) -> Option<Self> {
        let names: Vec<&str> = path
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Item(_) => None,
            })
            .collect();
        if names.contains(&"error") {
            return None;
        }
        let text_of_message = |inner: &[&str]| match inner {
            ["role", ..] => Self::NOTHING,
            ["usage", ..] => Self::USAGE,
            ["tool_calls", "id" | "index" | "type"] => Self::PLACE,
            _ => Self::TEXT,
        };
        Some(match names.as_slice() {
            ["choices" | "type"] => Self::ALL,
            ["choices", "index"] | ["response", "output", ..] => Self {
                ending: true,
                ..Self::PLACE
            },
            ["choices", "finish_reason", ..] => Self {
                place: true,
                ..Self::ENDING
            },
            ["choices", "text", ..] => Self::TEXT,
            ["choices", "delta" | "message", inner @ ..] => text_of_message(inner),
            ["choices" | "response", "usage", ..] | ["usage" | "timings" | "x_groq", ..] => {
                Self::USAGE
            }
            ["delta" | "item" | "output", ..] => Self {
                ending: true,
                ..Self::TEXT
            },
            ["response"] => Self {
                text: false,
                ..Self::ALL
            },
            ["response", "status" | "incomplete_details", ..]
            | ["status" | "incomplete_details", ..] => Self::ENDING,
            _ => Self::NOTHING,
        })
    }
}

/// What stands in the JSON for a value that `serde_json` cannot hold.
const RAW: &str = "@raw@";

/// Reads a stream, of which each event is stamped with its number. `raw` is put in place of [`RAW`].
fn read(stream: &Stream, raw: &str) -> StreamEnd<usize> {
    let mut decoder = StreamDecoder::new(stream.choices);
    for (number, (name, data)) in stream.events.iter().enumerate() {
        let data = data.to_string().replace(&format!("\"{RAW}\""), raw);
        let line = if name.is_empty() {
            String::new()
        } else {
            format!("event: {name}\n")
        };
        let _ = decoder.push(format!("{line}data: {data}\n\n").as_bytes(), number);
    }
    if stream.done {
        let _ = decoder.push(b"data: [DONE]\n\n", stream.events.len());
    }
    decoder.finish()
}

/// All places in a value but itself.
fn paths(value: &Value) -> Vec<Vec<Step>> {
    let inner: Vec<(Step, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(place, item)| (Step::Item(place), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (Step::Field(name.clone()), value))
            .collect(),
        _ => Vec::new(),
    };
    let paths = inner.into_iter().flat_map(|(step, value)| {
        let mut all = vec![vec![step.clone()]];
        all.extend(
            paths(value)
                .into_iter()
                .map(|rest| [vec![step.clone()], rest].concat()),
        );
        all
    });
    paths.collect()
}

fn place<'v>(value: &'v mut Value, path: &[Step]) -> &'v mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Field(name) => &mut value[name],
        Step::Item(place) => &mut value[place],
    })
}

/// Counts of the text; how many words it has is said by what belongs together.
fn text(facts: &AnswerFacts, touched: Touched) -> TextCounts {
    let words = if touched.place { 0 } else { facts.text.words };
    TextCounts {
        words,
        ..facts.text
    }
}

/// The events of one chunk, as far as they are not computed from what was touched.
fn seen(
    events: &[StreamEvent<usize>],
    chunk: usize,
    touched: Touched,
    tokens: bool,
) -> Vec<String> {
    let of_chunk = events.iter().filter(|event| event.stamp == chunk);
    let show = |event: &StreamEvent<usize>| {
        let choice = (!touched.place).then_some(event.choice);
        let tokens = tokens.then_some(event.tokens);
        format!(
            "{:?} {} {choice:?} {tokens:?}",
            event.kind, event.text_bytes
        )
    };
    of_chunk.map(show).collect()
}

fn counts(usage: Option<Usage>, path: &[Step]) -> [Option<u64>; 5] {
    let usage = usage.unwrap_or_default();
    let mut counts = [
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    ];
    // A leaf of the counts is that one count.
    let leaf = match path.last() {
        Some(Step::Field(name)) => name.as_str(),
        _ => "",
    };
    let own = match leaf {
        "prompt_tokens" | "input_tokens" => Some(0..1),
        "completion_tokens" | "output_tokens" => Some(1..2),
        "total_tokens" => Some(2..3),
        "cached_tokens" | "prompt_tokens_details" | "input_tokens_details" => Some(3..4),
        "reasoning_tokens" | "completion_tokens_details" | "output_tokens_details" => Some(4..5),
        "queue_time" | "id" => Some(0..0),
        _ => None,
    };
    counts[own.unwrap_or(0..5)].fill(None);
    counts
}

/// Replaces one field of one event, and holds what comes of it against what came of the whole.
fn check(
    stream: &Stream,
    before: &StreamEnd<usize>,
    number: usize,
    path: &[Step],
    value: Value,
    raw: &str,
) {
    let Some(touched) = Touched::by(path) else {
        return;
    };
    let mut events = stream.events.clone();
    let shown = if value == RAW {
        raw.chars().take(60).collect()
    } else {
        value.to_string()
    };
    *place(&mut events[number].1, path) = value;
    let after = read(&Stream { events, ..*stream }, raw);
    let what = format!("{}, event {number}, {path:?}: {shown}", stream.name);

    assert_eq!(after.error, None, "{what}");
    assert!(after.whole || (touched.ending && !stream.done), "{what}");
    let last = stream.events.len();
    let next_text = before
        .events
        .iter()
        .find(|event| event.stamp > number && event.kind.is_token());
    for chunk in 0..=last {
        let is_it = chunk == number;
        // The count of the next text is a difference to this one.
        let is_next = next_text.is_some_and(|event| event.stamp == chunk);
        let tokens = !(touched.text || touched.usage || touched.place) || !(is_it || is_next);
        if is_it
            && (touched.text || (touched.usage && stream.events[number].1["choices"] == json!([])))
        {
            continue;
        }
        let own = if is_it { touched } else { Touched::NOTHING };
        // What `/responses` ends with is an event more where its end was not seen.
        if touched.ending && chunk == last - 1 && stream.name.starts_with("/responses") {
            continue;
        }
        assert_eq!(
            seen(&after.events, chunk, own, tokens),
            seen(&before.events, chunk, own, tokens),
            "chunk {chunk}: {what}"
        );
    }
    let (facts, whole) = (&after.facts, &before.facts);
    if !touched.text {
        assert_eq!(text(facts, touched), text(whole, touched), "{what}");
    }
    if !(touched.text || touched.place || touched.ending) {
        assert_eq!(
            (facts.choices, facts.tool_calls),
            (whole.choices, whole.tool_calls),
            "{what}"
        );
    }
    if !touched.usage {
        assert_eq!(after.usage, before.usage, "{what}");
    }
    assert_eq!(
        counts(after.usage, path),
        counts(before.usage, path),
        "{what}"
    );
    if !touched.ending && !touched.text {
        assert_eq!(after.finish_reason, before.finish_reason, "{what}");
    }
}

/// JSON of every kind, and such as parsers stumble over.
fn oddities() -> Vec<String> {
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    let listed = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "5",
        "5.0",
        "2.5",
        "1e999",
        "-0.0",
        "18446744073709551616",
        "\"\"",
        "\"x\"",
        "\"5\"",
        "\"\\ud83d\"",
        "\"\\u0000\"",
        "[]",
        "[null]",
        "[[],{}]",
        "[\"x\"]",
        "{}",
        "{\"text\":\"y\"}",
        "{\"a\":{\"b\":[1]}}",
        "{\"type\":\"x\",\"content\":7}",
        "NaN",
    ];
    listed
        .into_iter()
        .map(str::to_owned)
        .chain([deep])
        .collect()
}

#[test]
fn the_answers_themselves_are_whole() {
    for stream in streams() {
        let end = read(&stream, "");
        assert!(end.whole && end.error.is_none(), "{}", stream.name);
        assert_eq!(end.facts.left_out, [], "{}", stream.name);
        assert!(
            end.usage.is_some() && end.facts.text.bytes > 0,
            "{}",
            stream.name
        );
    }
}

#[test]
fn no_odd_field_of_a_stream_fails_it_or_changes_what_is_not_computed_from_it() {
    let oddities = oddities();
    for stream in streams() {
        let before = read(&stream, "");
        for number in 0..stream.events.len() {
            for path in paths(&stream.events[number].1) {
                for odd in &oddities {
                    check(&stream, &before, number, &path, json!(RAW), odd);
                }
            }
        }
    }
}

fn check_body(body: &Value, path: &[Step], value: Value, raw: &str) {
    let Some(touched) = Touched::by(path) else {
        return;
    };
    let before = Completion::parse(body.to_string().as_bytes()).unwrap();
    let mut replaced = body.clone();
    *place(&mut replaced, path) = value;
    let replaced = replaced.to_string().replace(&format!("\"{RAW}\""), raw);
    let shown: String = replaced.chars().take(700).collect();
    let what = format!("{path:?}: {shown}");
    let after =
        Completion::parse(replaced.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{what}"));
    if !touched.text {
        let (after, before) = (text(&after.facts, touched), text(&before.facts, touched));
        assert_eq!(after, before, "{what}");
    }
    if !(touched.text || touched.place || touched.ending) {
        let numbers = |read: &Completion| (read.facts.choices, read.facts.tool_calls);
        assert_eq!(numbers(&after), numbers(&before), "{what}");
    }
    if !touched.usage {
        assert_eq!(after.usage, before.usage, "{what}");
    }
    assert_eq!(
        counts(after.usage, path),
        counts(before.usage, path),
        "{what}"
    );
}

#[test]
fn no_odd_field_of_a_body_fails_it_or_changes_what_is_not_computed_from_it() {
    let oddities = oddities();
    for body in bodies() {
        for path in paths(&body) {
            for odd in &oddities {
                check_body(&body, &path, json!(RAW), odd);
            }
        }
    }
}

/// Any JSON, whose texts and numbers are no words of the protocol.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name = prop_oneof![
            any::<String>(),
            "text|content|type|index|usage|name|arguments|delta"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_json_in_place_of_any_field_leaves_the_answer_whole(
        stream in any::<prop::sample::Index>(),
        event in any::<prop::sample::Index>(),
        path in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let streams = streams();
        let stream = stream.get(&streams);
        let number = event.index(stream.events.len());
        let paths = paths(&stream.events[number].1);
        check(stream, &read(stream, ""), number, &paths[path.index(paths.len())], value.clone(), "");
        let bodies = bodies();
        let body = event.get(&bodies);
        let paths = self::paths(body);
        check_body(body, &paths[path.index(paths.len())], value, "");
    }
}
