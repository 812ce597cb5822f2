//! From a request to its answer. Pure, but for vectors that are kept.

use crate::answer::{Answer, JSON, error, wrong_method};
use crate::circumstances::Circumstances;
use crate::pooling::Pooling;
use crate::request::Request;
use crate::script::{End, Script};
use crate::vectors::Vectors;
use crate::work::{Work, serve};
use crate::{MockConfig, fault_choice};
use http1::{Envelope, Refusal};
use openai::{Endpoint, model_body, models_body};

/// Where the counters are.
pub(crate) const METRICS: &str = "/metrics";

/// What a path leads to.
#[derive(Clone, Copy)]
enum Route<'a> {
    Health,
    Models,
    /// One of them, by its id.
    Model(&'a str),
    Metrics,
    Work(Work),
}

/// Answers `request`, unless that is one for [`METRICS`].
pub(crate) fn answer(
    config: &MockConfig,
    vectors: &mut Vectors,
    request: &Request<'_>,
    circumstances: Circumstances,
) -> Answer {
    let envelope = Envelope::of(request.head);
    let Some(route) = Route::of(request.path()) else {
        let message = format!("there is no route {}", request.path());
        return Answer::unserved(error(&envelope, 404, "NotFoundError", &message));
    };
    if !request.takes(route.method()) {
        return Answer::unserved(wrong_method(&envelope, request, route.method()));
    }
    let authorized = authorized(config, request);
    match route {
        Route::Health | Route::Metrics => Answer::unserved(Script::whole(
            envelope.whole(200, JSON, &[], b"{}"),
            &envelope,
        )),
        Route::Models if authorized => {
            let body = models_body(&[&config.model]);
            Answer::unserved(Script::whole(
                envelope.whole(200, JSON, &[], &body),
                &envelope,
            ))
        }
        Route::Model(id) if authorized => {
            // A client may send the slash of a name as it is, or escaped.
            let known = id.replace("%2F", "/").replace("%2f", "/") == config.model;
            Answer::unserved(if known {
                let body = model_body(&config.model);
                Script::whole(envelope.whole(200, JSON, &[], &body), &envelope)
            } else {
                let message = format!("there is no model {id}; /v1/models lists what there is");
                error(&envelope, 404, "NotFoundError", &message)
            })
        }
        Route::Work(work) if authorized => serve(config, vectors, request, work, circumstances)
            .unwrap_or_else(|reason| {
                Answer::refused(error(&envelope, 400, "BadRequestError", &reason))
            }),
        Route::Models | Route::Model(_) | Route::Work(_) => {
            let message = "the API key is missing or wrong";
            let script = error(&envelope, 401, "invalid_request_error", message);
            Answer {
                served: matches!(route, Route::Work(_)),
                ..Answer::refused(script)
            }
        }
    }
}

/// Answers a request for [`METRICS`].
pub(crate) fn metrics(request: &Request<'_>, text: impl FnOnce() -> String) -> Answer {
    let envelope = Envelope::of(request.head);
    if !request.takes("GET") {
        return Answer::unserved(wrong_method(&envelope, request, "GET"));
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let bytes = envelope.whole(200, kind, &[], text().as_bytes());
    Answer::unserved(Script::whole(bytes, &envelope))
}

/// Answers what is no request; the connection ends with it.
pub(crate) fn refuse(refusal: &Refusal) -> Answer {
    let kind = match refusal.status {
        503 => "ServiceUnavailableError",
        _ => "BadRequestError",
    };
    let envelope = Envelope::last(None);
    let script = error(&envelope, refusal.status, kind, &refusal.message);
    Answer::unserved(Script {
        end: End::Linger,
        ..script
    })
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let work = match path {
            "/v1/chat/completions" => Work::Completion(Endpoint::ChatCompletions),
            "/v1/completions" => Work::Completion(Endpoint::Completions),
            "/v1/responses" => Work::Completion(Endpoint::Responses),
            "/v1/embeddings" => Work::Pooling(Pooling::Embeddings),
            // vLLM has them at all of these.
            "/v1/score" | "/score" => Work::Pooling(Pooling::Score),
            "/v1/rerank" | "/v2/rerank" | "/rerank" => Work::Pooling(Pooling::Rerank),
            "/health" | "/v1/health" => return Some(Self::Health),
            "/v1/models" => return Some(Self::Models),
            METRICS => return Some(Self::Metrics),
            _ => return path.strip_prefix("/v1/models/").map(Self::Model),
        };
        Some(Self::Work(work))
    }

    fn method(self) -> &'static str {
        match self {
            Self::Work(_) => "POST",
            Self::Health | Self::Models | Self::Model(_) | Self::Metrics => "GET",
        }
    }
}

/// A key that a fault belongs to is known, and let in.
fn authorized(config: &MockConfig, request: &Request<'_>) -> bool {
    let Some(key) = &config.api_key else {
        return true;
    };
    request.head.bearer() == Some(key.as_bytes()) || fault_choice::of_key(config, request).is_some()
}

#[cfg(test)]
mod tests;
