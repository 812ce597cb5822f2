//! HTTP/1.1 requests found in bytes. Pure: the same bytes give the same request, however they
//! arrived.

use std::borrow::Cow;

/// Longest head taken.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;
/// Longest body taken.
pub(crate) const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// Most headers taken.
const HEADERS: usize = 64;

/// A whole request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    pub(crate) authorization: Option<&'a [u8]>,
    /// `x-request-id`.
    pub(crate) id: Option<&'a [u8]>,
    /// `x-mock-fault`.
    pub(crate) fault: Option<&'a [u8]>,
    /// The client wants the connection closed after the response.
    pub(crate) close: bool,
    pub(crate) body: Cow<'a, [u8]>,
}

impl Request<'_> {
    /// The bearer key, where there is one.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.authorization?.strip_prefix(b"Bearer ")
    }
}

/// What the bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// Not a whole request yet: parsing is vain before there are `at_least` bytes. Where it `awaits_word`, its head is
    /// there, and the client asks before it sends the body.
    Partial { at_least: usize, awaits_word: bool },
    /// A request, which ends after `consumed` bytes.
    Whole {
        request: Request<'a>,
        consumed: usize,
    },
}

/// Why the bytes are no request; the connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) reason: String,
}

impl Refused {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// Finds the request that `bytes` begin with.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let partial = |awaits_word| Parsed::Partial {
        at_least: bytes.len() + 1,
        awaits_word,
    };
    let head_bytes = match head.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) if head_bytes <= HEAD_LIMIT => head_bytes,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_LIMIT => return Ok(partial(false)),
        Ok(_) => {
            return Err(Refused::new(
                431,
                format!("the request's head is longer than {HEAD_LIMIT} bytes"),
            ));
        }
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refused::new(
                431,
                format!("the request has more than {HEADERS} headers"),
            ));
        }
        Err(error) => {
            return Err(Refused::new(
                400,
                format!("the request's head is not HTTP/1.1: {error}"),
            ));
        }
    };
    let rest = &bytes[head_bytes..];
    // RFC 9110, section 10.1.1: such a client waits for a word, but not of HTTP/1.0, and not where it sends already.
    let expects = header(head.headers, "expect");
    let awaits_word = head.version == Some(1)
        && rest.is_empty()
        && expects.is_some_and(|expects| expects.eq_ignore_ascii_case(b"100-continue"));
    let (body, body_bytes) = match framing(head.headers)? {
        Framing::Length(length) if rest.len() < length => {
            return Ok(Parsed::Partial {
                at_least: head_bytes + length,
                awaits_word,
            });
        }
        Framing::Length(length) => (Cow::Borrowed(&rest[..length]), length),
        Framing::Chunked => match chunked(rest)? {
            Some((body, body_bytes)) => (Cow::Owned(body), body_bytes),
            None => return Ok(partial(awaits_word)),
        },
    };
    let target = head.path.unwrap_or_default();
    let connection = header(head.headers, "connection").unwrap_or_default();
    let request = Request {
        method: head.method.unwrap_or_default(),
        path: target.split_once('?').map_or(target, |(path, _query)| path),
        authorization: header(head.headers, "authorization"),
        id: header(head.headers, "x-request-id"),
        fault: header(head.headers, "x-mock-fault"),
        close: head.version == Some(0) || connection.eq_ignore_ascii_case(b"close"),
        body,
    };
    Ok(Parsed::Whole {
        request,
        consumed: head_bytes + body_bytes,
    })
}

fn header<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn framing(headers: &[httparse::Header<'_>]) -> Result<Framing, Refused> {
    match (
        header(headers, "content-length"),
        header(headers, "transfer-encoding"),
    ) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) => {
            let length = std::str::from_utf8(length)
                .ok()
                .and_then(|length| length.parse::<usize>().ok());
            match length {
                Some(length) if length <= BODY_LIMIT => Ok(Framing::Length(length)),
                Some(_) => Err(too_large()),
                None => Err(Refused::new(400, "the Content-Length is not a number")),
            }
        }
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (None, Some(_)) => Err(Refused::new(
            501,
            "the only Transfer-Encoding taken is chunked",
        )),
        (Some(_), Some(_)) => Err(Refused::new(
            400,
            "the request has both a Content-Length and a Transfer-Encoding",
        )),
    }
}

fn too_large() -> Refused {
    Refused::new(
        413,
        format!("the request's body is longer than {BODY_LIMIT} bytes"),
    )
}

/// The body and the bytes it took; none while it is not whole.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Refused> {
    let wrong = || Refused::new(400, "the request's chunked body is not well-formed");
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (size_bytes, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(wrong()),
        };
        at += size_bytes;
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; HEADERS];
            return match httparse::parse_headers(&bytes[at..], &mut trailers) {
                Ok(httparse::Status::Complete((trailer_bytes, _))) => {
                    Ok(Some((body, at + trailer_bytes)))
                }
                Ok(httparse::Status::Partial) => Ok(None),
                Err(_) => Err(wrong()),
            };
        }
        let size = usize::try_from(size)
            .ok()
            .filter(|size| body.len() + size <= BODY_LIMIT);
        let size = size.ok_or_else(too_large)?;
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err(wrong());
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY_LIMIT, HEAD_LIMIT, Parsed, Request, parse};
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> (Request<'_>, usize) {
        match parse(bytes) {
            Ok(Parsed::Whole { request, consumed }) => (request, consumed),
            other => panic!("not a whole request: {other:?}"),
        }
    }

    const WITH_LENGTH: &[u8] =
        b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nX-Request-ID: r-1\r\n\
        Authorization: Bearer k\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] = b"POST /v1/completions HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n\
        3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: t\r\n\r\n";

    #[test]
    fn a_request_with_a_length_is_read_whole() {
        let (request, consumed) = whole(WITH_LENGTH);
        assert_eq!(
            (request.method, request.path),
            ("POST", "/v1/chat/completions")
        );
        assert_eq!(request.authorization, Some(&b"Bearer k"[..]));
        assert_eq!(request.id, Some(&b"r-1"[..]));
        assert_eq!(&*request.body, b"hello");
        assert!(!request.close);
        assert_eq!(consumed, WITH_LENGTH.len());
    }

    #[test]
    fn a_chunked_request_is_read_whole() {
        let (request, consumed) = whole(CHUNKED);
        assert_eq!(&*request.body, b"hello");
        assert_eq!(consumed, CHUNKED.len());
    }

    #[test]
    fn no_prefix_of_a_request_is_taken_for_the_request() {
        for request in [WITH_LENGTH, CHUNKED] {
            for end in 0..request.len() {
                match parse(&request[..end]) {
                    Ok(Parsed::Partial {
                        at_least,
                        awaits_word,
                    }) => {
                        assert!(at_least > end && at_least <= request.len());
                        assert!(!awaits_word);
                    }
                    other => panic!("{end} bytes: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_client_that_asks_before_it_sends_its_body_is_heard_once_its_head_is_there() {
        let awaits = |text: &str| match parse(text.as_bytes()) {
            Ok(Parsed::Partial { awaits_word, .. }) => awaits_word,
            other => panic!("{other:?}"),
        };
        let head = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\n";
        for framing in [
            "content-length: 2\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n",
        ] {
            assert!(awaits(&format!("{head}{framing}")));
            // It has begun: nobody waits.
            assert!(!awaits(&format!("{head}{framing}1")));
            let old = head.replace("1.1", "1.0");
            assert!(!awaits(&format!("{old}{framing}")));
        }
        assert!(!awaits(head));
        assert!(!awaits("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n"));
    }

    #[test]
    fn what_follows_a_request_is_left_for_the_next() {
        let two = [WITH_LENGTH, CHUNKED].concat();
        let (_, first) = whole(&two);
        assert_eq!(first, WITH_LENGTH.len());
        assert_eq!(&*whole(&two[first..]).0.body, b"hello");
    }

    #[test]
    fn a_client_that_wants_the_connection_closed_is_heard() {
        assert!(
            whole(b"GET /health HTTP/1.1\r\nConnection: Close\r\n\r\n")
                .0
                .close
        );
        assert!(whole(b"GET /health HTTP/1.0\r\n\r\n").0.close);
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_status() {
        let long = format!("GET / HTTP/1.1\r\na: {}", "x".repeat(HEAD_LIMIT));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        let large = format!(
            "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
            BODY_LIMIT + 1
        );
        let head = "POST / HTTP/1.1\r\n";
        for (bytes, status) in [
            ("\0\0\r\n\r\n".to_owned(), 400),
            (long, 431),
            (many, 431),
            (large, 413),
            (format!("{head}content-length: -1\r\n\r\n"), 400),
            (
                format!("{head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
                400,
            ),
            (format!("{head}transfer-encoding: gzip\r\n\r\n"), 501),
            (
                format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n"),
                400,
            ),
            (
                format!("{head}transfer-encoding: chunked\r\n\r\nffffffff\r\n"),
                413,
            ),
        ] {
            assert_eq!(
                parse(bytes.as_bytes()).unwrap_err().status,
                status,
                "{bytes:.60}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Parsed::Whole { consumed, .. }) = parse(&bytes) {
                prop_assert!(consumed <= bytes.len());
            }
            let _answered = parse(&[&b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"[..], &bytes].concat());
        }
    }
}
