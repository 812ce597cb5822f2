//! Answers that are no completion: each its own class, its words kept, and asked for once.

use crate::{detail, ms, outcomes};
use std::rc::Rc;
use testkit::{Reply, Run, ScriptedServer, Setup, closed, content, finish, response, run_plan};
use trace::Outcome;

const JSON: (&str, &str) = ("content-type", "application/json");

/// The same answer to each of ten requests.
async fn answer(reply: impl Fn() -> Reply + 'static) -> (Run, Rc<ScriptedServer>) {
    let server = ScriptedServer::new(move |_| reply());
    let run = run_plan(server.pipes(), &closed(2, 10), &Setup::on(server.clock())).await;
    assert_eq!(run.records.len(), 10);
    (run, server)
}

#[tokio::test(start_paused = true)]
async fn fault_15_an_error_event_on_a_200_is_a_failure_with_its_message() {
    let (run, _) = answer(|| {
        Reply::stream([
            (1, content("a")),
            (
                2,
                b"event: error\ndata: {\"error\":{\"message\":\"out of blocks\"}}\n\n".to_vec(),
            ),
            (3, finish(1)),
        ])
    })
    .await;
    for record in &run.records {
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::ServerError, Some(200))
        );
        assert_eq!(detail(record), "out of blocks");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_15_an_error_object_on_a_200_is_a_failure_with_its_message() {
    let error = br#"{"error":{"message":"no such adapter","type":"x","code":400}}"#;
    let (run, _) = answer(|| Reply::new([(1, response("200 OK", &[JSON], error))])).await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::ServerError);
        assert_eq!(detail(record), "no such adapter");
    }
    let frame = [&b"data: "[..], error, b"\n\n"].concat();
    let (run, _) = answer(move || Reply::stream([(1, content("a")), (2, frame.clone())])).await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::ServerError);
        assert_eq!(detail(record), "no such adapter");
    }
}

#[tokio::test(start_paused = true)]
async fn fault_16_each_status_is_a_class_of_its_own_and_no_answer_is_tried_again() {
    for (status, line, retry_after) in [
        (401, "401 Unauthorized", None),
        (404, "404 Not Found", None),
        (429, "429 Too Many Requests", Some(7)),
        (500, "500 Internal Server Error", None),
        (503, "503 Service Unavailable", Some(30)),
    ] {
        let body = format!(r#"{{"error":{{"message":"words of {status}"}}}}"#);
        let seconds = retry_after.map_or_else(String::new, |seconds: u64| seconds.to_string());
        let (run, server) = answer(move || {
            let retry = ("retry-after", seconds.as_str());
            let headers = if seconds.is_empty() {
                vec![JSON]
            } else {
                vec![JSON, retry]
            };
            Reply::new([(1, response(line, &headers, body.as_bytes()))])
        })
        .await;
        for record in &run.records {
            assert_eq!(
                (record.outcome, record.status),
                (Outcome::Http, Some(status))
            );
            assert_eq!(record.retry_after_seconds, retry_after);
            assert_eq!(detail(record), format!("words of {status}"));
        }
        // One request on the wire for each that was planned, and the connection still serves.
        assert_eq!((server.seen().len(), server.connections()), (10, 2));
        let summary = stats::summarize_saved(&run.saved(closed(2, 10).pacing));
        let failures = &summary.points[0].reliability.failures;
        assert_eq!((failures.len(), failures[0].count), (1, 10));
        assert_eq!(failures[0].kind, format!("http_{status}"));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_17_html_on_200_is_not_the_protocol() {
    let page = b"<!doctype html><title>Sign in</title>";
    let (run, _) = answer(|| {
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
}

#[tokio::test(start_paused = true)]
async fn fault_17_what_is_not_http_is_not_the_protocol() {
    let (run, _) = answer(|| Reply::new([(1, b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec())])).await;
    assert_eq!(outcomes(&run.records), [Outcome::Protocol; 10]);
}

#[tokio::test(start_paused = true)]
async fn fault_23_a_compressed_body_is_refused_and_not_inflated() {
    for content_type in ["text/event-stream", "application/json"] {
        let (run, server) = answer(move || {
            let headers = [("content-type", content_type), ("content-encoding", "gzip")];
            Reply::new([(
                1,
                response("200 OK", &headers, b"\x1f\x8b\x08\x00not looked at"),
            )])
        })
        .await;
        for record in &run.records {
            assert_eq!(record.outcome, Outcome::Protocol);
            assert!(
                detail(record).contains("compressed (gzip)"),
                "{}",
                detail(record)
            );
            assert!(record.events.is_empty());
        }
        assert!(
            server
                .seen()
                .iter()
                .all(|seen| seen.header("accept-encoding").is_none())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn fault_24_a_redirect_is_told_and_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ] {
        let (run, server) = answer(move || {
            let elsewhere = ("location", "http://elsewhere.example/v1");
            Reply::new([(1, response(status, &[elsewhere], b""))])
        })
        .await;
        for record in &run.records {
            assert_eq!(record.outcome, Outcome::Http);
            assert!(
                detail(record).contains("http://elsewhere.example/v1"),
                "{}",
                detail(record)
            );
            assert_eq!(record.done - record.issued, ms(1));
        }
        assert_eq!(server.seen().len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_asked_for_and_came_whole_is_not_the_protocol() {
    let body = br#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    let (run, _) = answer(|| Reply::new([(1, response("200 OK", &[JSON], body))])).await;
    for record in &run.records {
        assert_eq!(record.outcome, Outcome::Protocol);
        assert!(
            detail(record).contains("a stream was asked for"),
            "{}",
            detail(record)
        );
    }
}
