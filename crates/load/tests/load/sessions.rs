//! Conversations: each turn waits for the answer before, thinks, and brings all that was said.

use crate::ms;
use serde_json::Value;
use std::time::Duration;
use testkit::{Reply, ScriptedServer, Seen, Setup, closed, content, finish, open, run_plan};
use trace::{Arrival, FollowUp, Message, Nanos, Outcome, Plan, Prompt, Record, Role, Stop, Turn};

fn turn(text: &str, think: u64) -> FollowUp {
    FollowUp {
        think: ms(think),
        prompt: Prompt::user(text),
        max_tokens: Some(5),
        input_tokens: None,
    }
}

/// The same plan, with those turns after each of its requests.
fn with_turns(plan: Plan, turns: &[FollowUp]) -> Plan {
    let requests = plan.requests.into_iter().map(|mut planned| {
        planned.turns = turns.into();
        planned
    });
    Plan {
        requests: requests.collect(),
        ..plan
    }
}

/// Role and text of each message of a request.
fn said(seen: &Seen) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = body["messages"].as_array().unwrap();
    let pair = |message: &Value| (text(&message["role"]), text(&message["content"]));
    messages.iter().map(pair).collect()
}

fn turns(records: &[Record]) -> Vec<(u64, u32)> {
    let turn = |record: &Record| {
        let Turn { session, number } = record.turn.expect("a turn");
        (session, number)
    };
    records.iter().map(turn).collect()
}

#[tokio::test(start_paused = true)]
async fn a_turn_comes_after_the_answer_and_the_thought_and_brings_what_was_said() {
    let mut plan = with_turns(closed(1, 2), &[turn("and then?", 40), turn("why?", 0)]);
    plan.requests[0].max_tokens = Some(9);
    let server = ScriptedServer::new(|_| Reply::tokens(&[5, 10]));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    // 10 ms an answer, and 40 ms of thought after the first.
    let issued: Vec<Nanos> = run.records.iter().map(|record| record.issued).collect();
    assert_eq!(issued, [0, 50, 60, 70, 120, 130].map(ms));
    let due: Vec<Nanos> = run.records.iter().map(|record| record.due).collect();
    assert_eq!(due, issued);
    assert_eq!(
        turns(&run.records),
        [(0, 0), (0, 1), (0, 2), (3, 0), (3, 1), (3, 2)]
    );
    let seen = server.seen();
    let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(
        said(&seen[2]),
        [
            pair("user", "prompt 0"),
            pair("assistant", " a a"),
            pair("user", "and then?"),
            pair("assistant", " a a"),
            pair("user", "why?"),
        ]
    );
    assert!(
        seen[1].body.contains("\"max_tokens\":5"),
        "{}",
        seen[1].body
    );
    assert_eq!(
        (run.span.planned, run.span.turns_cut, run.span.next_id),
        (6, 0, 6)
    );
    // The limits that were asked for are kept.
    let limits: Vec<Option<u32>> = run.records[..3].iter().map(|r| r.max_tokens).collect();
    assert_eq!(limits, [Some(9), Some(5), Some(5)]);
}

#[tokio::test(start_paused = true)]
async fn whole_answers_are_gone_on_with_too() {
    let plan = with_turns(closed(1, 1), &[turn("more", 0)]);
    let body = br#"{"choices":[{"message":{"content":"so it is"},"finish_reason":"stop"}]}"#;
    let server = ScriptedServer::new(|_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Reply::new([(3, [head.as_bytes(), body].concat())])
    });
    let setup = Setup {
        stream: false,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &plan, &setup).await;
    assert_eq!(run.records.len(), 2);
    assert_eq!(said(&server.seen()[1])[1].1, "so it is");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_holds_its_slot_while_its_user_thinks() {
    let plan = with_turns(closed(1, 2), &[turn("more", 100)]);
    let server = ScriptedServer::new(|_| Reply::tokens(&[10]));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let issued: Vec<Nanos> = run.records.iter().map(|record| record.issued).collect();
    assert_eq!(issued, [0, 110, 120, 230].map(ms));
}

#[tokio::test(start_paused = true)]
async fn arrivals_begin_conversations_whatever_the_others_do() {
    let arrival = Arrival::Constant { rate: 50.0 };
    let plan = open(arrival, vec![ms(0), ms(20)]);
    let plan = with_turns(plan, &[turn("more", 30)]);
    let server = ScriptedServer::new(|_| Reply::tokens(&[10]));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let issued: Vec<Nanos> = run.records.iter().map(|record| record.issued).collect();
    assert_eq!(issued, [0, 40, 20, 60].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_turn_without_a_whole_answer_ends_its_conversation_and_the_rest_is_told() {
    let plan = with_turns(closed(1, 3), &[turn("more", 0), turn("and more", 0)]);
    let server = ScriptedServer::new(|seen| match seen.number {
        // The second turn of the first conversation.
        1 => Reply::stream([(5, content(" a"))]),
        _ => Reply::tokens(&[10]),
    });
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(run.records.len(), 8);
    assert_eq!(run.records[1].outcome, Outcome::Truncated);
    assert_eq!(
        (run.span.planned, run.span.turns_cut, run.span.next_id),
        (9, 1, 9)
    );
    assert_eq!(turns(&run.records)[2], (3, 0));
}

#[tokio::test(start_paused = true)]
async fn no_turn_begins_after_the_deadline() {
    let plan = with_turns(closed(1, 1), &[turn("more", 50), turn("and more", 50)]);
    let server = ScriptedServer::new(|_| Reply::tokens(&[10]));
    let plan = Plan {
        stop: Stop::AllRequestsWithin { after: ms(100) },
        ..plan
    };
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    // Due at 0, 60 and 120.
    let first: Vec<Nanos> = run.records.iter().map(|record| record.issued).collect();
    assert_eq!(first, [0, 60].map(ms));
    assert_eq!(
        (run.span.planned, run.span.turns_cut, run.span.next_id),
        (2, 0, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn who_stops_the_run_stops_conversations_too() {
    let plan = with_turns(closed(1, 1), &[turn("more", 500)]);
    let server = ScriptedServer::new(|_| Reply::tokens(&[10]));
    let setup = Setup {
        stop_after: Some(Duration::from_millis(100)),
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &plan, &setup).await;
    assert!(run.span.interrupted);
    assert_eq!(run.records.len(), 1);
}

/// An answer that calls a tool.
fn call(id: &str) -> Vec<u8> {
    let delta = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"id\":\"{id}\",\
         \"type\":\"function\",\"function\":{{\"name\":\"look\",\"arguments\":\"{{}}\"}}}}]}}}}]}}\n\n"
    );
    delta.into_bytes()
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_tool_follows_its_call_and_the_loop_ends_without_one() {
    let result = FollowUp {
        prompt: Prompt::Chat {
            messages: [Message::new(Role::Tool, "42")].into(),
        },
        ..turn("", 0)
    };
    let plan = with_turns(closed(1, 1), &[result.clone(), result]);
    let server = ScriptedServer::new(|seen| match seen.number {
        0 => {
            let mut event = call("c1");
            event.extend(finish(1));
            Reply::stream([(10, event)])
        }
        _ => Reply::tokens(&[10]),
    });
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    // The second result is for nobody: the model called no tool.
    assert_eq!(
        (run.records.len(), run.span.planned, run.span.turns_cut),
        (2, 2, 0)
    );
    let body: Value = serde_json::from_str(&server.seen()[1].body).unwrap();
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "c1");
    assert_eq!(body["messages"][2]["role"], "tool");
    assert_eq!(body["messages"][2]["tool_call_id"], "c1");
    assert_eq!(body["messages"][2]["content"], "42");
}
