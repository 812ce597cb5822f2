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
        "event {event} at byte {offset} of the stream is not a completion chunk ({reason}): {excerpt}{}",
        way_out(*.event == 0, .excerpt)
    )]
    MalformedEvent {
        /// Which event of the stream, from 0.
        event: u64,
        /// Where its first data line begins, in bytes from the start of the body.
        offset: u64,
        /// The parser's words, with line and column within the data.
        reason: String,
        /// The beginning of the data.
        excerpt: String,
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
        "a line or an event of the stream is longer than {limit} bytes, which no completion chunk is, and was cut there"
    )]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A body that is not a stream is not a JSON completion.
    #[error(
        "the response body is not a completion ({reason}): {excerpt}{}",
        way_out(true, .excerpt)
    )]
    MalformedBody {
        /// The parser's words.
        reason: String,
        /// The beginning of the body.
        excerpt: String,
    },
    /// A body is not the vectors or scores that were asked for.
    #[error(
        "the response body is not what was asked for ({reason}): {excerpt}{}",
        way_out(true, .excerpt)
    )]
    MalformedReply {
        /// What is wrong with it.
        reason: String,
        /// The beginning of the body.
        excerpt: String,
    },
    /// The server reported an error in place of a chunk.
    #[error("the server reported an error: {message}")]
    Server {
        /// The server's words, cut at 500 characters.
        message: String,
    },
}

/// Where to look for the cause: what begins with no JSON comes from something else than an API.
fn way_out(begins: bool, excerpt: &str) -> &'static str {
    if begins && !excerpt.trim_start().starts_with(['{', '[']) {
        "; check that the URL is that of an OpenAI-compatible API"
    } else {
        ""
    }
}

/// The first `chars_max` characters of `text`, with an ellipsis where it is longer.
pub fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::StreamError;

    #[test]
    fn the_url_is_blamed_only_where_something_else_than_an_api_answers() {
        let event = |event, excerpt: &str| {
            StreamError::MalformedEvent {
                event,
                offset: 0,
                reason: "expected value".to_owned(),
                excerpt: excerpt.to_owned(),
            }
            .to_string()
            .contains("check that the URL")
        };
        assert!(event(0, "<html>"));
        assert!(!event(7, "<html>"), "seven events before it were right");
        assert!(!event(0, "{\"choices\": 3"), "an API with an odd chunk");
        let body = |excerpt: &str| StreamError::MalformedBody {
            reason: "expected value".to_owned(),
            excerpt: excerpt.to_owned(),
        };
        assert!(body("<html>").to_string().contains("check that the URL"));
        assert!(!body("{}").to_string().contains("check that the URL"));
    }
}
