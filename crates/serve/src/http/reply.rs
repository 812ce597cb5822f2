use crate::stream::TokenStream;
use openai::ApiError;
use std::io::Write;

/// What a request is answered with.
pub(crate) enum Reply {
    /// All of it is there.
    Whole(Whole),
    /// Frames, as they come.
    Stream(Box<TokenStream>),
}

/// An answer that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// One more header.
    pub(crate) header: Option<(&'static str, &'static str)>,
}

/// Seconds after which a client that was turned away may come again.
const RETRY_AFTER: &str = "1";

impl Whole {
    pub(crate) fn json(body: Vec<u8>) -> Self {
        Whole {
            status: 200,
            content_type: "application/json",
            body,
            header: None,
        }
    }

    pub(crate) fn error(error: &ApiError) -> Self {
        Whole {
            status: error.status,
            header: match error.status {
                401 => Some(("WWW-Authenticate", "Bearer")),
                429 | 503 => Some(("Retry-After", RETRY_AFTER)),
                _ => None,
            },
            ..Self::json(error.body())
        }
    }

    pub(crate) fn wrong_method(allowed: &'static str) -> Self {
        let error = ApiError::refused(
            405,
            format!("this path takes {allowed} only"),
            "method_not_allowed",
        );
        Whole {
            header: Some(("Allow", allowed)),
            ..Self::error(&error)
        }
    }

    /// Head and body in one piece, for one write; without the body where only the head is wanted.
    pub(crate) fn bytes(&self, request_id: &str, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 256);
        head(
            &mut out,
            self.status,
            self.content_type,
            request_id,
            keep_alive,
        );
        if let Some((name, value)) = self.header {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n", self.body.len());
        if !head_only {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

/// The head of a stream.
pub(crate) fn stream_head(request_id: &str, keep_alive: bool, chunks: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    head(
        &mut out,
        200,
        "text/event-stream; charset=utf-8",
        request_id,
        keep_alive,
    );
    // Proxies in between shall neither keep nor collect what comes.
    out.extend_from_slice(b"Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
    if chunks {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn head(out: &mut Vec<u8>, status: u16, content_type: &str, request_id: &str, keep_alive: bool) {
    let _ = write!(
        out,
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nX-Request-Id: {request_id}\r\n",
        reason(status)
    );
    if !keep_alive {
        out.extend_from_slice(b"Connection: close\r\n");
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

/// A buffer for one chunk: room for its size, then data. The size is written last, so that the data
/// need not be moved.
#[derive(Debug)]
pub(crate) struct ChunkBuffer {
    bytes: Vec<u8>,
}

/// Hexadecimal digits of a chunk's size, and the line's end.
const SIZE_ROOM: usize = 16 + 2;

impl ChunkBuffer {
    pub(crate) fn new() -> Self {
        ChunkBuffer {
            bytes: vec![0; SIZE_ROOM],
        }
    }

    /// Empties it; what is then appended is data.
    pub(crate) fn data(&mut self) -> &mut Vec<u8> {
        self.bytes.truncate(SIZE_ROOM);
        &mut self.bytes
    }

    /// There is no data.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == SIZE_ROOM
    }

    /// The wire's bytes: a chunk, and the body's end after the last one.
    pub(crate) fn wire(&mut self, chunks: bool, last: bool) -> &[u8] {
        if !chunks {
            return &self.bytes[SIZE_ROOM..];
        }
        let count = self.bytes.len() - SIZE_ROOM;
        let size = format!("{count:x}\r\n");
        let start = SIZE_ROOM - size.len();
        self.bytes[start..SIZE_ROOM].copy_from_slice(size.as_bytes());
        self.bytes
            .extend_from_slice(if last { b"\r\n0\r\n\r\n" } else { b"\r\n" });
        &self.bytes[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkBuffer, Whole};

    #[test]
    fn a_chunk_has_its_size_before_it() {
        let mut buffer = ChunkBuffer::new();
        buffer.data().extend_from_slice(b"0123456789abcdef");
        assert_eq!(buffer.wire(true, false), b"10\r\n0123456789abcdef\r\n");
        buffer.data().push(b'x');
        assert_eq!(buffer.wire(true, true), b"1\r\nx\r\n0\r\n\r\n");
        buffer.data().push(b'y');
        assert_eq!(buffer.wire(false, true), b"y");
    }

    #[test]
    fn a_whole_answer_is_one_piece() {
        let whole = Whole::wrong_method("POST");
        let text = String::from_utf8(whole.bytes("r1", false, false)).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nAllow: POST\r\n") && text.contains("\r\nConnection: close\r\n"));
        assert!(
            text.ends_with("\"code\":\"method_not_allowed\"}}"),
            "{text}"
        );
    }
}
