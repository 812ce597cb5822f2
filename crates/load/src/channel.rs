//! One HTTP/1.1 connection, driven by whoever has a request on it.
//!
//! hyper would have the connection driven by a task of its own. Here the request's task drives it:
//! nothing is read ahead of what the request takes, so the latest read of the byte stream is the
//! one that completed the piece of body just taken, and its stamp is that piece's stamp.

use crate::connector::{Connector, describe};
use crate::packet::Head;
use crate::quiet_waker::QuietWaker;
use crate::stamps::Stamps;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// What reads and writes a connection when it is polled.
type Driver<Io> = Connection<TokioIo<Io>, Full<Bytes>>;

/// An open connection, idle or in use by one request.
pub(crate) struct Channel<C: Connector> {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Driver<C::Io>>>,
    stamps: Rc<Stamps>,
    quiet: QuietWaker,
    closed: bool,
    served: bool,
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
    /// Connects and shakes hands.
    pub(crate) async fn open(connector: &C) -> Result<Self, String> {
        let stamps = Rc::new(Stamps::default());
        let io = connector.connect(Rc::clone(&stamps)).await?;
        let (sender, connection) = Builder::new()
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| sentence(&error))?;
        Ok(Channel {
            sender,
            connection: Box::pin(connection),
            stamps,
            quiet: QuietWaker::default(),
            closed: false,
            served: false,
        })
    }

    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Whether a request was answered on it before.
    pub(crate) fn has_served(&self) -> bool {
        self.served
    }

    /// Brings the connection to where it takes a request; `false` where the server has closed it.
    pub(crate) async fn ready(&mut self) -> bool {
        std::future::poll_fn(|cx| {
            self.drive(cx);
            match self.sender.poll_ready(cx) {
                Poll::Ready(outcome) => Poll::Ready(outcome.is_ok()),
                Poll::Pending if self.closed => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ChannelError> {
        self.stamps.begin();
        let mut response = pin!(self.sender.send_request(request));
        let (connection, closed) = (&mut self.connection, &mut self.closed);
        std::future::poll_fn(|cx| {
            if !*closed {
                *closed = connection.as_mut().poll(cx).is_ready();
            }
            response.as_mut().poll(cx).map_err(|error| classify(&error))
        })
        .await
    }

    /// The next piece of the body; `None` at its end. Polled, so that a caller can watch the time.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Incoming,
    ) -> Poll<Option<Result<Bytes, ChannelError>>> {
        let (connection, closed) = (&mut self.connection, &mut self.closed);
        let piece = self.quiet.poll(cx, |cx| {
            if let Poll::Ready(piece) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(piece);
            }
            if !*closed {
                *closed = connection.as_mut().poll(cx).is_ready();
            }
            Pin::new(&mut *body).poll_frame(cx)
        });
        Poll::Ready(match ready!(piece) {
            Some(Ok(frame)) => Some(Ok(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Some(Err(classify(&error))),
            None => {
                self.served = true;
                None
            }
        })
    }

    /// Lets the connection read and write as far as it can.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.closed {
            self.closed = self.connection.as_mut().poll(cx).is_ready();
        }
    }
}

/// Distinguishes a peer that went away from one that talks nonsense.
fn classify(error: &hyper::Error) -> ChannelError {
    if error.is_parse() {
        ChannelError::Malformed(sentence(error))
    } else {
        ChannelError::Closed(sentence(error))
    }
}

/// hyper's words, or those of the system underneath.
fn sentence(error: &hyper::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return describe(io);
        }
        cause = inner.source();
    }
    error.to_string()
}

impl Head {
    /// What is kept of a response's head.
    pub(crate) fn of<B>(response: &Response<B>) -> Self {
        let headers = response.headers();
        Head {
            status: response.status().as_u16(),
            content_type: text(headers, &CONTENT_TYPE),
            content_encoding: text(headers, &CONTENT_ENCODING)
                .filter(|encoding| !encoding.eq_ignore_ascii_case("identity")),
            retry_after_seconds: text(headers, &RETRY_AFTER).and_then(|value| value.parse().ok()),
            location: text(headers, &LOCATION).filter(|_| response.status().is_redirection()),
        }
    }

    /// Whether the body is a stream of events that can be decoded as it comes.
    pub(crate) fn is_event_stream(&self) -> bool {
        (200..300).contains(&self.status)
            && self.content_encoding.is_none()
            && self.content_type.as_deref().is_some_and(|content_type| {
                let essence = content_type.split(';').next().unwrap_or_default();
                essence.trim().eq_ignore_ascii_case("text/event-stream")
            })
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
