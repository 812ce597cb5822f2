//! What a request is answered with.

use crate::stream::TokenStream;
use http1::{Envelope, Refusal};
use openai::ApiError;

/// What a request is answered with.
pub(crate) enum Reply {
    /// All of it is there.
    Whole(Whole),
    /// Frames, as they come.
    Stream(Box<TokenStream>),
}

/// An answer that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// One more header.
    pub(crate) header: Option<(&'static str, &'static str)>,
}

/// Seconds after which a client that was turned away may come again.
const RETRY_AFTER: &str = "1";

impl Whole {
    pub(crate) fn json(body: Vec<u8>) -> Self {
        Whole {
            status: 200,
            content_type: "application/json",
            body,
            header: None,
        }
    }

    pub(crate) fn error(error: &ApiError) -> Self {
        Whole {
            status: error.status,
            header: match error.status {
                401 => Some(("www-authenticate", "Bearer")),
                429 | 503 => Some(("retry-after", RETRY_AFTER)),
                _ => None,
            },
            ..Self::json(error.body())
        }
    }

    pub(crate) fn refusal(refusal: &Refusal) -> Self {
        let message = refusal.message.clone();
        Self::error(&ApiError::refused(refusal.status, message, refusal.code()))
    }

    pub(crate) fn wrong_method(allowed: &'static str) -> Self {
        let error = ApiError::refused(
            405,
            format!("this path takes {allowed} only"),
            "method_not_allowed",
        );
        Whole {
            header: Some(("allow", allowed)),
            ..Self::error(&error)
        }
    }

    /// Head and body in one piece, for one write.
    pub(crate) fn bytes(&self, envelope: &Envelope<'_>) -> Vec<u8> {
        envelope.whole(
            self.status,
            self.content_type,
            self.header.as_slice(),
            &self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Whole;
    use http1::Envelope;

    #[test]
    fn a_refused_method_says_which_are_taken() {
        let whole = Whole::wrong_method("POST");
        let text = String::from_utf8(whole.bytes(&Envelope::last(Some("r1")))).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nallow: POST\r\n") && text.contains("\r\nconnection: close\r\n"));
        assert!(
            text.ends_with("\"code\":\"method_not_allowed\"}}"),
            "{text}"
        );
    }
}
