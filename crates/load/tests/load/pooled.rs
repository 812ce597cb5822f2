//! The faults that an answer with vectors can have: it is one body, and no stream.

use crate::{detail, ms, outcomes};
use load::Deadlines;
use std::rc::Rc;
use std::time::Duration;
use testkit::{End, Reply, Run, ScriptedServer, Setup, closed, open, response, run_plan};
use trace::{Arrival, Nanos, Outcome, Record, TimeoutKind};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A vector of four numbers and its usage.
const BODY: &[u8] =
    br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-0.5,0.5,0.5]}],
        "model":"m","usage":{"prompt_tokens":9,"total_tokens":9}}"#;

fn whole() -> Vec<u8> {
    response("200 OK", &[JSON], BODY)
}

fn setup(server: &ScriptedServer) -> Setup {
    Setup {
        stream: false,
        vectors: true,
        ..Setup::on(server.clock())
    }
}

/// That answer to each of `requests`, one after the other.
async fn answer(
    requests: usize,
    reply: impl Fn(usize) -> Reply + 'static,
) -> (Run, Rc<ScriptedServer>) {
    let server = ScriptedServer::new(move |seen| reply(seen.number));
    let run = run_plan(server.pipes(), &closed(1, requests), &setup(&server)).await;
    assert_eq!(run.records.len(), requests);
    (run, server)
}

/// What does not depend on when the bytes came: outcome, vectors and their sizes, prompt tokens.
type Told = (Outcome, Option<(u32, Option<u32>)>, Option<u64>);

fn told(record: &Record) -> Told {
    let vectors = record.vectors;
    (
        record.outcome,
        vectors.map(|vectors| (vectors.count, vectors.dimensions)),
        record.usage.and_then(|usage| usage.prompt_tokens),
    )
}

const COMPLETE: Told = (Outcome::Complete, Some((1, Some(4))), Some(9));

/// A failed answer has no vectors, and the point says so under the names of embeddings.
fn assert_nothing_came(run: &Run, kind: &str) {
    assert!(run.records.iter().all(|record| record.vectors.is_none()));
    let mut saved = run.saved(closed(1, 1).pacing);
    let endpoint = serde_json::json!("/embeddings");
    saved
        .header
        .metadata
        .insert("endpoint".to_owned(), endpoint);
    let point = &stats::summarize_saved(&saved).points[0];
    assert_eq!(point.reliability.complete, 0);
    assert_eq!(point.reliability.failures[0].kind, kind);
    let pooling = point.pooling.as_ref().unwrap();
    assert!(pooling.answers_per_batch.is_none() && pooling.batch_tokens_per_second.is_none());
}

#[tokio::test(start_paused = true)]
async fn fault_03_a_reset_in_the_middle_of_the_vectors_is_truncated() {
    let (run, _) = answer(4, |_| {
        let half = whole()[..200].to_vec();
        Reply::new([(1, half)]).then(End::Close)
    })
    .await;
    assert_eq!(outcomes(&run.records), [Outcome::Truncated; 4]);
    assert_nothing_came(&run, "truncated");
}

#[tokio::test(start_paused = true)]
async fn fault_05_a_server_that_never_answers_times_out_and_the_schedule_goes_on() {
    let server = ScriptedServer::new(|seen| match seen.number % 2 {
        0 => Reply::never(),
        _ => Reply::new([(20, whole())]),
    });
    let half = Duration::from_millis(500);
    let setup = Setup {
        deadlines: Deadlines {
            connect: half,
            first_token: half,
            stall: half,
            total: half,
        },
        ..setup(&server)
    };
    let due: Vec<Nanos> = (0..20).map(|n| ms(n * 50)).collect();
    let plan = open(Arrival::Constant { rate: 20.0 }, due.clone());
    let run = run_plan(server.pipes(), &plan, &setup).await;
    for (number, record) in run.records.iter().enumerate() {
        assert_eq!(record.issued, due[number]);
        let took = record.done - record.issued;
        if number % 2 == 0 {
            assert!(matches!(record.outcome, Outcome::Timeout(_)));
            assert_eq!(took, ms(500));
        } else {
            assert_eq!((told(record), took), (COMPLETE, ms(20)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_07_and_08_an_answer_in_pieces_is_the_same_answer() {
    let bytes = whole().len();
    let (run, _) = answer(bytes + 2, move |number| {
        let reply = Reply::new([(1, whole())]);
        match number {
            0 => reply.dripped(),
            offset => reply.split_at(offset - 1),
        }
    })
    .await;
    for record in &run.records {
        assert_eq!(told(record), COMPLETE, "request {}", record.id);
    }
    // The last byte makes the answer, however early the first one came.
    assert!(run.records[0].done - run.records[0].issued > ms(bytes as u64 * 9 / 10));
}

#[tokio::test(start_paused = true)]
async fn fault_15_an_error_object_on_a_200_is_a_failure_with_its_message() {
    let error = br#"{"object":"error","message":"no such adapter","code":400}"#;
    let (run, _) = answer(3, |_| Reply::new([(1, response("200 OK", &[JSON], error))])).await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::ServerError);
        assert_eq!(detail(record), "no such adapter");
    }
    assert_nothing_came(&run, "server_error");
}

#[tokio::test(start_paused = true)]
async fn fault_16_each_status_is_a_class_of_its_own_and_no_answer_is_tried_again() {
    for (status, line) in [
        (401, "401 Unauthorized"),
        (404, "404 Not Found"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
    ] {
        let body = format!(r#"{{"error":{{"message":"words of {status}"}}}}"#);
        let headers = [JSON, ("retry-after", "7")];
        let (run, server) = answer(5, move |_| {
            Reply::new([(1, response(line, &headers, body.as_bytes()))])
        })
        .await;
        for record in &run.records {
            assert_eq!(
                (record.outcome, record.status),
                (Outcome::Http, Some(status))
            );
            assert_eq!(record.retry_after_seconds, Some(7));
            assert_eq!(detail(record), format!("words of {status}"));
        }
        assert_eq!(server.seen().len(), 5);
        assert_nothing_came(&run, &format!("http_{status}"));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_17_html_on_200_is_not_the_protocol() {
    let (run, _) = answer(2, |_| {
        let page = b"<!doctype html><title>Sign in</title>";
        Reply::new([(
            1,
            response("200 OK", &[("content-type", "text/html")], page),
        )])
    })
    .await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::Protocol);
        assert!(
            detail(record).contains("<!doctype html>"),
            "{}",
            detail(record)
        );
    }
    assert_nothing_came(&run, "protocol");
}

#[tokio::test(start_paused = true)]
async fn fault_18_and_19_a_body_that_is_no_json_or_no_text_is_not_the_protocol() {
    let cut = &BODY[..BODY.len() - 4];
    let mut no_text = BODY.to_vec();
    no_text[2] = 0xff;
    for body in [cut.to_vec(), no_text, Vec::new()] {
        let (run, _) = answer(2, move |_| {
            Reply::new([(1, response("200 OK", &[JSON], &body))])
        })
        .await;
        assert_eq!(outcomes(&run.records), [Outcome::Protocol; 2]);
        assert!(!detail(&run.records[0]).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn fault_22_an_answer_that_never_ends_meets_the_deadline() {
    let server = ScriptedServer::new(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\":[".to_vec();
        let more = (1..).map(|n| (10 * n, b"          ".to_vec()));
        Reply::new(std::iter::once((1, head)).chain(more))
    });
    let mut setup = setup(&server);
    setup.deadlines.total = Duration::from_millis(700);
    let run = run_plan(server.pipes(), &closed(1, 2), &setup).await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::Timeout(TimeoutKind::Total));
        assert_eq!(record.done - record.issued, ms(700));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_23_a_compressed_body_is_refused_and_not_inflated() {
    let (run, _) = answer(2, |_| {
        let headers = [JSON, ("content-encoding", "gzip")];
        Reply::new([(1, response("200 OK", &headers, b"\x1f\x8b\x08\x00"))])
    })
    .await;
    assert_eq!(outcomes(&run.records), [Outcome::Protocol; 2]);
    assert!(detail(&run.records[0]).contains("compressed (gzip)"));
}

#[tokio::test(start_paused = true)]
async fn fault_24_a_redirect_is_told_and_not_followed() {
    let (run, server) = answer(2, |_| {
        let elsewhere = ("location", "http://elsewhere.example/v1");
        Reply::new([(1, response("302 Found", &[elsewhere], b""))])
    })
    .await;
    assert_eq!(outcomes(&run.records), [Outcome::Http; 2]);
    assert!(detail(&run.records[0]).contains("http://elsewhere.example/v1"));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn fault_26_texts_on_a_connection_closed_while_idle_are_sent_once_more() {
    let (run, server) = answer(4, |number| match number {
        1 => Reply::new([]).then(End::Close),
        _ => Reply::new([(1, whole())]),
    })
    .await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 4]);
    assert_eq!(server.seen().len(), 5);
    let point = &stats::summarize_saved(&run.saved(closed(1, 4).pacing)).points[0];
    assert_eq!(point.reliability.reissued, 1);
    assert_eq!(point.latency.e2e.as_ref().map(|e2e| e2e.max), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn bad_input_28_vectors_that_are_no_answer_to_the_texts_are_not_the_protocol() {
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}"#,
        r#"{"data":[{"index":0,"embedding":[]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1,null]}]}"#,
        r#"{"data":[{"index":0,"embedding":"AAA"}]}"#,
        r#"{"data":[{"index":3,"embedding":[1]}]}"#,
    ] {
        let (run, _) = answer(1, move |_| {
            Reply::new([(1, response("200 OK", &[JSON], body.as_bytes()))])
        })
        .await;
        assert_eq!(run.records[0].outcome, Outcome::Protocol, "{body}");
        assert!(run.records[0].vectors.is_none());
    }
}
