//! The server over real sockets, asked by a client that knows no more of HTTP than it must.

use mock::{MockConfig, MockHandle, MockServer, Phase, StopSignal, TruthRecord, read_truth, spawn};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

struct Log(Sender<Vec<u8>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(config: MockConfig) -> (MockHandle, Receiver<Vec<u8>>) {
    let (sender, log) = channel();
    let addr = "127.0.0.1:0".parse().unwrap();
    (
        spawn(addr, config, Some(Box::new(Log(sender)))).unwrap(),
        log,
    )
}

fn truth(log: Receiver<Vec<u8>>) -> Vec<TruthRecord> {
    read_truth(&log.into_iter().collect::<Vec<_>>().concat()[..]).unwrap()
}

fn request(id: &str, stream: bool, max_tokens: u32) -> Vec<u8> {
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"a b c"}}],"stream":{stream},"max_tokens":{max_tokens}}}"#
    );
    post("/v1/chat/completions", id, "none", &body)
}

fn post(path: &str, id: &str, key: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: mock\r\nx-request-id: {id}\r\n\
         authorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn connect(mock: &MockHandle) -> TcpStream {
    let socket = TcpStream::connect(mock.addr()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
}

/// Reads one response: its head and its body, chunks joined.
fn response(socket: &mut TcpStream) -> (String, String) {
    let head = read_until(socket, "\r\n\r\n");
    let mut body = String::new();
    if head.contains("transfer-encoding: chunked") {
        loop {
            let size = usize::from_str_radix(read_until(socket, "\r\n").trim(), 16).unwrap();
            let chunk = read_exactly(socket, size + 2);
            if size == 0 {
                break;
            }
            body.push_str(chunk.strip_suffix("\r\n").unwrap());
        }
    } else {
        let (_, length) = head.split_once("content-length: ").unwrap();
        body = read_exactly(
            socket,
            length.split_once("\r\n").unwrap().0.parse().unwrap(),
        );
    }
    (head, body)
}

fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push_str(&read_exactly(socket, 1));
    }
    text
}

fn read_exactly(socket: &mut TcpStream, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    socket.read_exact(&mut buffer).unwrap();
    String::from_utf8(buffer).unwrap()
}

fn paced() -> MockConfig {
    let (ttft, itl) = (
        Duration::from_millis(4).into(),
        Duration::from_millis(1).into(),
    );
    MockConfig {
        ttft,
        itl,
        ..MockConfig::default()
    }
}

#[test]
fn two_requests_on_one_connection_are_answered_in_turn() {
    let (mock, log) = start(MockConfig::default());
    let mut socket = connect(&mock);
    for id in ["a", "b"] {
        socket.write_all(&request(id, false, 3)).unwrap();
        let (head, body) = response(&mut socket);
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n")
                && head.contains(&format!("x-request-id: {id}\r\n"))
        );
        assert!(
            body.contains(" the the the\"") && body.contains(r#""prompt_tokens":3"#),
            "{body}"
        );
    }
    let stats = mock.stop().unwrap();
    assert_eq!(
        (stats.requests, stats.streams, stats.lateness),
        (2, 0, None)
    );
    let truth = truth(log);
    assert_eq!(
        truth
            .iter()
            .map(|record| &record.request_id[..])
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(
        truth
            .iter()
            .all(|record| record.writes.is_empty() && !record.stream)
    );
}

#[test]
fn requests_sent_ahead_are_all_answered_in_order() {
    let (mock, _log) = start(MockConfig {
        max_concurrent: Some(1),
        ..MockConfig::default()
    });
    let mut sockets = [connect(&mock), connect(&mock)];
    let ids: Vec<_> = (0..200).map(|id| id.to_string()).collect();
    for socket in &mut sockets {
        let ahead: Vec<u8> = ids
            .iter()
            .flat_map(|id| request(id, id.ends_with('7'), 2))
            .collect();
        socket.write_all(&ahead).unwrap();
    }
    for socket in &mut sockets {
        for id in &ids {
            assert!(
                response(socket)
                    .0
                    .contains(&format!("x-request-id: {id}\r\n"))
            );
        }
    }
    assert_eq!(mock.stop().unwrap().requests, 400);
}

#[test]
fn a_stream_arrives_whole_and_the_truth_log_says_when_it_left() {
    let (mock, log) = start(paced());
    let mut socket = connect(&mock);
    socket.write_all(&request("s", true, 12)).unwrap();
    let (head, body) = response(&mut socket);
    assert!(head.contains("content-type: text/event-stream; charset=utf-8\r\n"));
    assert_eq!(body.matches(r#""content":" the""#).count(), 12);
    assert!(body.ends_with("data: [DONE]\n\n"));
    let stats = mock.stop().unwrap();
    assert_eq!(
        (stats.events, stats.streams, stats.concurrent_streams_peak),
        (12, 1, 1)
    );
    assert!(stats.lateness.is_some());
    let [record] = &truth(log)[..] else {
        panic!("one request, one record")
    };
    assert_eq!(record.writes.len(), 12);
    assert_eq!(record.role_written, Some(record.writes[0]));
    for (index, &write) in (0..).zip(&record.writes) {
        assert!(
            write >= record.received + 4_000_000 + index * 1_000_000,
            "token {index} left too early"
        );
    }
    assert!(record.writes.is_sorted() && record.done >= record.writes[11]);
}

#[test]
fn the_kernel_says_when_a_request_arrived() {
    let (mock, log) = start(paced());
    let mut socket = connect(&mock);
    // The kernel begins to stamp a little after it was asked to, so that the first requests may
    // have none.
    for id in 0..30 {
        socket
            .write_all(&request(&id.to_string(), false, 1))
            .unwrap();
        response(&mut socket);
    }
    drop(mock);
    let last = truth(log).pop().unwrap();
    assert!(last.received < last.received_user, "{last:?}");
}

#[test]
fn a_slow_reader_gets_everything() {
    let (mock, log) = start(MockConfig {
        tokens: 200_000,
        ..MockConfig::default()
    });
    let mut slow = connect(&mock);
    slow.write_all(&request("slow", true, 200_000)).unwrap();
    // Served while the other's socket is full.
    let mut other = connect(&mock);
    other.write_all(&request("other", false, 1)).unwrap();
    assert!(response(&mut other).0.contains("x-request-id: other\r\n"));
    let mut body = Vec::new();
    let mut chunk = vec![0; 65_536];
    while !body.ends_with(b"0\r\n\r\n") {
        let bytes = slow.read(&mut chunk).unwrap();
        assert_ne!(bytes, 0, "closed before the end");
        body.extend_from_slice(&chunk[..bytes]);
    }
    assert_eq!(mock.stop().unwrap().events, 200_000);
    let stamps = truth(log).iter().map(|record| record.writes.len()).max();
    assert_eq!(
        stamps,
        Some(200_000),
        "a write that the socket did not take has no stamp"
    );
}

#[test]
fn fault_03_a_reset_is_a_reset_after_the_events_before_it() {
    let (mock, _log) = start(MockConfig {
        fault: Some("reset:2".parse().unwrap()),
        ..paced()
    });
    let mut socket = connect(&mock);
    socket.write_all(&request("r", true, 9)).unwrap();
    let mut body = Vec::new();
    let error = socket.read_to_end(&mut body).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(String::from_utf8(body).unwrap().matches(" the").count(), 2);
    assert_eq!(mock.stop().unwrap().events, 2);
}

#[test]
fn fault_04_26_a_closed_connection_ends_clean() {
    for (fault, requests) in [("fin:0", 1), ("stale", 2)] {
        let (mock, _log) = start(MockConfig {
            fault: Some(fault.parse().unwrap()),
            ..paced()
        });
        let mut socket = connect(&mock);
        if requests == 2 {
            socket.write_all(&request("first", true, 1)).unwrap();
            response(&mut socket);
        }
        socket.write_all(&request("last", true, 1)).unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.is_empty(), fault == "stale");
        assert_eq!(mock.stop().unwrap().requests, requests);
    }
}

#[test]
fn fault_32_only_so_many_are_served_at_once_and_all_in_the_end() {
    let (mock, log) = start(MockConfig {
        max_concurrent: Some(2),
        ..paced()
    });
    let mut sockets: Vec<_> = (0..6).map(|_| connect(&mock)).collect();
    for (id, socket) in sockets.iter_mut().enumerate() {
        socket
            .write_all(&request(&id.to_string(), true, 4))
            .unwrap();
    }
    // The third in the queue gives up; its place goes to the next.
    drop(sockets.remove(4));
    for socket in &mut sockets {
        assert_eq!(response(socket).1.matches(" the").count(), 4);
    }
    assert_eq!(mock.stop().unwrap().concurrent_streams_peak, 2);
    let complete = truth(log)
        .into_iter()
        .filter(|record| record.writes.len() == 4)
        .count();
    assert!(complete >= 5, "{complete} complete");
}

#[test]
fn stopping_ends_streams_that_have_no_end_and_keeps_their_truth() {
    let (mock, log) = start(MockConfig {
        fault: Some("endless_tokens".parse().unwrap()),
        ..paced()
    });
    let mut socket = connect(&mock);
    socket.write_all(&request("e", true, 1)).unwrap();
    let mut read = 0;
    while read < 20_000 {
        read += socket.read(&mut [0; 4_096]).unwrap();
    }
    let stats = mock.stop().unwrap();
    let [record] = &truth(log)[..] else {
        panic!("one request, one record")
    };
    assert_eq!(record.writes.len() as u64, stats.events);
    assert!(stats.events > 50);
}

#[test]
fn embeddings_keep_their_time_and_are_in_the_truth_log() {
    let (mock, log) = start(paced());
    let mut socket = connect(&mock);
    let body = r#"{"input":["a b","c"],"encoding_format":"base64"}"#;
    let mut bodies = Vec::new();
    for id in ["a", "b"] {
        socket
            .write_all(&post("/v1/embeddings", id, "none", body))
            .unwrap();
        let (head, body) = response(&mut socket);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(bodies[0].contains(r#""prompt_tokens":3"#));
    let stats = mock.stop().unwrap();
    assert_eq!((stats.requests, stats.complete, stats.tokens), (2, 2, 0));
    for record in truth(log) {
        assert!(record.done >= record.received + 4_000_000, "{record:?}");
    }
}

#[test]
fn a_key_has_its_fault_and_the_others_have_none() {
    let (mock, _log) = start(MockConfig {
        fault_keys: [("stuck".to_owned(), "stall:2".parse().unwrap())].into(),
        ..paced()
    });
    let body = r#"{"messages":[],"stream":true,"max_tokens":5}"#;
    let path = "/v1/chat/completions";
    let mut stuck = connect(&mock);
    stuck.write_all(&post(path, "s", "stuck", body)).unwrap();
    let mut well = connect(&mock);
    well.write_all(&post(path, "w", "other", body)).unwrap();
    assert!(response(&mut well).1.ends_with("data: [DONE]\n\n"));
    stuck
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut bytes = Vec::new();
    assert!(stuck.read_to_end(&mut bytes).is_err(), "it is kept open");
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches(" the").count(), 2);
    drop(stuck);
    let mut last = connect(&mock);
    last.write_all(&post(path, "l", "other", body)).unwrap();
    response(&mut last);
    let stats = mock.stop().unwrap();
    assert_eq!((stats.complete, stats.faults), (2, 1));
}

#[test]
fn metrics_say_what_was_done_and_what_goes_on() {
    let (mock, _log) = start(MockConfig {
        max_concurrent: Some(1),
        fault_keys: [("stuck".to_owned(), "never".parse().unwrap())].into(),
        ..paced()
    });
    let mut socket = connect(&mock);
    socket.write_all(&request("a", true, 3)).unwrap();
    response(&mut socket);
    let (mut stuck, mut waiting) = (connect(&mock), connect(&mock));
    let path = "/v1/completions";
    stuck
        .write_all(&post(path, "b", "stuck", r#"{"prompt":"a b"}"#))
        .unwrap();
    let get = b"GET /metrics HTTP/1.1\r\nhost: mock\r\n\r\n";
    let mut metrics = |wanted: &str| {
        let mut text = String::new();
        for _ in 0..200 {
            socket.write_all(get).unwrap();
            text = response(&mut socket).1;
            if text.lines().any(|line| line == wanted) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no line {wanted}: {text}");
    };
    metrics(r#"vllm:num_requests_running{model_name="mock"} 1"#);
    waiting
        .write_all(&post(path, "c", "none", r#"{"prompt":"a"}"#))
        .unwrap();
    let text = metrics(r#"vllm:num_requests_waiting{model_name="mock"} 1"#);
    for line in [
        r#"vllm:prompt_tokens_total{model_name="mock"} 5"#,
        r#"vllm:generation_tokens_total{model_name="mock"} 3"#,
        r#"vllm:request_success_total{finished_reason="length",model_name="mock"} 1"#,
        r#"tokenomics:mock_requests_total{outcome="complete",model_name="mock"} 1"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    drop(waiting);
    let text = metrics(r#"vllm:num_requests_waiting{model_name="mock"} 0"#);
    let aborted = r#"tokenomics:mock_requests_total{outcome="aborted",model_name="mock"} 1"#;
    assert!(text.contains(aborted), "{text}");
}

#[test]
fn a_phase_holds_from_its_time_on() {
    let addr = "127.0.0.1:0".parse().unwrap();
    let phase = |milliseconds, tokens| Phase {
        from: Duration::from_millis(milliseconds),
        config: MockConfig {
            tokens,
            ..MockConfig::default()
        },
    };
    // Out of order, and one that does not come.
    let server = MockServer::bind(addr, MockConfig::default(), None)
        .unwrap()
        .with_phases(vec![phase(3_600_000, 9), phase(1_000, 2)])
        .unwrap();
    let (addr, stop) = (server.local_addr(), StopSignal::new().unwrap());
    let signal = stop.clone();
    let thread = std::thread::spawn(move || server.serve(&signal));
    let mut socket = TcpStream::connect(addr).unwrap();
    let mut tokens = || {
        socket.write_all(&request("a", false, 99)).unwrap();
        response(&mut socket).1.matches(" the").count()
    };
    assert_eq!(tokens(), 64);
    let begun = std::time::Instant::now();
    while tokens() != 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never began");
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_client_that_waits_for_a_word_before_its_body_gets_it() {
    let server = MockServer::bind("127.0.0.1:0".parse().unwrap(), MockConfig::default(), None);
    let server = server.unwrap();
    let (addr, stop) = (server.local_addr(), StopSignal::new().unwrap());
    let signal = stop.clone();
    let thread = std::thread::spawn(move || server.serve(&signal));
    let mut socket = TcpStream::connect(addr).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let whole = String::from_utf8(request("a", false, 3)).unwrap();
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    // Twice on one connection: each request is told once.
    for _ in 0..2 {
        write!(socket, "{head}\r\nexpect: 100-continue\r\n\r\n").unwrap();
        assert_eq!(
            read_until(&mut socket, "\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n"
        );
        socket.write_all(body.as_bytes()).unwrap();
        assert!(response(&mut socket).0.starts_with("HTTP/1.1 200"));
    }
    stop.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_phase_is_checked_before_it_begins() {
    let addr = "127.0.0.1:0".parse().unwrap();
    let phase = Phase {
        from: Duration::ZERO,
        config: MockConfig {
            embedding_dimensions: 0,
            ..MockConfig::default()
        },
    };
    let server = MockServer::bind(addr, MockConfig::default(), None).unwrap();
    let error = server.with_phases(vec![phase]).err().unwrap().to_string();
    assert!(error.contains("0 dimensions; 1 to 16384"), "{error}");
}

#[test]
fn fault_28_a_freeze_by_header_comes_once() {
    let (mock, _log) = start(MockConfig::default());
    let mut socket = connect(&mock);
    let frozen = request("f", false, 1);
    let frozen = String::from_utf8(frozen)
        .unwrap()
        .replace("host: mock", "x-mock-fault: freeze:700ms:1us");
    socket.write_all(frozen.as_bytes()).unwrap();
    response(&mut socket);
    let begun = std::time::Instant::now();
    socket.write_all(&request("g", false, 1)).unwrap();
    response(&mut socket);
    socket.write_all(frozen.as_bytes()).unwrap();
    response(&mut socket);
    socket.write_all(&request("h", false, 1)).unwrap();
    response(&mut socket);
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1_350), "{took:?}");
}

/// Paced, so that whoever half-closes waits for something.
fn host(addr: std::net::SocketAddr) -> testkit::manners::Host<'static> {
    testkit::manners::Host {
        addr,
        path: "/v1/completions",
        fields: r#""prompt":"a b","max_tokens":4"#,
        long: (
            "/v1/embeddings",
            r#"{"dimensions":8192,"input":["a","b","c","d"]}"#,
        ),
    }
}

#[test]
fn every_client_is_answered_as_http_has_it() {
    let ms = Duration::from_millis(5);
    let config = MockConfig {
        ttft: ms.into(),
        itl: ms.into(),
        ..MockConfig::default()
    };
    let (mock, _log) = start(config);
    testkit::manners::every_client_is_answered(&host(mock.addr()));
    testkit::manners::what_is_ambiguous_is_refused(&host(mock.addr()));
}

/// Serves with `limits` while `ask` asks.
fn with_limits(limits: mock::HttpLimits, ask: impl FnOnce(&testkit::manners::Host<'_>)) {
    let addr = "127.0.0.1:0".parse().unwrap();
    let server = MockServer::bind(addr, MockConfig::default(), None).unwrap();
    let server = server.with_limits(limits);
    let (addr, stop) = (server.local_addr(), StopSignal::new().unwrap());
    let signal = stop.clone();
    let thread = std::thread::spawn(move || server.serve(&signal));
    ask(&host(addr));
    stop.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn fault_64_a_flood_leaves_room_for_small_requests() {
    let limits = mock::HttpLimits {
        connections_max: 8,
        guest_head: Duration::from_mins(1),
        held_bytes_max: 1 << 20,
        ..MockServer::limits()
    };
    with_limits(
        limits,
        testkit::manners::floods_leave_room_for_small_requests,
    );
    let limits = mock::HttpLimits {
        connections_max: 100,
        send_buffer_bytes: Some(4096),
        ..limits
    };
    with_limits(
        limits,
        testkit::manners::answers_that_nobody_reads_share_what_there_is,
    );
}

#[test]
fn fault_66_the_slow_and_the_silent_are_given_up() {
    let limits = mock::HttpLimits {
        head: Duration::from_millis(100),
        body: Duration::from_millis(100),
        write_stall: Duration::from_millis(100),
        idle: Duration::from_secs(20),
        send_buffer_bytes: Some(4096),
        ..MockServer::limits()
    };
    with_limits(limits, testkit::manners::the_slow_are_given_up);
}

#[test]
fn a_connection_that_is_kept_for_nothing_is_closed() {
    let limits = mock::HttpLimits {
        idle: Duration::from_millis(100),
        ..MockServer::limits()
    };
    with_limits(limits, |host| {
        let mut client = host.connect();
        client.write_all(b"HEAD /health HTTP/1.1\r\n\r\n").unwrap();
        let mut all = String::new();
        client.read_to_string(&mut all).unwrap();
        assert!(all.starts_with("HTTP/1.1 200 OK"), "{all}");
    });
}
