//! Takes connections in.

use super::client::closed;
use super::connection::Connection;
use crate::app::App;
use http1::{Budget, Limits};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Connections that the kernel keeps for us until they are accepted: a burst of thousands of clients
/// shall not be turned away.
const BACKLOG: i32 = 4096;
/// The pause where no connection can be accepted, for want of descriptors as a rule: they come back
/// when others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A socket that listens.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections until `closing`, then waits for those there are.
pub(crate) async fn listen(
    listener: TcpListener,
    limits: Limits,
    app: Arc<App>,
    mut closing: watch::Receiver<bool>,
) {
    let budget = Budget::new(limits.held_bytes_max);
    let mut connections = JoinSet::new();
    let mut guests = Guests::default();
    let for_each = closing.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // A token must not wait for the acknowledgement of the one before it.
                    let _ = stream.set_nodelay(true);
                    if let Some(bytes) = limits.send_buffer_bytes {
                        let _ = SockRef::from(&stream).set_send_buffer_size(bytes);
                    }
                    let connection =
                        Connection::new(stream, limits, &budget, Arc::clone(&app), for_each.clone());
                    if connections.len() < limits.connections_max {
                        connections.spawn(connection.serve());
                    } else {
                        guests.admit(connection);
                    }
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            () = closed(&mut closing) => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    while guests.tasks.join_next().await.is_some() {}
}

/// Connections beyond the limit. A new one takes the place of the oldest, so that nobody who only holds connections open
/// keeps others from asking whether the server is well.
#[derive(Default)]
struct Guests {
    tasks: JoinSet<()>,
    oldest_first: VecDeque<AbortHandle>,
}

impl Guests {
    fn admit(&mut self, connection: Connection) {
        while self.tasks.try_join_next().is_some() {}
        self.oldest_first.retain(|guest| !guest.is_finished());
        if self.oldest_first.len() >= Limits::GUESTS_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            oldest.abort();
        }
        let guest = self.tasks.spawn(connection.into_guest().serve());
        self.oldest_first.push_back(guest);
    }
}
