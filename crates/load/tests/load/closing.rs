//! Servers that close each connection right after their answer, though they announce that they keep it.

use crate::ms;
use load::{Clock, Deadlines, Target, TcpConnector, TlsOptions, request_headers};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use testkit::{LAST_CHUNK, Run, Setup, chunk, closed, content, finish, run_plan, stream_head};
use trace::{Outcome, TimeoutKind};

/// A server on a thread of its own for each connection.
fn listen(serve: impl Fn(TcpStream) -> Option<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(socket));
        }
    });
    addr
}

/// One request; `None` where the client only looked whether somebody listens.
fn read_request(socket: &mut impl Read) -> Option<()> {
    let mut request = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let read = socket.read(&mut bytes).ok().filter(|&read| read > 0)?;
        request.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(());
        }
    }
}

/// A whole answer whose head promises to keep the connection; what closes it is the caller's.
fn answer(socket: &mut (impl Read + Write)) -> Option<()> {
    read_request(socket)?;
    let head = String::from_utf8(stream_head()).unwrap();
    let head = head.replacen("\r\n", "\r\nkeep-alive: timeout=5, max=100\r\n", 1);
    let end = [chunk(&finish(2)), LAST_CHUNK.to_vec()].concat();
    for bytes in [
        head.as_bytes(),
        &chunk(&content(" a")),
        &chunk(&content(" b")),
        &end,
    ] {
        socket.write_all(bytes).ok()?;
    }
    socket.flush().ok()
}

fn connect_to(addr: SocketAddr, scheme: &str, tls: &TlsOptions) -> (TcpConnector, Setup) {
    let target = Target::parse(&format!("{scheme}://localhost:{}/v1", addr.port())).unwrap();
    let connector = TcpConnector::probe(&target, tls, Duration::from_secs(5)).unwrap();
    let setup = Setup {
        headers: request_headers(&target, true, None, &[]).unwrap(),
        ..Setup::on(Clock::Monotonic)
    };
    (connector, setup)
}

fn assert_all_came(run: &Run, concurrency: u64) {
    let complete = run
        .records
        .iter()
        .filter(|record| record.outcome.is_complete());
    assert_eq!(complete.count(), 64);
    // Once it is known, no connection is used again: only those in use at the time may meet it.
    let reissued = run
        .records
        .iter()
        .filter(|record| record.reissued.is_some());
    assert!(reissued.count() as u64 <= concurrency);
}

#[tokio::test]
async fn a_closed_loop_loses_nothing_where_the_server_closes_right_after_its_answer() {
    for delay in [0, 100, 300] {
        let addr = listen(move |mut socket| {
            socket.set_nodelay(true).unwrap();
            answer(&mut socket)?;
            if delay > 0 {
                std::thread::sleep(Duration::from_micros(delay));
            }
            Some(())
        });
        for concurrency in [1, 8] {
            let (connector, setup) = connect_to(addr, "http", &TlsOptions::default());
            let run = run_plan(connector, &closed(concurrency, 64), &setup).await;
            assert_all_came(&run, concurrency.into());
            assert!(run.span.reuse_ended);
        }
    }
}

#[tokio::test]
async fn a_closed_loop_loses_nothing_over_tls_either() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let addr = listen(move |socket| {
        socket.set_nodelay(true).unwrap();
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        answer(&mut stream)?;
        std::thread::sleep(Duration::from_micros(100));
        // A server that closes says so within TLS: bytes that are none of an answer.
        stream.conn.send_close_notify();
        stream.flush().ok()
    });
    let tls = TlsOptions {
        extra_roots_pem: Some(made.cert.pem().into_bytes()),
    };
    for concurrency in [1, 8] {
        let (connector, setup) = connect_to(addr, "https", &tls);
        let run = run_plan(connector, &closed(concurrency, 64), &setup).await;
        assert_all_came(&run, concurrency.into());
    }
}

#[tokio::test]
async fn a_stall_deadline_does_not_wait_for_the_decoding_where_everything_is_decoded() {
    let addr = listen(|mut socket| {
        read_request(&mut socket)?;
        let begin = [stream_head(), chunk(&content(" a"))].concat();
        socket.write_all(&begin).ok()?;
        // Until the client has had enough.
        socket.read(&mut [0; 64]).ok().map(|_| ())
    });
    let (connector, mut setup) = connect_to(addr, "http", &TlsOptions::default());
    setup.deadlines = Deadlines {
        stall: Duration::from_millis(40),
        ..setup.deadlines
    };
    let run = run_plan(connector, &closed(1, 16), &setup).await;
    let stalled = Outcome::Timeout(TimeoutKind::Stall);
    assert!(run.records.iter().all(|record| record.outcome == stalled));
    // Two seconds for each of them would be 32.
    let took = run.span.end - run.span.start;
    assert!(took < ms(16_000), "{took:?}");
}
