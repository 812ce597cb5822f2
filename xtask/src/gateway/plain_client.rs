//! A client that nothing can be hidden in: one socket, one request at a time, a stamp before it writes and one when the
//! last byte of the answer was read.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(super) struct PlainClient {
    socket: TcpStream,
    request: Vec<u8>,
    bytes: Vec<u8>,
}

impl PlainClient {
    pub(super) fn connect(address: &str) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        let body = r#"{"model":"perf-test-model","messages":[{"role":"user","content":"hi"}],"max_tokens":1}"#;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(PlainClient {
            socket,
            request: request.into_bytes(),
            bytes: vec![0; 64 << 10],
        })
    }

    /// How long a request and its whole answer took, in microseconds.
    pub(super) fn ask(&mut self) -> Result<f64> {
        let begun = Instant::now();
        self.socket.write_all(&self.request)?;
        let mut filled = 0;
        loop {
            let count = self.socket.read(&mut self.bytes[filled..])?;
            let now = Instant::now();
            filled += count;
            if count == 0 || filled == self.bytes.len() {
                bail!("an answer was cut off, or longer than it may be");
            }
            if is_whole(&self.bytes[..filled])? {
                return Ok((now - begun).as_secs_f64() * 1e6);
            }
        }
    }
}

/// Whether an answer of known length, or of chunks, is all there.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = memchr::memmem::find(answer, b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("the answer was {}", head.lines().next().unwrap_or_default());
    }
    if head.contains("transfer-encoding: chunked") {
        return Ok(answer.ends_with(b"0\r\n\r\n"));
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length
        .context("an answer without a length")?
        .trim()
        .parse()?;
    Ok(answer.len() == end + 4 + length)
}

/// The median of what the way `through` adds, in microseconds: turns of direct, through and direct again in changing
/// order, for as long as that, on new connections.
pub(super) fn added(direct: &str, through: &str, time: Duration) -> Result<f64> {
    let mut ways = [
        PlainClient::connect(direct)?,
        PlainClient::connect(through)?,
    ];
    let orders = [
        [0, 1, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
        [1, 0, 2],
        [0, 2, 1],
    ];
    let begun = Instant::now();
    let mut differences = Vec::new();
    for turn in 0_usize.. {
        let mut took = [0.0; 3];
        for arm in orders[turn % orders.len()] {
            took[arm] = ways[usize::from(arm == 1)].ask()?;
        }
        // The first turns open what later ones use.
        if turn >= 10 {
            differences.extend([took[1] - took[0], took[1] - took[2]]);
        }
        if begun.elapsed() > time && turn > 100 {
            break;
        }
    }
    Ok(super::median(differences))
}
