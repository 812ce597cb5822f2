//! What a request gets, and what that counts for.

use crate::Fault;
use crate::request::Request;
use crate::script::Script;
use http1::Envelope;
use openai::error_body;

pub(crate) const JSON: &str = "application/json";

/// What a request gets.
pub(crate) struct Answer {
    pub(crate) script: Script,
    /// Whether it came to a route that does a model's work: only those count and enter the truth
    /// log.
    pub(crate) served: bool,
    /// Whether a stream was asked for, and begins.
    pub(crate) stream: bool,
    pub(crate) account: Account,
    /// What happens to it, where that is the server's stop: it is for the server to do.
    pub(crate) freeze: Option<Fault>,
}

/// What an answer counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) outcome: Outcome,
    pub(crate) prompt_tokens: u64,
    /// Choices, and whether they end at the request's own limit.
    pub(crate) choices: u32,
    pub(crate) limited: bool,
}

/// How an answer ends, if its client stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    #[default]
    Refused,
    Fault,
}

impl Answer {
    /// What does not count.
    pub(crate) fn unserved(script: Script) -> Self {
        Self {
            served: false,
            ..Self::refused(script)
        }
    }

    /// What asked for a model's work, and gets none.
    pub(crate) fn refused(script: Script) -> Self {
        Self {
            script,
            served: true,
            stream: false,
            account: Account::default(),
            freeze: None,
        }
    }
}

/// An error in the shape of the API.
pub(crate) fn error(envelope: &Envelope<'_>, status: u16, kind: &str, message: &str) -> Script {
    Script::whole(
        envelope.whole(status, JSON, &[], &error_body(message, kind, status)),
        envelope,
    )
}

/// A method that the route does not take.
pub(crate) fn wrong_method(
    envelope: &Envelope<'_>,
    request: &Request<'_>,
    allowed: &str,
) -> Script {
    let message = format!(
        "{} takes {allowed}, not {}",
        request.path(),
        request.head.method().name()
    );
    let body = error_body(&message, "MethodNotAllowedError", 405);
    Script::whole(
        envelope.whole(405, JSON, &[("allow", allowed)], &body),
        envelope,
    )
}
