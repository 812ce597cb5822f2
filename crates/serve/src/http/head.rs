/// What of a request's head is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// The path as it was sent: nothing is decoded or resolved. Without the query.
    pub(crate) path: String,
    /// The value of `Authorization`.
    pub(crate) authorization: Option<Vec<u8>>,
    /// `X-Request-Id`, where it may be echoed.
    pub(crate) request_id: Option<String>,
    pub(crate) framing: Framing,
    /// The client can go on with this connection.
    pub(crate) keep_alive: bool,
    /// The client waits to be told that it may send its body.
    pub(crate) expects_continue: bool,
    /// HTTP/1.1: the client reads chunks.
    pub(crate) chunks: bool,
}

/// The methods there are routes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Other,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

/// Why a request is none; the connection ends after the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRequest {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl BadRequest {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        BadRequest {
            status,
            message: message.into(),
        }
    }
}

/// Headers of a request, at most.
const HEADERS_MAX: usize = 100;
/// Characters of an id that is echoed, at most.
const REQUEST_ID_MAX: usize = 128;

/// Where the head ends that begins `bytes`, looking only from `from` on: bytes before were looked at.
pub(crate) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    // An end may have begun before.
    let from = from.saturating_sub(3);
    (from..bytes.len()).find_map(|index| {
        let rest = bytes[index..].strip_prefix(b"\n")?;
        if rest.starts_with(b"\n") {
            Some(index + 2)
        } else if rest.starts_with(b"\r\n") {
            Some(index + 3)
        } else {
            None
        }
    })
}

/// Reads a whole head; absent where only empty lines came so far.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(BadRequest::new(
                431,
                format!("the request has more than {HEADERS_MAX} headers, which is the limit"),
            ));
        }
        Err(error) => {
            return Err(BadRequest::new(
                400,
                format!("the request's head is not HTTP/1.1: {error}"),
            ));
        }
    }
    let is_1_1 = request.version == Some(1);
    let connection = values(request.headers, "connection")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .fold(is_1_1, |keep, token| {
            if token.eq_ignore_ascii_case(b"close") {
                false
            } else {
                keep || token.eq_ignore_ascii_case(b"keep-alive")
            }
        });
    Ok(Some(Head {
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            _ => Method::Other,
        },
        path: path(request.path.unwrap_or_default()).to_owned(),
        authorization: values(request.headers, "authorization")
            .next()
            .map(<[u8]>::to_vec),
        request_id: values(request.headers, "x-request-id")
            .next()
            .and_then(request_id),
        framing: framing(request.headers, is_1_1)?,
        keep_alive: connection,
        expects_continue: values(request.headers, "expect")
            .any(|value| value.eq_ignore_ascii_case(b"100-continue")),
        chunks: is_1_1,
    }))
}

fn values<'a>(
    headers: &'a [httparse::Header<'a>],
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

/// The path of a target, which a proxy's client sends with scheme and host.
fn path(target: &str) -> &str {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or(path)
}

/// An id goes back as it came only where it cannot be mistaken for anything else.
fn request_id(value: &[u8]) -> Option<String> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let fits = (1..=REQUEST_ID_MAX).contains(&value.len()) && value.iter().all(plain);
    fits.then(|| String::from_utf8_lossy(value).into_owned())
}

/// RFC 9112, section 6.3. What two readers could understand differently is refused.
fn framing(headers: &[httparse::Header<'_>], is_1_1: bool) -> Result<Framing, BadRequest> {
    let mut encodings = values(headers, "transfer-encoding");
    let encoding = encodings.next();
    let mut lengths = values(headers, "content-length");
    let length = lengths.next();
    match (encoding, length) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => Err(BadRequest::new(
            400,
            "the request has both Content-Length and Transfer-Encoding; send one of them",
        )),
        (Some(encoding), None) => {
            let chunked = encoding.eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
            if chunked && is_1_1 {
                Ok(Framing::Chunked)
            } else {
                Err(BadRequest::new(
                    400,
                    "the only Transfer-Encoding that is taken is `chunked`, of HTTP/1.1",
                ))
            }
        }
        (None, Some(length)) => {
            let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let same = lengths.all(|other| other == length);
            std::str::from_utf8(length)
                .ok()
                .filter(|_| digits && same)
                .and_then(|text| text.parse().ok())
                .map(Framing::Length)
                .ok_or_else(|| BadRequest::new(400, "Content-Length is not one whole number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, Method, end, parse};
    use proptest::prelude::*;

    fn head(text: &str) -> Result<super::Head, super::BadRequest> {
        parse(text.as_bytes()).map(|head| head.expect("a whole head"))
    }

    #[test]
    fn what_a_request_needs_is_read() {
        let head = head(
            "POST http://h/v1/completions?a=b HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: 12\r\n\
             Authorization:  Bearer k \r\nX-Request-Id: a-1\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            (head.method, head.framing),
            (Method::Post, Framing::Length(12))
        );
        assert_eq!(head.path, "/v1/completions");
        assert_eq!(head.authorization.as_deref(), Some(&b"Bearer k"[..]));
        assert_eq!(head.request_id.as_deref(), Some("a-1"));
        assert!(head.keep_alive && head.expects_continue && head.chunks);
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for headers in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            " folded: x\r\n",
        ] {
            let error = head(&format!("POST / HTTP/1.1\r\n{headers}\r\n")).unwrap_err();
            assert_eq!(error.status, 400, "{headers}");
        }
        assert!(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_connection_is_kept_as_the_client_wants_it() {
        for (version, header, keep) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: keep-alive, Close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive\r\n", true),
        ] {
            let head = head(&format!("GET / HTTP/{version}\r\n{header}\r\n")).unwrap();
            assert_eq!(head.keep_alive, keep, "{version} {header}");
        }
    }

    #[test]
    fn only_plain_ids_are_echoed() {
        for id in ["", "a b", "a\"b", "<x>", "é", &"x".repeat(129)] {
            let head = head(&format!("GET / HTTP/1.1\r\nX-Request-Id: {id}\r\n\r\n")).unwrap();
            assert_eq!(head.request_id, None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = end(&bytes, 0);
        }

        #[test]
        fn an_end_is_found_wherever_reads_are_cut(text in "(a|\r\n|\n){0,12}", cut in 0usize..20) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = end(bytes, 0);
            let in_two = end(&bytes[..cut], 0).or_else(|| end(bytes, cut));
            prop_assert_eq!(whole, in_two);
        }
    }
}
