//! With time that only the script moves, what is measured is what the script says, to the
//! nanosecond.

use crate::ms;
use stats::RequestMetrics;
use testkit::{
    Connecting, INVOCATION, Reply, ScriptedServer, Setup, burst, closed, content, finish, open,
};
use testkit::{run_plan, run_plans};
use trace::{Arrival, EventKind, Nanos, Plan, Record, RunId};

/// When the tokens of request `number` leave, in milliseconds after its arrival: other times for
/// each request, with gaps that differ.
fn times(number: usize) -> Vec<u64> {
    let number = number as u64;
    let gaps = (0..12).map(|token| 1 + (number * 7 + token * 5) % 23);
    let mut at = 3 + number * 11 % 40;
    gaps.map(|gap| {
        at += gap;
        at
    })
    .collect()
}

fn number(record: &Record, first_id: u64) -> usize {
    usize::try_from(record.id - first_id).unwrap()
}

fn assert_exact(record: &Record, connect: u64, times: &[u64]) {
    let metrics = RequestMetrics::from_record(record).expect("complete");
    let gaps: Vec<Nanos> = times.windows(2).map(|two| ms(two[1] - two[0])).collect();
    let last = ms(connect + times.last().unwrap());
    assert_eq!(metrics.ttft, Some(ms(connect + times[0])));
    assert_eq!(metrics.chunk_gaps, gaps);
    assert_eq!(metrics.e2e, Some(last));
    assert_eq!(metrics.stream_end, Some(last));
    assert_eq!(metrics.connect, (connect > 0).then(|| ms(connect)));
    assert_eq!(metrics.output_tokens, Some(times.len() as u64));
    assert_eq!(record.sent, Some(record.issued + ms(connect)));
    assert_eq!(
        record.first_byte,
        record.events.first().map(|event| event.arrived)
    );
    assert!(
        record
            .events
            .iter()
            .all(|event| event.read == event.arrived)
    );
}

/// Runs `plan` against answers that differ by prompt; every record must be exact.
async fn assert_all_exact(plan: Plan) {
    let server = ScriptedServer::new(|seen| Reply::tokens(&times(prompt_of(&seen.body))));
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(run.records.len(), plan.requests.len());
    for record in &run.records {
        assert_exact(record, 0, &times(number(record, 0)));
    }
}

/// The number in `prompt 5`.
fn prompt_of(body: &str) -> usize {
    let (_, rest) = body
        .split_once("prompt ")
        .expect("a prompt of the test kit");
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn bursts_are_measured_without_any_error() {
    assert_all_exact(burst(8, 24)).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_is_measured_without_any_error() {
    assert_all_exact(closed(5, 40)).await;
}

#[tokio::test(start_paused = true)]
async fn poisson_arrivals_are_measured_without_any_error() {
    let arrival = Arrival::Poisson { rate: 50.0 };
    // A fixed draw of exponential gaps, rounded to what the runtime's timer can hold.
    let gaps = [
        3, 41, 12, 1, 0, 27, 66, 8, 19, 2, 33, 5, 14, 90, 0, 7, 21, 10, 4, 17,
    ];
    let due = gaps.iter().scan(0, |at, gap| {
        *at += gap;
        Some(ms(*at))
    });
    assert_all_exact(open(arrival, due.collect())).await;
}

#[tokio::test(start_paused = true)]
async fn every_stamp_of_a_request_has_its_place_in_time() {
    let server = ScriptedServer::reached(Connecting::Takes(9), |_| Reply::tokens(&[30, 40]));
    let arrival = Arrival::Constant { rate: 1.0 };
    let plan = open(arrival, vec![ms(100)]);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let record = &run.records[0];
    assert_eq!((record.due, record.issued), (ms(100), ms(100)));
    assert_eq!(
        (record.connected, record.sent),
        (Some(ms(109)), Some(ms(109)))
    );
    assert_eq!(record.first_byte, Some(ms(139)));
    assert_eq!((record.done, record.done_read), (ms(149), ms(149)));
    assert_exact(record, 9, &[30, 40]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_alive_connection_is_ready_when_the_request_is_issued() {
    let server = ScriptedServer::reached(Connecting::Takes(9), |_| Reply::tokens(&[30, 40]));
    let run = run_plan(server.pipes(), &closed(1, 3), &Setup::on(server.clock())).await;
    assert_eq!(server.connections(), 1);
    assert_exact(&run.records[0], 9, &[30, 40]);
    for record in &run.records[1..] {
        assert_eq!(record.connected, Some(record.issued));
        assert_exact(record, 0, &[30, 40]);
    }
}

#[tokio::test(start_paused = true)]
async fn prepared_connections_keep_their_set_up_out_of_the_run() {
    let server = ScriptedServer::reached(Connecting::Takes(9), |_| Reply::tokens(&[30, 40]));
    let setup = Setup {
        prepared: 4,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &burst(4, 4), &setup).await;
    assert_eq!(server.connections(), 4);
    assert_eq!(run.span.start, ms(9), "they are opened together");
    for record in &run.records {
        assert_exact(record, 0, &[30, 40]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_role_chunk_is_the_first_byte_and_not_the_first_token() {
    let role = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let server = ScriptedServer::new(move |_| {
        let last = [content(" b"), finish(2)].concat();
        Reply::stream([(0, role.to_vec()), (50, content(" a")), (60, last)])
    });
    let run = run_plan(server.pipes(), &burst(1, 1), &Setup::on(server.clock())).await;
    let record = &run.records[0];
    assert_eq!(record.first_byte, Some(record.issued));
    assert_eq!(record.events[0].kind, EventKind::Empty);
    let metrics = RequestMetrics::from_record(record).unwrap();
    assert_eq!(metrics.ttft, Some(ms(50)));
    assert_eq!(metrics.chunk_gaps, [ms(10)]);
    assert_eq!(metrics.output_tokens, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_no_stream_ends_with_its_last_byte() {
    let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
    let server = ScriptedServer::new(|_| {
        let mut whole = testkit::response("200 OK", &[("content-type", "application/json")], body);
        let rest = whole.split_off(90);
        Reply::new([(20, whole), (35, rest)])
    });
    let setup = Setup {
        stream: false,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    let metrics = RequestMetrics::from_record(&run.records[0]).unwrap();
    assert_eq!(run.records[0].first_byte, Some(ms(20)));
    assert_eq!((metrics.ttft, metrics.e2e), (None, Some(ms(35))));
    assert_eq!(metrics.output_tokens, Some(2));
}

#[tokio::test(start_paused = true)]
async fn warm_up_and_measured_runs_share_the_ids_and_nothing_else() {
    let server = ScriptedServer::new(|_| Reply::tokens(&[5, 6]));
    let warm_up = RunId {
        warmup: true,
        ..RunId::default()
    };
    let measured = RunId {
        point: 2,
        run: 1,
        warmup: false,
    };
    let (first, second) = (burst(2, 2), closed(1, 3));
    let plans = [(warm_up, &first), (measured, &second)];
    let runs = run_plans(server.pipes(), &plans, 1000, &Setup::on(server.clock())).await;
    let of = |run: usize| -> Vec<(RunId, u64)> {
        runs[run]
            .records
            .iter()
            .map(|record| (record.run, record.id))
            .collect()
    };
    assert_eq!(of(0), [(warm_up, 1000), (warm_up, 1001)]);
    assert_eq!(
        of(1),
        [(measured, 1002), (measured, 1003), (measured, 1004)]
    );
    let sent: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| seen.header("x-request-id").unwrap_or_default().to_owned())
        .collect();
    let expected: Vec<String> = (1000..1005)
        .map(|id| trace::request_id(INVOCATION, id))
        .collect();
    assert_eq!(sent, expected);
    assert_eq!(server.connections(), 2);
}
