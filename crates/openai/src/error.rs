//! Errors of requests and of streams.

use thiserror::Error;

/// Why a request, or a part of one, is refused: the fault of who sent or configured it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Not a route this crate speaks.
    #[error("endpoint `{text}` is not known; use /chat/completions or /completions")]
    UnknownEndpoint {
        /// What was given.
        text: String,
    },
    /// The body is not the JSON object it should be.
    #[error("the request body is not a valid request: {reason}")]
    MalformedRequest {
        /// The parser's words, with line and column.
        reason: String,
    },
    /// A chat request without `messages`, or a completion request without `prompt`.
    #[error("the request body has no `{field}`; {endpoint} needs it")]
    MissingPrompt {
        /// The field that must be there.
        field: &'static str,
        /// The route that asks for it.
        endpoint: crate::Endpoint,
    },
}

/// Why a response, streamed or whole, could not be read to its end: the fault of who answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// An event's data is not a JSON completion chunk.
    #[error(
        "event {event} at byte {offset} of the stream is not a completion chunk ({reason}): {excerpt}{hint}"
    )]
    MalformedEvent {
        /// Which event of the stream, from 0.
        event: u64,
        /// Where its first data line begins, in bytes from the start of the body.
        offset: u64,
        /// What is wrong with it, and where within its data.
        reason: String,
        /// The beginning of the data.
        excerpt: String,
        /// What to do, where the data tells that; empty elsewhere.
        hint: &'static str,
    },
    /// An event's data is not UTF-8.
    #[error(
        "event {event} at byte {offset} of the stream is not UTF-8 (after {valid_bytes} valid bytes); \
         the server must send whole characters"
    )]
    InvalidUtf8 {
        /// Which event of the stream, from 0.
        event: u64,
        /// Where its first data line begins, in bytes from the start of the body.
        offset: u64,
        /// Bytes of its data before the fault.
        valid_bytes: usize,
    },
    /// A line, or the joined data lines of one event, is longer than any chunk can be.
    #[error(
        "a line or an event of the stream is longer than {limit} bytes and was cut there; \
         no chunk of a completion is as long"
    )]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More events than anybody asks for, or than the memory of many such streams holds.
    #[error(
        "the stream has more than {limit} events, counting each choice of a chunk, and was cut there; \
         no completion has as many"
    )]
    TooManyEvents {
        /// The limit.
        limit: usize,
    },
    /// A body that is not a stream is not a JSON completion.
    #[error("the response body is not a completion ({reason}): {excerpt}{hint}")]
    MalformedBody {
        /// What is wrong with it.
        reason: String,
        /// The beginning of the body.
        excerpt: String,
        /// What to do, where the body tells that; empty elsewhere.
        hint: &'static str,
    },
    /// A body is not the vectors or scores that were asked for.
    #[error("the response body is not what was asked for ({reason}): {excerpt}{hint}")]
    MalformedReply {
        /// What is wrong with it.
        reason: String,
        /// The beginning of the body.
        excerpt: String,
        /// What to do, where the body tells that; empty elsewhere.
        hint: &'static str,
    },
    /// The server reported an error in place of a chunk.
    #[error("the server reported an error: {message}")]
    Server {
        /// The server's words, cut at 500 characters.
        message: String,
    },
}

/// The first `chars_max` characters of `text`, with an ellipsis where it is longer.
pub fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The advice to check the URL, where a text tells that something else answered: a page, a route that is not found,
/// or JSON without any field of an answer. Elsewhere the URL is right and the answer is at fault.
pub(crate) fn url_hint(text: &str) -> &'static str {
    /// Fields of which an answer of the API, be it broken, has at least one.
    const FIELDS: [&str; 10] = [
        "\"choices\"",
        "\"object\"",
        "\"model\"",
        "\"usage\"",
        "\"delta\"",
        "\"output\"",
        "\"response\"",
        "\"data\"",
        "\"embedding\"",
        "\"results\"",
    ];
    let text = text.trim_start();
    let begins = excerpt(text, 1_000).to_ascii_lowercase();
    let is_page = begins.starts_with('<');
    let is_missing = begins.contains("not found");
    let is_json = begins.starts_with(['{', '[', '"']);
    if is_page || is_missing || (is_json && !FIELDS.iter().any(|field| text.contains(field))) {
        "; check that the URL is that of an OpenAI-compatible API"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::url_hint;

    #[test]
    fn the_url_is_blamed_only_where_something_else_answered() {
        for text in [
            " <!doctype html><html>",
            "404 page not found",
            r#"{"detail":"Not Found"}"#,
            r#"{"status":"ok"}"#,
            "[]",
        ] {
            assert!(url_hint(text).contains("check that the URL"), "{text}");
        }
        for text in [
            r#"{"id":"chatcmpl-1","choices":[{"index":0,"#,
            r#"{"object":"list","data":[{"embedding":[1,null]}]}"#,
            "upstream connect error",
            "data: {\"choices\":[]}",
            "",
        ] {
            assert_eq!(url_hint(text), "", "{text}");
        }
    }
}
