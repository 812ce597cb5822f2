//! The first answers of a run are kept for who counts their tokens again.

use std::rc::Rc;
use testkit::{Reply, ScriptedServer, Setup, closed, content, finish, response, run_plans};
use trace::RunId;

/// The texts that were kept of a run of `requests`, with the server's counts, where `kept` were asked for.
async fn heard(
    server: &Rc<ScriptedServer>,
    run: RunId,
    requests: usize,
    kept: u32,
) -> Vec<(String, u64)> {
    let setup = Setup {
        answers_kept: kept,
        ..Setup::on(server.clock())
    };
    let plan = closed(2, requests);
    let mut runs = run_plans(server.pipes(), &[(run, &plan)], 0, &setup).await;
    let answers = runs.remove(0).span.answers.into_iter();
    answers
        .map(|answer| (answer.text, answer.completion_tokens))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn so_many_of_the_first_answers_are_kept_with_the_servers_count() {
    let server = ScriptedServer::new(|seen| {
        let text = content(&format!(" answer {}", seen.number));
        Reply::stream([(5, text), (6, finish(40 + seen.number as u64))])
    });
    let answers = heard(&server, RunId::default(), 6, 3).await;
    let expected = [(" answer 0", 40), (" answer 1", 41), (" answer 2", 42)];
    assert_eq!(answers, expected.map(|(text, n)| (text.to_owned(), n)));
    let warmup = RunId {
        warmup: true,
        ..RunId::default()
    };
    assert_eq!(heard(&server, warmup, 6, 3).await, []);
    assert_eq!(heard(&server, RunId::default(), 6, 0).await, []);
}

#[tokio::test(start_paused = true)]
async fn thoughts_of_an_answer_that_is_no_stream_are_seen_too() {
    let server = ScriptedServer::new(|seen| {
        let thought = if seen.number == 0 {
            r#","reasoning_content":"hm""#
        } else {
            ""
        };
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":"so"{thought}}},"finish_reason":"stop"}}],"usage":{{"completion_tokens":9}}}}"#
        );
        let json = [("content-type", "application/json")];
        Reply::new([(3, response("200 OK", &json, body.as_bytes()))])
    });
    let setup = Setup {
        stream: false,
        answers_kept: 2,
        ..Setup::on(server.clock())
    };
    let plan = closed(1, 2);
    let run = (RunId::default(), &plan);
    let mut runs = run_plans(server.pipes(), &[run], 0, &setup).await;
    assert_eq!(runs.remove(0).span.answers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_tokens_beside_its_text_is_not_kept() {
    let delta = |fields: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{{fields}}}}}]}}\n\n").into_bytes()
    };
    let server = ScriptedServer::new(move |seen| {
        let reasoning = delta(r#""reasoning_content":"hm""#);
        let call = delta(
            r#""tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"{}"}}]"#,
        );
        match seen.number {
            0 => Reply::stream([(5, reasoning), (6, content(" so")), (7, finish(9))]),
            1 => Reply::stream([(5, content(" so")), (6, call), (7, finish(9))]),
            // A character that was cut between two tokens.
            2 => Reply::stream([(5, content(" \u{fffd}")), (7, finish(9))]),
            // No usage.
            3 => Reply::stream([(5, content(" so")), (6, b"data: [DONE]\n\n".to_vec())]),
            // Not whole.
            4 => Reply::stream([(5, content(" so"))]),
            _ => Reply::stream([(5, content(" so it is")), (7, finish(3))]),
        }
    });
    let answers = heard(&server, RunId::default(), 6, 6).await;
    assert_eq!(answers, [(" so it is".to_owned(), 3)]);
}
