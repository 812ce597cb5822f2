//! A relay between a client and a server, which tests can slow or cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What a relay does to the answers that pass through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayOptions {
    /// Each piece that is read is held back for so long, actively: a sleep would add an error of its own.
    pub delay: Duration,
    /// Nothing passes for the second span of each first one.
    pub stall: Option<(Duration, Duration)>,
    /// Streams pass whole, when their `[DONE]` has come.
    pub buffers: bool,
}

/// A gateway whose delay is known: bytes pass as they are, on two threads for each connection.
pub struct Relay {
    listener: TcpListener,
    upstream: SocketAddr,
    options: RelayOptions,
}

impl Relay {
    /// Listens on `address`; answers come from `upstream`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(
        address: SocketAddr,
        upstream: SocketAddr,
        options: RelayOptions,
    ) -> io::Result<Self> {
        Ok(Relay {
            listener: TcpListener::bind(address)?,
            upstream,
            options,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Relays for as long as the process runs.
    pub fn serve(self) {
        let begun = Instant::now();
        let options = Arc::new(self.options);
        for client in self.listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(self.upstream) else {
                continue;
            };
            let options = Arc::clone(&options);
            thread::spawn(move || {
                // A side that is gone ends the other one.
                let _gone = relay(&client, &upstream, &options, begun);
                let _closed = client.shutdown(Shutdown::Both);
                let _closed = upstream.shutdown(Shutdown::Both);
            });
        }
    }
}

fn relay(
    client: &TcpStream,
    upstream: &TcpStream,
    options: &RelayOptions,
    begun: Instant,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (requests_from, requests_to) = (client.try_clone()?, upstream.try_clone()?);
    thread::spawn(move || {
        let _gone = io::copy(&mut &requests_from, &mut &requests_to);
        let _closed = requests_to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (upstream, client);
    let mut bytes = vec![0; 64 << 10];
    let mut held = Vec::new();
    loop {
        let count = from.read(&mut bytes)?;
        if count == 0 {
            return to.write_all(&held);
        }
        hold(options, begun);
        held.extend_from_slice(&bytes[..count]);
        let is_stream = held.windows(17).any(|part| part == b"text/event-stream");
        let is_done = held.windows(6).any(|part| part == b"[DONE]");
        if !options.buffers || !is_stream || is_done {
            to.write_all(&held)?;
            held.clear();
        }
    }
}

fn hold(options: &RelayOptions, begun: Instant) {
    let until = Instant::now() + options.delay;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    if let Some((period, stall)) = options.stall {
        let into = begun.elapsed().as_nanos() % period.as_nanos().max(1);
        let into = Duration::from_nanos(u64::try_from(into).unwrap_or(0));
        thread::sleep(stall.saturating_sub(into));
    }
}
