//! One HTTP/1.1 connection, driven by the task of the request that is on it.
//!
//! Nothing is read ahead of what the request takes, so every piece of body is handed on with the
//! stamp of the very read that brought it.

use crate::connector::{Connector, describe};
use crate::head::Head;
use crate::response::ResponseReader;
use crate::stamps::{ReadStamp, Stamps};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use trace::Nanos;

/// The most bytes one read takes.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// What every read of the receiving thread goes into, before its bytes are told apart.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// An open connection, idle or in use by one request.
pub(crate) struct Channel<C: Connector> {
    io: C::Io,
    stamps: Rc<Stamps>,
    response: ResponseReader,
    /// How long it took to be opened.
    opened_within: Nanos,
    served: bool,
    /// The read that brought the first bytes of the response. Over TLS, bytes may come that are none of it.
    first_byte: Option<ReadStamp>,
}

/// Why an exchange on a channel failed.
#[derive(Debug)]
pub(crate) enum ChannelError {
    /// The peer closed or reset the connection.
    Closed(String),
    /// What came was not HTTP.
    Malformed(String),
}

impl ChannelError {
    /// What to tell a person.
    pub(crate) fn words(self) -> String {
        match self {
            ChannelError::Closed(why) | ChannelError::Malformed(why) => why,
        }
    }
}

impl<C: Connector> Channel<C> {
    /// Connects.
    pub(crate) async fn open(connector: &C) -> Result<Self, String> {
        let stamps = Rc::new(Stamps::default());
        let io = connector.connect(Rc::clone(&stamps)).await?;
        Ok(Channel {
            io,
            stamps,
            response: ResponseReader::new(),
            opened_within: Nanos::ZERO,
            served: false,
            first_byte: None,
        })
    }

    /// The same, with how long it took to be opened.
    pub(crate) fn opened_within(self, took: Nanos) -> Self {
        Channel {
            opened_within: took,
            ..self
        }
    }

    /// How long it took to be opened, TLS and all.
    pub(crate) fn took_to_open(&self) -> Nanos {
        self.opened_within
    }

    /// The read that brought the first bytes of the response.
    pub(crate) fn first_byte(&self) -> Option<ReadStamp> {
        self.first_byte
    }

    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Whether a request was answered on it before.
    pub(crate) fn has_served(&self) -> bool {
        self.served
    }

    /// Whether it can take a request: the server has neither closed it nor sent what nobody asked
    /// for.
    pub(crate) fn is_idle(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        // A server that closes right after an answer has done so before the runtime looks again.
        self.stamps.ask_socket(true);
        let quiet = Pin::new(&mut self.io)
            .poll_read(&mut cx, &mut buffer)
            .is_pending();
        self.stamps.ask_socket(false);
        quiet
    }

    /// Whether it can serve another request after the response that was received.
    pub(crate) fn finish(&mut self) -> bool {
        self.served = true;
        self.response.keeps_alive()
    }

    /// Writes a whole request, as bytes.
    ///
    /// # Errors
    /// The server stopped taking it; a response may still say why.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), ChannelError> {
        self.stamps.begin();
        self.response = ResponseReader::new();
        self.first_byte = None;
        let closed = |error: std::io::Error| ChannelError::Closed(describe(&error));
        self.io.write_all(request).await.map_err(closed)?;
        self.io.flush().await.map_err(closed)
    }

    /// The response's head, once it is whole.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.response.head()
    }

    /// Reads once. `on_body` gets the bytes of body that came, and their stamp; `true` when the
    /// response is whole.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        on_body: &mut impl FnMut(&[u8], ReadStamp),
    ) -> Poll<Result<bool, ChannelError>> {
        READ_BUFFER.with_borrow_mut(|bytes| {
            let mut buffer = ReadBuf::new(bytes);
            if let Err(error) = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
                return Poll::Ready(Err(ChannelError::Closed(describe(&error))));
            }
            if buffer.filled().is_empty() {
                let why = match (self.response.end(), self.first_byte) {
                    (Ok(true), _) => return Poll::Ready(Ok(true)),
                    (Err(why), _) => return Poll::Ready(Err(ChannelError::Malformed(why))),
                    (_, Some(_)) => "the connection was closed before the response was whole",
                    (_, None) => "the server closed the connection before a byte of an answer came",
                };
                return Poll::Ready(Err(ChannelError::Closed(why.into())));
            }
            // Over TLS, bytes may have come with the handshake, before the request was sent.
            let Some(stamp) = self.stamps.latest_read() else {
                let why = "it answered before it was asked";
                return Poll::Ready(Err(ChannelError::Malformed(why.into())));
            };
            self.first_byte.get_or_insert(stamp);
            let read = self
                .response
                .push(buffer.filled(), &mut |body| on_body(body, stamp));
            Poll::Ready(match read {
                Ok(()) => Ok(self.response.is_done()),
                Err(why) => Err(ChannelError::Malformed(why)),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Channel;
    use crate::{Target, TcpConnector, TlsOptions};
    use std::net::TcpListener;
    use std::time::Duration;

    #[tokio::test]
    async fn a_connection_that_was_closed_a_moment_ago_is_not_taken_for_idle() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let target = Target::parse(&url).unwrap();
        let within = Duration::from_secs(5);
        let connector = TcpConnector::probe(&target, &TlsOptions::default(), within).unwrap();
        drop(listener.accept().unwrap());

        let mut channel = Channel::open(&connector).await.unwrap();
        let (peer, _) = listener.accept().unwrap();
        assert!(channel.is_idle());
        // From here on the runtime does not get to look at its sockets.
        peer.shutdown(std::net::Shutdown::Both).unwrap();
        let closed = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            !channel.is_idle()
        });
        assert!(closed);
    }
}
