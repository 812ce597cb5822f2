//! A server whose answers and their times are a script, at the other end of in-memory pipes.

use crate::reply::{End, Reply};
use load::{Clock, ClockStamped, Connector, Stamps};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, sleep_until};
use trace::{Nanos, StampSource};

/// What a pipe holds: more than any write of a test, so that none is cut in two.
const PIPE_BYTES: usize = 256 * 1024;

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Counted over all connections, from 0.
    pub number: usize,
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// When its last byte was in.
    pub at: Nanos,
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Seen {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// How connecting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connecting {
    /// It takes so many milliseconds.
    Takes(u64),
    /// It fails with these words.
    Fails(&'static str),
    /// It never comes to an end.
    Hangs,
}

/// Answers each request as its script says, and keeps what it saw.
pub struct ScriptedServer {
    clock: Clock,
    script: Box<dyn Fn(&Seen) -> Reply>,
    connecting: Connecting,
    seen: RefCell<Vec<Seen>>,
    connections: RefCell<usize>,
}

impl ScriptedServer {
    /// A server that begins now: its clock starts at 0. Needs a runtime.
    pub fn new(script: impl Fn(&Seen) -> Reply + 'static) -> Rc<Self> {
        Self::reached(Connecting::Takes(0), script)
    }

    /// The same, with a way there that takes its time, or leads nowhere.
    pub fn reached(connecting: Connecting, script: impl Fn(&Seen) -> Reply + 'static) -> Rc<Self> {
        Rc::new(ScriptedServer {
            clock: Clock::starting_now(),
            script: Box::new(script),
            connecting,
            seen: RefCell::default(),
            connections: RefCell::default(),
        })
    }

    /// Its clock, which the client must share.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// The way there.
    pub fn pipes(self: &Rc<Self>) -> Pipes {
        Pipes(Rc::clone(self))
    }

    async fn serve(self: Rc<Self>, mut pipe: DuplexStream, connection: usize) {
        let mut buffer = Vec::new();
        while let Some((head, body)) = read_request(&mut pipe, &mut buffer).await {
            let seen = Seen {
                number: self.seen.borrow().len(),
                connection,
                at: self.clock.now(),
                head,
                body,
            };
            self.seen.borrow_mut().push(seen.clone());
            let arrived = Instant::now();
            let reply = (self.script)(&seen);
            for (after, bytes) in reply.writes {
                if arrived + after > Instant::now() {
                    sleep_until(arrived + after).await;
                }
                if pipe.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            match reply.end {
                End::KeepAlive => {}
                End::Close => return,
                End::Hold => while matches!(pipe.read(&mut [0; 64]).await, Ok(1..)) {},
            }
        }
    }
}

/// Connects to a [`ScriptedServer`].
pub struct Pipes(Rc<ScriptedServer>);

impl Connector for Pipes {
    type Io = ClockStamped<DuplexStream>;

    async fn connect(&self, stamps: Rc<Stamps>) -> Result<Self::Io, String> {
        match self.0.connecting {
            Connecting::Takes(0) => {}
            Connecting::Takes(ms) => sleep(Duration::from_millis(ms)).await,
            Connecting::Fails(words) => return Err(words.to_owned()),
            Connecting::Hangs => std::future::pending().await,
        }
        let connection = self.0.connections.replace_with(|count| *count + 1);
        let (ours, theirs) = duplex(PIPE_BYTES);
        tokio::task::spawn_local(Rc::clone(&self.0).serve(theirs, connection));
        Ok(ClockStamped::new(ours, self.0.clock, stamps))
    }

    fn stamp_source(&self) -> StampSource {
        StampSource::Virtual
    }
}

/// Head and body of the next request; `None` where the client has gone away.
async fn read_request(pipe: &mut DuplexStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(request) = take_request(buffer) {
            return Some(request);
        }
        if pipe.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn take_request(buffer: &mut Vec<u8>) -> Option<(String, String)> {
    let head_bytes = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..head_bytes]).into_owned();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    if buffer.len() < head_bytes + length {
        return None;
    }
    let request: Vec<u8> = buffer.drain(..head_bytes + length).collect();
    let body = String::from_utf8_lossy(&request[head_bytes..]).into_owned();
    Some((head, body))
}
