//! Connections that the server closes while nobody asks anything on them, and when they are used again.

use crate::{detail, ms, outcomes};
use load::{ClockStamped, Connector, Stamps};
use stats::RequestMetrics;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use testkit::{
    Connecting, End, Pipes, Reply, ScriptedServer, Seen, Setup, burst, closed, open, response,
    run_plan,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use trace::{Arrival, Nanos, Outcome, StampSource};

/// Nothing, and so many milliseconds after the request the end of the connection.
fn end_after(after: u64) -> Reply {
    Reply::new([(after, Vec::new())]).then(End::Close)
}

/// A server 9 ms away whose connections answer `answers` times and then do what `next` says.
fn answers_then(answers: u32, next: impl Fn() -> Reply + 'static) -> Rc<ScriptedServer> {
    let served = RefCell::new(HashMap::new());
    let script = move |seen: &Seen| {
        let mut served = served.borrow_mut();
        let count = served.entry(seen.connection).or_insert(0_u32);
        *count += 1;
        if *count <= answers {
            Reply::tokens(&[10, 20])
        } else {
            next()
        }
    };
    ScriptedServer::reached(Connecting::Takes(9), script)
}

#[tokio::test(start_paused = true)]
async fn fault_26_a_request_on_a_connection_closed_while_idle_is_sent_once_more() {
    let server = answers_then(1, || end_after(5));
    let plan = closed(1, 4);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 4]);
    // The second one is sent twice, and from then on each has a connection of its own.
    assert_eq!((server.seen().len(), server.connections()), (5, 4));
    let record = &run.records[1];
    assert_eq!((record.due, record.issued), (ms(29), ms(29)));
    assert_eq!(record.reissued, Some(ms(34)));
    assert_eq!(
        (record.connected, record.sent),
        (Some(ms(43)), Some(ms(43)))
    );
    assert_eq!((record.first_byte, record.done), (Some(ms(53)), ms(63)));
    let ids = server.seen().into_iter();
    let ids: Vec<_> = ids
        .map(|seen| seen.header("x-request-id").map(str::to_owned))
        .collect();
    assert_eq!(ids[1], ids[2]);

    // No latency tells of it.
    for record in &run.records {
        let metrics = RequestMetrics::from_record(record).unwrap();
        assert_eq!((metrics.ttft, metrics.e2e), (Some(ms(19)), Some(ms(29))));
        assert_eq!(metrics.connect, Some(ms(9)));
        assert_eq!(metrics.stream_end, Some(ms(29)));
        assert_eq!(metrics.issue_lag, Nanos::ZERO);
    }
    assert!(run.span.reuse_ended);
    let reliability = &stats::summarize_saved(&run.saved(plan.pacing)).points[0].reliability;
    assert_eq!((reliability.complete, reliability.failed), (4, 0));
    assert_eq!(reliability.reissued, 1);
}

#[tokio::test(start_paused = true)]
async fn fault_26_who_came_on_schedule_waited_for_both_sendings() {
    let server = answers_then(1, || end_after(5));
    let plan = open(Arrival::Constant { rate: 1.0 }, vec![ms(0), ms(100)]);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    let metrics = RequestMetrics::from_record(&run.records[1]).unwrap();
    assert_eq!(
        (metrics.ttft, metrics.ttft_from_due),
        (Some(ms(19)), Some(ms(24)))
    );
    assert_eq!(
        (metrics.e2e, metrics.e2e_from_due),
        (Some(ms(29)), Some(ms(34)))
    );
    assert_eq!(metrics.issue_lag, Nanos::ZERO);
}

#[tokio::test(start_paused = true)]
async fn fault_26_what_ends_later_than_a_way_there_and_back_is_never_sent_again() {
    // Its connection took 9 ms to be opened, and 10 more are allowed.
    for (after, again) in [(19, true), (20, false)] {
        let server = answers_then(1, move || end_after(after));
        let run = run_plan(server.pipes(), &closed(1, 3), &Setup::on(server.clock())).await;
        let record = &run.records[1];
        if again {
            assert_eq!(record.reissued, Some(ms(29 + 19)));
            assert_eq!(
                (record.outcome, server.seen().len()),
                (Outcome::Complete, 4)
            );
        } else {
            assert_eq!(record.outcome, Outcome::ClosedBeforeAnswer);
            assert_eq!((record.reissued, record.done), (None, ms(29 + 20)));
            assert_eq!((record.sent, record.first_byte), (Some(ms(29)), None));
            assert!(
                detail(record).contains("before a byte"),
                "{}",
                detail(record)
            );
            assert_eq!(server.seen().len(), 3);
            // The server had the request: that is no connection closed while it was idle.
            assert!(!run.span.reuse_ended);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fault_04_a_new_connection_closed_before_any_answer_is_a_class_of_its_own() {
    let server = ScriptedServer::new(|_| end_after(0));
    let plan = closed(1, 3);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(outcomes(&run.records), [Outcome::ClosedBeforeAnswer; 3]);
    assert_eq!((server.connections(), server.seen().len()), (3, 3));
    let point = &stats::summarize_saved(&run.saved(plan.pacing)).points[0];
    assert_eq!(point.reliability.failures[0].kind, "closed_before_answer");
    assert_eq!(point.reliability.reissued, 0);
}

#[tokio::test(start_paused = true)]
async fn fault_26_a_connection_that_never_served_was_not_closed_for_having_idled() {
    let server = answers_then(0, || end_after(0));
    let setup = Setup {
        prepared: 1,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    assert_eq!(outcomes(&run.records), [Outcome::ClosedBeforeAnswer]);
    assert_eq!((server.connections(), server.seen().len()), (1, 1));
    assert!(!run.span.reuse_ended);
}

#[tokio::test(start_paused = true)]
async fn fault_16_of_what_a_reused_connection_answered_nothing_is_sent_again() {
    let unavailable = || response("503 Service Unavailable", &[], b"");
    let begun: [(Vec<u8>, Outcome); 3] = [
        (unavailable(), Outcome::Http),
        (b"HTTP/1.1 2".to_vec(), Outcome::Truncated),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            Outcome::Truncated,
        ),
    ];
    for (bytes, outcome) in begun {
        let server = answers_then(1, move || Reply::new([(0, bytes.clone())]).then(End::Close));
        let run = run_plan(server.pipes(), &closed(1, 2), &Setup::on(server.clock())).await;
        assert_eq!(outcomes(&run.records), [Outcome::Complete, outcome]);
        assert_eq!((run.records[1].reissued, server.seen().len()), (None, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_replaces_its_processes_keeps_its_connections() {
    // One of 200 is closed: that is seldom enough to go on.
    let server = answers_then(200, || end_after(0));
    let run = run_plan(server.pipes(), &closed(1, 601), &Setup::on(server.clock())).await;
    assert!(
        run.records
            .iter()
            .all(|record| record.outcome.is_complete())
    );
    assert_eq!((server.connections(), server.seen().len()), (4, 604));
    assert!(!run.span.reuse_ended);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_idled_for_long_may_be_closed() {
    // Servers do that after their keep-alive timeout; the others are used again all the same.
    let server = answers_then(3, || end_after(0));
    let due = [0, 100, 200, 5200, 5300].map(ms).to_vec();
    let plan = open(Arrival::Constant { rate: 1.0 }, due);
    let run = run_plan(server.pipes(), &plan, &Setup::on(server.clock())).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 5]);
    assert_eq!((server.connections(), server.seen().len()), (2, 6));
    assert!(!run.span.reuse_ended);
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_each_request_opens_a_connection_and_says_so() {
    let server = answers_then(9, || end_after(0));
    let setup = Setup {
        keep_alive: false,
        prepared: 4,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &closed(2, 6), &setup).await;
    // One more was opened before the run, to see that there is a server.
    assert_eq!((server.connections(), server.seen().len()), (7, 6));
    for (record, seen) in run.records.iter().zip(server.seen()) {
        let metrics = RequestMetrics::from_record(record).unwrap();
        assert_eq!((metrics.connect, metrics.ttft), (Some(ms(9)), Some(ms(19))));
        assert_eq!(seen.header("connection"), Some("close"));
    }
    assert!(!run.span.reuse_ended);
}

#[tokio::test(start_paused = true)]
async fn an_interim_response_is_not_the_answer() {
    let whole = || {
        let json = ("content-type", "application/json");
        let body = br#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#;
        response("200 OK", &[json], body)
    };
    let server = ScriptedServer::new(move |_| {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        let early = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n".to_vec();
        Reply::new([(0, interim), (10, early), (20, whole())])
    });
    let setup = Setup {
        stream: false,
        ..Setup::on(server.clock())
    };
    let run = run_plan(server.pipes(), &burst(1, 1), &setup).await;
    let record = &run.records[0];
    assert_eq!((record.outcome, record.done), (Outcome::Complete, ms(20)));
}

/// A way to a server on which the second request of each connection cannot be written.
struct Unwritable(Pipes);

/// The bytes of one of its connections.
struct SecondFails {
    pipe: ClockStamped<DuplexStream>,
    requests: Cell<u32>,
}

impl Connector for Unwritable {
    type Io = SecondFails;

    async fn connect(&self, stamps: Rc<Stamps>) -> Result<SecondFails, String> {
        Ok(SecondFails {
            pipe: self.0.connect(stamps).await?,
            requests: Cell::new(0),
        })
    }

    fn stamp_source(&self) -> StampSource {
        StampSource::Virtual
    }
}

impl AsyncRead for SecondFails {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.requests.get() > 1 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut me.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SecondFails {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        // Each request is one write: the pipe holds more than that.
        me.requests.set(me.requests.get() + 1);
        if me.requests.get() > 1 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut me.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn fault_26_a_request_that_cannot_be_written_any_more_is_sent_on_a_new_connection() {
    let server = ScriptedServer::reached(Connecting::Takes(9), |_| Reply::tokens(&[10, 20]));
    let setup = Setup::on(server.clock());
    let run = run_plan(Unwritable(server.pipes()), &closed(1, 3), &setup).await;
    assert_eq!(outcomes(&run.records), [Outcome::Complete; 3]);
    let reissued: Vec<_> = run.records.iter().map(|record| record.reissued).collect();
    assert_eq!(reissued, [None, Some(ms(29)), None]);
    assert_eq!((server.seen().len(), server.connections()), (3, 3));
}
