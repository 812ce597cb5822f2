//! Doors for `fuzz/targets`, to what reads a server's bytes before anything else does. Not part of the API: whoever
//! uses the crate reaches both through [`crate::get`], [`crate::Client`] and [`crate::Scraper`].

use crate::response::ResponseReader;
use crate::scrape;
use trace::ServerSample;

/// What the framing made of a connection's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadResponse {
    /// Everything that is kept of the head, for a comparison.
    pub head: Option<String>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// Whether the response was whole when the connection ended.
    pub is_whole: bool,
    /// Whether the connection could have served another request, before it ended.
    pub keeps_alive: bool,
    /// What was not HTTP.
    pub error: Option<String>,
}

/// Reads one response from what comes in those pieces, until the connection ends or an error.
pub fn read_response<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> ReadResponse {
    let mut reader = ResponseReader::new();
    let mut body = Vec::new();
    let mut pushed = pieces
        .into_iter()
        .map(|piece| reader.push(piece, &mut |bytes: &[u8]| body.extend_from_slice(bytes)));
    let error = pushed.find_map(Result::err);
    let keeps_alive = reader.keeps_alive();
    let ended = match error {
        Some(error) => Err(error),
        None => reader.end(),
    };
    ReadResponse {
        head: reader.head().map(|head| format!("{head:?}")),
        is_whole: ended == Ok(true),
        keeps_alive,
        body,
        error: ended.err(),
    }
}

/// What a page of `/metrics` says.
pub fn server_metrics(page: &str) -> Option<ServerSample> {
    scrape::parse(page)
}
