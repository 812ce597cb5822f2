//! What stands around the body of an answer.

use crate::chunks::{LAST_CHUNK, push_chunk};
use crate::head::{Head, Method};
use std::io::Write;

/// Tells a client that it may send its body. Where it did not ask, it is to be passed over (RFC 9110, section 15.2), so
/// that it also shows whether a client that has closed its half of the connection still reads the other one.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What every answer to one request has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Goes back as `x-request-id`.
    pub request_id: Option<&'a str>,
    /// The connection ends with this answer.
    pub close: bool,
    /// Of a `HEAD`: the head that a `GET` would get, and no body.
    pub head_only: bool,
    /// The client reads chunks. Of a stream to one that does not, the end is that of the connection.
    pub chunks: bool,
}

impl<'a> Envelope<'a> {
    /// Of the answers to this request.
    pub fn of(head: &'a Head) -> Self {
        Self {
            request_id: head.request_id(),
            close: !head.keep_alive(),
            head_only: *head.method() == Method::Head,
            chunks: head.is_1_1(),
        }
    }

    /// Of a refusal, which ends the connection.
    pub fn last(request_id: Option<&'a str>) -> Self {
        Self {
            request_id,
            close: true,
            head_only: false,
            chunks: true,
        }
    }

    /// An answer with its whole body, for one write. `fields` are more header lines.
    pub fn whole(
        &self,
        status: u16,
        content_type: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut out = self.head(status, content_type, 256 + body.len(), self.close);
        for (name, value) in fields {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "content-length: {}\r\n\r\n", body.len());
        if !self.head_only {
            out.extend_from_slice(body);
        }
        out
    }

    /// The head of a stream of server-sent events. `fields` are more header lines.
    pub fn stream_head(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        let close = self.stream_ends_connection();
        let mut out = self.head(200, "text/event-stream; charset=utf-8", 256, close);
        // Nobody in between shall keep what comes.
        out.extend_from_slice(b"cache-control: no-cache\r\n");
        for (name, value) in fields {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        if self.chunks {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// The connection ends with a stream: it was to, or nothing else says where the stream ends.
    pub fn stream_ends_connection(&self) -> bool {
        self.close || !self.chunks
    }

    /// Appends a piece of a stream.
    pub fn push(&self, out: &mut Vec<u8>, payload: &[u8]) {
        if self.chunks {
            push_chunk(out, payload);
        } else {
            out.extend_from_slice(payload);
        }
    }

    /// What ends a stream.
    pub fn stream_end(&self) -> &'static [u8] {
        if self.chunks { LAST_CHUNK } else { b"" }
    }

    fn head(&self, status: u16, content_type: &str, capacity: usize, close: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        let reason = reason(status);
        let _ = write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n"
        );
        if let Some(id) = self.request_id {
            let _ = write!(out, "x-request-id: {id}\r\n");
        }
        if close {
            out.extend_from_slice(b"connection: close\r\n");
        } else if !self.chunks {
            // A client of HTTP/1.0 that asked for it must be told.
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::Envelope;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_whole_answer_says_its_length_and_carries_the_id_back() {
        let envelope = Envelope::last(Some("r-1"));
        let bytes = envelope.whole(429, "application/json", &[("retry-after", "7")], b"{}");
        assert_eq!(
            text(bytes),
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nx-request-id: r-1\r\n\
             connection: close\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn a_head_alone_has_the_length_of_the_body_that_it_goes_without() {
        let envelope = Envelope {
            head_only: true,
            close: false,
            ..Envelope::last(None)
        };
        let bytes = text(envelope.whole(404, "application/json", &[], b"{}"));
        assert!(bytes.ends_with("content-length: 2\r\n\r\n"), "{bytes}");
    }

    #[test]
    fn a_client_that_reads_no_chunks_is_sent_none_and_its_stream_ends_with_the_connection() {
        for (chunks, keep, closes) in [
            (true, true, false),
            (true, false, true),
            (false, true, true),
            (false, false, true),
        ] {
            let envelope = Envelope {
                request_id: None,
                close: !keep,
                head_only: false,
                chunks,
            };
            let mut bytes = envelope.stream_head(&[]);
            envelope.push(&mut bytes, b"data: 1\n\n");
            bytes.extend_from_slice(envelope.stream_end());
            let bytes = text(bytes);
            assert_eq!(envelope.stream_ends_connection(), closes);
            assert_eq!(bytes.contains("connection: close\r\n"), closes, "{bytes}");
            assert_eq!(bytes.contains("chunked"), chunks, "{bytes}");
            let body = bytes.split_once("\r\n\r\n").unwrap().1;
            let wire = if chunks {
                "9\r\ndata: 1\n\n\r\n0\r\n\r\n"
            } else {
                "data: 1\n\n"
            };
            assert_eq!(body, wire);
        }
    }
}
