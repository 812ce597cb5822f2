//! The routes of generated text.

use crate::RequestError;
use std::fmt;
use std::str::FromStr;

/// Which of the text-generation routes a request goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Messages with roles; the answer is a message.
    #[default]
    ChatCompletions,
    /// One prompt; the answer is its continuation.
    Completions,
    /// `OpenAI`'s newer route: items in, items out, with events of its own.
    Responses,
}

impl Endpoint {
    /// The route below the API's base URL, which usually ends in `/v1`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Completions => "/completions",
            Self::Responses => "/responses",
        }
    }

    /// The field of the body that holds what is asked.
    pub(crate) const fn prompt_field(self) -> &'static str {
        match self {
            Self::ChatCompletions => "messages",
            Self::Completions => "prompt",
            Self::Responses => "input",
        }
    }

    /// The field that limits the answer's tokens.
    pub(crate) const fn limit_field(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::Completions => "max_tokens",
            Self::Responses => "max_output_tokens",
        }
    }

    /// Whether `stream_options.include_usage` asks for token counts at the end of a stream.
    pub(crate) const fn has_stream_options(self) -> bool {
        match self {
            Self::ChatCompletions | Self::Completions => true,
            // They always come.
            Self::Responses => false,
        }
    }

    /// Whether a request has messages rather than a text.
    pub const fn has_messages(self) -> bool {
        !matches!(self, Self::Completions)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.path())
    }
}

impl FromStr for Endpoint {
    type Err = RequestError;

    /// Reads `chat`, `completions`, `responses` or a route, with or without the leading `/` and `/v1`.
    fn from_str(text: &str) -> Result<Self, RequestError> {
        let route = text.strip_prefix('/').unwrap_or(text);
        match route.strip_prefix("v1/").unwrap_or(route) {
            "chat" | "chat/completions" => Ok(Self::ChatCompletions),
            "completions" => Ok(Self::Completions),
            "responses" => Ok(Self::Responses),
            _ => Err(RequestError::UnknownEndpoint {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn every_usual_spelling_names_its_endpoint() {
        for text in [
            "chat",
            "/chat/completions",
            "chat/completions",
            "/v1/chat/completions",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().unwrap(),
                Endpoint::ChatCompletions,
                "{text}"
            );
        }
        for text in [
            "completions",
            "/completions",
            "/v1/completions",
            "v1/completions",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().unwrap(),
                Endpoint::Completions,
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_endpoint_is_refused_with_the_ones_there_are() {
        let error = "/v1/embeddings"
            .parse::<Endpoint>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/v1/embeddings") && error.contains("/chat/completions"),
            "{error}"
        );
    }

    #[test]
    fn a_displayed_endpoint_parses_back() {
        for endpoint in [
            Endpoint::ChatCompletions,
            Endpoint::Completions,
            Endpoint::Responses,
        ] {
            assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
        }
    }
}
