//! What a body is, its bytes say: its label may be missing or wrong.

use crate::{detail, ms};
use stats::RequestMetrics;
use testkit::{End, Reply, ScriptedServer, Setup, burst, content, finish, run_plan};
use trace::{Outcome, Record};

/// A body of pieces, each of them a write at its millisecond, that ends with the connection.
fn labelled(label: Option<&str>, pieces: Vec<(u64, Vec<u8>)>) -> Reply {
    let label = label.map_or_else(String::new, |label| format!("content-type: {label}\r\n"));
    let head = format!("HTTP/1.1 200 OK\r\n{label}connection: close\r\n\r\n").into_bytes();
    let writes = [(1, head)].into_iter().chain(pieces);
    Reply::new(writes).then(End::Close)
}

/// What became of one request, for which a stream was asked or not.
async fn record(stream: bool, script: impl Fn() -> Reply + 'static) -> Record {
    let server = ScriptedServer::new(move |_| script());
    let setup = Setup {
        stream,
        ..Setup::on(server.clock())
    };
    let mut run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    run.records.remove(0)
}

fn events() -> Vec<(u64, Vec<u8>)> {
    vec![(20, content("a")), (30, content("b")), (40, finish(2))]
}

fn assert_measured(record: &Record, what: &str) {
    assert_eq!(
        record.outcome,
        Outcome::Complete,
        "{what}: {}",
        detail(record)
    );
    let metrics = RequestMetrics::from_record(record).unwrap();
    assert_eq!(metrics.ttft, Some(ms(20)), "{what}");
    assert_eq!(metrics.chunk_gaps, [ms(10)], "{what}");
    assert_eq!(metrics.output_tokens, Some(2), "{what}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_under_another_label_or_none_is_measured() {
    let labels = [
        None,
        Some("text/plain"),
        Some("text/json"),
        Some("application/json"),
        Some("text/event-stream"),
    ];
    for label in labels {
        let record = record(true, move || labelled(label, events())).await;
        assert_measured(&record, &format!("{label:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_asked_for_is_measured() {
    let record = record(false, || labelled(Some("text/event-stream"), events())).await;
    assert_measured(&record, "a whole answer was asked for");
}

#[tokio::test(start_paused = true)]
async fn chunks_that_are_bare_lines_are_measured() {
    let line = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace("data: ", "")
            .replace("\n\n", "\n")
            .into_bytes()
    };
    let lines = move || {
        events()
            .into_iter()
            .map(|(at, bytes)| (at, line(bytes)))
            .collect()
    };
    let record = record(true, move || {
        labelled(Some("application/x-ndjson"), lines())
    })
    .await;
    assert_measured(&record, "lines");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_comes_byte_by_byte_is_recognised() {
    let pieces = |bytes: &[u8]| -> Vec<(u64, Vec<u8>)> {
        let stream = [b": ok\n\n", bytes].concat();
        stream.chunks(1).map(|byte| (2, byte.to_vec())).collect()
    };
    let all: Vec<u8> = events().into_iter().flat_map(|(_, bytes)| bytes).collect();
    let record = record(true, move || labelled(None, pieces(&all))).await;
    assert_eq!(record.outcome, Outcome::Complete, "{}", detail(&record));
    assert_eq!(record.response.unwrap().text.bytes, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_by_its_label_that_ends_before_its_first_event_was_cut_off() {
    for begins in ["", "dat", "{\"choices\""] {
        let pieces = move || vec![(20, begins.as_bytes().to_vec())];
        let record = record(true, move || {
            labelled(Some("text/event-stream; charset=utf-8"), pieces())
        })
        .await;
        assert_eq!(
            record.outcome,
            Outcome::Truncated,
            "{begins}: {}",
            detail(&record)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_body_that_is_no_stream_is_not_received_to_its_end() {
    let page = |at: u64| (at, [b"<p>".as_slice(), &vec![b'x'; 40_000]].concat());
    let pages = move || (2..30).map(|second| page(second * 1000)).collect();
    let record = record(true, move || labelled(Some("text/html"), pages())).await;
    assert_eq!(record.outcome, Outcome::Protocol);
    assert!(
        detail(&record).contains("check that the URL"),
        "{}",
        detail(&record)
    );
    assert!(record.body_bytes < 400_000, "{}", record.body_bytes);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_under_the_label_of_a_stream_is_read_as_what_it_is() {
    let label = Some("text/event-stream");
    let error = br#"{"error":{"message":"out of memory"}}"#.to_vec();
    let failed = record(true, move || labelled(label, vec![(20, error.clone())])).await;
    assert_eq!(failed.outcome, Outcome::ServerError);
    assert_eq!(detail(&failed), "out of memory");
    let answer = br#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    let whole = record(false, move || labelled(label, vec![(20, answer.to_vec())])).await;
    assert_eq!(whole.outcome, Outcome::Complete, "{}", detail(&whole));
}
