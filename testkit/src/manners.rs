//! What every server of ours owes to every client: the same questions over real sockets, whichever server it is.

#![allow(
    clippy::missing_panics_doc,
    reason = "these are tests, which panic where a server is found wanting"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Far beyond what any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and a request for text that it answers with 200.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The path of the request.
    pub path: &'a str,
    /// Its JSON but for `stream`, without the braces.
    pub fields: &'a str,
    /// The path and the body of a small request with an answer of a quarter of a megabyte or more.
    pub long: (&'a str, &'a str),
}

impl Host<'_> {
    fn body(&self, stream: bool) -> String {
        format!("{{{},\"stream\":{stream}}}", self.fields)
    }

    fn post(&self, version: &str, headers: &str, stream: bool) -> String {
        let (path, body) = (self.path, self.body(stream));
        let length = body.len();
        format!(
            "POST {path} HTTP/{version}\r\nHost: t\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
    }

    /// A new connection.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Everything that comes for `text`, until the server ends the connection.
    fn whole(&self, text: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).unwrap();
        rest(&mut stream)
    }

    /// The answer to whether it is well, on a connection of its own.
    pub fn health(&self) -> String {
        self.whole("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    }

    /// The answer to a small request, on a connection of its own.
    pub fn small(&self) -> String {
        self.whole(&self.post("1.1", "Connection: close\r\n", false))
    }
}

/// What comes until the connection ends, however it ends.
fn rest(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "nothing comes");
                break;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Bytes up to and including `end`.
fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Asks in every way that HTTP/1.1 has, and HTTP/1.0.
pub fn every_client_is_answered(host: &Host<'_>) {
    a_head_has_no_body(host);
    who_asks_first_is_told_to_go_on(host);
    an_old_client_gets_no_chunks(host);
    who_has_no_more_to_say_is_still_answered(host);
    ids_that_could_be_mistaken_are_not_echoed(host);
}

fn a_head_has_no_body(host: &Host<'_>) {
    let mut stream = host.connect();
    // Two on one connection: a body would be taken for the second answer.
    for path in ["/health", "/v1/models", "/nowhere", "http://t"] {
        write!(stream, "HEAD {path} HTTP/1.1\r\n\r\n").unwrap();
        let head = until(&mut stream, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 "), "{path}: {head}");
        assert!(head.contains("content-length: "), "{path}: {head}");
    }
}

fn who_asks_first_is_told_to_go_on(host: &Host<'_>) {
    let text = host.post(
        "1.1",
        "Expect: 100-continue\r\nConnection: close\r\n",
        false,
    );
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut stream = host.connect();
    write!(stream, "{head}\r\n\r\n").unwrap();
    assert_eq!(
        until(&mut stream, "\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    stream.write_all(body.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // HTTP/1.0 does not know the word.
    let old = text.replace("HTTP/1.1", "HTTP/1.0");
    let (head, body) = old.split_once("\r\n\r\n").unwrap();
    let mut stream = host.connect();
    write!(stream, "{head}\r\n\r\n").unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let other = host.post("1.1", "Expect: a miracle\r\n", false);
    let answer = host.whole(&other);
    assert!(answer.starts_with("HTTP/1.1 417 "), "{answer}");
}

fn an_old_client_gets_no_chunks(host: &Host<'_>) {
    for headers in ["", "Connection: keep-alive\r\n"] {
        let answer = host.whole(&host.post("1.0", headers, true));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert!(body.starts_with("data: {"), "{body}");
        assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    }
    // Where the length is told, its connection is kept if it asks, and it is told so.
    let mut stream = host.connect();
    for _ in 0..2 {
        let text = host.post("1.0", "Connection: keep-alive\r\n", false);
        stream.write_all(text.as_bytes()).unwrap();
        let head = until(&mut stream, "\r\n\r\n");
        assert!(head.contains("connection: keep-alive"), "{head}");
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.split_once('\r').unwrap().0.parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
    }
}

fn who_has_no_more_to_say_is_still_answered(host: &Host<'_>) {
    for (version, stream) in [("1.1", false), ("1.1", true), ("1.0", false), ("1.0", true)] {
        let mut client = host.connect();
        let text = host.post(version, "", stream);
        client.write_all(text.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let answer = rest(&mut client);
        // The word that shows whether it still reads is passed over by every client.
        let answer = answer.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{version}: {answer}");
        let ends = if stream { "[DONE]" } else { "}" };
        let wire = answer.trim_end_matches("\r\n0\r\n\r\n").trim_end();
        assert!(wire.ends_with(ends), "{version}: {answer}");
    }
}

fn ids_that_could_be_mistaken_are_not_echoed(host: &Host<'_>) {
    let ask = |id: &str| {
        host.whole(&format!(
            "GET /health HTTP/1.1\r\nConnection: close\r\nX-Request-Id: {id}\r\n\r\n"
        ))
    };
    assert!(ask("a-1").contains("x-request-id: a-1\r\n"));
    for id in ["<script>", "a b", "\u{202e}x"] {
        let answer = ask(id);
        assert!(!answer.contains(id), "{answer}");
    }
}

/// Sends what two readers could understand differently; the refusal is read whole though more was sent.
pub fn what_is_ambiguous_is_refused(host: &Host<'_>) {
    for headers in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: +1\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Content-Length: 1\r\nHost: a\r\nHost: b\r\n",
    ] {
        let mut stream = host.connect();
        write!(stream, "POST {} HTTP/1.1\r\n{headers}\r\n", host.path).unwrap();
        // Nobody reads that; a reset for it must not overtake the answer.
        let _ = stream.write_all(&vec![b'x'; 100_000]);
        let answer = rest(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
        assert!(
            answer.contains("connection: close\r\n"),
            "{headers}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 400 ").count(),
            1,
            "{headers}: {answer}"
        );
        // Nor must it for what is still under way when the answer was read.
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
    }
}

/// With `connections_max` of 8, `held_bytes_max` of 1 MiB and a minute for guests: silent connections, partial bodies and both together leave
/// room for who asks for little, and it is told who must wait.
pub fn floods_leave_room_for_small_requests(host: &Host<'_>) {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\n",
        host.path
    );
    // More than the budget in bodies that do not end: some of them are turned away.
    let mut bodies: Vec<TcpStream> = (0..6).map(|_| host.connect()).collect();
    for stream in &mut bodies {
        stream.write_all(head.as_bytes()).unwrap();
        // Where it is turned away meanwhile, the rest finds nobody.
        let _ = stream.write_all(&vec![b'x'; 600_000]);
    }
    wait_until(|| bodies.iter().filter(|stream| has_news(stream)).count() >= 4);
    let refused = bodies.iter().filter(|stream| has_news(stream)).count();
    assert!((4..6).contains(&refused), "{refused} of 6 were turned away");
    assert!(host.small().starts_with("HTTP/1.1 200 "));
    // As many connections as there may be.
    drop(bodies);
    let mut silent = Vec::new();
    // One more each time: a connection of before may end only now, and those beyond are not kept.
    let turned_away = wait_for(host, "HTTP/1.1 503 ", || silent.push(host.connect()));
    assert!(
        turned_away.contains("8 connections are open already"),
        "{turned_away}"
    );
    assert!(
        turned_away.contains("connection: close\r\n"),
        "{turned_away}"
    );
    assert!(host.health().starts_with("HTTP/1.1 200 "));
    // Who would like to stay is told that it cannot, and makes room.
    let stays = host.whole("GET /health HTTP/1.1\r\n\r\n");
    assert!(
        stays.starts_with("HTTP/1.1 200 ") && stays.contains("connection: close\r\n"),
        "{stays}"
    );
    // And silent ones beyond, which make room for one another.
    let beyond: Vec<TcpStream> = (0..200).map(|_| host.connect()).collect();
    assert!(host.health().starts_with("HTTP/1.1 200 "));
    wait_until(|| beyond.iter().filter(|stream| has_news(stream)).count() >= 100);
    let made_room = beyond.iter().filter(|stream| has_news(stream)).count();
    assert!(made_room >= 100, "{made_room} of 200 made room");
    drop((silent, beyond));
    wait_for(host, "HTTP/1.1 200 ", || ());
}

/// With a tenth of a second each for heads, bodies and reading, and `PATIENCE` between requests: neither silence nor a byte
/// now and then keeps a connection, and whoever reads nothing is given up.
pub fn the_slow_are_given_up(host: &Host<'_>) {
    assert!(ended(&mut host.connect()), "it says nothing");
    let mut client = host.connect();
    let mut dripping = client.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while dripping.write_all(b"G").is_ok() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        assert!(ended(&mut client), "its head does not end");
    });
    // A kept connection may wait longer for its next request, and no longer for the rest of it.
    let mut client = host.connect();
    client.write_all(b"HEAD /health HTTP/1.1\r\n\r\n").unwrap();
    until(&mut client, "\r\n\r\n");
    std::thread::sleep(Duration::from_millis(300));
    client.write_all(b"HEAD /health HTTP/1.1\r\n\r\n").unwrap();
    until(&mut client, "\r\n\r\n");
    client.write_all(b"GET / HT").unwrap();
    assert!(ended(&mut client), "its second head does not end");
    // A body that does not come.
    let text = format!(
        "POST {} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{",
        host.path
    );
    let answer = host.whole(&text);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    // Answers that nobody reads, until the server has enough of it.
    let mut client = host.connect();
    let error = loop {
        if let Err(error) = client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n") {
            break error;
        }
    };
    assert_ne!(error.kind(), ErrorKind::WouldBlock);
}

/// The server has ended the connection; waits for it.
fn ended(stream: &mut TcpStream) -> bool {
    rest(stream).is_empty()
}

/// With `held_bytes_max` of 1 MiB: of long answers that nobody reads, no more are kept than fit.
pub fn answers_that_nobody_reads_share_what_there_is(host: &Host<'_>) {
    let (path, body) = host.long;
    let text = format!(
        "POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut unread: Vec<TcpStream> = (0..20).map(|_| host.connect()).collect();
    for stream in &mut unread {
        stream.write_all(text.as_bytes()).unwrap();
    }
    assert!(host.small().starts_with("HTTP/1.1 200 "));
    // Answers are made one after the other; each begins before anything more of it is read.
    let mut starts = Vec::new();
    for stream in &mut unread {
        starts.push(until(stream, "\r\n"));
    }
    let refused = starts.iter().filter(|start| start.contains(" 503 "));
    let refused = refused.count();
    assert!((10..20).contains(&refused), "{starts:?}");
    for (mut stream, start) in unread.into_iter().zip(starts) {
        let whole = rest(&mut stream);
        assert!(start.contains(" 503 ") || whole.len() > 250_000, "{start}");
    }
    assert!(
        host.whole(&text).len() > 250_000,
        "what was held is given back"
    );
}

/// Whether the server has said something by now, or ended the connection.
fn has_news(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let news = stream.peek(&mut [0]);
    !matches!(news, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// Waits for what comes in its time, and no longer than patience allows.
fn wait_until(so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Asks until the answer begins so: the server notices what connections do when it looks at them.
fn wait_for(host: &Host<'_>, start: &str, mut before: impl FnMut()) -> String {
    for _ in 0..1000 {
        before();
        let answer = host.small();
        if answer.starts_with(start) {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no answer begins with {start}");
}
