//! What all connections share, and the routes.

use crate::admission::{Admission, Closed};
use crate::codec::TextCodec;
use crate::http::{Reply, Whole};
use crate::metrics::Metrics;
use crate::task::{Compare, Task};
use http1::{Head, Method};
use openai::{ApiError, Endpoint, RequestLimits};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all connections share.
pub(crate) struct App {
    pub(crate) model_name: String,
    pub(crate) api_key: Option<String>,
    /// Unix time of the start, in seconds.
    pub(crate) created: u64,
    /// What a prompt or a text may be.
    pub(crate) limits: RequestLimits,
    /// What the model does.
    pub(crate) task: Task,
    pub(crate) codec: Arc<TextCodec>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) metrics: Arc<Mutex<Metrics>>,
    pub(crate) serial: Serial,
}

/// Numbers that no other request has: keys, ids and seeds.
pub(crate) struct Serial {
    /// Of the system, once.
    entropy: RandomState,
    count: AtomicU64,
}

impl Serial {
    pub(crate) fn new() -> Self {
        Serial {
            entropy: RandomState::new(),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// A key of this server's life, and a number that nobody can foresee.
    pub(crate) fn pair(&self) -> (u64, u64) {
        let count = self.next();
        (count, self.entropy.hash_one(count))
    }
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Complete(Endpoint),
    Embed,
    Compare(Compare),
    Models,
    Model,
    Tokenize,
    Detokenize,
    Health,
    Ready,
    Metrics,
}

impl App {
    /// Where a request goes, by its head alone; else its refusal.
    pub(crate) fn route(&self, head: &Head) -> Result<Route, Whole> {
        let (route, method) = match head.path() {
            "/health" => (Route::Health, Method::Get),
            "/health/ready" => (Route::Ready, Method::Get),
            "/metrics" => (Route::Metrics, Method::Get),
            path => {
                // Who has no key does not learn what there is.
                self.authorize(head).map_err(|error| Whole::error(&error))?;
                match path {
                    "/v1/chat/completions" => {
                        (Route::Complete(Endpoint::ChatCompletions), Method::Post)
                    }
                    "/v1/completions" => (Route::Complete(Endpoint::Completions), Method::Post),
                    "/v1/embeddings" => (Route::Embed, Method::Post),
                    "/v1/score" | "/score" => (Route::Compare(Compare::Score), Method::Post),
                    "/v1/rerank" | "/v2/rerank" | "/rerank" => {
                        (Route::Compare(Compare::Rerank), Method::Post)
                    }
                    "/v1/models" => (Route::Models, Method::Get),
                    "/tokenize" => (Route::Tokenize, Method::Post),
                    "/detokenize" => (Route::Detokenize, Method::Post),
                    path => match path.strip_prefix("/v1/models/") {
                        Some(id) if decoded(id) == self.model_name.as_bytes() => {
                            (Route::Model, Method::Get)
                        }
                        Some(id) => {
                            let id = decoded(id);
                            let id = String::from_utf8_lossy(&id);
                            return Err(Whole::error(&self.no_such_model(&id)));
                        }
                        None => return Err(Whole::error(&self.task.no_such_path())),
                    },
                }
            }
        };
        match (method, head.method()) {
            (Method::Post, Method::Post) | (Method::Get, Method::Get | Method::Head) => Ok(route),
            (Method::Post, _) => Err(Whole::wrong_method("POST")),
            _ => Err(Whole::wrong_method("GET, HEAD")),
        }
    }

    /// Answers a request whose body is there.
    pub(crate) async fn answer(self: &Arc<Self>, route: Route, body: Vec<u8>) -> Reply {
        Reply::Whole(match route {
            Route::Complete(endpoint) => return self.complete(endpoint, body).await,
            Route::Embed => self.embed(body).await,
            Route::Compare(compare) => self.compare(compare, body).await,
            Route::Models => Whole::json(
                format!("{{\"object\":\"list\",\"data\":[{}]}}", self.model()).into_bytes(),
            ),
            Route::Model => Whole::json(self.model().into_bytes()),
            Route::Tokenize => self.tokenize(body).await,
            Route::Detokenize => self.detokenize(body).await,
            Route::Health => match self.admission.failed() {
                Some(reason) => Whole::error(&Closed::Failed(reason).error()),
                None => Whole::json(br#"{"status":"ok"}"#.to_vec()),
            },
            Route::Ready => match self.admission.closed() {
                Some(closed) => Whole::error(&closed.error()),
                None => Whole::json(br#"{"status":"ready"}"#.to_vec()),
            },
            Route::Metrics => {
                let metrics = self.metrics().clone();
                let gauges = self.admission.gauges();
                let text = match &self.task {
                    Task::Generate(_) => metrics.text(&self.model_name, &gauges),
                    Task::Embed(_) => metrics.encoder_text(&self.model_name, &gauges),
                };
                Whole {
                    content_type: "text/plain; version=0.0.4; charset=utf-8",
                    ..Whole::json(text.into_bytes())
                }
            }
        })
    }

    pub(crate) fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server takes nothing new.
    pub(crate) fn stops(&self) -> bool {
        self.admission.closed() == Some(Closed::Draining)
    }

    /// The client's id of the request where it may be echoed, else one of ours.
    pub(crate) fn request_id(&self, head: &Head) -> String {
        head.request_id()
            .map_or_else(|| self.new_id(), str::to_owned)
    }

    /// 32 hexadecimal digits.
    pub(crate) fn new_id(&self) -> String {
        let (count, random) = self.serial.pair();
        let mut id = String::with_capacity(32);
        let _ = write!(id, "{random:016x}{count:016x}");
        id
    }

    /// One model, as `/v1/models` lists it.
    fn model(&self) -> String {
        serde_json::json!({
            "id": self.model_name,
            "object": "model",
            "created": self.created,
            "owned_by": "tokenomics",
            "max_model_len": self.limits.context_tokens,
        })
        .to_string()
    }

    fn authorize(&self, head: &Head) -> Result<(), ApiError> {
        let Some(key) = &self.api_key else {
            return Ok(());
        };
        let given = head.bearer();
        if given.is_some_and(|given| same(given, key.as_bytes())) {
            Ok(())
        } else {
            Err(ApiError::refused(
                401,
                "the request needs this server's key, as `Authorization: Bearer …`",
                "invalid_api_key",
            ))
        }
    }

    /// A request may name no model but this one.
    pub(crate) fn check_model(&self, asked: Option<&str>) -> Result<(), ApiError> {
        match asked {
            Some(asked) if asked != self.model_name => Err(self.no_such_model(asked)),
            _ => Ok(()),
        }
    }

    /// The refusal of a model that is not this one.
    pub(crate) fn no_such_model(&self, asked: &str) -> ApiError {
        ApiError {
            param: Some("model".to_owned()),
            ..ApiError::refused(
                404,
                format!(
                    "`model` must be `{}`, the only model there is, got `{}`",
                    self.model_name,
                    openai::excerpt(asked, 100)
                ),
                "model_not_found",
            )
        }
    }
}

/// Takes the same time wherever the two differ, so that a key cannot be guessed byte by byte.
fn same(given: &[u8], key: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != key.len());
    for (index, byte) in given.iter().enumerate() {
        let wanted = key.get(index).copied().unwrap_or(!byte);
        difference |= std::hint::black_box(byte ^ wanted);
    }
    difference == 0
}

/// Percent-decoded: a model's name may have slashes and spaces.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match after {
            [high, low, after @ ..] if *byte == b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let code = digit(high)
                    .zip(digit(low))
                    .map(|(high, low)| high * 16 + low);
                if let Some(code) = code.and_then(|code| u8::try_from(code).ok()) {
                    out.push(code);
                    rest = after;
                } else {
                    out.push(*byte);
                }
            }
            _ => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{decoded, same};

    #[test]
    fn only_the_whole_key_is_the_key() {
        assert!(same(b"secret", b"secret"));
        for wrong in ["", "s", "secreT", "secret1", "Secret"] {
            assert!(!same(wrong.as_bytes(), b"secret"), "{wrong}");
        }
    }

    #[test]
    fn names_are_percent_decoded() {
        assert_eq!(decoded("a%2Fb%20c%zz%2"), b"a/b c%zz%2");
    }
}
