use super::body::{Chunked, too_large};
use super::head::{BadRequest, Framing, Head, Method, end, parse};
use super::listener::closed;
use super::reply::{ChunkBuffer, Reply, Whole, stream_head};
use crate::app::App;
use crate::config::HttpLimits;
use crate::stream::TokenStream;
use openai::ApiError;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Bytes that a client may send ahead while its answer is on its way.
const AHEAD_MAX: usize = 64 << 10;
/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// After a refusal, what the client still sends is read and dropped for so long: a reset would
/// overtake the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 << 20;

/// The connection has ended; nobody is there to be told why.
struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Ended
    }
}

/// Why there is no request.
enum NoRequest {
    Ended,
    Bad(BadRequest),
}

impl From<Ended> for NoRequest {
    fn from(_: Ended) -> Self {
        NoRequest::Ended
    }
}

/// One client's connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that came and are not used up.
    input: Vec<u8>,
    limits: HttpLimits,
    app: Arc<App>,
    /// The server ends.
    closing: watch::Receiver<bool>,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        limits: HttpLimits,
        app: Arc<App>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Connection {
            stream,
            input: Vec::new(),
            limits,
            app,
            closing,
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
            Err(NoRequest::Bad(bad)) => return self.refuse(&bad).await,
        };
        let request_id = self.app.request_id(&head);
        let keep_alive = head.keep_alive && !*self.closing.borrow() && !self.app.stops();
        let head_only = head.method == Method::Head;
        let route = match self.app.route(&head) {
            Ok(route) => route,
            Err(whole) => {
                // Its body was not read: what follows on this connection is no request.
                let keep_alive = keep_alive && head.framing == Framing::Length(0);
                self.write(&whole.bytes(&request_id, keep_alive, head_only))
                    .await?;
                if !keep_alive {
                    self.linger().await;
                }
                return Ok(keep_alive);
            }
        };
        let body = match self.body(&head).await {
            Ok(body) => body,
            Err(NoRequest::Ended) => return Err(Ended),
            Err(NoRequest::Bad(bad)) => return self.refuse(&bad).await,
        };
        let app = Arc::clone(&self.app);
        let reply = tokio::select! {
            biased;
            reply = app.answer(route, body) => reply,
            // Dropping the answer's future takes the request back.
            () = gone(&self.stream, &mut self.input) => return Err(Ended),
        };
        match reply {
            Reply::Whole(whole) => {
                self.write(&whole.bytes(&request_id, keep_alive, head_only))
                    .await?;
                Ok(keep_alive)
            }
            Reply::Stream(stream) => {
                let keep_alive = keep_alive && head.chunks;
                let start = stream_head(&request_id, keep_alive, head.chunks);
                self.write(&start).await?;
                self.frames(*stream, head.chunks).await?;
                Ok(keep_alive)
            }
        }
    }

    /// Sends frames, all there are in one write, until the last one.
    async fn frames(&mut self, mut frames: TokenStream, chunks: bool) -> Result<(), Ended> {
        let mut buffer = ChunkBuffer::new();
        loop {
            let more = tokio::select! {
                biased;
                more = frames.next(buffer.data()) => more,
                () = gone(&self.stream, &mut self.input) => return Err(Ended),
            };
            // An empty chunk would end the body.
            if !more || !buffer.is_empty() {
                self.write(buffer.wire(chunks, !more)).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Waits for a whole head, and takes it from the input.
    async fn head(&mut self, first: bool) -> Result<Head, NoRequest> {
        if self.input.is_empty() && !first {
            let mut closing = self.closing.clone();
            let idle = self.limits.idle;
            tokio::select! {
                read = timeout(idle, read(&self.stream, &mut self.input)) => {
                    read.map_err(|_| Ended)??;
                }
                () = closed(&mut closing) => return Err(NoRequest::Ended),
            }
        }
        let mut closing = self.closing.clone();
        let whole = async {
            let mut looked_at = 0;
            loop {
                if let Some(bytes) = end(&self.input, looked_at) {
                    if bytes > self.limits.head_bytes_max {
                        return Err(head_too_large(&self.limits));
                    }
                    if let Some(head) = parse(&self.input[..bytes]).map_err(NoRequest::Bad)? {
                        self.input.drain(..bytes);
                        return Ok(head);
                    }
                    self.input.drain(..bytes);
                    looked_at = 0;
                    continue;
                }
                looked_at = self.input.len();
                if looked_at > self.limits.head_bytes_max {
                    return Err(head_too_large(&self.limits));
                }
                read(&self.stream, &mut self.input).await?;
            }
        };
        tokio::select! {
            head = timeout(self.limits.head, whole) => head.unwrap_or(Err(NoRequest::Ended)),
            () = closed(&mut closing) => Err(NoRequest::Ended),
        }
    }

    /// Waits for a whole body, and takes it from the input.
    async fn body(&mut self, head: &Head) -> Result<Vec<u8>, NoRequest> {
        let bytes_max = self.limits.body_bytes_max;
        if let Framing::Length(length) = head.framing
            && length > bytes_max
        {
            return Err(NoRequest::Bad(too_large(bytes_max)));
        }
        if head.expects_continue && self.input.is_empty() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let whole = async {
            let mut chunked = Chunked::default();
            loop {
                match head.framing {
                    Framing::Length(length) if self.input.len() >= length => {
                        let rest = self.input.split_off(length);
                        return Ok(std::mem::replace(&mut self.input, rest));
                    }
                    Framing::Length(_) => {}
                    Framing::Chunked => {
                        if chunked
                            .take(&mut self.input, bytes_max)
                            .map_err(NoRequest::Bad)?
                        {
                            return Ok(chunked.body);
                        }
                    }
                }
                read(&self.stream, &mut self.input).await?;
            }
        };
        match timeout(self.limits.body, whole).await {
            Ok(body) => body,
            Err(_) => Err(NoRequest::Bad(BadRequest::new(
                408,
                format!(
                    "the request body did not come within {} s, which is the limit",
                    self.limits.body.as_secs_f64()
                ),
            ))),
        }
    }

    /// Says what is wrong, and ends the connection: where the next request begins is not known.
    async fn refuse(&mut self, bad: &BadRequest) -> Result<bool, Ended> {
        let code = match bad.status {
            408 => "request_timeout",
            413 => "body_too_large",
            431 => "head_too_large",
            _ => "bad_request",
        };
        let error = ApiError::refused(bad.status, bad.message.clone(), code);
        let id = self.app.new_id();
        self.write(&Whole::error(&error).bytes(&id, false, false))
            .await?;
        self.linger().await;
        Ok(false)
    }

    /// Reads and drops what the client still sends, so that it reads the answer before the end.
    async fn linger(&mut self) {
        use tokio::io::AsyncWriteExt;
        let _ = self.stream.shutdown().await;
        let drain = async {
            let mut dropped = 0;
            while dropped < LINGER_BYTES {
                self.input.clear();
                match read(&self.stream, &mut self.input).await {
                    Ok(count) => dropped += count,
                    Err(_) => break,
                }
            }
        };
        let _ = timeout(LINGER, drain).await;
    }

    /// Sends all of it; a client that takes nothing for too long is given up.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let mut rest = bytes;
        loop {
            match self.stream.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = timeout(self.limits.write_stall, self.stream.writable());
                    writable.await.map_err(|_| Ended)??;
                }
                Err(_) => return Err(Ended),
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }
}

fn head_too_large(limits: &HttpLimits) -> NoRequest {
    NoRequest::Bad(BadRequest::new(
        431,
        format!(
            "the request's head is larger than {} bytes, which is the limit",
            limits.head_bytes_max
        ),
    ))
}

/// Appends what comes; at least one byte.
async fn read(stream: &TcpStream, input: &mut Vec<u8>) -> Result<usize, Ended> {
    loop {
        stream.readable().await?;
        input.reserve(READ_BYTES);
        match stream.try_read_buf(input) {
            Ok(0) => return Err(Ended),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(Ended),
        }
    }
}

/// Waits until the client goes away. What it sends ahead is kept, up to a limit.
async fn gone(stream: &TcpStream, input: &mut Vec<u8>) {
    while input.len() < AHEAD_MAX {
        if read(stream, input).await.is_err() {
            return;
        }
    }
    // Its end is noticed when a write fails.
    std::future::pending::<()>().await;
}
