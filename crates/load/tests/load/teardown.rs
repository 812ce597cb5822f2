//! Whatever ends a run early, letting go of the client comes to an end as well.

use load::{Client, Clock, Connector, Stamps};
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::{Context, Poll};
use std::time::Duration;
use testkit::{Setup, burst, client_options};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::LocalSet;
use trace::{RunId, StampSource};

/// Takes every byte and never answers; the one that is told to panics when it is read.
struct Mute {
    panics: bool,
}

impl AsyncRead for Mute {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(!self.panics, "a bug in what receives");
        Poll::Pending
    }
}

impl AsyncWrite for Mute {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What goes wrong with the second connection. All others are mute.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    /// It is refused, while the others are still being opened.
    Fails,
    /// It panics when it is read.
    Panics,
}

struct Mutes {
    second: Second,
    opened: Cell<u32>,
}

impl Connector for Mutes {
    type Io = Mute;

    async fn connect(&self, _: Rc<Stamps>) -> Result<Mute, String> {
        let number = self.opened.replace(self.opened.get() + 1);
        match (self.second, number) {
            (Second::Fails, 1) => Err("connection refused".to_owned()),
            (Second::Fails, _) => std::future::pending().await,
            (Second::Panics, number) => Ok(Mute {
                panics: number == 1,
            }),
        }
    }

    fn stamp_source(&self) -> StampSource {
        StampSource::User
    }
}

/// Prepares and runs four requests on a thread of its own, and lets go of everything in the order
/// in which a program does. How that ended; `Timeout` where it never did.
fn end(second: Second) -> Result<Result<(), String>, RecvTimeoutError> {
    let (sender, ended) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tasks = LocalSet::new();
        let outcome = runtime.block_on(tasks.run_until(async move {
            let connector = Mutes {
                second,
                opened: Cell::new(0),
            };
            let mut setup = Setup::on(Clock::Monotonic);
            setup.deadlines.connect = Duration::from_millis(200);
            let options = client_options(&setup);
            let client = Client::new(connector, options, Box::new(|_| {})).unwrap();
            if second == Second::Fails {
                client.prepare(4).await?;
            }
            let (_stopping, stop) = watch::channel(false);
            let plan = burst(4, 4);
            client
                .run(&plan, RunId::default(), 0, stop)
                .await
                .map_err(|error| error.to_string())?;
            Ok(())
        }));
        let _ = sender.send(outcome);
    });
    ended.recv_timeout(Duration::from_secs(10))
}

#[test]
fn fault_01_a_refused_connection_ends_the_client_though_others_are_being_opened() {
    assert_eq!(end(Second::Fails), Ok(Err("connection refused".to_owned())));
}

#[test]
fn fault_35_a_panic_while_receiving_ends_the_client_though_others_are_in_flight() {
    assert_eq!(end(Second::Panics), Err(RecvTimeoutError::Disconnected));
}
