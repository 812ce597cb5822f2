//! What a scripted server writes for one request, and when.

use openai::{DONE, Endpoint, FrameStyle};
use std::time::Duration;

const STYLE: FrameStyle<'static> = FrameStyle {
    endpoint: Endpoint::ChatCompletions,
    id: "c",
    model: "m",
    created: 0,
};

/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes, each so many milliseconds after the request was in, and what happens then.
///
/// Whole milliseconds, because the runtime's timer knows no finer ones, paused or not.
pub struct Reply {
    pub(crate) writes: Box<dyn Iterator<Item = (Duration, Vec<u8>)>>,
    pub(crate) end: End,
}

/// What a scripted server does after the last write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It takes the next request on the connection.
    KeepAlive,
    /// It closes the connection.
    Close,
    /// Nothing, until the client goes away.
    Hold,
}

impl Reply {
    /// Bytes as they stand, at their times; then the next request is taken.
    pub fn new(writes: impl IntoIterator<Item = (u64, Vec<u8>), IntoIter: 'static>) -> Self {
        let writes = writes.into_iter();
        Reply {
            writes: Box::new(writes.map(|(ms, bytes)| (Duration::from_millis(ms), bytes))),
            end: End::KeepAlive,
        }
    }

    /// A stream of server-sent events, a chunk and a write for each; the head comes with the first
    /// of them and the end of the body with the last.
    pub fn stream(events: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Self {
        let mut writes: Vec<(u64, Vec<u8>)> = events
            .into_iter()
            .map(|(ms, event)| (ms, chunk(&event)))
            .collect();
        if let Some((_, first)) = writes.first_mut() {
            first.splice(0..0, stream_head());
        }
        if let Some((_, last)) = writes.last_mut() {
            last.extend_from_slice(LAST_CHUNK);
        }
        Reply::new(writes)
    }

    /// A whole completion stream: a content event at each of `times`, and with the last one the
    /// finish reason, the token counts and `[DONE]`.
    pub fn tokens(times: &[u64]) -> Self {
        let mut events: Vec<(u64, Vec<u8>)> = times.iter().map(|&ms| (ms, content(" a"))).collect();
        if let Some((_, last)) = events.last_mut() {
            last.extend(finish(times.len() as u64));
        }
        Reply::stream(events)
    }

    /// Nothing at all, for ever.
    pub fn never() -> Self {
        Reply::new([]).then(End::Hold)
    }

    /// The same writes, and another end.
    #[must_use]
    pub fn then(self, end: End) -> Self {
        Reply { end, ..self }
    }

    /// The same bytes, one at a time, a millisecond apart.
    #[must_use]
    pub fn dripped(self) -> Self {
        let bytes: Vec<u8> = self.writes.flat_map(|(_, bytes)| bytes).collect();
        Reply {
            end: self.end,
            ..Reply::new((0..).zip(bytes.into_iter().map(|byte| vec![byte])))
        }
    }

    /// The same bytes in two writes, cut at `offset`, a millisecond apart.
    #[must_use]
    pub fn split_at(self, offset: usize) -> Self {
        let mut first: Vec<u8> = self.writes.flat_map(|(_, bytes)| bytes).collect();
        let second = first.split_off(offset.min(first.len()));
        Reply {
            end: self.end,
            ..Reply::new([(0, first), (1, second)])
        }
    }

    /// How many bytes it has; never call it on an endless one.
    pub fn count_bytes(self) -> usize {
        self.writes.map(|(_, bytes)| bytes.len()).sum()
    }
}

/// The head of a stream of server-sent events, whose body is chunked.
pub fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

/// A whole response with its length; `status` is the status line's tail, such as `404 Not Found`.
pub fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut lines = vec![
        format!("HTTP/1.1 {status}"),
        format!("content-length: {}", body.len()),
    ];
    lines.extend(
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    [lines.join("\r\n").as_bytes(), b"\r\n\r\n", body].concat()
}

/// `payload` as one chunk of a chunked body.
pub fn chunk(payload: &[u8]) -> Vec<u8> {
    [
        format!("{:x}\r\n", payload.len()).as_bytes(),
        payload,
        b"\r\n",
    ]
    .concat()
}

/// An event of generated text.
pub fn content(text: &str) -> Vec<u8> {
    STYLE.content(0, text)
}

/// The three events that end a stream: finish reason, token counts, `[DONE]`.
pub fn finish(completion_tokens: u64) -> Vec<u8> {
    [
        STYLE.finish(0, "length"),
        STYLE.usage(7, completion_tokens),
        DONE.to_vec(),
    ]
    .concat()
}
