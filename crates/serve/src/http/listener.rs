use super::connection::Connection;
use crate::app::App;
use crate::config::HttpLimits;
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

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
    limits: HttpLimits,
    app: Arc<App>,
    mut closing: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
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
                    let connection = Connection::new(stream, limits, Arc::clone(&app), for_each.clone());
                    connections.spawn(connection.serve());
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            () = closed(&mut closing) => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until the server ends.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    // A guard of the value must not live across an await of the caller.
    let _ = closing.wait_for(|closing| *closing).await;
}
