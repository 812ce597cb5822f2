//! HTTP/1.1 responses as bytes.

use crate::http::Request;
use std::io::Write as _;

/// Ends a chunked body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What every response to one request has in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    /// The request's `x-request-id`, which goes back with the response.
    pub(crate) request_id: Option<&'a [u8]>,
    /// The connection ends with this response.
    pub(crate) close: bool,
    /// Of a `HEAD`: the head that a `GET` would get, and no body.
    pub(crate) head_only: bool,
}

impl<'a> Envelope<'a> {
    /// What the responses to this request have in common.
    pub(crate) fn of(request: &Request<'a>) -> Self {
        Self {
            request_id: request.id,
            close: request.close,
            head_only: request.method == "HEAD",
        }
    }
}

impl Envelope<'_> {
    /// A response with its whole body. `fields` are more header lines.
    pub(crate) fn whole(
        &self,
        status: u16,
        content_type: &str,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut out = self.head(status, content_type, 256 + body.len());
        for (name, value) in fields {
            push(&mut out, format_args!("{name}: {value}\r\n"));
        }
        push(
            &mut out,
            format_args!("content-length: {}\r\n\r\n", body.len()),
        );
        if !self.head_only {
            out.extend_from_slice(body);
        }
        out
    }

    /// The head of a stream of server-sent events, whose body is chunked.
    pub(crate) fn stream_head(&self) -> Vec<u8> {
        let mut out = self.head(200, "text/event-stream", 256);
        out.extend_from_slice(b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
        out
    }

    fn head(&self, status: u16, content_type: &str, capacity: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        let reason = reason(status);
        push(
            &mut out,
            format_args!("HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n"),
        );
        if let Some(id) = self.request_id {
            out.extend_from_slice(b"x-request-id: ");
            out.extend_from_slice(id);
            out.extend_from_slice(b"\r\n");
        }
        if self.close {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out
    }
}

/// Appends `payload` as one chunk.
pub(crate) fn push_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    push(out, format_args!("{:x}\r\n", payload.len()));
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every write");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, push_chunk};

    #[test]
    fn a_whole_response_says_its_length_and_carries_the_id_back() {
        let envelope = Envelope {
            request_id: Some(b"r-1"),
            close: true,
            head_only: false,
        };
        let bytes = envelope.whole(429, "application/json", &[("retry-after", "7")], b"{}");
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\nx-request-id: r-1\r\n\
             connection: close\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn a_chunk_has_its_length_in_hexadecimal() {
        let mut out = Vec::new();
        push_chunk(&mut out, &[b'a'; 26]);
        assert_eq!(out, [&b"1a\r\n"[..], &[b'a'; 26], b"\r\n"].concat());
    }
}
