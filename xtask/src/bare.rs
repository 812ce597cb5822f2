//! The least that a client can do: one thread, `epoll`, and bytes that are counted, not parsed.
//! What a real client adds to this is its own cost.

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(crate) struct BareArgs {
    /// host:port of a mock provider
    address: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 1000)]
    requests: usize,
    #[arg(long, default_value_t = 64)]
    max_tokens: u32,
    #[arg(long)]
    stream: bool,
    /// Ask for the embedding of a text, in this format, in place of a chat
    #[arg(long, value_name = "FORMAT", conflicts_with = "stream")]
    embeddings: Option<String>,
}

struct Connection {
    socket: TcpStream,
    sent: Instant,
    /// The last bytes received, where a chunked body's end shows.
    tail: Vec<u8>,
    received: usize,
}

/// How a chunked body ends.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Prints events (or responses) per second and the median latency in microseconds.
pub(crate) fn run(args: &BareArgs) -> Result<()> {
    let request = request(args);
    let poll = Epoll::new(EpollCreateFlags::empty())?;
    let mut connections = Vec::new();
    for index in 0..args.connections {
        let socket = TcpStream::connect(&args.address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        poll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        connections.push(Connection {
            socket,
            sent: Instant::now(),
            tail: Vec::new(),
            received: 0,
        });
    }
    let begun = Instant::now();
    let mut released = 0;
    for connection in &mut connections {
        connection.send(&request)?;
        released += 1;
    }
    let (mut latencies, mut events) = (Vec::with_capacity(args.requests), 0_usize);
    let mut ready = [EpollEvent::empty(); 256];
    let mut buffer = vec![0; 64 * 1024];
    let mut whole = None;
    while latencies.len() < args.requests.max(args.connections) {
        let count = poll.wait(&mut ready, EpollTimeout::NONE)?;
        for event in &ready[..count] {
            let connection = &mut connections[usize::try_from(event.data())?];
            if connection.receive(&mut buffer, args.stream, &mut whole, &mut events)? {
                latencies.push(connection.sent.elapsed());
                if released < args.requests {
                    released += 1;
                    connection.send(&request)?;
                }
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let median = latencies[latencies.len() / 2].as_secs_f64() * 1e6;
    let count = if args.stream { events } else { latencies.len() };
    println!("{:.0} {median:.1}", count as f64 / seconds);
    Ok(())
}

fn request(args: &BareArgs) -> Vec<u8> {
    let (path, body) = match &args.embeddings {
        Some(format) => (
            "/v1/embeddings",
            format!(
                r#"{{"model":"mock","input":"how fast is this server","encoding_format":"{format}"}}"#
            ),
        ),
        None => (
            "/v1/chat/completions",
            format!(
                r#"{{"model":"mock","messages":[{{"role":"user","content":"hi"}}],"max_tokens":{},"stream":{}}}"#,
                args.max_tokens, args.stream
            ),
        ),
    };
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        args.address,
        body.len()
    )
    .into_bytes()
}

impl Connection {
    fn send(&mut self, request: &[u8]) -> Result<()> {
        self.sent = Instant::now();
        self.received = 0;
        self.tail.clear();
        Ok(self.socket.write_all(request)?)
    }

    /// Reads once; whether the response is whole. `whole` is the length of a response that is not
    /// a stream: the first one is waited out, the others are as long.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        stream: bool,
        whole: &mut Option<usize>,
        events: &mut usize,
    ) -> Result<bool> {
        let read = match self.socket.read(buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        self.received += read;
        let bytes = &buffer[..read];
        if stream {
            *events += memchr::memmem::find_iter(bytes, b"\n\n").count();
            self.tail
                .extend_from_slice(&bytes[read.saturating_sub(LAST_CHUNK.len())..]);
            let extra = self.tail.len().saturating_sub(LAST_CHUNK.len());
            self.tail.drain(..extra);
            return Ok(self.tail == LAST_CHUNK);
        }
        if whole.is_none() {
            *whole = Some(content_length(bytes)?);
        }
        Ok(Some(self.received) >= *whole)
    }
}

/// Length of a whole response, from its head, which one read brings.
fn content_length(bytes: &[u8]) -> Result<usize> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n").context("the head is not whole")? + 4;
    let lower = text[..head].to_ascii_lowercase();
    let length = lower
        .split("content-length:")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .context("no content-length")?;
    Ok(head + length.trim().parse::<usize>()?)
}

/// Runs the bare reader on the client's processor: rate, median latency in µs, processor time.
pub(crate) fn measure(flags: &[String]) -> Result<(f64, f64, Duration)> {
    let mut command = crate::pinned::on_cpu(crate::pinned::CLIENT_CPU, &std::env::current_exe()?);
    let cost = crate::pinned::cost(command.args(["bench", "bare"]).args(flags))?;
    let mut numbers = cost.stdout.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("the bare reader printed too little");
    Ok((next()??, next()??, cost.cpu))
}
