//! What only real sockets do: resets, Nagle's algorithm, other addresses, a frozen process.

use crate::{detail, ms, outcomes};
use load::{Client, Clock, Connector, Stamps, Target, TcpConnector, TlsOptions, request_headers};
use mock::{Fault, MockConfig, MockHandle, spawn};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use testkit::{Run, Setup, burst, client_options, closed, open, run_plan, slow_tests};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::LocalSet;
use trace::{Arrival, Outcome, Plan, Record, RunId};

fn start(fault: Option<Fault>) -> MockHandle {
    let config = MockConfig {
        ttft: Duration::from_millis(5).into(),
        itl: Duration::from_millis(1).into(),
        tokens: 8,
        fault,
        ..MockConfig::default()
    };
    spawn("127.0.0.1:0".parse().unwrap(), config, None).unwrap()
}

fn connect_to(addr: SocketAddr) -> (Target, TcpConnector) {
    let target = Target::parse(&format!("http://{addr}/v1")).unwrap();
    let connector =
        TcpConnector::probe(&target, &TlsOptions::default(), Duration::from_secs(5)).unwrap();
    (target, connector)
}

fn setup(target: &Target) -> Setup {
    Setup {
        headers: request_headers(target, true, Some("sk-at-home"), &[]).unwrap(),
        ..Setup::on(Clock::Monotonic)
    }
}

async fn run(mock: &MockHandle, plan: &Plan) -> Run {
    let (target, connector) = connect_to(mock.addr());
    run_plan(connector, plan, &setup(&target)).await
}

fn token_events(record: &Record) -> usize {
    record
        .events
        .iter()
        .filter(|event| event.kind.is_token())
        .count()
}

#[tokio::test]
async fn fault_03_a_reset_mid_stream_is_truncated_and_in_no_throughput() {
    let mock = start(Some(Fault::Reset(3)));
    let plan = closed(2, 6);
    let run = run(&mock, &plan).await;
    assert_eq!(outcomes(&run.records), [Outcome::Truncated; 6]);
    // A reset may discard what was received and not yet read, so that 3 is the most there is.
    assert!(run.records.iter().all(|record| token_events(record) <= 3));
    assert!(run.records.iter().any(|record| token_events(record) > 0));
    assert!(
        detail(&run.records[0]).contains("reset"),
        "{}",
        detail(&run.records[0])
    );
    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!((point.reliability.issued, point.reliability.failed), (6, 6));
    assert!(point.throughput.output_tokens_per_second.is_none());
    assert!(point.tokens.output_total.is_none() && point.latency.ttft.is_none());
}

#[tokio::test]
async fn fault_06_a_frozen_server_shows_in_the_latencies_from_due() {
    if !slow_tests() {
        return;
    }
    let (rate, requests, begin, span, ttft) = (100.0, 400_u64, 1.0, 1.5, 0.005);
    let config = MockConfig {
        ttft: Duration::from_secs_f64(ttft).into(),
        tokens: 1,
        fault: Some(Fault::Freeze {
            span: Duration::from_secs_f64(span),
            after: Duration::from_secs_f64(begin),
        }),
        ..MockConfig::default()
    };
    let mock = spawn("127.0.0.1:0".parse().unwrap(), config, None).unwrap();
    let due = (0..requests).map(|n| ms(n * 10)).collect();
    let plan = open(Arrival::Constant { rate }, due);
    let run = run(&mock, &plan).await;

    // What would be answered while nothing is, is answered when the freeze ends.
    let mut expected: Vec<f64> = (0..requests)
        .map(|n| n as f64 / rate)
        .map(|due| match due + ttft {
            answer if (begin..begin + span).contains(&answer) => begin + span - due,
            _ => ttft,
        })
        .map(|seconds| seconds * 1e3)
        .collect();
    stats::sort(&mut expected);
    let expected = stats::quantile(&expected, 0.99).unwrap();
    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!(point.reliability.complete, requests);
    for latency in [&point.latency.ttft_from_due, &point.latency.e2e_from_due] {
        let p99 = latency.as_ref().unwrap().p99.value;
        assert!(
            (p99 / expected - 1.0).abs() < 0.02,
            "{p99} ms, expected {expected} ms"
        );
    }
}

#[tokio::test]
async fn fault_24_a_redirect_elsewhere_is_not_followed_and_the_key_stays_home() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!(
        "http://{}/v1/chat/completions",
        elsewhere.local_addr().unwrap()
    );
    let mock = start(Some(Fault::Redirect(url.clone())));
    let run = run(&mock, &burst(4, 4)).await;
    assert_eq!(outcomes(&run.records), [Outcome::Http; 4]);
    assert!(run.records.iter().all(|record| record.status == Some(302)));
    assert!(
        detail(&run.records[0]).contains(&url),
        "{}",
        detail(&run.records[0])
    );
    let nobody = elsewhere.accept().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
}

/// Whether two small writes both arrive though the peer acknowledges neither: the second one
/// waits for that where Nagle's algorithm is on.
fn both_arrive(mut peer: TcpStream) -> bool {
    peer.set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut received = 0;
    while received < 2 {
        match peer.read(&mut [0; 8]) {
            Ok(bytes) => received += bytes,
            Err(_) => return false,
        }
    }
    true
}

/// The next connection, which delays its acknowledgements.
fn accept(listener: &TcpListener) -> TcpStream {
    let (peer, _) = listener.accept().unwrap();
    socket2::SockRef::from(&peer)
        .set_tcp_quickack(false)
        .unwrap();
    peer
}

#[tokio::test]
async fn fault_31_our_sockets_wait_for_no_acknowledgement() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (_, connector) = connect_to(addr);
    drop(listener.accept().unwrap());
    let (mut ours, mut naive) = (0, 0);
    for _ in 0..5 {
        let mut stream = connector.connect(Rc::new(Stamps::default())).await.unwrap();
        let peer = accept(&listener);
        for byte in [b"a", b"b"] {
            stream.write_all(byte).await.unwrap();
        }
        ours += u32::from(both_arrive(peer));

        let mut stream = TcpStream::connect(addr).unwrap();
        let peer = accept(&listener);
        for byte in [b"a", b"b"] {
            stream.write_all(byte).unwrap();
        }
        naive += u32::from(both_arrive(peer));
    }
    // A busy machine may hold back some of ours; a delayed acknowledgement holds back each of
    // the others, so that this test can see what it looks for.
    assert_eq!(naive, 0, "of five connections without TCP_NODELAY");
    assert!(
        ours > 0,
        "of five connections of ours none sent two small writes at once"
    );
}

#[tokio::test]
async fn fault_31_a_comb_of_delayed_acknowledgements_is_warned_of() {
    let config = MockConfig {
        ttft: Duration::from_millis(5).into(),
        itl: Duration::from_millis(8).into(),
        tokens: 60,
        fault: Some(Fault::AckComb(Duration::from_millis(40))),
        ..MockConfig::default()
    };
    let mock = spawn("127.0.0.1:0".parse().unwrap(), config, None).unwrap();
    let mut plan = burst(8, 8);
    for planned in &mut plan.requests {
        planned.max_tokens = Some(60);
    }
    let mut seen = Vec::new();
    // A busy machine holds events back by itself, and hides the comb's teeth.
    for _ in 0..5 {
        let run = run(&mock, &plan).await;
        let verdict = &stats::summarize_saved(&run.saved(plan.pacing)).points[0].verdict;
        assert_ne!(verdict.grade, stats::Grade::Valid);
        seen.extend(verdict.reasons.iter().map(|reason| reason.code.clone()));
        if seen.iter().any(|code| code == "delayed_ack_comb") {
            return;
        }
    }
    panic!("in five runs there was only {seen:?}");
}

#[test]
#[should_panic(expected = "a bug in what takes the records")]
fn fault_35_a_panic_while_decoding_goes_up_to_who_holds_the_client() {
    let mock = start(None);
    let (target, connector) = connect_to(mock.addr());
    let on_record = Box::new(|_| panic!("a bug in what takes the records"));
    let client = Client::new(connector, client_options(&setup(&target)), on_record).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_stopping, stop) = watch::channel(false);
    let tasks = LocalSet::new();
    let plan = burst(2, 2);
    let run = client.run(&plan, RunId::default(), 0, stop);
    let _ = runtime.block_on(tasks.run_until(run));
    drop(client);
}

/// Answers with a stream of `bytes`, again and again without a pause.
fn flood(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            // Until the request, or the end of a connection that only probes.
            if socket.read(&mut [0; 4096]).unwrap_or(0) == 0 {
                continue;
            }
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let mut sent = socket.write_all(head);
            while sent.is_ok() {
                sent = socket.write_all(bytes);
            }
        }
    });
    addr
}

#[tokio::test]
async fn fault_21_a_flood_of_pings_does_not_outrun_the_deadline() {
    let (target, connector) = connect_to(flood(b": ping\n\n"));
    let mut setup = setup(&target);
    setup.deadlines.first_token = Duration::from_millis(50);
    setup.deadlines.stall = Duration::from_millis(20);
    let run = run_plan(connector, &closed(1, 1), &setup).await;
    let timeout = Outcome::Timeout(trace::TimeoutKind::FirstToken);
    assert_eq!(outcomes(&run.records), [timeout]);
}

/// Answers each request with a stream that is over, and leaves its body open.
fn leave_bodies_open() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            if socket.read(&mut [0; 4096]).unwrap_or(0) > 0 {
                let stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                    data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n\
                    data: [DONE]\n\n";
                socket.write_all(stream).unwrap();
                held.push(socket);
            }
        }
    });
    addr
}

#[tokio::test]
async fn a_body_that_stays_open_after_done_holds_no_slot() {
    let (target, connector) = connect_to(leave_bodies_open());
    let run = run_plan(connector, &closed(1, 1), &setup(&target)).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete]);
    let held = run.span.end - run.span.start;
    // Far from the deadlines, which are a minute each.
    assert!(held < ms(20_000), "{held:?}");
}

/// Nobody hands over what waits for the decoding while one request is asked for alone.
#[tokio::test]
async fn a_body_that_stays_open_after_done_does_not_hold_up_who_asks_alone() {
    let (target, connector) = connect_to(leave_bodies_open());
    let (sender, kept) = std::sync::mpsc::channel();
    let on_record = Box::new(move |record: Record| sender.send(record).unwrap());
    let client = Client::new(connector, client_options(&setup(&target)), on_record).unwrap();
    let plan = closed(1, 1);
    let asking = async {
        let planned = &plan.requests[0];
        client.ask(planned, RunId::default(), 0).await.unwrap();
    };
    LocalSet::new().run_until(asking).await;
    client.settle();
    let record = kept.recv().unwrap();
    assert_eq!(record.outcome, Outcome::Complete);
    let held = record.released.expect("it was held") - record.issued;
    assert!(held < ms(20_000), "{held:?}");
}

/// A thread that decodes between two requests keeps a processor awake, and the second request finds another machine than
/// the first.
#[tokio::test]
async fn who_asks_one_at_a_time_does_not_wait_for_the_decoding() {
    let mock = start(None);
    let (target, connector) = connect_to(mock.addr());
    let (sender, kept) = std::sync::mpsc::channel();
    let (decode, may_decode) = std::sync::mpsc::channel::<()>();
    let on_record = Box::new(move |record: Record| {
        // Nothing is recorded before the test says so; who waits for that waits long, and finds it recorded.
        let _said = may_decode.recv_timeout(Duration::from_secs(3));
        sender.send(record).unwrap();
    });
    let client = Client::new(connector, client_options(&setup(&target)), on_record).unwrap();
    let plan = closed(1, 3);
    let asking = async {
        for (id, planned) in (7_u64..).zip(&plan.requests) {
            client.ask(planned, RunId::default(), id).await.unwrap();
        }
    };
    LocalSet::new().run_until(asking).await;
    assert!(kept.try_recv().is_err());
    for _ in 0..3 {
        decode.send(()).unwrap();
    }
    client.settle();
    let records: Vec<Record> = kept.try_iter().collect();
    assert_eq!(
        records.iter().map(|record| record.id).collect::<Vec<_>>(),
        [7, 8, 9]
    );
    assert_eq!(outcomes(&records), [Outcome::Complete; 3]);
    // The connection of the first serves all.
    assert!(records[0].connected > Some(records[0].issued));
    assert!(
        records[1..]
            .iter()
            .all(|record| record.connected == Some(record.issued))
    );
    assert!(
        records
            .iter()
            .all(|record| record.due == record.issued && token_events(record) == 8)
    );
}
