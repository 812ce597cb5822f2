//! One connection, request after request.

use super::client::{Client, Ended, NoRequest, closed, probe};
use super::reply::{Reply, Whole};
use crate::app::{App, Route};
use crate::stream::TokenStream;
use http1::{
    Body, Budget, CONTINUE, ChunkBuffer, Envelope, Head, Limits, Method, Receiver, Refusal,
};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Headers of a stream that keep proxies in between from collecting what comes.
const STREAM_FIELDS: &[(&str, &str)] = &[("x-accel-buffering", "no")];
/// A comment among events, which shows whether a client that sends nothing more still reads.
const COMMENT: &[u8] = b":\n\n";
const COMMENT_CHUNK: &[u8] = b"3\r\n:\n\n\r\n";

/// One client's connection.
pub(crate) struct Connection {
    client: Client,
    limits: Limits,
    app: Arc<App>,
    /// The server ends.
    closing: watch::Receiver<bool>,
    /// It is one too many, and there for one question.
    guest: bool,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        limits: Limits,
        budget: &Arc<Budget>,
        app: Arc<App>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let received = Receiver::new(&limits, budget);
        Connection {
            client: Client::new(stream, received, limits.write_stall),
            limits,
            app,
            closing,
            guest: false,
        }
    }

    /// Where there are as many connections as may be.
    pub(crate) fn into_guest(self) -> Self {
        Connection {
            guest: true,
            limits: Limits {
                head: self.limits.guest_head,
                body: self.limits.guest_head,
                ..self.limits
            },
            ..self
        }
    }

    /// Answers requests until one side ends the connection.
    pub(crate) async fn serve(mut self) {
        let mut first = true;
        while let Ok(true) = self.exchange(first).await {
            first = false;
        }
    }

    /// One request and its answer. True where another may follow.
    async fn exchange(&mut self, first: bool) -> Result<bool, Ended> {
        let head = match self.head(first).await {
            Ok(head) => head,
            Err(NoRequest::Ended) => return Err(Ended),
            Err(NoRequest::Refused(refusal)) => return self.refuse(&refusal, None).await,
        };
        let request_id = self.app.request_id(&head);
        let closes = *self.closing.borrow() || self.app.stops() || self.guest;
        let mut envelope = Envelope {
            request_id: Some(&request_id),
            ..Envelope::of(&head)
        };
        envelope.close |= closes;
        if self.guest && !matches!(head.method(), Method::Get | Method::Head) {
            let refusal = Refusal::too_many_connections(self.limits.connections_max);
            return self.refuse(&refusal, Some(&request_id)).await;
        }
        let route = match self.app.route(&head) {
            Ok(route) => route,
            Err(whole) => {
                // Its body was not read: what follows on this connection is no request.
                envelope.close |= !head.has_no_body();
                self.client.write(&whole.bytes(&envelope)).await?;
                if envelope.close {
                    self.client.linger(self.limits.linger).await;
                }
                return Ok(!envelope.close);
            }
        };
        match self.body(&head).await {
            Ok(body) => self.answer(route, body, &envelope).await,
            Err(NoRequest::Ended) => Err(Ended),
            Err(NoRequest::Refused(refusal)) => self.refuse(&refusal, Some(&request_id)).await,
        }
    }

    async fn answer(
        &mut self,
        route: Route,
        body: Body,
        envelope: &Envelope<'_>,
    ) -> Result<bool, Ended> {
        let Body { bytes, mut share } = body;
        let app = Arc::clone(&self.app);
        let reply = tokio::select! {
            biased;
            reply = app.answer(route, bytes) => reply,
            // Dropping the answer's future takes the request back.
            () = self.client.gone(probe(envelope.chunks)) => return Err(Ended),
        };
        match reply {
            Reply::Whole(whole) => {
                let whole = if share.set(whole.body.len()) {
                    whole
                } else {
                    Whole::refusal(&Refusal::no_room(share.budget().most()))
                };
                self.client.write(&whole.bytes(envelope)).await?;
                Ok(!envelope.close)
            }
            Reply::Stream(stream) => {
                drop(share);
                self.client
                    .write(&envelope.stream_head(STREAM_FIELDS))
                    .await?;
                self.frames(*stream, envelope.chunks).await?;
                Ok(!envelope.stream_ends_connection())
            }
        }
    }

    /// Sends frames, all there are in one write, until the last one.
    async fn frames(&mut self, mut frames: TokenStream, chunks: bool) -> Result<(), Ended> {
        let comment = if chunks { COMMENT_CHUNK } else { COMMENT };
        let mut buffer = ChunkBuffer::new();
        loop {
            let more = tokio::select! {
                biased;
                more = frames.next(buffer.data()) => more,
                () = self.client.gone(Some(comment)) => return Err(Ended),
            };
            self.client.write(buffer.wire(chunks, !more)).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Waits for a whole head.
    async fn head(&mut self, first: bool) -> Result<Head, NoRequest> {
        let mut closing = self.closing.clone();
        if self.client.received.held() == 0 && !first {
            tokio::select! {
                read = timeout(self.limits.idle, self.client.read()) => read.map_err(|_| Ended)??,
                () = closed(&mut closing) => return Err(NoRequest::Ended),
            }
        }
        let client = &mut self.client;
        let whole = async {
            loop {
                if let Some(head) = client.received.head()? {
                    return Ok(head);
                }
                client.read().await?;
            }
        };
        tokio::select! {
            head = timeout(self.limits.head, whole) => head.unwrap_or(Err(NoRequest::Ended)),
            () = closed(&mut closing) => Err(NoRequest::Ended),
        }
    }

    /// Waits for a whole body.
    async fn body(&mut self, head: &Head) -> Result<Body, NoRequest> {
        let client = &mut self.client;
        if let Some(body) = client.received.body()? {
            return Ok(body);
        }
        if head.expects_continue() && client.received.held() == 0 {
            client.write(CONTINUE).await?;
        }
        let whole = async {
            loop {
                client.read().await?;
                if let Some(body) = client.received.body()? {
                    return Ok(body);
                }
            }
        };
        match timeout(self.limits.body, whole).await {
            Ok(body) => body,
            Err(_) => Err(Refusal::too_slow(self.limits.body).into()),
        }
    }

    /// Says what is wrong, and ends the connection.
    async fn refuse(&mut self, refusal: &Refusal, request_id: Option<&str>) -> Result<bool, Ended> {
        // What was received goes first: others may need the room.
        self.client.received.forget();
        let new_id = self.app.new_id();
        let envelope = Envelope::last(Some(request_id.unwrap_or(&new_id)));
        self.client
            .write(&Whole::refusal(refusal).bytes(&envelope))
            .await?;
        self.client.linger(self.limits.linger).await;
        Ok(false)
    }
}
