//! Where a byte stream comes from: TCP, TLS over TCP, or a test's in-memory pipe.

use crate::stamps::Stamps;
use crate::target::Target;
use crate::tcp::{Control, StampedTcp};
use crate::tls::{TlsOptions, TlsSetup};
use crate::{Clock, LoadError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;
use trace::StampSource;

/// Opens byte streams to one server. Every stream notes its reads and writes in the [`Stamps`]
/// that it is given.
pub trait Connector {
    /// The byte stream.
    type Io: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Opens one. The error is a sentence for the request's record.
    fn connect(&self, stamps: Rc<Stamps>) -> impl Future<Output = Result<Self::Io, String>>;

    /// Who takes the arrival stamps.
    fn stamp_source(&self) -> StampSource;
}

/// Connects over TCP, with TLS where the target's scheme is `https`.
#[derive(Clone)]
pub struct TcpConnector {
    address: SocketAddr,
    tls: Option<TlsSetup>,
    control: Control,
    source: StampSource,
}

impl TcpConnector {
    /// Resolves the target's name and finds the first of its addresses that accepts a connection.
    ///
    /// # Errors
    /// The name does not resolve, no address accepts within `timeout`, or no TLS roots are found.
    pub fn probe(
        target: &Target,
        tls: &TlsOptions,
        timeout: std::time::Duration,
    ) -> Result<Self, LoadError> {
        let tls = target.tls.then(|| TlsSetup::new(target, tls)).transpose()?;
        let addresses = target.resolve()?;
        let mut cause = None;
        for address in &addresses {
            match std::net::TcpStream::connect_timeout(address, timeout) {
                Ok(socket) => {
                    return Ok(TcpConnector {
                        address: *address,
                        tls,
                        control: crate::tcp::control(),
                        source: crate::tcp::stamp_source(&socket),
                    });
                }
                Err(error) => cause = Some((*address, error)),
            }
        }
        let (address, error) = cause.ok_or_else(|| LoadError::NoAddress {
            host: target.host.clone(),
        })?;
        Err(LoadError::Unreachable {
            url: target.url(),
            address,
            cause: describe(&error),
        })
    }

    async fn tcp(&self, stamps: Rc<Stamps>) -> io::Result<StampedTcp> {
        let socket = tokio::net::TcpStream::connect(self.address).await?;
        StampedTcp::new(socket, Rc::clone(&self.control), stamps)
    }
}

/// The bytes of a [`TcpConnector`].
pub enum TcpIo {
    /// `http`.
    Plain(StampedTcp),
    /// `https`: the stamps are those of the TCP reads underneath.
    Tls(Box<TlsStream<StampedTcp>>),
}

impl Connector for TcpConnector {
    type Io = TcpIo;

    async fn connect(&self, stamps: Rc<Stamps>) -> Result<TcpIo, String> {
        let stream = self.tcp(stamps).await.map_err(|error| describe(&error))?;
        match &self.tls {
            None => Ok(TcpIo::Plain(stream)),
            Some(tls) => match tls.connect(stream).await {
                Ok(stream) => Ok(TcpIo::Tls(Box::new(stream))),
                Err(error) => Err(format!("TLS failed: {error}")),
            },
        }
    }

    fn stamp_source(&self) -> StampSource {
        self.source
    }
}

/// An I/O error in words that the verdict can recognise on every platform.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::AddrNotAvailable => "address not available: no free local port".into(),
        io::ErrorKind::TimedOut => "the connection timed out".into(),
        _ => crate::tls::words(error).unwrap_or_else(|| error.to_string()),
    }
}

impl AsyncRead for TcpIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            TcpIo::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            TcpIo::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for TcpIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            TcpIo::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            TcpIo::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            TcpIo::Plain(stream) => Pin::new(stream).poll_flush(cx),
            TcpIo::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            TcpIo::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            TcpIo::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Stamps the reads and writes of any byte stream with a [`Clock`]: for streams that no kernel
/// stamps, such as a test's in-memory pipe.
pub struct ClockStamped<T> {
    stream: T,
    clock: Clock,
    stamps: Rc<Stamps>,
}

impl<T> ClockStamped<T> {
    /// Wraps `stream`.
    pub fn new(stream: T, clock: Clock, stamps: Rc<Stamps>) -> Self {
        ClockStamped {
            stream,
            clock,
            stamps,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClockStamped<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut me.stream).poll_read(cx, buffer);
        if matches!(outcome, Poll::Ready(Ok(()))) {
            let now = me.clock.now();
            if buffer.filled().len() > before {
                me.stamps.note_read(now, now);
            } else {
                me.stamps.note_end(now);
            }
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ClockStamped<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let outcome = Pin::new(&mut me.stream).poll_write(cx, bytes);
        if matches!(outcome, Poll::Ready(Ok(_))) {
            me.stamps.note_write(me.clock.now());
        }
        outcome
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
