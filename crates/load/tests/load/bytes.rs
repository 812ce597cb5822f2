//! The same events whatever way the bytes take, and no token that is none.

use crate::{detail, ms};
use stats::{RequestMetrics, TokenSource};
use testkit::{LAST_CHUNK, stream_head};
use testkit::{Reply, ScriptedServer, Setup, burst, chunk, closed, content, finish, run_plan};
use trace::{EventKind, Outcome, Record};

/// What does not depend on when the bytes came.
type Told = (
    Outcome,
    Vec<(EventKind, u32, Option<u32>)>,
    Option<u64>,
    Option<String>,
);

fn told(record: &Record) -> Told {
    let events = record
        .events
        .iter()
        .map(|event| (event.kind, event.text_bytes, event.tokens));
    (
        record.outcome,
        events.collect(),
        record.usage.and_then(|usage| usage.completion_tokens),
        record.finish_reason.clone(),
    )
}

/// A stream with everything in it that a reader can trip over.
fn rich() -> Reply {
    Reply::stream([
        (1, b": a comment\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n".to_vec()),
        (2, content("eins")),
        (3, content("\u{65e5}\u{672c} \u{1f600}")),
        (4, b"event: ping\ndata: {\"type\": \"ping\"}\n\n".to_vec()),
        (5, content("\"quoted\"\n")),
        (6, finish(3)),
    ])
}

async fn answer(script: impl Fn(usize) -> Reply + 'static, requests: usize) -> Vec<Record> {
    let server = ScriptedServer::new(move |seen| script(seen.number));
    run_plan(
        server.pipes(),
        &closed(1, requests),
        &Setup::on(server.clock()),
    )
    .await
    .records
}

#[tokio::test(start_paused = true)]
async fn fault_07_byte_drip() {
    let records = answer(
        |number| {
            if number == 0 {
                rich()
            } else {
                rich().dripped()
            }
        },
        2,
    )
    .await;
    assert_eq!(records[0].outcome, Outcome::Complete);
    assert_eq!(told(&records[1]), told(&records[0]));
    // Every event came with the read that completed it: none shares it with another.
    let reads: Vec<u32> = records[1]
        .events
        .iter()
        .map(|event| event.read_index)
        .collect();
    assert!(reads.is_sorted_by(|a, b| a < b), "{reads:?}");
    let bytes = rich().count_bytes() as u64;
    assert!(records[1].done - records[1].issued < ms(bytes));
    assert!(records[1].done - records[1].issued > ms(bytes * 9 / 10));
}

#[tokio::test(start_paused = true)]
async fn fault_08_response_split_at_every_byte_offset() {
    let offsets = rich().count_bytes();
    let records = answer(|number| rich().split_at(number), offsets + 1).await;
    assert_eq!(records.len(), offsets + 1);
    assert_eq!(records[0].outcome, Outcome::Complete);
    for (offset, record) in records.iter().enumerate() {
        assert_eq!(told(record), told(&records[0]), "split at {offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_09_64_events_in_one_read_share_its_stamp_and_count_as_coalesced() {
    let event = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let server = ScriptedServer::new(|_| {
        let all: Vec<u8> = std::iter::repeat_n(chunk(event), 64).flatten().collect();
        let last = [chunk(&finish(64)), LAST_CHUNK.to_vec()].concat();
        Reply::new([(0, stream_head()), (20, all), (30, last)])
    });
    let plan = burst(1, 1);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let tokens: Vec<_> = run.records[0]
        .events
        .iter()
        .filter(|event| event.kind.is_token())
        .collect();
    assert_eq!(tokens.len(), 64);
    assert!(
        tokens
            .iter()
            .all(|event| { (event.arrived, event.read, event.read_index) == (ms(20), ms(20), 1) })
    );
    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!(point.receipt.coalesced_share, Some(63.0 / 64.0));
    assert_eq!(point.receipt.coalesced_width, Some(20.0));
    assert!(
        point
            .verdict
            .reasons
            .iter()
            .any(|reason| reason.code == "coalesced_reads")
    );
}

#[tokio::test(start_paused = true)]
async fn fault_10_a_character_split_across_reads_is_intact() {
    // Four bytes, cut after each of the first three.
    for cut in 1..4 {
        let frame = content("\u{1f600}");
        let at = frame.iter().position(|byte| !byte.is_ascii()).unwrap() + cut;
        let (first, second) = (frame[..at].to_vec(), [&frame[at..], &finish(1)].concat());
        let records = answer(
            move |_| Reply::stream([(1, first.clone()), (2, second.clone())]),
            1,
        )
        .await;
        assert_eq!(records[0].outcome, Outcome::Complete);
        // U+FFFD would have three bytes.
        assert_eq!(records[0].events[0].text_bytes, 4, "cut after {cut}");
        assert_eq!(records[0].events[0].arrived, records[0].issued + ms(2));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_11_line_endings_byte_order_mark_multi_line_data_and_no_space() {
    let plain = || [content("a"), content("b"), finish(2)].concat();
    let speak = move |number: usize| {
        let text = String::from_utf8(plain()).unwrap();
        match number {
            0 => text,
            1 => text.replace('\n', "\r"),
            2 => text.replace('\n', "\r\n"),
            3 => format!("\u{feff}{text}"),
            4 => text.replace("data: {", "data: {\ndata: "),
            _ => text.replace("data: ", "data:"),
        }
    };
    let records = answer(
        move |number| Reply::stream([(1, speak(number).into_bytes())]),
        6,
    )
    .await;
    assert_eq!(records[0].outcome, Outcome::Complete);
    assert_eq!(records[0].events.len(), 5);
    for (dialect, record) in records.iter().enumerate() {
        assert_eq!(told(record), told(&records[0]), "dialect {dialect}");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_12_comments_and_pings_are_never_tokens() {
    let records = answer(
        |_| {
            Reply::stream([
                (1, b": ping\n\n".to_vec()),
                (2, b":\n\n\n\n".to_vec()),
                (3, b"event: ping\ndata: {}\n\n".to_vec()),
                (10, content("a")),
                (11, b": ping\n\n".to_vec()),
                (20, [content("b"), finish(2)].concat()),
            ])
        },
        1,
    )
    .await;
    let metrics = RequestMetrics::from_record(&records[0]).unwrap();
    assert_eq!((metrics.ttft, metrics.token_events), (Some(ms(10)), 2));
    assert_eq!(metrics.chunk_gaps, [ms(10)]);
}

#[tokio::test(start_paused = true)]
async fn fault_13_role_empty_and_usage_chunks_are_never_tokens() {
    let delta = |delta: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n").into_bytes()
    };
    let records = answer(
        move |_| {
            Reply::stream([
                (1, delta(r#"{"role":"assistant","content":""}"#)),
                (2, delta(r#"{"content":null}"#)),
                (3, delta("{}")),
                (10, content("a")),
                (11, delta(r#"{"content":""}"#)),
                (20, content("b")),
                (30, finish(2)),
            ])
        },
        1,
    )
    .await;
    let metrics = RequestMetrics::from_record(&records[0]).unwrap();
    assert_eq!((metrics.ttft, metrics.e2e), (Some(ms(10)), Some(ms(20))));
    assert_eq!((metrics.token_events, metrics.output_tokens), (2, Some(2)));
    assert_eq!(metrics.stream_end, Some(ms(30)));
}

/// Tokens of each event of a request: 1 to 16, in an order that no formula of ours uses.
fn ragged(number: usize) -> Vec<u64> {
    (0..20)
        .map(|event| 1 + (event * 7 + number as u64 * 3) % 16)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn fault_14_1_to_16_tokens_per_chunk_are_counted_exactly_from_the_usage() {
    let server = ScriptedServer::new(|seen| {
        let counts = ragged(seen.number);
        let events = (1..)
            .zip(&counts)
            .map(|(at, &tokens)| (at, content(&" a".repeat(usize::try_from(tokens).unwrap()))));
        let end = (30, finish(counts.iter().sum()));
        Reply::stream(events.chain([end]).collect::<Vec<_>>())
    });
    let plan = closed(2, 16);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let total: u64 = (0..16).flat_map(ragged).sum();
    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!(point.tokens.output_total, Some(total));
    assert_eq!(point.tokens.output_source, TokenSource::Usage);
    // The tokens of each event are not known: their latencies are not made up.
    assert!(point.latency.itl.is_none() && point.latency.chunk_gap.is_some());
}

#[tokio::test(start_paused = true)]
async fn fault_14_1_to_16_tokens_per_chunk_are_known_each_where_usage_is_continuous() {
    let records = answer(
        |number| {
            let events = ragged(number).into_iter().scan((0, 0), |(at, counted), tokens| {
                *at += 16 * 5;
                *counted += tokens;
                let text = " a".repeat(usize::try_from(tokens).unwrap());
                let event = format!(
                    "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}],\
                     \"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":{counted}}}}}\n\n"
                );
                Some((*at, event.into_bytes()))
            });
            let end = (20 * 16 * 5, finish(ragged(number).iter().sum()));
            Reply::stream(events.chain([end]).collect::<Vec<_>>())
        },
        4,
    )
    .await;
    for (number, record) in records.iter().enumerate() {
        let counts: Vec<u64> = record
            .events
            .iter()
            .filter_map(|event| event.tokens)
            .map(u64::from)
            .collect();
        assert_eq!(counts, ragged(number));
        let metrics = RequestMetrics::from_record(record).unwrap();
        assert_eq!(metrics.output_tokens, Some(ragged(number).iter().sum()));
        let latencies: Vec<f64> = ragged(number)[1..]
            .iter()
            .map(|&n| 80.0 / n as f64)
            .collect();
        assert_eq!(metrics.itl_ms, Some(latencies));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_18_malformed_json_in_one_event_is_refused_with_its_position() {
    let records = answer(
        |_| {
            Reply::stream([
                (1, content("a")),
                (2, content("b")),
                (3, b"data: {\"choices\":[{\"ind\n\n".to_vec()),
                (4, content("c")),
                (5, finish(4)),
            ])
        },
        1,
    )
    .await;
    assert_eq!(records[0].outcome, Outcome::Protocol);
    let offset = content("a").len() + content("b").len() + "data: ".len();
    let (long, short) = (
        format!("event 2 at byte {offset}"),
        format!("event 2 at byte {}", offset - 6),
    );
    let words = detail(&records[0]);
    assert!(words.contains(&long) || words.contains(&short), "{words}");
}

#[tokio::test(start_paused = true)]
async fn fault_19_invalid_utf_8_is_refused_without_a_panic() {
    for byte in [0xff, 0xc0, 0x80] {
        let records = answer(
            move |_| {
                let mut broken = content("abc");
                let at = broken.windows(3).position(|three| three == b"abc").unwrap();
                broken[at + 1] = byte;
                Reply::stream([(1, content("a")), (2, broken), (3, finish(2))])
            },
            1,
        )
        .await;
        assert_eq!(records[0].outcome, Outcome::Protocol, "{byte:x}");
        assert!(
            detail(&records[0]).contains("UTF-8"),
            "{}",
            detail(&records[0])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn fault_20_an_endless_line_is_cut_at_one_mebibyte() {
    let records = answer(
        |_| {
            let line = (1..).map(|at| (at, chunk(&[b'a'; 4096])));
            let begin = [stream_head(), chunk(b"data: ")].concat();
            Reply::new(std::iter::once((0, begin)).chain(line))
        },
        1,
    )
    .await;
    assert_eq!(records[0].outcome, Outcome::Protocol);
    assert!(
        detail(&records[0]).contains("1048576"),
        "{}",
        detail(&records[0])
    );
    // No more is received than the limit and what was on its way.
    assert!(
        records[0].body_bytes < (1 << 20) + 32 * 1024,
        "{}",
        records[0].body_bytes
    );
}

#[tokio::test(start_paused = true)]
async fn fault_57_a_flood_of_events_fails_its_request_and_is_not_kept() {
    let records = answer(
        |number| {
            if number > 0 {
                return Reply::tokens(&[1, 2]);
            }
            let flood = (1..).map(|at| (at, chunk(&b"{}\n".repeat(1 << 14))));
            Reply::new(std::iter::once((0, stream_head())).chain(flood))
        },
        2,
    )
    .await;
    assert_eq!(records[0].outcome, Outcome::Protocol);
    assert!(
        detail(&records[0]).contains("4194304 events"),
        "{}",
        detail(&records[0])
    );
    assert!(records[0].events.is_empty());
    assert!(
        records[0].body_bytes < 16 << 20,
        "{}",
        records[0].body_bytes
    );
    assert_eq!(records[1].outcome, Outcome::Complete);
}

#[tokio::test(start_paused = true)]
async fn fault_57_a_whole_answer_that_comes_byte_by_byte_is_cut() {
    let server = ScriptedServer::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 16000000\r\n\r\n".to_vec();
        let bytes = (1..).map(|at| (at, b" ".to_vec()));
        Reply::new(std::iter::once((0, head)).chain(bytes))
    });
    let hour = std::time::Duration::from_hours(1);
    let setup = Setup {
        stream: false,
        deadlines: load::Deadlines {
            connect: hour,
            first_token: hour,
            stall: hour,
            total: hour,
        },
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &closed(1, 1), &setup).await;
    let record = &run.records[0];
    assert_eq!(record.outcome, Outcome::Protocol);
    assert!(
        detail(record).contains("1048576 reads"),
        "{}",
        detail(record)
    );
}
