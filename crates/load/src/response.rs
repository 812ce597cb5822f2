//! One HTTP/1.1 response from bytes as they come: its head, and where its body's bytes are.
//!
//! Pure: it is fed with what a read brought, and says which of it is body. The framing is RFC
//! 9112's; what it does not allow is an error, never a guess.

use crate::head::Head;

/// More head than this is no head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;

/// A head that is no longer than this is looked at whenever more of it comes, so that what is none is known at once.
const DRIPPED_BYTES_MAX: usize = 1024;

/// More interim answers than this announce none.
const INTERIM_MAX: usize = 100;

/// More than this between two chunks is no chunk framing.
const FRAMING_BYTES_MAX: usize = 16 * 1024;

/// Reads one response.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    state: State,
    head: Option<Head>,
    /// Bytes of an unfinished head or line of chunk framing.
    partial: Vec<u8>,
    keep_alive: bool,
    /// Interim answers that came.
    interim: usize,
    /// Bytes of trailers that came, which nobody reads.
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of body are left.
    Length(u64),
    ChunkSize,
    /// So many bytes of this chunk are left.
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

impl ResponseReader {
    pub(crate) fn new() -> Self {
        ResponseReader {
            state: State::Head,
            head: None,
            partial: Vec::new(),
            keep_alive: true,
            interim: 0,
            trailers: 0,
        }
    }

    /// The head, once it is whole.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Whether the response is whole.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the connection can serve another request after this response.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.is_done() && self.keep_alive
    }

    /// The stream of bytes has ended; whether the response is whole.
    ///
    /// # Errors
    /// What came of a head is not the beginning of one.
    pub(crate) fn end(&mut self) -> Result<bool, String> {
        if self.state == State::Head {
            let partial = std::mem::take(&mut self.partial);
            self.parse_head(&partial)?;
        }
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.keep_alive = false;
        Ok(self.is_done())
    }

    /// Reads what has come; `on_body` gets the bytes of body among it, in order.
    ///
    /// # Errors
    /// A sentence that says what is not HTTP.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        on_body: &mut impl FnMut(&[u8]),
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.push_head(bytes)?,
                State::Length(left) => {
                    let (body, rest) = split(bytes, left);
                    on_body(body);
                    self.state = after(left - body.len() as u64, State::Length, State::Done);
                    rest
                }
                State::Chunk(left) => {
                    let (body, rest) = split(bytes, left);
                    on_body(body);
                    self.state = after(left - body.len() as u64, State::Chunk, State::ChunkEnd);
                    rest
                }
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.push_line(bytes)?,
                State::UntilClose => {
                    on_body(bytes);
                    &[]
                }
                State::Done => {
                    // Nobody asked for more: what comes next on this connection cannot be trusted.
                    self.keep_alive = false;
                    &[]
                }
            };
        }
        Ok(())
    }

    fn push_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        // Nearly always the whole head comes in one read, and nothing is copied.
        let known = self.partial.len();
        if known == 0
            && let Some(length) = self.parse_head(bytes)?
        {
            return Ok(&bytes[length..]);
        }
        self.partial.extend_from_slice(bytes);
        let partial = std::mem::take(&mut self.partial);
        // Only a line's end completes it: a long head that comes byte by byte is not parsed with every one.
        let parse = partial.len() <= DRIPPED_BYTES_MAX || bytes.contains(&b'\n');
        if known > 0
            && parse
            && let Some(length) = self.parse_head(&partial)?
        {
            return Ok(&bytes[length - known..]);
        }
        if partial.len() > HEAD_BYTES_MAX {
            return Err(format!("its head is longer than {HEAD_BYTES_MAX} bytes"));
        }
        self.partial = partial;
        Ok(&[])
    }

    /// Reads a head; its length where it is whole.
    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("its head is not HTTP/1.1: {error}")),
        };
        let status = response.code.unwrap_or_default();
        if status == 101 {
            return Err("it switches to another protocol, which nobody asked for".into());
        }
        if (100..200).contains(&status) {
            // Interim: the response proper follows.
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(format!(
                    "it has more than {INTERIM_MAX} interim answers before the one proper"
                ));
            }
            return Ok(Some(length));
        }
        let framing = Framing::of(response.headers)?;
        self.keep_alive = framing.keeps_alive(response.version == Some(1));
        self.state = match framing {
            _ if status == 204 || status == 304 => State::Done,
            Framing { chunked: true, .. } => State::ChunkSize,
            Framing {
                length: Some(0), ..
            } => State::Done,
            Framing {
                length: Some(length),
                ..
            } => State::Length(length),
            Framing { length: None, .. } => State::UntilClose,
        };
        self.head = Some(Head::of(status, response.headers));
        Ok(Some(length))
    }

    /// A line of chunk framing: a size, the line end behind a chunk, or a trailer.
    fn push_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.partial.extend_from_slice(bytes);
            if self.partial.len() > FRAMING_BYTES_MAX {
                return Err(format!(
                    "a line of its chunk framing is longer than {FRAMING_BYTES_MAX} bytes"
                ));
            }
            return Ok(&[]);
        };
        let rest = &bytes[end + 1..];
        if self.state == State::Trailers {
            self.trailers += self.partial.len() + end + 1;
            if self.trailers > HEAD_BYTES_MAX {
                return Err(format!(
                    "its trailers are longer than {HEAD_BYTES_MAX} bytes"
                ));
            }
        }
        if self.partial.is_empty() {
            self.state = next_state(self.state, &bytes[..end])?;
        } else {
            self.partial.extend_from_slice(&bytes[..end]);
            let line = std::mem::take(&mut self.partial);
            self.state = next_state(self.state, &line)?;
        }
        Ok(rest)
    }
}

/// Where a line of chunk framing leads to.
fn next_state(state: State, line: &[u8]) -> Result<State, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match state {
        State::ChunkSize => Ok(match chunk_size(line)? {
            0 => State::Trailers,
            size => State::Chunk(size),
        }),
        State::ChunkEnd if line.is_empty() => Ok(State::ChunkSize),
        State::ChunkEnd => Err("a chunk of its body is longer than its size says".into()),
        _ if line.is_empty() => Ok(State::Done),
        _ => Ok(State::Trailers),
    }
}

/// The size in front of a chunk, without its extensions.
fn chunk_size(line: &[u8]) -> Result<u64, String> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    std::str::from_utf8(digits.trim_ascii())
        .ok()
        .filter(|digits| !digits.starts_with('+'))
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| {
            let shown = String::from_utf8_lossy(&line[..line.len().min(20)]).into_owned();
            format!("`{}` is not the size of a chunk", shown.escape_debug())
        })
}

/// What the headers say of the body's end.
struct Framing {
    chunked: bool,
    length: Option<u64>,
    connection_close: bool,
    connection_keep_alive: bool,
}

impl Framing {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, String> {
        let mut framing = Framing {
            chunked: false,
            length: None,
            connection_close: false,
            connection_keep_alive: false,
        };
        for header in headers {
            let value = String::from_utf8_lossy(header.value);
            let value = value.trim();
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case("chunked") {
                    return Err("its transfer-encoding is not `chunked` alone".into());
                }
                framing.chunked = true;
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let length = value.parse().ok().filter(|_| !value.starts_with('+'));
                let length = length.ok_or("its content-length is not a number")?;
                if framing.length.is_some_and(|known| known != length) {
                    return Err("it has two content-lengths that differ".into());
                }
                framing.length = Some(length);
            } else if header.name.eq_ignore_ascii_case("connection") {
                let says = |token: &str| {
                    let mut tokens = value.split(',').map(str::trim);
                    tokens.any(|one| one.eq_ignore_ascii_case(token))
                };
                framing.connection_close |= says("close");
                framing.connection_keep_alive |= says("keep-alive");
            }
        }
        Ok(framing)
    }

    /// A length beside chunks smells of a smuggled response: its connection is not used again.
    fn keeps_alive(&self, is_1_1: bool) -> bool {
        let ambiguous = self.chunked && self.length.is_some();
        !self.connection_close && !ambiguous && (is_1_1 || self.connection_keep_alive)
    }
}

/// At most `limit` bytes, and the rest.
fn split(bytes: &[u8], limit: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(limit).map_or(bytes.len(), |limit| limit.min(bytes.len())))
}

fn after(left: u64, more: fn(u64) -> State, none: State) -> State {
    if left == 0 { none } else { more(left) }
}

#[cfg(test)]
mod tests {
    use super::ResponseReader;
    use proptest::prelude::*;

    /// Body, status, whether it is whole, and whether the connection lives on.
    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<u16>, bool, bool), String> {
        let mut reader = ResponseReader::new();
        let mut body = Vec::new();
        for piece in pieces {
            reader.push(piece, &mut |bytes| body.extend_from_slice(bytes))?;
        }
        let status = reader.head().map(|head| head.status);
        Ok((body, status, reader.is_done(), reader.keeps_alive()))
    }

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n";

    #[test]
    fn bodies_end_where_their_framing_says() {
        let whole = |bytes: &[u8]| read(&[bytes]).unwrap();
        assert_eq!(
            whole(CHUNKED),
            (b"hello world".to_vec(), Some(200), true, true)
        );
        let length = b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(whole(length), (b"abc".to_vec(), Some(404), true, true));
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(whole(empty), (Vec::new(), Some(204), true, true));
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(whole(interim), (b"x".to_vec(), Some(200), true, true));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        let mut reader = ResponseReader::new();
        let bytes = b"HTTP/1.1 200 OK\r\n\r\nabc";
        reader
            .push(bytes, &mut |body| assert_eq!(body, b"abc"))
            .unwrap();
        assert!(!reader.is_done());
        assert_eq!(reader.end(), Ok(true));
        assert!(!reader.keeps_alive());
    }

    #[test]
    fn a_body_that_ends_early_is_not_whole() {
        for length in 1..CHUNKED.len() {
            let mut reader = ResponseReader::new();
            reader.push(&CHUNKED[..length], &mut |_| {}).unwrap();
            assert_eq!(reader.end(), Ok(false), "{length}");
        }
    }

    #[test]
    fn a_connection_is_used_again_only_where_that_is_sure() {
        let lives = |head: &str| read(&[head.as_bytes()]).unwrap().3;
        assert!(lives("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(!lives(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ));
        assert!(!lives("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(lives(
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"
        ));
        assert!(!lives("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore"));
        let both =
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(!lives(both));
    }

    #[test]
    fn what_is_not_http_is_refused_with_the_reason() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for (bytes, why) in [
            ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "not HTTP"),
            (format!("{chunked}xyz\r\n"), "size of a chunk"),
            (format!("{chunked}+5\r\nhello\r\n"), "size of a chunk"),
            (format!("{chunked}2\r\nhello\r\n"), "longer than its size"),
            (format!("{chunked}{}", "1".repeat(20_000)), "16384"),
            (
                format!("{chunked}0\r\n{}", "t: 1\r\n".repeat(12_000)),
                "trailers",
            ),
            (
                "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(101),
                "more than 100 interim",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".into(),
                "content-length",
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".into(),
                "differ",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n".into(),
                "transfer-encoding",
            ),
            (
                format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000)),
                "65536",
            ),
        ] {
            let error = read(&[bytes.as_bytes()]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_split_of_a_response_gives_the_same_body(cuts in proptest::collection::vec(0..CHUNKED.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            cuts.push(CHUNKED.len());
            let mut start = 0;
            let pieces: Vec<&[u8]> = cuts.iter().map(|&end| {
                let piece = &CHUNKED[start..end];
                start = end;
                piece
            }).collect();
            prop_assert_eq!(read(&pieces).unwrap(), read(&[CHUNKED]).unwrap());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &bytes]);
            let _ = read(&[&bytes]);
        }
    }
}
