//! Why what a client sent is no request.

/// Why what a client sent is not answered as a request; the connection ends after saying so, because where the next request
/// begins is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The answer's status.
    pub status: u16,
    /// A sentence for the client.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Refusal {
            status,
            message: message.into(),
        }
    }

    pub(crate) fn head_too_large(most: usize) -> Self {
        Self::new(
            431,
            format!(
                "the request's head is larger than {most} bytes, which is the limit; send less"
            ),
        )
    }

    pub(crate) fn body_too_large(most: usize) -> Self {
        Self::new(
            413,
            format!(
                "the request's body is larger than {most} bytes, which is the limit; send less"
            ),
        )
    }

    /// The body did not come in time.
    pub fn too_slow(limit: std::time::Duration) -> Self {
        let seconds = limit.as_secs_f64();
        Self::new(
            408,
            format!("the request's body did not come within {seconds} s, which is the limit"),
        )
    }

    /// Requests and answers of all connections hold as much as they may.
    pub fn no_room(most: usize) -> Self {
        Self::new(
            503,
            format!(
                "requests and answers of all connections together hold {most} bytes, which is the limit; send less, \
                 or try again later"
            ),
        )
    }

    /// The connection is one too many.
    pub fn too_many_connections(most: usize) -> Self {
        Self::new(
            503,
            format!("{most} connections are open already, which is the limit; try again later"),
        )
    }

    /// A word for what it is, as APIs put beside the sentence.
    pub fn code(&self) -> &'static str {
        match self.status {
            408 => "request_timeout",
            413 => "body_too_large",
            417 => "expectation_failed",
            431 => "head_too_large",
            503 => "overloaded",
            _ => "bad_request",
        }
    }
}
