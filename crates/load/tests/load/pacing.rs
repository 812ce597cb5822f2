//! What was asked of the client is what it does: batches, a held concurrency, due times, an end.

use crate::ms;
use testkit::{Connecting, Reply, ScriptedServer, Setup, burst, closed, open, run_plan, until};
use trace::{Arrival, Nanos, Outcome, Pacing, Record};

fn issued(records: &[Record]) -> Vec<Nanos> {
    records.iter().map(|record| record.issued).collect()
}

/// Ends of requests and starts of others, in order of time; ends first.
fn in_flight_peak(records: &[Record]) -> i32 {
    let starts = records.iter().map(|record| (record.issued, 1));
    let ends = records.iter().map(|record| (record.done, -1));
    let mut changes: Vec<(Nanos, i32)> = starts.chain(ends).collect();
    changes.sort_unstable();
    let mut now = 0;
    let steps = changes.into_iter().map(|(_, change)| {
        now += change;
        now
    });
    steps.max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn the_requests_of_a_batch_start_together_and_batches_do_not_overlap() {
    let server = ScriptedServer::new(|seen| Reply::tokens(&[10, 20 + seen.number as u64 * 3]));
    let run = run_plan(server.pipes(), &burst(4, 10), &Setup::on(server.clock())).await;
    let mut start = Nanos::ZERO;
    for batch in run.records.chunks(4) {
        assert!(
            batch
                .iter()
                .all(|record| record.issued == start && record.due == start)
        );
        start = batch.iter().map(|record| record.done).max().unwrap();
    }
    assert_eq!((run.span.start, run.span.end), (Nanos::ZERO, start));
    assert_eq!(run.span.planned, 10);
    assert_eq!(server.connections(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_asked_concurrency_is_held_exactly() {
    let server = ScriptedServer::new(|seen| Reply::tokens(&[5, 10 + seen.number as u64 * 13 % 29]));
    let run = run_plan(server.pipes(), &closed(6, 60), &Setup::on(server.clock())).await;
    let records = &run.records;
    assert_eq!(in_flight_peak(records), 6);
    let mut ends: Vec<Nanos> = records.iter().map(|record| record.done).collect();
    ends.sort_unstable();
    let mut starts = issued(records);
    assert!(starts.is_sorted() && starts[..6].iter().all(|&at| at == Nanos::ZERO));
    // Each of the others starts the moment that an earlier one ends.
    assert_eq!(starts.split_off(6), ends[..54]);
    assert!(records.iter().all(|record| record.due == record.issued));
    assert_eq!(server.connections(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_starts_nothing_it_was_not_asked_for() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[5]));
    let run = run_plan(server.pipes(), &closed(8, 3), &Setup::on(server.clock())).await;
    assert_eq!(run.records.len(), 3);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_issues_exactly_when_due_whatever_the_server_does() {
    let server = ScriptedServer::new(|seen| match seen.number {
        0 => Reply::tokens(&[5_000]),
        _ => Reply::tokens(&[300, 400]),
    });
    let due: Vec<Nanos> = [0, 3, 3, 4, 50, 51, 400, 401, 402, 1_000].map(ms).to_vec();
    let plan = open(Arrival::Poisson { rate: 10.0 }, due.clone());
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(issued(&run.records), due);
    assert!(run.records.iter().all(|record| record.due == record.issued));
    let arrived: Vec<Nanos> = server.seen().iter().map(|seen| seen.at).collect();
    assert_eq!(arrived, due);
}

#[tokio::test(start_paused = true)]
async fn a_cap_on_an_open_loop_shows_as_issue_lag() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[100]));
    let mut plan = open(
        Arrival::Constant { rate: 100.0 },
        (0..6).map(|n| ms(n * 10)).collect(),
    );
    if let Pacing::Open {
        max_concurrency, ..
    } = &mut plan.pacing
    {
        *max_concurrency = Some(2);
    }
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let due: Vec<Nanos> = run.records.iter().map(|record| record.due).collect();
    assert_eq!(due, [0, 10, 20, 30, 40, 50].map(ms));
    assert_eq!(issued(&run.records), [0, 10, 100, 110, 200, 210].map(ms));
}

#[tokio::test(start_paused = true)]
async fn a_slow_way_to_the_server_delays_no_release() {
    let server = ScriptedServer::reached(Connecting::Takes(70), |_| Reply::tokens(&[10]));
    let plan = open(
        Arrival::Constant { rate: 50.0 },
        (0..5).map(|n| ms(n * 20)).collect(),
    );
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(issued(&run.records), [0, 20, 40, 60, 80].map(ms));
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_closed_loop_releases_no_more_and_waits_for_the_rest() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[30]));
    let plan = until(ms(100), closed(2, 3));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    // The three prompts repeat: 0, 30, 60 and 90 ms, two requests each.
    assert_eq!(issued(&run.records), [0, 0, 30, 30, 60, 60, 90, 90].map(ms));
    assert!(
        run.records
            .iter()
            .all(|record| record.outcome == Outcome::Complete)
    );
    assert_eq!((run.span.planned, run.span.end), (8, ms(120)));
    assert!(!run.span.interrupted);
    let prompts: Vec<bool> = server
        .seen()
        .iter()
        .map(|seen| seen.body.contains("prompt 0"))
        .collect();
    assert_eq!(
        prompts,
        [true, false, false, true, false, false, true, false]
    );
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_an_open_loop_releases_no_more_and_waits_for_the_rest() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[500]));
    let due = [0, 40, 99, 100, 160].map(ms).to_vec();
    let plan = until(ms(100), open(Arrival::Constant { rate: 20.0 }, due));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(issued(&run.records), [0, 40, 99].map(ms));
    assert_eq!((run.span.planned, run.span.end), (3, ms(599)));
    assert!(
        run.records
            .iter()
            .all(|record| record.outcome == Outcome::Complete)
    );
}

#[tokio::test(start_paused = true)]
async fn the_user_stops_a_run_and_what_was_in_flight_is_cancelled_and_counted() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[30, 40]));
    let setup = Setup {
        stop_after: Some(std::time::Duration::from_millis(100)),
        ..Setup::on(server.clock())
    };
    let plan = closed(3, 300);
    let run = run_plan(server.pipes(), &plan, &setup).await;
    assert!(run.span.interrupted);
    assert_eq!((run.span.planned, run.span.end), (300, ms(100)));
    let reliability = stats::summarize_saved(&run.saved(plan.pacing))
        .points
        .remove(0)
        .reliability;
    assert_eq!((reliability.issued, reliability.complete), (9, 6));
    assert_eq!((reliability.failed, reliability.cancelled), (0, 3));
    for record in &run.records[6..] {
        // Its first token had come; it is in no number.
        assert_eq!((record.outcome, record.done), (Outcome::Cancelled, ms(100)));
    }
}
