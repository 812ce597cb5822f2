//! Connections that close when they should not, and what a panic of ours does.

use crate::{ms, outcomes};
use load::{Client, ClientOptions};
use stats::RequestMetrics;
use testkit::{
    End, LAST_CHUNK, Reply, ScriptedServer, Setup, burst, chunk, closed, content, finish,
};
use testkit::{run_plan, stream_head};
use tokio::sync::watch;
use tokio::task::LocalSet;
use trace::{Outcome, RunId};

/// Three tokens, and then the connection is closed.
fn cut() -> Reply {
    let begin = [stream_head(), chunk(&content("a"))].concat();
    Reply::new([
        (10, begin),
        (20, chunk(&content("b"))),
        (30, chunk(&content("c"))),
    ])
    .then(End::Close)
}

/// The body ends well for HTTP, and says nothing of an end.
fn short() -> Reply {
    let begin = [stream_head(), chunk(&content("a"))].concat();
    let last = [chunk(&content("b")), LAST_CHUNK.to_vec()].concat();
    Reply::new([(10, begin), (20, last)])
}

#[tokio::test(start_paused = true)]
async fn fault_04_an_end_before_done_and_finish_reason_is_truncated_and_in_no_throughput() {
    let server = ScriptedServer::new(|seen| match seen.number {
        1 | 4 => cut(),
        2 | 6 => short(),
        _ => Reply::tokens(&[10, 20, 30, 40]),
    });
    let plan = closed(1, 8);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let (whole, part) = (Outcome::Complete, Outcome::Truncated);
    assert_eq!(
        outcomes(&run.records),
        [whole, part, part, whole, part, whole, part, whole]
    );
    let tokens = |number: usize| {
        run.records[number]
            .events
            .iter()
            .filter(|event| event.kind.is_token())
            .count()
    };
    assert_eq!((tokens(1), tokens(2)), (3, 2));
    assert!(RequestMetrics::from_record(&run.records[1]).is_none());
    assert_eq!(run.records[1].done - run.records[1].issued, ms(30));

    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!(
        (point.reliability.complete, point.reliability.failed),
        (4, 4)
    );
    assert_eq!(point.reliability.failures[0].kind, "truncated");
    // Four whole ones of four tokens each, and 40 ms; the others took 30 or 20 ms in between.
    assert_eq!(point.tokens.output_total, Some(16));
    let seconds = (4.0 * 40.0 + 2.0 * 30.0 + 2.0 * 20.0) / 1e3;
    let rate = point.throughput.output_tokens_per_second.unwrap().mean;
    assert!((rate - 16.0 / seconds).abs() < 1e-9, "{rate}");
    assert_eq!(point.latency.ttft.as_ref().map(|ttft| ttft.n), Some(4));
}

#[tokio::test(start_paused = true)]
async fn fault_04_a_missing_done_after_the_finish_reason_is_no_truncation() {
    let server = ScriptedServer::new(|_| {
        let mut end = finish(1);
        end.truncate(end.len() - openai::DONE.len());
        Reply::stream([(10, content("a")), (20, end)])
    });
    let run = run_plan(server.pipes(), &burst(1, 1), &Setup::on(server.clock())).await;
    assert_eq!(
        (run.records[0].outcome, run.records[0].done),
        (Outcome::Complete, ms(20))
    );
}

#[tokio::test(start_paused = true)]
async fn fault_26_a_connection_closed_while_idle_is_replaced_and_costs_no_request() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[10, 20]).then(End::Close));
    let run = run_plan(server.pipes(), &closed(1, 4), &Setup::on(server.clock())).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 4]);
    assert_eq!((server.seen().len(), server.connections()), (4, 4));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a bug in what takes the records")]
async fn fault_35_a_panic_while_receiving_goes_up_to_who_runs_the_plan() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[10]));
    let client = Client::new(server.pipes(), options(&server), panics()).unwrap();
    let plan = closed(2, 4);
    let (_stopping, stop) = watch::channel(false);
    let tasks = LocalSet::new();
    let _ = tasks
        .run_until(client.run(&plan, RunId::default(), 0, stop))
        .await;
}

fn panics() -> Box<dyn FnMut(trace::Record) + Send> {
    Box::new(|_| panic!("a bug in what takes the records"))
}

fn options(server: &ScriptedServer) -> ClientOptions {
    testkit::client_options(&Setup::on(server.clock()))
}
