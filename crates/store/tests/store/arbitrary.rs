use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use trace::{
    Arrival, ClassInfo, Event, EventKind, Instrument, LeftOut, Nanos, Outcome, Pacing,
    PlannedTokens, PointInfo, Record, ResponseFacts, RunFacts, RunHeader, RunId, SCHEMA_VERSION,
    Slo, StampSource, TextFacts, Turn, Usage, Vectors,
};

/// A header with a fraction that a careless parser gets wrong in the last bit.
pub(crate) fn header() -> RunHeader {
    let mut metadata = serde_json::Map::new();
    metadata.insert("model".to_owned(), "gpt \u{1b}[31m ü".into());
    metadata.insert("rate".to_owned(), 5.300_000_000_000_001.into());
    let arrival = Arrival::Gamma {
        rate: 0.1 + 0.2,
        shape: 1.0 / 3.0,
    };
    let pacing = Pacing::Open {
        arrival,
        max_concurrency: Some(7),
    };
    RunHeader {
        schema_version: SCHEMA_VERSION,
        invocation: 7,
        metadata,
        points: vec![PointInfo {
            key: "2.5".to_owned(),
            pacing,
        }],
        slo: Some(Slo {
            ttft_ms: Some(200.000_000_000_000_03),
            ..Slo::default()
        }),
        classes: vec![ClassInfo {
            name: "chat".into(),
            share: 0.25,
            slo: None,
        }],
        asked: Some(trace::Asked {
            models: vec!["gpt".into()],
            choices: 2,
            ignore_eos: true,
            tools: trace::ToolUse::Loop,
        }),
        subject: Some(trace::Subject {
            model: Some("gpt".to_owned()),
            endpoint: Some("/completions".to_owned()),
            workload_sha256: Some("00".to_owned()),
            built_in: true,
            pooling: false,
            shares_prompts: true,
            template_tokens: Some(11),
        }),
    }
}

pub(crate) fn facts(run: u32) -> RunFacts {
    RunFacts {
        run: RunId {
            point: 0,
            run,
            warmup: false,
        },
        start: Nanos(u64::MAX - 1),
        end: Nanos(u64::MAX),
        planned: 3,
        interrupted: true,
        stamps: StampSource::Kernel,
        instrument: Instrument {
            cpu: Some(Nanos(5)),
            beside: Some(trace::Beside {
                processors: 2,
                server: Some(Nanos(7)),
                ..trace::Beside::default()
            }),
            ..Instrument::default()
        },
        asked_again: trace::AskedAgain::of(&[0.5, 0.25], &[0.5, 0.75]),
        server: vec![trace::ServerSample {
            running: Some(2.0),
            ..trace::ServerSample::default()
        }],
        turns_cut: 2,
        recounted: Some(trace::Recounted {
            by_server: 7,
            ..trace::Recounted::default()
        }),
        reuse_ended: true,
    }
}

pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    vec(record(), 0..12)
}

fn record() -> impl Strategy<Value = Record> {
    let stamp = || any::<u64>().prop_map(Nanos);
    let run = (any::<u32>(), any::<u32>(), any::<bool>());
    let run = run.prop_map(|(point, run, warmup)| RunId { point, run, warmup });
    let stamps = (
        (stamp(), stamp(), stamp(), stamp()),
        (
            option::of(stamp()),
            option::of(stamp()),
            option::of(stamp()),
        ),
    );
    let texts = (option::of(any::<String>()), option::of(any::<String>()));
    let answer = (
        option::of(any::<u16>()),
        option::of(any::<u64>()),
        any::<u64>(),
    );
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    let facts = (any::<u64>(), any::<bool>(), outcome, option::of(usage()));
    (run, stamps, texts, answer, facts, vec(event(), 0..9)).prop_map(
        |(run, stamps, texts, answer, facts, events)| Record {
            run,
            id: facts.0,
            due: stamps.0.0,
            issued: stamps.0.1,
            reissued: stamps.1.2,
            connected: stamps.1.0,
            sent: stamps.1.1,
            first_byte: stamps.1.2,
            done: stamps.0.2,
            done_read: stamps.0.3,
            released: stamps.1.1,
            stream: facts.1,
            events,
            usage: facts.3,
            finish_reason: texts.0,
            outcome: facts.2,
            detail: texts.1,
            status: answer.0,
            retry_after_seconds: answer.1,
            max_tokens: answer
                .1
                .map(|seconds| u32::try_from(seconds % 500).unwrap()),
            planned_tokens: answer.1.map(|seconds| PlannedTokens {
                count: u32::try_from(seconds % 1000).unwrap(),
                exact: seconds % 2 == 0,
            }),
            class: u32::from(answer.0.unwrap_or(0)),
            turn: answer.1.map(|seconds| Turn {
                session: seconds,
                number: 3,
            }),
            vectors: answer.1.map(|seconds| Vectors {
                count: u32::try_from(seconds % 7).unwrap(),
                dimensions: (seconds % 3 > 0).then_some(384),
                decoding: Nanos(seconds / 3),
            }),
            gateway_overhead: answer.1.map(|seconds| Nanos(seconds / 2)),
            body_bytes: answer.2,
            response: answer.1.map(|seconds| Box::new(response(seconds))),
            prompt_text: answer.1.map(text_facts),
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    let count = || option::of(any::<u64>());
    (count(), count(), count(), count(), count()).prop_map(
        |(prompt, completion, cached, reasoning, total)| Usage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: cached,
            reasoning_tokens: reasoning,
            total_tokens: total,
        },
    )
}

/// Facts whose lists and texts are there, or not, as the number has it.
fn response(number: u64) -> ResponseFacts {
    let odd = number % 2 == 1;
    ResponseFacts {
        model: odd.then(|| "gpt \u{1b} ü".to_owned()),
        choices: u32::try_from(number % 5).unwrap(),
        other_finish_reasons: vec!["stop".to_owned(); usize::try_from(number % 3).unwrap()],
        text: text_facts(number),
        tool_calls: u32::try_from(number % 7).unwrap(),
        usage_excerpt: odd.then(|| r#"{"prompt_tokens":-1}"#.to_owned()),
        left_out: odd
            .then(|| LeftOut {
                field: "usage.prompt_tokens".to_owned(),
                value: "-1".to_owned(),
            })
            .into_iter()
            .collect(),
        retries: odd.then_some(3),
        fallbacks: number.is_multiple_of(3).then_some(1),
    }
}

const fn text_facts(number: u64) -> TextFacts {
    TextFacts {
        bytes: number,
        characters: number / 2,
        ascii: number / 3,
        words: number / 4,
    }
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop::sample::select(vec![
        EventKind::Empty,
        EventKind::Content,
        EventKind::Reasoning,
        EventKind::ToolCall,
        EventKind::Usage,
        EventKind::Done,
    ]);
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let tokens = option::of(any::<u32>());
    (kind, any::<u64>(), any::<u64>(), counts, tokens).prop_map(
        |(kind, arrived, read, counts, tokens)| Event {
            kind,
            arrived: Nanos(arrived),
            read: Nanos(read),
            read_index: counts.0,
            text_bytes: counts.1,
            tokens,
            choice: counts.2,
        },
    )
}

/// `count` ordinary records of `events` tokens, a millisecond apart but for half a millisecond of jitter.
pub(crate) fn ordinary(count: u64, events: u32) -> Vec<Record> {
    (0..count).map(|id| ordinary_record(id, events)).collect()
}

fn ordinary_record(id: u64, events: u32) -> Record {
    let issued = 1_000_000_000 + id * 40_003;
    let event = |index: u32| {
        let mixed = (id << 20 | u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let jitter = mixed >> 45;
        let arrived = issued + 9_000_000 + u64::from(index) * 1_000_000 + jitter;
        Event {
            kind: EventKind::Content,
            arrived: Nanos(arrived),
            read: Nanos(arrived + 9_000 + jitter % 5_003),
            read_index: index,
            text_bytes: 4,
            tokens: Some(1),
            choice: 0,
        }
    };
    Record {
        connected: Some(Nanos(issued)),
        sent: Some(Nanos(issued + 20_000)),
        first_byte: Some(Nanos(issued + 9_000_000)),
        done: Nanos(issued + 900_000_000),
        done_read: Nanos(issued + 900_010_000),
        stream: true,
        events: (0..events).map(event).collect(),
        finish_reason: Some("length".to_owned()),
        outcome: Outcome::Complete,
        status: Some(200),
        body_bytes: 1000,
        ..Record::begun(RunId::default(), id, Nanos(issued))
    }
}
