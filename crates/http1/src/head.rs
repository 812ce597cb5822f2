//! The head of a request.

use crate::refusal::Refusal;
use std::ops::Range;

/// Headers of a request, at most.
const HEADERS_MAX: usize = 100;
/// Characters of an id that is echoed, at most.
const REQUEST_ID_MAX: usize = 128;

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// As it came; the ranges lie in it.
    text: Vec<u8>,
    method: Method,
    path: Range<usize>,
    fields: Vec<Field>,
    framing: Framing,
    keep_alive: bool,
    expects_continue: bool,
    is_1_1: bool,
}

/// Where a header line has its name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// The methods that servers of an API have routes for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: a `GET` whose answer has no body.
    Head,
    /// `POST`.
    Post,
    /// Another one.
    Other(String),
}

impl Method {
    /// As it is sent.
    pub fn name(&self) -> &str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Other(name) => name,
        }
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

impl Head {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path as it was sent: nothing is decoded or resolved. Without the query; `/` where only a host was named.
    pub fn path(&self) -> &str {
        // It was text when it was found.
        let path = std::str::from_utf8(&self.text[self.path.clone()]).unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    /// The values of a header, in order, without the space around them.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = move |field: &&Field| {
            self.text[field.name.clone()].eq_ignore_ascii_case(name.as_bytes())
        };
        let fields = self.fields.iter().filter(of_name);
        fields.map(|field| self.text[field.value.clone()].trim_ascii())
    }

    /// The key of `Authorization: Bearer KEY`; the scheme's case does not matter (RFC 9110, section 11.1).
    pub fn bearer(&self) -> Option<&[u8]> {
        let value = self.values("authorization").next()?;
        let (scheme, key) = value.split_at_checked(7)?;
        let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer ");
        is_bearer.then(|| key.trim_ascii())
    }

    /// The value of `X-Request-Id`, only where it cannot be mistaken for anything else when it goes back.
    pub fn request_id(&self) -> Option<&str> {
        let value = self.values("x-request-id").next()?;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        let fits = (1..=REQUEST_ID_MAX).contains(&value.len()) && value.iter().all(plain);
        std::str::from_utf8(value).ok().filter(|_| fits)
    }

    /// The client can go on with this connection after the answer.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The connection ends after the answer, whatever the client would like.
    #[must_use]
    pub fn into_last(self) -> Self {
        Head {
            keep_alive: false,
            ..self
        }
    }

    /// The client waits to be told that it may send its body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// It is of HTTP/1.1: the client reads chunks and answers before the answer.
    pub fn is_1_1(&self) -> bool {
        self.is_1_1
    }

    /// There is no body.
    pub fn has_no_body(&self) -> bool {
        self.framing == Framing::Length(0)
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }
}

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
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            let message = format!(
                "the request has more than {HEADERS_MAX} headers, which is the limit; send fewer"
            );
            return Err(Refusal::new(431, message));
        }
        Err(error) => {
            let message = format!("the request's head is not HTTP/1.1: {error}");
            return Err(Refusal::new(400, message));
        }
    }
    let is_1_1 = request.version == Some(1);
    if values(request.headers, "host").count() > 1 {
        return Err(Refusal::new(400, "the request has more than one Host"));
    }
    let range = |part: &[u8]| {
        // Nothing may lie anywhere.
        if part.is_empty() {
            return 0..0;
        }
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + part.len()
    };
    Ok(Some(Head {
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            Some("POST") => Method::Post,
            other => Method::Other(other.unwrap_or_default().to_owned()),
        },
        path: request
            .path
            .map_or(0..0, |target| range(target[path(target)].as_bytes())),
        fields: request
            .headers
            .iter()
            .map(|header| Field {
                name: range(header.name.as_bytes()),
                value: range(header.value),
            })
            .collect(),
        framing: framing(request.headers, is_1_1)?,
        keep_alive: keep_alive(request.headers, is_1_1),
        expects_continue: is_1_1 && expects_continue(request.headers)?,
        is_1_1,
        text: bytes.to_vec(),
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

/// Where the path lies in a target, which a proxy's client sends with scheme and host. Empty behind a host alone.
fn path(target: &str) -> Range<usize> {
    let begin = match target.strip_prefix("http://") {
        Some(rest) => target.len() - rest.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        None => 0,
    };
    let length = target[begin..].find(['?', '#']);
    begin..length.map_or(target.len(), |length| begin + length)
}

fn keep_alive(headers: &[httparse::Header<'_>], is_1_1: bool) -> bool {
    let mut tokens = values(headers, "connection")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii);
    let mut asked = is_1_1;
    let closes = tokens.any(|token| {
        asked = asked || token.eq_ignore_ascii_case(b"keep-alive");
        token.eq_ignore_ascii_case(b"close")
    });
    asked && !closes
}

fn expects_continue(headers: &[httparse::Header<'_>]) -> Result<bool, Refusal> {
    let mut expects = false;
    for value in values(headers, "expect") {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            let message = "the only Expect that is met is `100-continue`";
            return Err(Refusal::new(417, message));
        }
        expects = true;
    }
    Ok(expects)
}

/// RFC 9112, section 6.3. What two readers could understand differently is refused.
fn framing(headers: &[httparse::Header<'_>], is_1_1: bool) -> Result<Framing, Refusal> {
    let mut encodings = values(headers, "transfer-encoding");
    let encoding = encodings.next();
    let mut lengths = values(headers, "content-length");
    let length = lengths.next();
    match (encoding, length) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(_), Some(_)) => Err(Refusal::new(
            400,
            "the request has both Content-Length and Transfer-Encoding; send one of them",
        )),
        (Some(encoding), None) => {
            let chunked = encoding.eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
            if chunked && is_1_1 {
                Ok(Framing::Chunked)
            } else {
                Err(Refusal::new(
                    400,
                    "the only Transfer-Encoding that is taken is `chunked`, once, of HTTP/1.1",
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
                .ok_or_else(|| Refusal::new(400, "Content-Length is not one whole number"))
        }
    }
}

#[cfg(test)]
mod tests;
