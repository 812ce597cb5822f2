//! Servers that do not come to an end: a deadline does, at its time, and the schedule goes on.

use crate::{detail, ms, outcomes};
use load::Deadlines;
use std::time::Duration;
use testkit::{Connecting, End, Reply, ScriptedServer, Setup, burst, chunk, closed, content};
use testkit::{open, run_plan, stream_head};
use trace::{Arrival, Nanos, Outcome, Record, TimeoutKind};

fn setup(server: &ScriptedServer, first_token: u64, stall: u64, total: u64) -> Setup {
    Setup {
        deadlines: Deadlines {
            connect: Duration::from_millis(700),
            first_token: Duration::from_millis(first_token),
            stall: Duration::from_millis(stall),
            total: Duration::from_millis(total),
        },
        ..Setup::on(server.clock())
    }
}

/// A stream whose head and `first` come after 10 ms, and then `again` every 10 ms for ever.
fn endless(first: &[u8], again: &[u8]) -> Reply {
    let begin = [stream_head(), chunk(first)].concat();
    let again = chunk(again);
    let rest = (2..).map(move |n| (n * 10, again.clone()));
    Reply::new(std::iter::once((10, begin)).chain(rest))
}

async fn ask(
    reply: impl Fn() -> Reply + 'static,
    first_token: u64,
    stall: u64,
    total: u64,
) -> Record {
    let server = ScriptedServer::new(move |_| reply());
    let setup = setup(&server, first_token, stall, total);
    run_plan(server.pipes(), &burst(1, 1), &setup)
        .await
        .records
        .remove(0)
}

#[tokio::test(start_paused = true)]
async fn fault_05_what_never_answers_times_out_and_the_schedule_goes_on() {
    let server = ScriptedServer::new(|seen| match seen.number % 2 {
        0 => Reply::never(),
        _ => Reply::tokens(&[20, 30]),
    });
    let setup = setup(&server, 500, 60_000, 60_000);
    let due: Vec<Nanos> = (0..20).map(|n| ms(n * 50)).collect();
    let plan = open(Arrival::Constant { rate: 20.0 }, due.clone());
    let run = run_plan(server.pipes(), &plan, &setup).await;
    for (number, record) in run.records.iter().enumerate() {
        assert_eq!(record.issued, due[number]);
        if number % 2 == 0 {
            assert_eq!(record.outcome, Outcome::Timeout(TimeoutKind::FirstToken));
            assert_eq!(record.done - record.issued, ms(500));
        } else {
            assert_eq!(record.outcome, Outcome::Complete);
            assert_eq!(record.done - record.issued, ms(30));
        }
    }
    assert_eq!(server.seen().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn fault_05_in_a_closed_loop_the_slot_is_handed_on_at_the_deadline() {
    let server = ScriptedServer::new(|_| Reply::never());
    let setup = setup(&server, 60_000, 60_000, 800);
    let run = run_plan(server.pipes(), &closed(2, 6), &setup).await;
    assert_eq!(
        outcomes(&run.records),
        [Outcome::Timeout(TimeoutKind::Total); 6]
    );
    let issued: Vec<Nanos> = run.records.iter().map(|record| record.issued).collect();
    assert_eq!(issued, [0, 0, 800, 800, 1600, 1600].map(ms));
}

#[tokio::test(start_paused = true)]
async fn fault_05_a_response_that_is_no_stream_has_only_the_total_deadline() {
    let server = ScriptedServer::new(|_| Reply::never());
    let setup = Setup {
        stream: false,
        ..setup(&server, 500, 500, 3_000)
    };
    let run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    assert_eq!(run.records[0].outcome, Outcome::Timeout(TimeoutKind::Total));
    assert_eq!(run.records[0].done, ms(3_000));
}

#[tokio::test(start_paused = true)]
async fn fault_05_connecting_that_hangs_has_its_own_deadline() {
    let server = ScriptedServer::reached(Connecting::Hangs, |_| Reply::never());
    let setup = setup(&server, 60_000, 60_000, 60_000);
    let run = run_plan(server.pipes(), &burst(2, 2), &setup).await;
    assert_eq!(
        outcomes(&run.records),
        [Outcome::Timeout(TimeoutKind::Connect); 2]
    );
    assert!(
        run.records
            .iter()
            .all(|record| record.done == ms(700) && record.connected.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_is_told_in_the_systems_words() {
    let server =
        ScriptedServer::reached(Connecting::Fails("connection refused"), |_| Reply::never());
    let run = run_plan(server.pipes(), &burst(2, 4), &Setup::on(server.clock())).await;
    assert_eq!(outcomes(&run.records), [Outcome::Connect; 4]);
    assert_eq!(detail(&run.records[0]), "connection refused");
}

#[tokio::test(start_paused = true)]
async fn fault_21_pings_and_empty_lines_without_a_token_meet_the_first_token_deadline() {
    for noise in [
        &b": ping\n\n"[..],
        b"\n\n\n\n",
        b"event: ping\ndata: {}\n\n",
    ] {
        let record = ask(move || endless(noise, noise), 2_000, 500, 60_000).await;
        assert_eq!(record.outcome, Outcome::Timeout(TimeoutKind::FirstToken));
        assert_eq!(record.done, ms(2_000));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_21_empty_deltas_keep_no_dead_stream_alive() {
    let empty = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n";
    let record = ask(|| endless(empty, empty), 2_000, 500, 60_000).await;
    assert_eq!(record.outcome, Outcome::Timeout(TimeoutKind::FirstToken));
    assert_eq!(record.done, ms(2_000));
}

#[tokio::test(start_paused = true)]
async fn fault_21_pings_after_a_token_meet_the_stall_deadline() {
    for (first_token, total) in [(1_000, 60_000), (60_000, 60_000)] {
        let record = ask(
            || endless(&content("a"), b": ping\n\n"),
            first_token,
            2_000,
            total,
        )
        .await;
        assert_eq!(
            record.outcome,
            Outcome::Timeout(TimeoutKind::Stall),
            "first token: {first_token}"
        );
        assert_eq!(record.done, ms(2_010));
    }
}

#[tokio::test(start_paused = true)]
async fn fault_21_silence_after_a_token_meets_the_stall_deadline() {
    for (first_token, total) in [(1_000, 60_000), (60_000, 60_000)] {
        let silent = || {
            let begin = [stream_head(), chunk(&content("a"))].concat();
            Reply::new([(300, begin), (900, chunk(&content("b")))]).then(End::Hold)
        };
        let record = ask(silent, first_token, 2_000, total).await;
        assert_eq!(
            record.outcome,
            Outcome::Timeout(TimeoutKind::Stall),
            "first token: {first_token}"
        );
        assert_eq!(record.done, ms(2_900));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_in_time_is_no_stall_however_long_the_stream() {
    let times: Vec<u64> = (1..=40).map(|n| n * 900).collect();
    let record = ask(move || Reply::tokens(&times), 1_000, 1_000, 60_000).await;
    assert_eq!(
        (record.outcome, record.done),
        (Outcome::Complete, ms(36_000))
    );
}

#[tokio::test(start_paused = true)]
async fn fault_22_an_endless_stream_ends_at_the_total_deadline() {
    let record = ask(
        || endless(&content("a"), &content("a")),
        1_000,
        1_000,
        9_000,
    )
    .await;
    assert_eq!(record.outcome, Outcome::Timeout(TimeoutKind::Total));
    assert_eq!(record.done, ms(9_000));
    assert!(stats::RequestMetrics::from_record(&record).is_none());
}

#[tokio::test(start_paused = true)]
async fn fault_22_an_endless_body_ends_at_the_limit_of_bytes() {
    let piece = vec![b' '; 128 * 1024];
    let server = ScriptedServer::new(move |_| {
        let piece = piece.clone();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
        Reply::new(std::iter::once((0, head)).chain((1..).map(move |at| (at, piece.clone()))))
    });
    let setup = Setup {
        stream: false,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    let record = &run.records[0];
    assert_eq!(record.outcome, Outcome::Protocol);
    assert!(
        detail(record).contains("16777216 bytes"),
        "{}",
        detail(record)
    );
    assert!(
        record.body_bytes < (16 << 20) + (1 << 20),
        "{}",
        record.body_bytes
    );
}
